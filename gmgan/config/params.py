"""Read params.yaml.

`load` is the only way in. A mistake raises GmganError with file, line, key, value and what is
allowed.
"""

import re
from pathlib import Path

import yaml
from pydantic import ValidationError

from gmgan import plugins
from gmgan.config.schema import Params
from gmgan.errors import GmganError, unknown_name

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is much faster
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def load(path="params.yaml") -> Params:
    """Read and validate a params file; modules of plug-ins are then found in its folder.

    Raises GmganError naming the file, the line, the key and the value.
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
        _refuse_duplicate_keys(path, tree)
        raw = loader.construct_document(tree) if tree else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise GmganError(
            f"{path}:{line}: not valid YAML: {getattr(error, 'problem', error)}"
        ) from error
    if not isinstance(raw, dict):
        raise GmganError(f"{path}:1: expected a mapping with the sections of params.yaml")
    _merge_extended_datasets(path, tree, raw)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        value = "" if isinstance(first["input"], dict) else f" (got {first['input']!r})"
        place = _describe(path, tree, first["loc"])
        more = error.error_count() - 1
        also = f"; {more} more mistake{'s' if more > 1 else ''} after it" if more else ""
        raise GmganError(f"{place}: {first['msg']}{value}{also}") from error
    _check_references(path, tree, params)
    plugins.look_in(path.parent)
    return params


def _merge_extended_datasets(path, tree, raw):
    datasets = raw.get("datasets")
    if not isinstance(datasets, dict):
        return
    done = {}

    def resolve(name, chain):  # `chain`: the entries that led here
        if name in done:
            return done[name]
        entry = datasets[name]
        parent = entry.get("extends") if isinstance(entry, dict) else None
        if parent is None:
            return entry
        place = _describe(path, tree, ("datasets", name, "extends"))
        if parent not in datasets:
            raise GmganError(f"{place}: {unknown_name('dataset', str(parent), datasets)}")
        if parent in chain:
            raise GmganError(f"{place}: data sets extend each other in a circle")
        done[name] = _deep_merge(resolve(parent, [*chain, name]), entry)
        return done[name]

    for name in datasets:
        datasets[name] = resolve(name, [name])


def _deep_merge(base, change):
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    if "kind" in change and change["kind"] != base.get("kind"):
        return change
    return {**base, **{key: _deep_merge(base.get(key), value) for key, value in change.items()}}


def _check_references(path, tree, params):
    def check(location, section, name):
        entries = getattr(params, section)
        if name is not None and name not in entries:
            place = _describe(path, tree, location)
            raise GmganError(f"{place}: {unknown_name(section.removesuffix('s'), name, entries)}")

    check(("suite",), "suites", params.suite)
    for section in ("datasets", "models", "suites"):
        for name in getattr(params, section):
            if not NAME.fullmatch(name):
                place = _describe(path, tree, (section, name))
                raise GmganError(
                    f"{place}: names are lower-case letters, digits and hyphens (got {name!r})"
                )
    for name, dataset in params.datasets.items():
        check(("datasets", name, "network"), "networks", dataset.network)
        for extractor in dataset.evaluation.extractors:
            check(("datasets", name, "evaluation", "extractors"), "extractors", extractor)
        if dataset.is_points == bool(dataset.evaluation.extractors):
            place = _describe(path, tree, ("datasets", name, "evaluation"))
            raise GmganError(
                f"{place}: images need at least one extractor, points are scored in "
                f"data space and take none (got {dataset.evaluation.extractors})"
            )
        clustering = dataset.evaluation.clustering.classifier
        place = ("datasets", name, "evaluation", "clustering", "classifier")
        check(place, "extractors", clustering)
        kind = params.extractors[clustering].kind if clustering else None
        if kind != (None if dataset.is_points else "classifier"):
            raise GmganError(
                f"{_describe(path, tree, place)}: images need an extractor of kind classifier, "
                f"points take null (got {clustering!r})"
            )
    for name, model in params.models.items():
        check(("models", name, "network"), "networks", model.network)
        check(("models", name, "init_from"), "models", model.init_from)
        check(("models", name, "baseline"), "models", model.baseline)
    for name, suite in params.suites.items():
        for i, cells in enumerate(suite.cells):
            for dataset in cells.datasets:
                check(("suites", name, "cells", i, "datasets"), "datasets", dataset)
            for model in cells.models:
                check(("suites", name, "cells", i, "models"), "models", model)


def _refuse_duplicate_keys(path, node):
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise GmganError(
                    f"{path}:{key.start_mark.line + 1}: key '{key.value}' is given twice; keep one"
                )
            seen.add(key.value)
            _refuse_duplicate_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_duplicate_keys(path, value)


def _describe(path, tree, location):
    """`file:line: dotted.key` for a location; the line of the deepest part that exists."""
    node, line, keys = tree, 1, []
    for part in location:
        child = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    child, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and part in range(len(node.value)):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is not None:
            node = child
            keys.append(str(part))
        elif part == location[-1]:
            keys.append(str(part))
    return f"{path}:{line}: {'.'.join(keys)}"
