"""The structure of the code, and its tools."""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

BIN = Path(sys.executable).parent


def run(*command):
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)


MAKEFILE = (ROOT / "Makefile").read_text()
LINT = re.search(r"^LINT := (.+)$", MAKEFILE, re.MULTILINE)[1].split()


@pytest.mark.parametrize("target", LINT)
def test_make_lint_is_content(target):
    done = run("make", f"BIN={BIN}", "--old-file=setup", target)
    assert done.returncode == 0, done.stdout + done.stderr
    if target == "lint-imports":
        assert "2 kept, 0 broken" in done.stdout


def test_pre_commit_runs_the_targets_of_make_lint():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in repo["hooks"]] == [f"make {target}" for target in LINT]
    assert all(hook["language"] == "system" for hook in repo["hooks"])


def unannotated(tree):
    """Public functions, and special methods, without the type of an argument or of the result."""
    for node in ast.walk(tree):
        bodies = [node.body] if isinstance(node, (ast.Module, ast.ClassDef)) else []
        for function in (each for body in bodies for each in body):
            if not isinstance(function, ast.FunctionDef):
                continue
            if function.name.startswith("_") and not function.name.startswith("__"):
                continue
            every = [each for each in ast.walk(function.args) if isinstance(each, ast.arg)]
            own = [each for each in every if each.arg not in ("self", "cls")]
            untyped = function.returns is None and function.name != "__init__"
            if untyped or any(each.annotation is None for each in own):
                yield f"{function.name} has arguments or a result without a type"


def type_comments(source):
    """Comments that hold a type; `# type: ignore[...]` holds none."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and re.match(r"# type:(?! ignore\[)", token.string):
            yield f"line {token.start[0]}: {token.string}"


def odd_docstrings(tree):
    """Docstrings that begin with a preposition instead of a subject or a verb."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node) or ""
            if text.startswith(("Of ", "For ")):
                yield text.splitlines()[0]


def vague_names(tree):
    """Variables called `found`, which says nothing about what they hold."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == "found":
            yield f"line {node.lineno}: found"


@cache
def own_names():
    """Names of functions and attributes that the package itself defines; os._exit is public."""
    names = {"_exit"}
    for path in (ROOT / "gmgan").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names |= {node.attr} if ast.unparse(node.value) == "self" else set()
    return names


def private_names(tree):
    """Private names of libraries, such as torch._x, layer._parameters and numpy._core."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        else:
            continue
        for name in names:
            if re.match("_(?!_)", name) and name not in own_names():
                yield f"line {node.lineno}: {name}"


CHECKS = {
    unannotated: "def f(x) -> int: ...",
    type_comments: "x = {}  # type: dict",
    odd_docstrings: 'def f():\n    """For each x its square."""',
    vague_names: "found = 1",
    private_names: "layer._parameters = {}",
}


def mistakes(check, source):
    return list(check(source if check is type_comments else ast.parse(source)))


@pytest.mark.parametrize("check", CHECKS)
def test_conventions_of_the_package(check):
    """Each check reports its example and nothing in the package."""
    assert len(mistakes(check, CHECKS[check])) == 1
    for path in sorted((ROOT / "gmgan").rglob("*.py")):
        assert not mistakes(check, path.read_text()), path


def test_the_picture_of_imports_shows_every_part_of_the_package():
    texts = re.findall(r">([^<]+)</text>", (ROOT / "docs" / "imports.svg").read_text())
    shown = {word for text in texts for word in text.split()}
    parts = {path.stem for path in (ROOT / "gmgan").iterdir() if path.suffix in ("", ".py")}
    parts -= {"__init__", "__main__", "__pycache__"}
    assert len(parts) > 10
    assert not {*parts, "worker"} - shown, "run python docs/scripts/imports.py"


def test_stages_without_torch_do_not_load_it():
    script = (
        "import sys; from gmgan import cli; from gmgan.pipeline import costs, runner, settle; "
        "from gmgan.data import prepare; from gmgan.evaluation import score; "
        "from gmgan.report import collect, report; sys.exit('torch' in sys.modules)"
    )
    assert run(sys.executable, "-c", script).returncode == 0


def test_torchvision_and_torch_fidelity_import_behind_the_guard():
    script = (
        "from gmgan.runtime.torch_setup import allow_torchvision_without_ops as allow; allow(); "
        "allow(); import torchvision, torch_fidelity; print(torchvision.__version__)"
    )
    done = run(sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr


def test_snakemake_lint_has_only_the_explained_findings():
    """Two findings stay.

    'No conda or container': the whole workflow runs in one environment, the locked .venv that make
    builds. 'Mixed rules and functions' does not occur: functions live in common.smk, which has no
    rules.
    """
    done = run(sys.executable, "-m", "snakemake", "--lint", "text")
    findings = [
        line.strip()
        for line in (done.stdout + done.stderr).splitlines()
        if line.strip().startswith("*")
    ]
    others = [line for line in findings if "Specify a conda environment or container" not in line]
    assert not others, others


def test_both_locks_name_the_same_versions():
    pinned = dict(re.findall(r"^([^=\s]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M))
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = {each["name"]: each.get("version") for each in packages}
    assert {name: locked.get(name) for name in pinned} == pinned
