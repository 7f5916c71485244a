"""Gather the scores of a suite into one tidy table and one file of metrics."""

import pandas as pd

from gmgan.artifacts import read_json, write_json, write_text
from gmgan.grid import suite_runs
from gmgan.metrics.significance import mean_interval
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
    """Write results/scores.csv and results/metrics.json.

    A run without scores has one row with an empty metric and its status. Rows of the model `real`
    are the real-against-real floor. Raises GmganError for a stale score.
    """
    rows = []
    cells = suite_runs(context.params, suite)
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        path = context.paths.floor(dataset)
        floor = read_json(path)
        context.refuse_stale(path, floor, context.expected.floor(dataset))
        rows += [
            {
                "run": f"{dataset}.{FLOOR}",
                "dataset": dataset,
                "model": FLOOR,
                **score,
                "status": floor["status"],
                "fingerprint": floor["fingerprint"],
            }
            for score in floor["scores"]
        ]
    for cell in cells:
        path = context.paths.scores(cell)
        scored, trained = read_json(path), read_json(context.paths.train_about(cell))
        context.refuse_stale(path, scored, context.expected.scores(cell))
        common = {
            "run": cell.name,
            "dataset": cell.dataset,
            "model": cell.model,
            "K": cell.K,
            "seed": cell.seed,
            "status": scored["status"],
            "kimg": trained["kimg"],
            "train_seconds": trained["seconds"],
            "fingerprint": scored["fingerprint"],
        }
        rows += [{**common, **score} for score in scored["scores"] or [{"metric": None}]]
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    table = table.astype({name: "Int64" for name in ("K", "seed", "n_real", "n_fake")})
    write_text(context.paths.score_table(), table.to_csv(index=False))
    write_json(context.paths.metrics(), _summary(table))


def _summary(table):
    """dataset -> model.K -> metric (extractor) -> mean over seeds, for `dvc metrics`."""
    summary = {}
    scored = table[table.metric.notna()]
    for (dataset, model, K, metric, extractor), group in scored.groupby(
        ["dataset", "model", "K", "metric", "extractor"], dropna=False
    ):
        label = model if pd.isna(K) else f"{model}.K{K}"
        mean, half = mean_interval(group.value.dropna())
        summary.setdefault(dataset, {}).setdefault(label, {})[f"{metric}.{extractor}"] = {
            "mean": mean,
            "interval95": half,
            "seeds": int(group.value.notna().sum()),
        }
    return summary
