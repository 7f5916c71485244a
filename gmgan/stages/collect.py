"""Gather the scores of a suite into tidy tables and one file of metrics."""

from dataclasses import asdict

import pandas as pd

from gmgan.pipeline.artifacts import read_json, write_json, write_text
from gmgan.pipeline.grid import has_clusters, suite_runs
from gmgan.report.statistics import mean_interval
from gmgan.stages.context import Context

COLUMNS = [
    "run",
    "dataset",
    "model",
    "K",
    "seed",
    "metric",
    "value",
    "spread",
    "n_real",
    "n_fake",
    "extractor",
    "extractor_hash",
    "split",
    "status",
    "kimg",
    "train_seconds",
    "fingerprint",
]
FLOOR = "real"


def run(context: Context, suite: str):
    """Write results/scores.csv, results/tradeoff.csv and results/metrics.json.

    A run without scores has one row with an empty metric and its status. Rows of the model `real`
    are the real-against-real floor, those of `kmeans-*` the baselines of clustering. Raises
    GmganError for a stale score.
    """
    rows, points = [], []
    cells = suite_runs(context.params, suite)
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        floor = _read(context, context.paths.floor(dataset), context.expected.floor(dataset))
        common = {
            "run": f"{dataset}.{FLOOR}",
            "dataset": dataset,
            "model": FLOOR,
            "status": floor["status"],
            "fingerprint": floor["fingerprint"],
        }
        rows += [{**common, **score} for score in floor["scores"]]
    for cell in cells:
        scored = _read(context, context.paths.scores(cell), context.expected.scores(cell))
        trained = read_json(context.paths.train_about(cell))
        common = {
            **asdict(cell),
            "run": cell.name,
            "status": scored["status"],
            "kimg": trained["kimg"],
            "train_seconds": trained["seconds"],
            "fingerprint": scored["fingerprint"],
        }
        rows += [{**common, **score} for score in scored["scores"] or [{"metric": None}]]
        rows += _cluster_rows(context, cell, common)
        swept = _read(context, context.paths.tradeoff(cell), context.expected.tradeoff(cell))
        common["fingerprint"] = swept["fingerprint"]
        points += [{**common, **point} for point in swept["points"]]
    table = _tidy(rows, COLUMNS).drop_duplicates(["run", "metric", "extractor", "n_fake"])
    write_text(context.paths.score_table(), table.to_csv(index=False))
    sweep_columns = [*COLUMNS[:5], "sigma_scale", *COLUMNS[5:]]
    write_text(context.paths.tradeoff_table(), _tidy(points, sweep_columns).to_csv(index=False))
    write_json(context.paths.metrics(), _summary(table))


def _read(context, path, expected):
    about = read_json(path)
    context.refuse_stale(path, about, expected)
    return about


def _cluster_rows(context, cell, common):
    """Rows of a run's clustering and of the k-means baselines with its K and seed."""
    if not has_clusters(context.params, cell):
        return []
    found = _read(context, context.paths.clusters(cell), context.expected.clusters(cell))
    own = {**common, "fingerprint": found["fingerprint"]}
    rows = [{**own, **score} for score in found["scores"]]
    for name, scores in found["baselines"].items():
        baseline = {
            **asdict(cell),
            "model": name,
            "run": f"{cell.dataset}.{name}.K{cell.K}.s{cell.seed}",
            "status": "ok",
            "fingerprint": found["fingerprint"],
        }
        rows += [{**baseline, **score} for score in scores]
    return rows


def _tidy(rows, columns):
    integers = ("K", "seed", "n_real", "n_fake")
    return pd.DataFrame(rows).reindex(columns=columns).astype(dict.fromkeys(integers, "Int64"))


def _summary(table):
    """dataset -> model.K -> metric (extractor) -> mean over seeds, for `dvc metrics`."""
    summary = {}
    scored = table[table.metric.notna()]
    most = scored.groupby("dataset").n_fake.max()
    for (dataset, model, K, metric, extractor, n_fake), group in scored.groupby(
        ["dataset", "model", "K", "metric", "extractor", "n_fake"], dropna=False
    ):
        label = model if pd.isna(K) else f"{model}.K{K}"
        count = f".n{n_fake}" if metric == "fid" and n_fake != most[dataset] else ""
        mean, half = mean_interval(group.value.dropna())
        summary.setdefault(dataset, {}).setdefault(label, {})[f"{metric}.{extractor}{count}"] = {
            "mean": mean,
            "interval95": half,
            "seeds": int(group.value.notna().sum()),
        }
    return summary
