"""Published numbers beside ours, with the reason where the two do not compare."""

from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import pandas as pd
import yaml

from gmgan.evaluation.clustering import BASELINES
from gmgan.evaluation.metrics import metric_of
from gmgan.report.statistics import mean_interval
from gmgan.report.tables import model_label

THEIRS = ["data", "method", "K", "metric", "published", "spread", "source"]
OURS = ["dataset", "model", "cell", "n_fake", "extractor", "ours", "interval95", "seeds"]
COLUMNS = [*THEIRS, *OURS, "comparable", "reason"]


def load_published() -> dict[str, Any]:
    """`sources` (name -> text) and `results` of published.yaml."""
    return yaml.safe_load((resources.files("gmgan.report") / "published.yaml").read_text())


def beside(
    published: Mapping[str, Any],
    table: pd.DataFrame,
    kinds: Mapping[str, str],
    titles: Mapping[str, str],
) -> pd.DataFrame:
    """One row per published number on the suite's data and own cell that measures the same.

    One row without ours where there is none. First what compares, then what stands beside numbers
    of ours, then the rest. Ours are those of runs without varied values.

    table: the tidy score table; kinds: the suite's data sets -> kind of their source.
    """
    rows = []
    table = table[table.varied == ""]
    for result in published["results"]:
        data, source = result["data"], published["sources"][result["source"]]
        datasets = [
            name for name, kind in kinds.items() if kind.removesuffix("-unlabelled") == data
        ]
        if not datasets:
            continue
        ours = list(_ours(result, table[table.dataset.isin(datasets)], titles))
        if not ours:
            reason = "no such run in this suite"
            if not result["models"]:
                reason = "a method outside this benchmark, for orientation"
            ours = [{"comparable": False, "reason": reason}]
        theirs = {name: result[name] for name in THEIRS if name in result}
        theirs |= {"published": result["value"], "source": source}
        for row in ours:
            reasons = (row["reason"], result.get("note"))
            rows.append(theirs | row | {"reason": "; ".join(text for text in reasons if text)})
    numbers = pd.DataFrame(rows, columns=None if rows else COLUMNS)
    numbers["with_ours"] = numbers.reindex(columns=COLUMNS).ours.notna()
    order = ["comparable", "with_ours"]
    return numbers.sort_values(order, ascending=False, kind="stable").reindex(columns=COLUMNS)


def _ours(
    result: Mapping[str, Any], table: pd.DataFrame, titles: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    rows = table[(table.metric == result["metric"]) & table.model.isin(result["models"])]
    if result["K"] is not None:
        rows = rows[result["K"] == rows.K]
    if result["n"] is not None and (rows.n_fake == result["n"]).any():
        rows = rows[rows.n_fake == result["n"]]
    keys = ["dataset", "model", "K", "extractor", "n_fake"]
    grouped = rows.groupby(keys, sort=False, dropna=False)  # cluster scores have no n_fake
    for (dataset, model, K, extractor, n_fake), group in grouped:
        values = group.value.dropna()
        mean, half = mean_interval(values)
        reasons = []
        if extractor != result["extractor"]:
            reasons.append(f"ours by {extractor}, theirs by {result['extractor']}")
        has_count = pd.notna(n_fake)
        if has_count and n_fake != result["n"]:
            stated = "not stated" if result["n"] is None else f"at n = {result['n']:,}"
            reasons.append(f"ours at n = {n_fake:,}, theirs {stated}")
        yield {
            "dataset": dataset,
            "model": model_label(model, K, {**titles, **BASELINES}),
            "cell": f"{model}.K{K}",
            "n_fake": n_fake if has_count else None,
            "extractor": extractor,
            "ours": mean,
            "interval95": half,
            "seeds": len(values),
            "comparable": extractor == result["extractor"]
            and (not has_count or n_fake == (result["n"] or n_fake)),
            "reason": "; ".join(reasons),
        }


def text_of(metric: str, value: float | None, spread: float | None) -> str:
    """A published or own number with its spread, in the digits of its metric."""
    if value is None or pd.isna(value):
        return ""
    digits = max(metric_of(metric).digits, 2)
    more = "" if spread is None or pd.isna(spread) else f" ± {spread:.{digits}f}"
    return f"{value:.{digits}f}{more}"
