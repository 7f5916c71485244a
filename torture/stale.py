"""Ways to a stale number: an edit of code or a changed parameter that plans nothing.

Runs in a process of its own, whose package gmgan is the copy that is edited.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from gmgan.config.loader import load
from gmgan.config.params import Params
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.graph import Graph
from torture.outcome import Outcome
from torture.project import ROOT, Project

PACKAGES = ("data", "models", "training", "evaluation", "report")  # those that compute
SECTIONS = ("datasets", "networks", "models", "extractors")
GOOD = "what depends on it is planned again"
# Modules of these packages that no stage uses: they serve commands that are run by hand.
BY_HAND = {
    "data/counts.py",
    "data/loose.py",
    "evaluation/rivals.py",
    "report/compare.py",
    "report/planning.py",
    "report/simulation.py",
}


def stale(folder: Path) -> list[Outcome]:
    """Every module that computes is edited, and every parameter is changed."""
    project = Project.create(folder / "stale")
    done = subprocess.run(
        [sys.executable, "-m", "torture.stale"],
        cwd=project.folder,
        env=project.environment | {"PYTHONPATH": f"{project.folder}:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Outcome(**fields) for fields in json.loads(done.stdout)]


def covering(params: Params) -> dict[str, Any]:
    """A suite that uses every data set, network, model and loss."""
    cells: list[dict[str, Any]] = [
        {"datasets": "digits", "models": "gan", "K": 1, "vary": {"objective": "least-squares"}},
        {"datasets": "mnist-brief", "models": "gan", "K": 1, "vary": {"network": "dcgan-small-sn"}},
    ]
    runs = [run for suite in params.suites for run in grid.suite_runs(params, suite)]
    pairs = [(run.dataset, run.model, run.K) for run in runs]
    pairs += [(name, "gan", 1) for name in params.datasets]
    pairs += [("digits", name, 10) for name in params.models]
    for dataset, model, K in pairs:
        datasets, models = ({cell[each] for cell in cells} for each in ("datasets", "models"))
        if dataset not in datasets or model not in models:
            cells.append({"datasets": dataset, "models": model, "K": K, "vary": {}})
    return {"title": "every data set and model", "seeds": 0, "cells": cells}


def fingerprints(file: Path) -> list[str]:
    """Those of all jobs of the one suite in a params file."""
    params = load(file)
    graph = Graph(params)
    return [graph.fingerprint(job) for job in graph.jobs(params.suite)]


def in_new_process(file: Path) -> list[str]:
    """`fingerprints` where no code was read before."""
    with get_context("fork").Pool(1) as pool:
        return pool.apply(fingerprints, (file,))


def edited_modules(package: Path, file: Path) -> Outcome:
    """A statement is added to one module after the other."""
    outcome = Outcome("a statement added to every module that computes", GOOD)
    before = in_new_process(file)
    for path in sorted(path for name in PACKAGES for path in (package / name).rglob("*.py")):
        name = str(path.relative_to(package))
        if path.name == "__init__.py" or name in BY_HAND:
            continue
        whole = path.read_text()
        path.write_text(f"{whole}\nedited = 1\n")
        same = in_new_process(file) == before
        path.write_text(whole)
        outcome.add(*([f"{name}: nothing is planned"] if same else []))
    return outcome


def changed_parameters(file: Path) -> Outcome:
    """One value of the params file after the other is changed."""
    outcome = Outcome("every parameter of a data set, network, model and extractor changed", GOOD)
    outcome.good += ", or the value is refused"
    before = fingerprints(file)
    tree = yaml.safe_load(file.read_text())
    other = file.with_name("changed.yaml")
    for section in SECTIONS:
        for name, holder, key in leaves(tree[section], section):
            whole, holder[key] = holder[key], changed(holder[key])
            other.write_text(yaml.safe_dump(tree, sort_keys=False))
            holder[key] = whole
            try:
                same = fingerprints(other) == before
            except GmganError:
                same = False
            outcome.add(*([f"{name}: nothing is planned"] if same else []))
    return outcome


def leaves(tree: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    """(dotted name, holder, key) of every value that is no map or list.

    Without the places of weights: the hash beside them counts.
    """
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, dict | list):
            yield from leaves(value, f"{name}.{key}")
        elif key != "weights":
            yield f"{name}.{key}", tree, key


def changed(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 2 if value else 1
    return f"{value} changed"


def use_covering_suite(file: Path) -> None:
    """Make `covering` the one suite of a params file."""
    tree = yaml.safe_load(file.read_text())
    tree |= {"suite": "covering", "suites": {"covering": covering(load(file))}}
    file.write_text(yaml.safe_dump(tree, sort_keys=False))


def main() -> None:
    """Print the outcomes as JSON."""
    file = Path("params.yaml")
    use_covering_suite(file)
    outcomes = [edited_modules(Path("gmgan"), file), changed_parameters(file)]
    print(json.dumps([vars(outcome) for outcome in outcomes]))


if __name__ == "__main__":
    main()
