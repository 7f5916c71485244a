"""Gather the scores of a suite into tidy tables and one file of metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from gmgan.config.run import Run
from gmgan.config.settings import TableSettings
from gmgan.records import Clusters, Floor, Score, Scores, Stored, Tradeoff, TrainingRecord
from gmgan.report.statistics import mean_interval

RUN = ["run", "dataset", "model", "K", "varied", "seed"]
SCORE = ["metric", "value", "spread", "n_real", "n_fake", "extractor", "extractor_hash", "split"]
SCORE += ["version", "signature", "flag"]
TRAINING = ["status", "kimg", "train_seconds", "fingerprint"]
COLUMNS = [*RUN, *SCORE, *TRAINING]
SWEEP_COLUMNS = [*RUN, "sigma_scale", *SCORE, *TRAINING]
Parameters = Mapping[str, Mapping[str, Any]]  # what is varied -> {name of a run: its value}
FLOOR = "real"  # the model of rows that compare real with real samples


@dataclass(frozen=True)
class Collected:
    """The outputs of the stage: two tables as CSV, and means over seeds for `dvc metrics`."""

    scores: str
    tradeoff: str
    metrics: dict[str, Any]


def collect(
    scores: Stored[Run, Scores],
    tradeoffs: Stored[Run, Tradeoff],
    clusters: Stored[Run, Clusters],
    trained: Stored[Run, TrainingRecord],
    floors: Stored[str, Floor],
    settings: TableSettings,
) -> Collected:
    """The score tables of a suite."""
    table = score_table(settings.runs, scores, clusters, trained, floors, settings.parameters)
    sweep = sweep_table(settings.runs, tradeoffs, trained, settings.parameters)
    return Collected(table.to_csv(index=False), sweep.to_csv(index=False), _summary(table))


def score_table(
    runs: list[Run],
    scores: Stored[Run, Scores],
    clusters: Stored[Run, Clusters],
    trained: Stored[Run, TrainingRecord],
    floors: Stored[str, Floor],
    parameters: Parameters,
) -> pd.DataFrame:
    """One row per run and score, with the columns of COLUMNS and one per varied parameter.

    A run without scores has one row with an empty metric and its status. Rows of the model `real`
    are the real-against-real floor, those of `kmeans-*` the baselines of clustering.
    """
    rows: list[dict[str, Any]] = []
    for dataset, floor in floors.items():
        name = {"run": f"{dataset}.{FLOOR}", "dataset": dataset, "model": FLOOR}
        rows += _rows(floor.scores, **name, status=floor.status, fingerprint=_fingerprint(floor))
    for run in runs:
        scored = scores[run]
        common = _common(run, trained[run], scored)
        rows += _rows(scored.scores, **common) or [{**common, "metric": None}]
        if run in clusters:
            rows += _cluster_rows(run, clusters[run], common)
    table = _tidy(rows, COLUMNS, parameters)
    return table.drop_duplicates(["run", "metric", "extractor", "n_fake"])


def sweep_table(
    runs: list[Run],
    tradeoffs: Stored[Run, Tradeoff],
    trained: Stored[Run, TrainingRecord],
    parameters: Parameters,
) -> pd.DataFrame:
    """One row per run, sigma_scale and score: SWEEP_COLUMNS and one per varied parameter."""
    rows: list[dict[str, Any]] = []
    for run in runs:
        swept = tradeoffs[run]
        rows += _rows(swept.points, **_common(run, trained[run], swept))
    return _tidy(rows, SWEEP_COLUMNS, parameters)


def _common(run: Run, record: TrainingRecord, result: Scores | Tradeoff) -> dict[str, Any]:
    return {
        **asdict(run),
        "run": run.name,
        "status": result.status,
        "kimg": record.kimg,
        "train_seconds": record.seconds,
        "fingerprint": _fingerprint(result),
    }


def _cluster_rows(run: Run, clusters: Clusters, common: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a run's clustering and of the k-means baselines with its K and seed."""
    own = {"fingerprint": _fingerprint(clusters)}
    rows = _rows(clusters.scores, **{**common, **own})
    for name, scores in clusters.baselines.items():
        twin = replace(run, model=name, varied="")
        rows += _rows(scores, **asdict(twin), run=twin.name, status="ok", **own)
    return rows


def _rows(scores: Iterable[Score], **common: Any) -> list[dict[str, Any]]:
    return [{**common, **asdict(score)} for score in scores]


def _fingerprint(result: Scores | Tradeoff | Clusters | Floor) -> str:
    assert result.stamp is not None
    return result.stamp.fingerprint


def _tidy(rows: list[dict[str, Any]], columns: list[str], parameters: Parameters) -> pd.DataFrame:
    integers = dict.fromkeys(("K", "seed", "n_real", "n_fake"), "Int64")
    floats = dict.fromkeys(("value", "spread"), "float64")
    table = pd.DataFrame(rows).reindex(columns=columns).astype({**integers, **floats})
    table["varied"] = table.varied.fillna("")
    return table.assign(**{path: table.run.map(values) for path, values in parameters.items()})


def _summary(table: pd.DataFrame) -> dict[str, Any]:
    """data set -> model.K[.varied] -> metric.extractor -> mean over seeds."""
    summary: dict[str, Any] = {}
    scored = table[table.metric.notna()]
    most = scored.groupby("dataset").n_fake.max()
    for (dataset, model, K, varied, metric, extractor, n_fake), group in scored.groupby(
        ["dataset", "model", "K", "varied", "metric", "extractor", "n_fake"], dropna=False
    ):
        label = (model if pd.isna(K) else f"{model}.K{K}") + (f".{varied}" if varied else "")
        count = f".n{n_fake}" if metric == "fid" and n_fake != most[dataset] else ""
        mean, half = mean_interval(group.value.dropna())
        summary.setdefault(dataset, {}).setdefault(label, {})[f"{metric}.{extractor}{count}"] = {
            "mean": mean,
            "interval95": half,
            "seeds": int(group.value.notna().sum()),
        }
    return summary
