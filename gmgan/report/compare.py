"""What changed between two score tables: each score, seed by seed, with a test."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from gmgan.evaluation.metrics import metric_of
from gmgan.report import statistics
from gmgan.report.collect import FLOOR
from gmgan.report.statistics import ALPHA, holm

CELL = ["dataset", "model", "K", "varied"]
SCORE = ["metric", "extractor", "n_real", "n_fake", "split"]
COLUMNS = [
    *(*CELL, *SCORE, "change", "mean_a", "mean_b", "difference", "low", "high", "p", "p_holm"),
    *("test", "seeds_a", "seeds_b", "note"),
]


def compare(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """A row per score that both tables have under the same protocol; differences are b - a.

    a, b: as scores.csv. Rows belong together if data set, model, K, varied values, metric,
    extractor, sample counts and split are equal. Tested are differences: by pairs of seeds where
    both tables have the same ones, else by Welch's test, and by permutations where there is no
    spread. The claims (docs/statistics.md) pair from ten seeds on only and compare FID by ratios.
    p is Holm-adjusted over all tested rows. change: `equal` (the same values), `better`, `worse`,
    `other` (significant, by the metric's direction), `undecided`, `not tested` (one seed, or
    extractors of other weights).
    """
    keys = [*CELL, *SCORE]
    sides = [
        {key: rows for key, rows in _scored(t).groupby(keys, dropna=False, sort=False)}
        for t in (a, b)
    ]
    pairs = [
        dict(zip(keys, key, strict=True)) | _compared(rows, sides[1][key])
        for key, rows in sides[0].items()
        if key in sides[1]
    ]
    tested = [row for row in pairs if row["p"] is not None]
    for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = p
        if row["change"] == "undecided" and p < ALPHA:
            direction = metric_of(row["metric"]).direction * np.sign(row["difference"])
            row["change"] = {1: "better", -1: "worse", 0: "other"}[int(direction)]
    return pd.DataFrame(pairs).reindex(columns=COLUMNS)


def only_in(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """The cells (data set.model.K) of a that b lacks."""
    missing = set(_cells(a)) - set(_cells(b))
    return [cell for cell in dict.fromkeys(_cells(a)) if cell in missing]


def summary(rows: pd.DataFrame) -> str:
    """One sentence: how many scores changed, and how."""
    counts = rows.change.value_counts()
    order = ("equal", "better", "worse", "other", "undecided", "not tested")
    said = [f"{counts[kind]} {kind}" for kind in order if kind in counts]
    return f"{len(rows)} scores in both: {', '.join(said) or 'none'}"


def _scored(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.metric.notna() & table.value.notna()]


def _cells(table: pd.DataFrame) -> Iterator[str]:
    for dataset, model, K, varied in _scored(table)[CELL].drop_duplicates().itertuples(index=False):
        if model != FLOOR:
            parts = [dataset, model, f"K{int(K)}" if pd.notna(K) else "", varied]
            yield ".".join(part for part in parts if part)


def _compared(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, Any]:
    """The comparison of one score: rows of its seeds on both sides."""
    left, right = (t.set_index("seed").value for t in (a, b))
    row: dict[str, Any] = {
        "mean_a": left.mean(),
        "mean_b": right.mean(),
        "difference": right.mean() - left.mean(),
        "seeds_a": len(left),
        "seeds_b": len(right),
        "p": None,
    }
    if set(a.extractor_hash) != set(b.extractor_hash):
        return row | {"change": "not tested", "note": "the extractors have other weights"}
    if left.sort_index().equals(right.sort_index()):
        return row | {"change": "equal"}
    paired = set(left.index) == set(right.index) and left.index.is_unique
    tested = statistics.compare(right, left, design="same runs" if paired else "independent")
    if tested.p is None:
        return row | {"change": "not tested", "note": "one seed: no test exists"}
    told = {"low": tested.low, "high": tested.high, "p": tested.p, "test": tested.test}
    return row | told | {"change": "undecided"}
