"""Read params.yaml.

`load` is the only way in. It lists all mistakes at once, each with file, line, key, value and what
is allowed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from gmgan import plugins
from gmgan.config.base import Location, describe, section_of
from gmgan.config.params import Params
from gmgan.errors import GmganError, unknown_name

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is much faster


def load(path: str | Path = "params.yaml") -> Params:
    """Read and validate a params file; modules of plug-ins are then looked for in its folder.

    Raises GmganError with one line for each mistake: `file:line: key: what is wrong`.
    """
    path = Path(path)
    try:
        text = path.read_text()
    except OSError as error:
        raise GmganError(
            f"cannot read {path}: {error.strerror}; run in the project's folder or "
            "name the file with --params"
        ) from error
    try:
        loader = LOADER(text)
        tree = loader.get_single_node()
        raw = loader.construct_document(tree) if tree else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise GmganError(
            f"{path}:{line}: not valid YAML: {getattr(error, 'problem', error)}"
        ) from error
    if tree is None or not isinstance(raw, dict):
        raise GmganError(f"{path}:1: expected a mapping with the sections of params.yaml")
    lines = [(line, f"key '{key}' is given twice; keep one") for line, key in _duplicates(tree)]
    merged, wrong = _merge_extended_datasets(raw)
    for name, text in wrong.items():
        line, key = _place(tree, raw, ("datasets", name, "extends"))
        lines.append((line, f"{key}: {text}"))
    try:
        params = Params.model_validate(merged, context=merged)
    except ValidationError as error:
        for e in error.errors():
            if e["loc"][:1] != ("datasets",) or e["loc"][1:2] not in {(name,) for name in wrong}:
                line, key = _place(tree, raw, e["loc"])
                lines.append((line, f"{key}: {describe(e)}"))
    if lines:
        unique = sorted(dict.fromkeys(lines), key=lambda item: item[0])
        raise GmganError("\n".join(f"{path}:{line}: {text}" for line, text in unique))
    plugins.look_in(path.parent)
    return params


def _merge_extended_datasets(raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """(the file's content with every data set complete, what is wrong with which `extends`)."""
    datasets = section_of(raw, "datasets")
    wrong: dict[str, str] = {}

    def complete(name: str) -> Any:
        entry = datasets[name]
        chain = list(_ancestors(datasets, name))
        for parent in chain:
            if parent not in datasets:
                wrong[name] = unknown_name("dataset", str(parent), map(str, datasets))
            elif parent == name or chain.count(parent) > 1:
                wrong[name] = "data sets extend each other in a circle"
            else:
                entry = _deep_merge(datasets[parent], entry)
        return entry

    return {**raw, "datasets": {name: complete(name) for name in datasets}}, wrong


def _ancestors(datasets: Any, name: Any) -> Iterator[Any]:
    """The names that an entry extends, directly or not; ends where one comes again."""
    seen = {name}
    while (name := section_of(datasets, name).get("extends")) is not None:
        yield name
        if name in seen:
            return
        seen.add(name)


def _deep_merge(base: Any, change: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    if "kind" in change and change["kind"] != base.get("kind"):
        return change
    return {**base, **{key: _deep_merge(base.get(key), value) for key, value in change.items()}}


def _duplicates(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """(line, key) of every key that stands twice in one mapping."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value)
            yield from _duplicates(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _duplicates(value)


def _place(tree: yaml.Node, raw: dict[str, Any], location: Location) -> tuple[int, str]:
    """(line, dotted key) of a location, or of the deepest part of it that the file holds.

    What a data set takes from the one that it extends is found there, and what a block takes from
    its suite at the suite.
    """
    location = tuple(part for part in location if not str(part).startswith(("<", "[")))
    places = [location]
    if location[:1] == ("datasets",) and len(location) > 1:
        parents = _ancestors(section_of(raw, "datasets"), location[1])
        places += [("datasets", parent, *location[2:]) for parent in parents]
    if location[:1] == ("suites",) and location[2:3] == ("cells",):
        places.append((*location[:2], *location[4:]))
    _, line, key = max((_walk(tree, place) for place in places), key=lambda step: step[0])
    return line, key


def _walk(node: yaml.Node, location: Location) -> tuple[int, int, str]:
    """(number of parts that the file holds, line of the last of them, dotted key)."""
    line, keys = 1, []
    for depth, part in enumerate(location):
        child = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    child, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and part in range(len(node.value)):
            child = node.value[int(part)]
            line = child.start_mark.line + 1
        if child is not None:
            node = child
            keys.append(str(part))
        elif not isinstance(part, int):  # a single value stands for a list of one: part 0 is it
            missing = [str(part) for part in location[depth:]]
            return depth, line, ".".join([*keys, *missing])
    return len(location), line, ".".join(keys)
