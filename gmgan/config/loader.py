"""Read params.yaml.

`load` is the only way in. It lists all mistakes at once, each with file, line, key, value and what
is allowed. The file's size, depth, lists and aliases are bounded before anything is built of it.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from gmgan import plugins
from gmgan.config import vary
from gmgan.config.base import Location, section_of
from gmgan.config.counts import count_mistakes
from gmgan.config.params import Params
from gmgan.errors import GmganError, unknown_name
from gmgan.reading import read_regular, reason

EXTENDABLE = {"datasets", "models", "suites"}  # sections whose entries may extend each other
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is much faster
# Bounds (ours). The file that is shipped has 17,000 characters and 9 levels.
MOST_CHARACTERS = 300_000  # with aliases written out
MOST_LEVELS = 30
MOST_ITEMS = 1000  # of a list or a mapping
MOST_ENTRIES = 300  # of a section
LONGEST_CHAIN = 20  # entries that extend each other
MOST_MISTAKES = 50  # that are listed


def load(
    path: str | Path = "params.yaml",
    further: Callable[[Params], Iterable[tuple[Location, str]]] | None = None,
) -> Params:
    """Read and validate a params file; modules of plug-ins are then looked for in its folder.

    further: finds more mistakes, as (location in the file, text), in params that are valid or have
    their invalid values left out. Raises GmganError with one line for each mistake:
    `file:line: key: what is wrong`.
    """
    path = Path(path)
    tree, raw = _read(path)
    lines = [(line, f"key '{key}' is given twice; keep one") for line, key in _duplicates(tree)]
    wrong: dict[Location, str] = {}
    merged = {**raw, **{name: _complete(raw, name, wrong) for name in EXTENDABLE & raw.keys()}}
    texts = [((*place, "extends"), text) for place, text in wrong.items()]
    params: Params | None
    try:
        params = Params.model_validate(merged, context=merged)
        texts += vary.mistakes_in(params).items()
    except ValidationError as error:
        mistaken = [(e["loc"], e["msg"]) for e in error.errors()]
        texts += [(place, text) for place, text in mistaken if place[:2] not in wrong]
        params = _valid_part(merged, [place for place, _ in mistaken])
    if params is not None:
        mistaken = list(further(params)) if further else []
        checked = {place[:2] for place, _ in mistaken}
        others = [name for name in params.datasets if ("datasets", name) not in checked]
        texts += [*mistaken, *count_mistakes(params, dict.fromkeys(others))]
    for location, text in texts[:MOST_MISTAKES]:
        line, key = _place(tree, raw, location)
        lines.append((line, f"{key}: {text}"))
    if lines:
        unique = sorted(dict.fromkeys(lines), key=lambda item: item[0])[:MOST_MISTAKES]
        listed = [f"{path}:{line}: {' '.join(text.split())}" for line, text in unique]
        more = [f"{path}: and more mistakes"] if len(texts) > MOST_MISTAKES else []
        raise GmganError("\n".join([*listed, *more]))
    assert params is not None  # else there were mistakes
    plugins.look_in(path.parent)
    return params


def _valid_part(merged: dict[str, Any], places: Iterable[Location]) -> Params | None:
    """The params without the values at `places`; None if they are still not valid."""
    rest = deepcopy(merged)
    for *above, last in places:
        node: Any = rest
        for part in above:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(last, None)
    try:
        return Params.model_validate(rest, context=rest)
    except ValidationError:
        return None


def _read(path: Path) -> tuple[yaml.Node, dict[str, Any]]:
    """The file as nodes with lines, and as values."""
    try:
        text = read_regular(path, MOST_CHARACTERS).decode()
        _check_bounds(text)
        loader = LOADER(text)
        tree = loader.get_single_node()
        raw = loader.construct_document(tree) if tree else None
    except FileNotFoundError as error:
        cure = "run in the project's folder or name the file with --params"
        raise GmganError(f"cannot read {path}: {error.strerror}; {cure}") from error
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", error)
        line = mark.line + 1 if mark else 1
        raise GmganError(f"{path}:{line}: not valid YAML: {problem}") from error
    except ValueError as error:  # no UTF-8, no date, or a number with thousands of digits
        raise GmganError(f"{path}: not valid YAML: {reason(error)}") from error
    if tree is None or not isinstance(raw, dict):
        raise GmganError(f"{path}:1: expected a mapping with the sections of params.yaml")
    return tree, raw


@dataclass
class _Part:
    """A part of the file: its anchor, its characters with aliases written out, levels, items."""

    anchor: str | None = None
    characters: int = 1
    levels: int = 0
    items: int = 0
    is_mapping: bool = False

    def add(self, inner: "_Part") -> None:
        self.characters += inner.characters
        self.levels = max(self.levels, 1 + inner.levels)
        self.items += 1


def _check_bounds(text: str) -> None:
    """Raise YAMLError for a text that is too deep or too large, before anything is built of it."""
    around = [_Part()]  # the whole, then the parts that are open
    known: dict[str, _Part] = {}  # the parts that an alias may stand for
    for event in yaml.parse(text, LOADER):
        part, problem = _Part(), ""
        if isinstance(event, yaml.CollectionStartEvent):
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            around.append(_Part(event.anchor, is_mapping=is_mapping))
        elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            if isinstance(event, yaml.CollectionEndEvent):
                part = around.pop()
            elif isinstance(event, yaml.ScalarEvent):
                part = _Part(event.anchor, 1 + len(event.value))
            elif event.anchor in known:
                part = replace(known[event.anchor], anchor=None)
            else:
                problem = "an alias stands for what is around it, or for nothing"
            if part.anchor:
                known[part.anchor] = part
            around[-1].add(part)
        most = MOST_ENTRIES if len(around) == 3 else MOST_ITEMS
        if len(around) + part.levels > MOST_LEVELS:
            problem = f"more than {MOST_LEVELS} levels"
        elif around[-1].characters > MOST_CHARACTERS:
            problem = f"more than {MOST_CHARACTERS:,} characters with aliases written out"
        elif around[-1].items > most * (2 if around[-1].is_mapping else 1):  # keys and values
            problem = f"more than {most} entries"
        if problem:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _complete(raw: dict[str, Any], section: str, wrong: dict[Location, str]) -> Any:
    """A section with every entry complete; adds to `wrong` what is wrong with which `extends`."""
    entries, complete = section_of(raw, section), {}
    for name, entry in entries.items():
        chain = _chain(entries, name)
        if chain[-1] in chain[:-1]:
            wrong[section, name] = f"{section} extend each other in a circle"
        elif len(chain) > LONGEST_CHAIN:
            wrong[section, name] = f"more than {LONGEST_CHAIN} {section} extend each other"
            chain = chain[:1]
        elif chain[-1] not in entries:
            wrong[section, name] = unknown_name(section[:-1], str(chain[-1]), map(str, entries))
        for parent in chain[1:]:
            entry = _deep_merge(entries.get(parent), entry)
        complete[name] = entry
    return complete or raw[section]


def _chain(entries: Any, name: Any) -> list[Any]:
    """An entry's name, then those that it extends; in a circle the last one is there twice.

    It ends where it is too long.
    """
    names = [name]
    while isinstance(name := section_of(entries, name).get("extends"), (str, int, float)):
        names.append(name)
        if name in names[:-1] or len(names) > LONGEST_CHAIN:
            break
    return names


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

    What an entry takes from the one that it extends is found there, and what a block takes from its
    suite at the suite.
    """
    location = tuple(part for part in location if not str(part).startswith("["))
    section, name, rest = location[:1], location[1:2], location[2:]
    extends = name and section[0] in EXTENDABLE
    names = _chain(section_of(raw, str(section[0])), name[0]) if extends else [*name]
    places = [(*section, other, *rest) for other in names] or [location]
    if section == ("suites",) and rest[:1] == ("cells",):
        places += [(*section, other, *rest[2:]) for other in names]
    _, line, key = min((_walk(tree, place) for place in places), key=lambda step: step[0])
    return line, key


def _walk(node: yaml.Node, location: Location) -> tuple[int, int, str]:
    """(number of parts that the file does not hold, line of the last that it holds, dotted key)."""
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
            return len(missing), line, ".".join([*keys, *missing])
    return 0, line, ".".join(keys)
