"""What of a suite cannot work with the data at hand, found before the first job."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gmgan.config.base import Location
from gmgan.config.counts import Counts, count_mistakes
from gmgan.config.evaluation import StoredExtractor
from gmgan.config.params import Cells, Params
from gmgan.config.run import Run
from gmgan.data.archives import Archives
from gmgan.data.counts import counts_of
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.reading import read_regular


def suite_mistakes(
    params: Params, suite: str, results: str | Path = "results"
) -> Iterator[tuple[Location, str]]:
    """Mistakes that show only beside the counts of the suite's data: (location, text)."""
    archives = Archives(Path(results) / "archives")
    counts: dict[str, Counts | None] = {}
    blocks = params.lookup("suites", suite).cells
    for name in dict.fromkeys(name for block in blocks for name in block.datasets):
        try:
            entry = params.datasets[name]
            counts[name] = counts_of(entry.source, archives, entry.class_shares)
        except GmganError as error:
            counts[name] = None
            yield ("datasets", name, "source", "path"), str(error)
    yield from count_mistakes(params, counts)
    yield from _foreign_classifiers(params, counts)
    for i, block in enumerate(blocks):
        for text in dict.fromkeys(_impossible(params, block, counts)):
            yield ("suites", suite, "cells", i, "K"), text


def _foreign_classifiers(
    params: Params, counts: dict[str, Counts | None]
) -> Iterator[tuple[Location, str]]:
    """Stored classifiers of other classes than the data: scores by class would mean nothing.

    A missing or damaged description is left to the stage that reads it.
    """
    for name, known in counts.items():
        for extractor in params.datasets[name].evaluation.extractors if known else ():
            entry = params.extractors.get(extractor)
            if known and known.classes and isinstance(entry, StoredExtractor):
                about = _description(Path(entry.weights).with_suffix(".json"))
                other = params.datasets.get(str(about.get("trained_on")))
                own = params.datasets[name].source.kind
                foreign = other is not None and other.source.kind != own
                if about.get("n_classes", known.classes) != known.classes or foreign:
                    yield (
                        ("datasets", name, "evaluation", "extractors"),
                        f"'{extractor}' knows {about.get('n_classes')} classes of "
                        f"'{about.get('trained_on')}', '{name}' has {known.classes} of its own; "
                        f"use a classifier that was trained on those of '{name}'",
                    )


def _description(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError, GmganError):
        about = json.loads(read_regular(path))
        return about if isinstance(about, dict) else {}
    return {}


def _impossible(params: Params, block: Cells, counts: dict[str, Counts | None]) -> Iterator[str]:
    """Values of K in a block of a suite that the data do not allow."""
    for dataset in block.datasets:
        known = counts.get(dataset)
        for model in block.models if known else ():
            assert known is not None
            entry = params.models[model]
            for K in block.K:
                if entry.objective.kind == "supervised" and known.classes > K:
                    yield (
                        f"K = {K} is below the {known.classes} classes of '{dataset}', each of "
                        f"which needs a component of '{model}'; set it to at least {known.classes}"
                    )
                clustered = grid.has_clusters(params, Run(dataset, model, K, 0))
                if entry.prior.kind != "normal" and clustered and known.train < K:
                    yield (
                        f"K = {K} is more than the {known.train} training samples of '{dataset}', "
                        f"which k-means sorts into K clusters; set it to at most {known.train}"
                    )
