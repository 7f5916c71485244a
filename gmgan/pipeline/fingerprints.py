"""Hashes of code: of exactly the modules that compute a result, and of everything they import.

A job's fingerprint (graph.py) covers its settings, the fingerprints of what it reads, and this
hash. Comments, docstrings and annotations do not count as code. Plug-ins count like this package,
with the modules that they import from the folder of params.yaml or from their own package.

Modules that only declare or pass on settings and records (`PASSIVE`) are left out: the values
themselves are hashed, those of properties too. The report, which takes seconds, leaves out none.

Versions of the libraries that compute (`LIBRARIES`) are kept apart: results of other versions are
refused too, but can be accepted (gmgan/pipeline/settle.py).
"""

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, NamedTuple

from gmgan import plugins
from gmgan.errors import GmganError
from gmgan.pipeline.provenance import version_of

PASSIVE = (
    "gmgan.config",
    "gmgan.errors",
    "gmgan.plugins",
    "gmgan.records",
    "gmgan.runtime.progress",
)
LIBRARIES = {  # module -> distribution
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch_fidelity": "torch-fidelity",
}
# Arguments that only the report reads: names and digits of metrics do not change a score.
SHOWN = dict.fromkeys(("Metric", "replace"), ("label", "digits", "source", "panels"))
FACES = (
    "gmgan",
    "gmgan.data",
    "gmgan.models",
    *(f"gmgan.models.{part}" for part in ("networks", "objectives", "penalties", "auxiliary")),
)


def digest(*parts: Any) -> str:
    """16 hexadecimal digits that identify JSON-like `parts`."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_hash(*roots: str, shown: bool = False) -> str:
    """Hash of the code of modules and of everything that they import, without PASSIVE modules.

    shown: whether what only the report shows counts, and PASSIVE modules too.
    """
    parsed = {name: _parse(name) for name in module_closure(roots, passive=shown)}
    return digest([(name, each.code, each.shown if shown else "") for name, each in parsed.items()])


@cache
def library_versions(*roots: str) -> dict[str, str | None]:
    """{distribution: version} of the LIBRARIES that modules, or those that they import, use."""
    used = {name for module in module_closure(roots) for name in _parse(module).libraries}
    return {LIBRARIES[name]: version_of(LIBRARIES[name]) for name in sorted(used)}


def module_closure(roots: Iterable[str], passive: bool = False) -> tuple[str, ...]:
    """`roots` and the modules that they import, directly or indirectly, whose code counts.

    passive: whether that of PASSIVE modules does.
    """
    closure: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        package = module.rpartition(".")[0]
        if package:
            waiting.append(package)
        left_out = not passive and _is_passive(module)
        if module in closure or left_out or _file(module) is None:
            continue
        closure.add(module)
        waiting.extend(_parse(module).imports)
    return tuple(sorted(closure))


def _is_passive(module: str) -> bool:
    return module in FACES or any(
        module == name or module.startswith(f"{name}.") for name in PASSIVE
    )


@cache
def _file(module: str) -> Path | None:
    """The file of a module's code, or None."""
    if module.partition(".")[0] != "gmgan":
        return plugins.find(module)
    base = Path(__file__).parents[2].joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.exists()), None)


class Parsed(NamedTuple):
    """Hashes of a module's code and of what only the report shows; imports whose code counts;
    LIBRARIES that it imports."""

    code: str
    shown: str
    imports: frozenset[str]
    libraries: frozenset[str]


@cache
def _parse(module: str) -> Parsed:
    """What counts of a module.

    Raises GmganError if the code is not valid Python.
    """
    path = _file(module)
    assert path is not None
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
        imports = _imports(tree, package)
    except (SyntaxError, ValueError, ImportError) as error:
        line = getattr(error, "lineno", None) or 1
        raise GmganError(f"{path}:{line}: {getattr(error, 'msg', error)}") from error
    bare = _Bare()
    code = digest(ast.dump(bare.visit(tree)))
    own = frozenset(name for name in imports if _counts(name, module))
    libraries = frozenset(name.partition(".")[0] for name in imports) & set(LIBRARIES)
    return Parsed(code, digest(bare.shown), own, libraries)


class _Bare(ast.NodeTransformer):
    """Removes what does not compute: docstrings, annotations of arguments and results, and what
    only the report shows, which is kept apart.

    Annotations in a class body stay: they declare the fields of dataclasses.
    """

    def __init__(self) -> None:
        self.shown: list[str] = []

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names = SHOWN.get(node.func.id, ())
            self.shown += [ast.dump(each) for each in node.keywords if each.arg in names]
            node.keywords = [each for each in node.keywords if each.arg not in names]
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node


def _imports(tree: ast.AST, package: str) -> set[str]:
    """Names that a module of `package` may import; raises ImportError for `..` beyond the top."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            names |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return names


def _counts(name: str, importer: str) -> bool:
    """True for modules of this package and, if a plug-in imports them, of the user's own code."""
    top, own = name.partition(".")[0], importer.partition(".")[0]
    return top == "gmgan" or (own != "gmgan" and (top == own or plugins.is_local(name)))
