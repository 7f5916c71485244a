"""What a suite can decide, before it runs: its primary comparisons and their power."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gmgan.config.params import Params
from gmgan.config.run import Run
from gmgan.evaluation.metrics import built_in
from gmgan.report.claims import SAME_RUNS, evaluate
from gmgan.report.comparisons import CHANCE, Evidence
from gmgan.report.plan import Plan, properties_of
from gmgan.report.statistics import PAIRED_FROM, deciding_seeds, power_at

SEEDS = (5, 10, 20)
COLUMNS = ["claim", "dataset", "metric", "comparison", "family", "seeds", "scale", "smallest"]
COLUMNS += ["spread", "spread_of_pairs", "power", *(f"power_{n}" for n in SEEDS), "deciding_seeds"]


def planned(plan: Plan, params: Params, runs: Iterable[Run], scored: Evidence) -> pd.DataFrame:
    """A row for each primary comparison of the runs, in the columns of COLUMNS.

    scored: scores of earlier runs, whose spread over seeds is taken; powers are missing where
    no two seeds of a comparison were scored. power, power_N: to show the smallest effect, of the
    suite's seeds and of N seeds.
    """
    expected = evaluate(plan, _expected(plan, params, list(runs)))
    rows = expected[(expected.role == "primary") & expected.comparison.notna()].copy()
    spreads = {
        _key(row): (row.spread, row.spread_of_pairs)
        for row in evaluate(plan, scored).itertuples()
        if row.role == "primary"
    }
    rows[["spread", "spread_of_pairs"]] = [
        spreads.get(_key(row), (np.nan, np.nan)) for row in rows.itertuples()
    ]
    rows["comparison"] = rows.comparison.str.replace(r" \(.*\)", "", regex=True)  # made-up chance
    return rows.assign(**_powers(rows)).reindex(columns=COLUMNS)


def _key(row: Any) -> tuple[str, ...]:
    """What a comparison has in common with the same one on other seeds."""
    models = str(row.comparison).partition(" against ")[0].partition(", s = ")[0]
    return row.claim, str(row.dataset), row.metric, row.compare, models


def _powers(rows: pd.DataFrame) -> dict[str, list[Any]]:
    powers: dict[str, list[Any]] = {name: [] for name in ("power", *(f"power_{n}" for n in SEEDS))}
    powers["deciding_seeds"] = []
    for row in rows.itertuples():
        if pd.isna(row.spread) or not row.spread or pd.isna(row.smallest):
            values: list[Any] = [None] * len(powers)
        else:
            smallest = np.log(row.smallest) if row.scale == "ratio" else row.smallest
            pairs = None if pd.isna(row.spread_of_pairs) else row.spread_of_pairs
            paired_from = 2 if row.compare in SAME_RUNS else PAIRED_FROM
            plan = (row.spread, pairs, smallest, row.family, paired_from)
            values = [*power_at([row.seeds, *SEEDS], *plan)[0], deciding_seeds(*plan)]
        for name, value in zip(powers, values, strict=True):
            powers[name].append(value)
    return powers


def _expected(plan: Plan, params: Params, runs: list[Run]) -> Evidence:
    """Made-up scores of the runs: they hold the comparisons, not their results."""
    metrics = {
        metric: endpoint.compare
        for claim in plan.claims
        for _, endpoint in claim.endpoints()
        for metric in endpoint.metrics
    }
    rows = [row for run in runs for row in _made_up(run, params, metrics)]
    table = pd.DataFrame(rows).astype({"K": "Int64"}).drop_duplicates(["run", "metric"])
    scales = {name: entry.evaluation.sweep.sigma_scales for name, entry in params.datasets.items()}
    sweep = pd.concat(
        [table.assign(sigma_scale=table.dataset.map(scales).str[end]) for end in (0, -1)]
    )
    return evidence_of(params, {run.dataset for run in runs}, table, sweep)


def _made_up(run: Run, params: Params, metrics: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    model, dataset = params.models[run.model], params.datasets[run.dataset]
    kind = "points" if dataset.is_points else "images"
    fixed = dict.fromkeys(("n_real", "n_fake"), 1) | dict.fromkeys(
        ("extractor", "extractor_hash", "split"), ""
    )
    common: dict[str, Any] = {
        **fixed,
        "dataset": run.dataset,
        "model": run.model,
        "K": run.K,
        "seed": run.seed,
    }
    common |= {"run": run.name, "varied": getattr(run, "varied", ""), "kimg": 2.0}
    value = 0.4 + 0.1 * np.random.default_rng(run.seed).random()
    for metric, compare in {**metrics, CHANCE: "chance"}.items():
        record = built_in(metric)
        if record is None or record.data not in (kind, "all"):
            continue
        if compare == "chance" and run.K == 1:
            continue
        row = {**common, "metric": metric, "value": value}
        if compare == "kmeans":
            if run.K == 1 or model.needs_labels:
                continue
            yield {**row, "model": "kmeans", "run": run.name.replace(run.model, "kmeans")}
        yield row


def evidence_of(
    params: Params, datasets: Iterable[str], table: pd.DataFrame, sweep: pd.DataFrame
) -> Evidence:
    """The evidence of score tables on data sets of params.yaml."""
    entries = {name: params.datasets[name] for name in datasets}
    return Evidence(
        table=table,
        sweep=sweep,
        baselines={name: m.baseline for name, m in params.models.items() if m.baseline},
        properties={name: properties_of(model) for name, model in params.models.items()},
        points={name for name, entry in entries.items() if entry.is_points},
        classes={name: entry.source.n_classes or 0 for name, entry in entries.items()},
    )
