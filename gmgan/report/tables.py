"""From the tidy score table to the tables of the report."""

from dataclasses import dataclass

import pandas as pd

from gmgan.metrics.significance import mean_interval

# Label, direction (1: higher is better, -1: lower) and digits of the metrics, in order of display.
METRICS = {
    "modes_captured": ("modes captured", 1, 1),
    "high_quality_share": ("high-quality share", 1, 3),
    "frechet_distance": ("Fréchet distance", -1, 4),
    "inception_score": ("Inception Score", 1, 2),
    "fid": ("FID", -1, 2),
    "kid": ("KID", -1, 4),
    "quality": ("quality", 1, 3),
    "diversity": ("diversity", 1, 3),
    "quality_diversity": ("quality and diversity", 1, 3),
    "diversity_intra": ("diversity, within pairs", 1, 3),
    "diversity_inter": ("diversity, over classes", 1, 3),
    "precision_k3": ("precision (k = 3)", 1, 3),
    "recall_k3": ("recall (k = 3)", 1, 3),
    "density_k5": ("density (k = 5)", 0, 3),
    "coverage_k5": ("coverage (k = 5)", 1, 3),
    "class_accuracy": ("class accuracy", 1, 3),
}


@dataclass(frozen=True)
class Cell:
    """One number of a table: mean over seeds, half width of its 95 % interval, seeds, text."""

    mean: float | None
    half: float | None
    seeds: int
    text: str


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one data set under one extractor.

    columns: (metric, label, direction); rows: (label, is floor, cells). Every number of one table
    shares the protocol: n_real, n_fake, extractor, its hash and the split. The floor may have a
    smaller n, which its label then says.
    """

    dataset: str
    protocol: dict
    columns: list
    rows: list


def label_of(metric):
    """(label, direction, digits) of a metric; unknown ones are shown under their own name."""
    return METRICS.get(metric, (metric.replace("_", " "), 0, 3))


def score_tables(table: pd.DataFrame, titles: dict) -> list:
    """One ScoreTable per (data set, extractor); `titles` maps a model's name to its title."""
    scored = table[table.metric.notna()]
    found = []
    for (dataset, _), group in scored.groupby(["dataset", "extractor"], sort=False):
        runs = group[group.model != "real"]
        if runs.empty:
            continue
        protocol = {
            name: runs[name].iloc[0]
            for name in ("n_real", "n_fake", "extractor", "extractor_hash", "split")
        }
        known = list(METRICS)
        metrics = sorted(
            group.metric.unique(), key=lambda m: (known.index(m) if m in known else len(known), m)
        )
        rows = []
        for (model, K), cells in runs.groupby(["model", "K"], sort=False):
            components = f", K = {K}" if K > 1 else ""
            rows.append(
                (
                    f"{titles.get(model, model)}{components}",
                    False,
                    [_cell(cells, metric) for metric in metrics],
                )
            )
        floor = group[group.model == "real"]
        if not floor.empty:
            n = floor.n_fake.iloc[0], floor.n_real.iloc[0]
            same = n == (protocol["n_fake"], protocol["n_real"])
            note = "" if same else f" (n = {n[0]:,} against {n[1]:,})"
            rows.append(
                (
                    f"real data against real data{note}",
                    True,
                    [_cell(floor, metric) for metric in metrics],
                )
            )
        columns = [(metric, *label_of(metric)[:2]) for metric in metrics]
        found.append(ScoreTable(dataset, protocol, columns, rows))
    return found


def _cell(rows, metric):
    values = rows[rows.metric == metric].value.dropna()
    mean, half = mean_interval(values)
    if mean is None:
        return Cell(None, None, 0, "–")
    digits = label_of(metric)[2]
    text = f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if half is not None else "")
    return Cell(mean, half, len(values), text)
