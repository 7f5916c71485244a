"""Code by name: `module:attribute`, of this package or of the user's own.

A module is searched for in the folder of params.yaml first, then among the installed packages. Only
`load` imports a module; all other functions run none of its code.
"""

import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from gmgan.errors import GmganError, unknown_name

_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_folder = Path()
_NONE: Mapping[str, str] = MappingProxyType({})


def is_plugin(kind: object) -> bool:
    """True for the form `module:attribute`; built-in kinds have no colon."""
    return isinstance(kind, str) and _NAME.fullmatch(kind) is not None


def look_in(folder: str | Path) -> None:
    """Look for modules in `folder` before anywhere else."""
    global _folder
    _folder = Path(folder).resolve()
    find.cache_clear()
    sys.path[:] = [str(_folder), *(place for place in sys.path if place != str(_folder))]


def is_local(module: str) -> bool:
    """True for a module that lies in the folder of params.yaml."""
    file, top = find(module), _folder / module.partition(".")[0]
    return file is not None and (file == top.with_suffix(".py") or top in file.parents)


@cache
def find(module: str) -> Path | None:
    """The Python file of a module, located without running its code; None if there is none."""
    name, places, origin = "", None, None
    for part in module.split("."):
        if name and places is None:
            return None
        name = f"{name}.{part}" if name else part
        specs = (finder.find_spec(name, places) for finder in sys.meta_path)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is None:
            return None
        places = spec.submodule_search_locations
        origin = spec.origin if spec.has_location else None
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def module_of(kind: str, built_in: Mapping[str, str] = _NONE) -> str:
    """The module that holds the code of a kind; raises GmganError if there is no such module.

    built_in: names of the code of built-in kinds; any other kind is itself such a name.
    """
    name = built_in.get(kind, kind)
    module = name.partition(":")[0]
    if find(module) is None:
        raise GmganError(
            f"{name}: no module {module} in {_folder} or among the installed packages; "
            f"put {module.replace('.', '/')}.py beside params.yaml or install it"
        )
    return module


def load(kind: str, built_in: Mapping[str, str] = _NONE) -> Any:
    """The code of a kind: the attribute in `module:attribute`, or the module if none is named.

    built_in: as for `module_of`. Raises GmganError if the module or the attribute does not
    exist or the import fails.
    """
    name, module = built_in.get(kind, kind), module_of(kind, built_in)
    attribute = name.partition(":")[2]
    try:
        code = import_module(module)
    except Exception as error:
        text = " ".join(str(error).split())
        raise GmganError(
            f"{name}: importing {module} failed with {type(error).__name__}: {text}"
        ) from error
    if attribute and not hasattr(code, attribute):
        own = vars(code).items()
        known = [public for public, value in own if getattr(value, "__module__", None) == module]
        raise GmganError(f"{name}: {unknown_name(f'attribute of {module}', attribute, known)}")
    return getattr(code, attribute) if attribute else code


def options(entry: Any, code: Any) -> Any:
    """What the code of an entry of params.yaml gets: a plug-in its `options`, else the entry."""
    return checked_options(entry.kind, code, entry.options) if is_plugin(entry.kind) else entry


def checked_options(name: str, code: Any, options: dict[str, Any]) -> Any:
    """The options of a plug-in, as an object of its attribute `Options` if it has one.

    `Options` is a pydantic class. Raises GmganError with one line for each mistake in `options`.
    """
    checked = getattr(code, "Options", None)
    if checked is None:
        return options
    try:
        return checked.model_validate(options)
    except ValidationError as error:
        places = [(".".join(map(str, ("options", *e["loc"]))), e["msg"]) for e in error.errors()]
        raise GmganError("\n".join(f"{name}: {place}: {text}" for place, text in places)) from error


def build(entry: Any, built_in: Mapping[str, str], *arguments: Any) -> Any:
    """The part of a model that an entry names: its code called with its options and `arguments`."""
    code = load(entry.kind, built_in)
    return code(options(entry, code), *arguments)
