"""Tell Snakemake which results are right, after files came from elsewhere.

Snakemake goes by times and by its own records. Files that `dvc pull`, `dvc checkout` or a copy put
in place have other times and no records: right ones would be made again, wrong ones be trusted.
Here each is judged by the fingerprint that it carries.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import read_arrays, read_json
from gmgan.pipeline.grid import extractor_id, has_clusters, settings, suite_runs
from gmgan.stages.context import Context


@dataclass(frozen=True)
class Artifact:
    """What one job makes: its files, the last of which carries the fingerprint."""

    files: tuple[Path, ...]
    expected: str
    made_from: tuple[Path, ...]

    @property
    def name(self) -> Path:
        return self.files[-1]


def run(context: Context, suite: str, params_file) -> tuple[int, int]:
    """Mark results that fit params and code as made; remove wrong ones that would be trusted.

    Tables and page, which take seconds, are left to Snakemake. Returns how many results fit and how
    many were removed. Raises GmganError if Snakemake cannot plan.
    """
    found = artifacts(context, suite)
    if not any(path.exists() for item in found for path in item.files):
        return 0, 0
    options = ("--config", f"suite={suite}", f"params={params_file}", "--quiet", "all")
    pending = _pending(options)
    fitting = {item.name for item in found if _fits(item)}
    removed = [
        item
        for item in found
        if item.name not in fitting and not pending & set(item.files) and _remove(item.files)
    ]
    sound: dict[Path, bool] = {}
    for item in found:
        sound[item.name] = item.name in fitting and all(sound[name] for name in item.made_from)
    if any(sound[item.name] and pending & set(item.files) for item in found):
        inputs = {name for item in found if sound[item.name] for name in item.made_from}
        targets = [name for name, right in sound.items() if right and name not in inputs]
        _snakemake("--touch", "--forceall", *options, "--", *targets)
    return sum(sound.values()), len(removed)


def artifacts(context: Context, suite: str) -> list[Artifact]:
    """What training and scoring of a suite make, each after what it is made from."""
    params, paths, expected = context.params, context.paths, context.expected
    found: dict[Path, Artifact] = {}
    real: dict[str, tuple[Path, list[Path], list[Path]]] = {}

    def add(fingerprint, files, *made_from):
        found.setdefault(files[-1], Artifact(tuple(files), fingerprint, made_from))
        return files[-1]

    def add_real(dataset):
        source = context.source_of(dataset)
        data = add(expected.data(source), [paths.data(source), paths.data_about(source)])
        makers, features = [], []
        for name in params.datasets[dataset].evaluation.extractors:
            identifier = extractor_id(params, dataset, name)
            files = [paths.extractor(identifier), paths.extractor_about(identifier)]
            makers.append(add(expected.extractor(dataset, name), files, data))
            files = [paths.real_features(dataset, name)]
            features.append(add(expected.real_features(dataset, name), files, data, makers[-1]))
        add(expected.floor(dataset), [paths.floor(dataset)], data, *features)
        return data, makers, features

    def add_weights(cell, data):
        parent = settings(params, cell).init_from
        before = [add_weights(parent, data)] if parent else []
        files = [paths.weights(cell), paths.history(cell), paths.snapshots(cell)]
        files += [paths.preview(cell), paths.train_about(cell)]
        return add(expected.train(cell), files, data, *before)

    for cell in suite_runs(params, suite):
        if cell.dataset not in real:
            real[cell.dataset] = add_real(cell.dataset)
        data, makers, features = real[cell.dataset]
        weights = add_weights(cell, data)
        samples = add(expected.sample(cell), [paths.samples(cell)], weights)
        own = [
            add(expected.features(cell, name), [paths.features(cell, name)], samples, maker)
            for name, maker in zip(
                params.datasets[cell.dataset].evaluation.extractors, makers, strict=True
            )
        ]
        add(expected.scores(cell), [paths.scores(cell)], weights, samples, *own, *features)
        add(expected.tradeoff(cell), [paths.tradeoff(cell)], weights, *makers, *features)
        add(expected.explore(cell), [paths.explore(cell)], weights, samples)
        if has_clusters(params, cell):
            add(expected.clusters(cell), [paths.clusters(cell)], weights)
    return list(found.values())


def _fits(item):
    """True if all files are there and the last carries the expected fingerprint."""
    if not all(path.exists() for path in item.files):
        return False
    try:
        if item.name.suffix == ".json":
            about = read_json(item.name)
        else:
            _, about = read_arrays(item.name, names=[])
    except GmganError:  # damaged
        return False
    return about.get("fingerprint") == item.expected


def _remove(paths):
    """Remove what exists of `paths`; True if there was anything."""
    there = [path for path in paths if path.exists()]
    for path in there:
        path.unlink()
    return bool(there)


def _pending(options):
    """The files that Snakemake would make (again) for the whole suite."""
    lines = _snakemake("--summary", *options, "--", "all").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return {Path(row[0]) for row in rows if row[-1] == "update pending"}


def _snakemake(*arguments):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise GmganError(f"settle: snakemake cannot plan: {words[-1].strip()}")
    return done.stdout
