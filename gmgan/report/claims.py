"""Claims against the score tables: a verdict for each comparison, and why."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import yaml

from gmgan.errors import GmganError
from gmgan.evaluation.metrics import metric_of
from gmgan.report.statistics import Difference, holm, paired_test, welch_test

ALPHA = 0.05
Test = Mapping[str, Any]  # an entry of a claim's `tests`
Row = dict[str, Any]  # of the claims' table
PROTOCOL = ["n_real", "n_fake", "extractor", "extractor_hash", "split"]
MODELS = ["model", "K", "varied", "against", "against_varied"]
COMPARED = ["compare", *MODELS, "metric", "extractor", "n_fake", "better"]
RESULT = ["verdict", "effect", "interval95", "effect_size", "p", "p_holm", "seeds", "reason"]
COLUMNS = ["claim", "dataset", "comparison", *COMPARED, *RESULT]


@dataclass(frozen=True)
class Evidence:
    """What claims are tested on.

    table, sweep: the tidy tables scores.csv and tradeoff.csv. baselines: model -> the model it is
    compared with, if it has one. points: names of the 2-D data sets. compared: data set ->
    {(model, varied): those of the baseline}, needed where a baseline has varied values.
    """

    table: pd.DataFrame
    sweep: pd.DataFrame
    baselines: Mapping[str, str]
    points: set[str]
    compared: Mapping[str, Mapping[tuple[str, str], tuple[str, str]]] = field(default_factory=dict)


def shared_components(table: pd.DataFrame) -> dict[str, set[int]]:
    """The values of K that all mixtures of a data set have, or all values where none is shared.

    Values that only some models have are there to show the effect of K: they take no part in other
    comparisons.
    """
    shared: dict[str, set[int]] = {}
    mixtures = table[(table.K > 1) & table.metric.notna()]
    for dataset, rows in mixtures.groupby("dataset", sort=False):
        by_model = [set(group.K) for _, group in rows.groupby("model")]
        shared[dataset] = set.intersection(*by_model) or set.union(*by_model)
    return shared


def load_claims() -> list[dict[str, Any]]:
    """The claims of claims.yaml, in order."""
    return yaml.safe_load((resources.files("gmgan.report") / "claims.yaml").read_text())["claims"]


def better(test: Test) -> str:
    """The direction in which a claim says that a metric moves: the better one if it names none."""
    direction = test.get("better") or metric_of(test["metric"]).better
    if direction is None:
        raise GmganError(
            f"claims.yaml: {test['metric']} has no better direction; give the test `better`"
        )
    return direction


def evaluate(claims: list[dict[str, Any]], evidence: Evidence) -> pd.DataFrame:
    """One row per claim and comparison, with the columns of COLUMNS.

    p-values are Holm-adjusted over all tests of one claim. Verdicts: `supported` and `contradicted`
    need an adjusted p below 0.05, `undecided` is everything else that was tested, `not tested` says
    why in `reason`.
    """
    rows = []
    for claim in claims:
        compared = []
        for test in claim["tests"]:
            common = {"compare": test["compare"], "metric": test["metric"], "better": better(test)}
            rows_of_test = COMPARISONS[test["compare"]](test, evidence)
            compared += [{"claim": claim["id"], **common, **row} for row in rows_of_test]
        tested = [row for row in compared if row.get("p") is not None]
        for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
            row["p_holm"] = p
            row["verdict"] = _verdict(row)
        if not compared:
            reason = "this suite holds no runs that could test it"
            compared = [{"claim": claim["id"], "verdict": "not tested", "reason": reason}]
        rows += compared
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def summarise(verdicts: Iterable[str]) -> str:
    """One verdict from those of a claim's comparisons; untested comparisons are ignored."""
    kinds = set(verdicts) - {"not tested"}
    decided = kinds - {"undecided"}
    if len(decided) == 2:
        return "mixed"
    if decided:
        return decided.pop() + (" in part" if "undecided" in kinds else "")
    return "undecided" if kinds else "not tested"


def _against_baseline(test: Test, evidence: Evidence) -> Iterator[Row]:
    return _model_pairs(test, evidence, evidence.table, evidence.baselines.get)


def _against_model(test: Test, evidence: Evidence) -> Iterator[Row]:
    return _model_pairs(test, evidence, evidence.table, lambda model: test["against"])


def _over_sweep(test: Test, evidence: Evidence) -> Iterator[Row]:
    """Model against baseline, each the mean over the scales of the sweep."""
    sweep = _rows(test, evidence, evidence.sweep)
    keys = ["dataset", "model", "K", "varied", "seed", "metric", *PROTOCOL]
    means = sweep.groupby(keys, sort=False, dropna=False).value.mean().reset_index()
    for row in _model_pairs(test, evidence, means, evidence.baselines.get):
        yield {**row, "comparison": f"{row['comparison']}, mean over the sweep"}


def _against_value(test: Test, evidence: Evidence) -> Iterator[Row]:
    for cell, group in _cells(_rows(test, evidence, evidence.table)):
        if cell["model"] == "real" or not _is_meant(cell["model"], test):
            continue
        values, level = group.value.dropna(), test["against"]
        tested = _tested(paired_test, values, np.full(len(values), level))
        yield {**cell, "comparison": f"{_name(cell)} against {level}", **tested}


def _between_scales(test: Test, evidence: Evidence) -> Iterator[Row]:
    for cell, group in _cells(_rows(test, evidence, evidence.sweep)):
        low, high = group.sigma_scale.min(), group.sigma_scale.max()
        pair = group.pivot_table(index="seed", columns="sigma_scale", values="value")
        pair = pair[[low, high]].dropna()
        comparison = f"{_name(cell)}, s = {high:g} against s = {low:g}"
        yield {**cell, "comparison": comparison, **_tested(paired_test, pair[high], pair[low])}


