"""Scores against what a suite varies: K, and the parameters under `vary`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gmgan.evaluation.metrics import in_order
from gmgan.report.tables import FLOOR, model_label, over_seeds, parameter_names, value_text

Compared = Mapping[tuple[str, str], tuple[str, str]]  # (model, varied) -> those of its baseline


def axes_of(rows: pd.DataFrame, parameters: Sequence[str]) -> list[str]:
    """The columns with several values in what is drawn: K of mixtures, then parameters."""
    several = ["K"] if rows.K[rows.K > 1].nunique() > 1 else []
    return several + [name for name in parameters if rows[name].nunique() > 1]


def values_of(rows: pd.DataFrame, axis: str) -> list[Any]:
    """The values on an axis: numbers in ascending order, others in order of appearance."""
    values = list(rows[axis].dropna().unique())
    return values if any(isinstance(value, str) for value in values) else sorted(values)


def effect(
    rows: pd.DataFrame,
    axis: str,
    parameters: Sequence[str],
    titles: Mapping[str, str],
    compared: Compared,
) -> pd.DataFrame:
    """Scores of one data set against an axis: mean and interval over seeds, a row per point.

    A line is a model whose runs differ on the axis alone; `title` names it. Their baselines, where
    they do not depend on the axis, are the rows with `is_baseline`.
    """
    main = _main(rows, titles)
    fixed = [name for name in ("K", *parameters) if name != axis]
    candidates = _on_axis(main, axis)
    count = candidates.groupby(["model", *fixed], dropna=False)[axis].transform("nunique")
    lines = candidates[count > 1]
    baselines = _baselines(main, lines, compared).drop(lines.index, errors="ignore")
    drawn = pd.concat([baselines.assign(is_baseline=True), lines.assign(is_baseline=False)])
    drawn["title"] = _titles(drawn, fixed, titles)
    return _means(drawn, [axis], parameters)


def grid(
    rows: pd.DataFrame,
    x: str,
    y: str,
    parameters: Sequence[str],
    titles: Mapping[str, str],
    compared: Compared,
) -> pd.DataFrame:
    """Scores of the models that were run on a grid of two axes: mean and interval over seeds.

    A grid is a model whose runs differ on both axes alone, with several values of each beside every
    value of the other; `title` names it. Its baselines are the rows with `is_baseline`, empty on
    the axes on which they do not depend; where they depend on both they are left out.
    """
    main = _main(rows, titles)
    fixed = [name for name in ("K", *parameters) if name not in (x, y)]
    candidates = _on_axis(_on_axis(main, x), y)
    drawn = []
    for _, lines in candidates.groupby(["model", *fixed], dropna=False, sort=False):
        if not all(lines.groupby(a)[b].nunique().min() > 1 for a, b in ((x, y), (y, x))):
            continue
        title = _titles(lines, fixed, titles).iloc[0]
        drawn.append(lines.assign(title=title, is_baseline=False))
        baselines = _baselines(main, lines, compared)
        varies = [axis for axis in (x, y) if baselines[axis].nunique() > 1]
        if len(varies) < 2 and not baselines.index.isin(lines.index).any():
            constant = {axis: None for axis in (x, y) if axis not in varies}
            drawn.append(baselines.assign(title=title, is_baseline=True, **constant))
    if not drawn:
        return pd.DataFrame()
    return _means(pd.concat(drawn), [y, x], parameters)


def _main(rows: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """The rows of models at each metric's largest sample count, of the metrics that are drawn."""
    most = rows.n_fake.isna() | rows.n_fake.eq(rows.groupby("metric").n_fake.transform("max"))
    main = rows[most & rows.model.isin(titles.keys() - {FLOOR})]
    shown = [m.name for m in in_order(main.metric.dropna()) if "effect-of-k" in m.panels]
    return main[main.metric.isin(shown)]


def _on_axis(rows: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The rows that have a place on an axis; K counts for mixtures only."""
    return rows[rows.K > 1] if axis == "K" else rows[rows[axis].notna()]


def _baselines(main: pd.DataFrame, lines: pd.DataFrame, compared: Compared) -> pd.DataFrame:
    """The rows of the baselines of `lines`."""
    pairs = zip(lines.model, lines.varied, strict=True)
    wanted = {compared[pair] for pair in pairs if pair in compared}
    is_wanted = [pair in wanted for pair in zip(main.model, main.varied, strict=True)]
    return main[pd.Series(is_wanted, main.index, bool) & main.K.isin({1, *lines.K})]


def _titles(rows: pd.DataFrame, fixed: Sequence[str], titles: Mapping[str, str]) -> pd.Series:
    """What rows have in common: model, K if it is fixed, fixed values in which a model differs."""
    names = parameter_names(name for name in fixed if name != "K")
    shown = {
        model: [name for name in names if own[name].nunique(dropna=False) > 1]
        for model, own in rows.groupby("model")
    }

    def title(row: pd.Series) -> str:
        text = model_label(row.model, row.K if "K" in fixed else 1, titles)
        own = [name for name in shown[row.model] if pd.notna(row[name])]
        return text + "".join(f", {names[name]} = {value_text(row[name])}" for name in own)

    return rows.apply(title, axis=1) if len(rows) else pd.Series(dtype=str)


def _means(rows: pd.DataFrame, axes: Sequence[str], parameters: Sequence[str]) -> pd.DataFrame:
    """Means over seeds: by metric, baselines first, then in the order of the axes."""
    metrics = [metric.name for metric in in_order(rows.metric)]
    keys = {"metric": metrics} | {axis: values_of(rows, axis) for axis in axes}
    places = {
        name: rows[name].map({value: i for i, value in enumerate(order)}).fillna(-1)
        for name, order in keys.items()
    }
    order = pd.DataFrame({"line": ~rows.is_baseline, **places}, rows.index)
    by = ["metric", "line", *axes]
    rows = rows.loc[order.sort_values(by, kind="stable").index]
    columns = ["extractor", "metric", "model", "title", "K", *parameters, "is_baseline"]
    return over_seeds(rows, columns)
