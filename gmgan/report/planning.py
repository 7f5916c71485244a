"""What a suite can decide, before it runs: its primary comparisons and their power."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gmgan.config.run import Run
from gmgan.config.settings import ReportSettings
from gmgan.evaluation.metrics import built_in
from gmgan.report.claims import SAME_RUNS, evaluate
from gmgan.report.comparisons import CHANCE, Evidence
from gmgan.report.plan import Plan
from gmgan.report.statistics import PAIRED_FROM, deciding_seeds, power_at

SEEDS = (5, 10, 20)
COLUMNS = ["claim", "dataset", "metric", "comparison", "family", "seeds", "scale", "smallest"]
COLUMNS += ["spread", "spread_of_pairs", "power", *(f"power_{n}" for n in SEEDS), "deciding_seeds"]


def planned(
    plan: Plan, settings: ReportSettings, table: pd.DataFrame, sweep: pd.DataFrame
) -> pd.DataFrame:
    """A row for each primary comparison of a suite, in the columns of COLUMNS.

    table, sweep: scores of earlier runs, whose spread over seeds is taken; powers are missing where
    no two seeds of a comparison were scored. power, power_N: to show the smallest effect, of the
    suite's seeds and of N seeds.
    """
    expected = evaluate(plan, _evidence(settings, *_expected(plan, settings)))
    rows = expected[(expected.role == "primary") & expected.comparison.notna()].copy()
    spreads = {
        _key(row): (row.spread, row.spread_of_pairs)
        for row in evaluate(plan, _evidence(settings, table, sweep)).itertuples()
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


def _evidence(settings: ReportSettings, table: pd.DataFrame, sweep: pd.DataFrame) -> Evidence:
    classes = {name: entry.source.n_classes or 0 for name, entry in settings.datasets.items()}
    return Evidence.of(settings, table, sweep, classes)


def _expected(plan: Plan, settings: ReportSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Made-up scores of the runs and of their sweep: they hold the comparisons, not the results."""
    metrics = {
        metric: endpoint.compare
        for claim in plan.claims
        for _, endpoint in claim.endpoints()
        for metric in endpoint.metrics
    }
    rows = [row for run in settings.runs for row in _made_up(run, settings, metrics)]
    table = pd.DataFrame(rows).astype({"K": "Int64"}).drop_duplicates(["run", "metric"])
    entries = settings.datasets.items()
    scales = {name: entry.evaluation.sweep.sigma_scales for name, entry in entries}
    sweep = pd.concat(
        [table.assign(sigma_scale=table.dataset.map(scales).str[end]) for end in (0, -1)]
    )
    return table, sweep


def _made_up(
    run: Run, settings: ReportSettings, metrics: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    model, dataset = settings.resolved[run.name], settings.datasets[run.dataset]
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
    common |= {"run": run.name, "varied": run.varied, "kimg": 2.0}
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
            twin = replace(run, model="kmeans", varied="")  # as in scores.csv
            yield {**row, "model": twin.model, "run": twin.name, "varied": twin.varied}
        yield row