def _between_data_sets(test: Test, evidence: Evidence) -> Iterator[Row]:
    effects: dict[tuple[str, str], list[tuple[str, pd.Series]]] = {}  # by model and varied
    rows = _rows(test, evidence, evidence.table)
    by = rows[rows.K > 1].groupby(["model", "varied", "dataset", "extractor"], sort=False)
    for (model, varied, dataset, _), group in by:
        low, high = group.K.min(), group.K.max()
        pair = group.pivot_table(index="seed", columns="K", values="value")
        if low == high or not {low, high} <= set(pair):
            continue
        pair = pair[(pair[[low, high]] > 0).all(axis=1)]
        effect = np.log(pair[high] / pair[low])
        effects.setdefault((model, varied), []).append((f"{dataset} (K = {low} to {high})", effect))
    for (model, varied), by_data_set in effects.items():
        name = f"{model}.{varied}" if varied else model
        for (first, a), (second, b) in combinations(by_data_set, 2):
            cell = {"dataset": "", "extractor": "", "model": model, "varied": varied}
            comparison = f"{name}, log ratio over K: {first} against {second}"
            yield {**cell, "comparison": comparison, **_tested(welch_test, a, b)}


COMPARISONS = {
    "baseline": _against_baseline,
    "model": _against_model,
    "value": _against_value,
    "scales": _between_scales,
    "sweep": _over_sweep,
    "data-sets": _between_data_sets,
}


def _rows(test: Test, evidence: Evidence, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a test's metric on its kind of data, at the values of K that take part."""
    rows = table[table.metric == test["metric"]]
    if test["compare"] != "data-sets":
        shared = shared_components(evidence.table)
        pairs = zip(rows.dataset, rows.K, strict=True)
        takes_part = [pd.isna(K) or K == 1 or K in shared[dataset] for dataset, K in pairs]
        rows = rows[np.array(takes_part, bool)]
    if test["data"] == "all":
        return rows
    return rows[rows.dataset.isin(evidence.points) == (test["data"] == "points")]


def _cells(rows: pd.DataFrame, *more: str) -> Iterator[tuple[Row, pd.DataFrame]]:
    """({column: value}, rows) of each model, K and varied values under each extractor.

    more: further columns that keep rows apart.
    """
    keys = ["dataset", "extractor", "model", "K", "varied", *more]
    for values, group in rows.groupby(keys, sort=False, dropna=not more):
        yield dict(zip(keys, values, strict=True)), group


def _is_meant(model: str, test: Test) -> bool:
    return not test.get("models") or model in test["models"]


def _name(cell: Row) -> str:
    return f"{cell['model']}.K{cell['K']}" + (f".{cell['varied']}" if cell["varied"] else "")


def _model_pairs(
    test: Test, evidence: Evidence, table: pd.DataFrame, opponent: Callable[[str], str | None]
) -> Iterator[Row]:
    """Rows of models that have an opponent: per data set, K, varied, extractor, sample count."""
    rows = _rows(test, evidence, table)
    several = rows.groupby("dataset").n_fake.nunique()
    for cell, group in _cells(rows, "n_fake"):
        model, dataset, n_fake = cell["model"], cell["dataset"], cell["n_fake"]
        other = opponent(model)
        if other is None or other == model or not _is_meant(model, test):
            continue
        theirs = rows[(rows.model == other) & (rows.dataset == dataset)]
        theirs = theirs[theirs.extractor == cell["extractor"]]
        for column in ("K", "n_fake"):  # the same where they have it
            same = theirs[column] == cell[column]
            theirs = theirs[same] if same.any() else theirs
        _, varied = evidence.compared.get(dataset, {}).get((model, cell["varied"]), ("", ""))
        if test["compare"] == "model":
            if theirs.empty:
                continue
            varied = cell["varied"] if cell["varied"] in set(theirs.varied) else ""
        theirs = theirs[theirs.varied == varied]
        count = f", n = {n_fake:,}" if several.get(dataset, 1) > 1 else ""
        named = f"{other}.{varied}" if varied else other
        comparison = f"{_name(cell)} against {named}{count}"
        compared = _compare(group, theirs, named)
        others = {"against": other, "against_varied": varied}
        yield {**cell, **others, "comparison": comparison, **compared}


def _compare(group: pd.DataFrame, against: pd.DataFrame, other: str) -> Row:
    pair = group.merge(against, on="seed", suffixes=("", "_baseline"))
    pair = pair.dropna(subset=["value", "value_baseline"])
    if pair.empty:
        return _untested(f"no seed has scores of both this model and {other}")
    for name in PROTOCOL:
        ours, theirs = (set(pair[column].astype(str)) for column in (name, f"{name}_baseline"))
        if ours != theirs or len(ours) > 1:
            return _untested(f"the scores differ in {name} and cannot be compared")
    return _tested(paired_test, pair.value, pair.value_baseline)


def _tested(test: Callable[..., Difference], values: Any, others: Any) -> Row:
    if len(values) == 0 or len(others) == 0:
        return _untested("no seed has this score")
    difference = test(values, others)
    return {
        "verdict": "undecided",
        "effect": difference.effect,
        "interval95": difference.half,
        "effect_size": difference.size,
        "p": difference.p,
        "seeds": difference.seeds,
        "reason": "one seed: no interval and no test exist" if difference.p is None else "",
    }


def _untested(reason: str) -> Row:
    return {"verdict": "not tested", "seeds": 0, "reason": reason}


def _verdict(row: Row) -> str:
    if row["p_holm"] >= ALPHA:
        return "undecided"
    direction = "higher" if row["effect"] > 0 else "lower"
    return "supported" if row["better"] in ("other", direction) else "contradicted"
