"""Figures of gmgan/report/effects.py: lines against one axis, heat maps against two."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from textwrap import fill
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.layout_engine import TightLayoutEngine

from gmgan.evaluation.metric import Metric
from gmgan.evaluation.metrics import metric_of
from gmgan.report import effects
from gmgan.report.effects import values_of
from gmgan.report.style import MOST_LINES, STYLE, Styles, legend_below, looks, make_panels, svg
from gmgan.report.tables import of_one_extractor, value_text

WIDE = 20  # positive values that differ by this factor or more are drawn on a logarithmic axis
LONG = 5  # characters of the texts on an axis that have room side by side


@dataclass(frozen=True)
class Effect:
    """A figure of the effect of one or two axes: its numbers, and a function that gives SVG."""

    name: str
    heading: str
    caption: str
    scores: pd.DataFrame
    draw: Callable[[], str]


def effects_of(
    rows: pd.DataFrame,
    parameters: Sequence[str],
    titles: Mapping[str, str],
    compared: effects.Compared,
) -> Iterator[Effect]:
    """The effects that the scores of one data set show; arguments as of gmgan.report.effects."""
    axes = effects.axes_of(rows, parameters)
    in_grids: set[str] = set()
    for pair in combinations(axes, 2):
        x, y = sorted(pair, key=lambda axis: not _is_number(values_of(rows, axis)))
        scores = effects.grid(rows, x, y, parameters, titles, compared)
        if len(scores):
            in_grids |= {x, y}
            name, heading = f"heat-map-of-{x}-and-{y}".replace("K", "k"), f"Effect of {x} and {y}"
            caption = "Means over seeds; the brighter a cell, the better." + (
                " Baseline: the model's baseline with the same values, as far as it has them."
                if scores.is_baseline.any()
                else ""
            )
            yield Effect(name, heading, caption, scores, partial(heat_maps, scores, x, y))
    models = list(dict.fromkeys(rows.model[rows.model.isin(titles)]))
    for axis in axes:
        scores = effects.effect(rows, axis, parameters, titles, compared)
        lines = scores[["title", "model"]].drop_duplicates()
        if scores.is_baseline.all() or (len(lines) > MOST_LINES and axis in in_grids):
            continue
        styles = _styles(models, lines)
        caption = "Mean over seeds with the 95 % interval" + (
            f"; dashed: the baseline, which does not depend on {axis}."
            if scores.is_baseline.any()
            else "."
        )
        name = f"effect-of-{axis}".replace("K", "k")
        yield Effect(
            name, f"Effect of {axis}", caption, scores, partial(effect, scores, axis, styles)
        )


def _styles(models: Sequence[str], lines: pd.DataFrame) -> Styles:
    """The looks of lines: the first line of a model has the model's colour of all figures."""
    first = lines.drop_duplicates("model").title.to_numpy()
    cells: list[tuple[str, tuple[str, str], int]] = [(model, (model, ""), 1) for model in models]
    for title, model in lines.itertuples(index=False):
        cells.append((title, (model, "" if title in first else title), 1))
    return looks(cells)


@matplotlib.rc_context(STYLE)
def effect(scores: pd.DataFrame, axis: str, styles: Styles) -> str:
    """Scores against an axis with 95 % intervals; baselines are lines across.

    scores (DataFrame): of gmgan.report.effects.effect. Returns SVG.
    """
    scores = of_one_extractor(scores)
    values = values_of(scores[~scores.is_baseline], axis)
    titles = list(scores.title[~scores.is_baseline].unique())
    figure, axes = make_panels(scores.metric.nunique(), 3, (3.1, 2.4), (0, 0.5))
    for panel, (name, rows) in zip(axes, scores.groupby("metric", sort=False), strict=True):
        metric = metric_of(name)
        for title, line in rows.groupby("title", sort=False):
            style = {**styles[title], "ls": "-"}
            if line.is_baseline.all():
                mean, half = line.iloc[0][["mean", "interval95"]]
                panel.axhline(mean, color=style["color"], ls="--", lw=1.2, label=title)
                if pd.notna(half):
                    panel.axhspan(mean - half, mean + half, color=style["color"], alpha=0.1, lw=0)
                continue
            x = _places(line[axis], values)
            if not _is_number(values):  # side by side, and nothing lies between two texts
                x = x + 0.08 * (titles.index(title) - (len(titles) - 1) / 2)
                style["ls"] = "none"
            half = line.interval95.astype(float)  # of one seed: NaN
            panel.errorbar(x, line["mean"], half, capsize=3, label=title, **style)
        bottom, top = panel.get_ylim()  # intervals may leave the range that the score has
        if metric.bounded:
            panel.set_ylim(max(bottom, -0.03), min(top, 1.03))
        elif rows["mean"].min() >= 0:
            panel.set_ylim(max(bottom, -0.03 * top), top)
        _label(panel, values)
        panel.set(xlabel=axis, ylabel=fill(metric.label, 24, break_on_hyphens=False))
    return svg(figure, legend_below(figure, axes[0]))


@matplotlib.rc_context({**STYLE, "axes.grid": False})
def heat_maps(scores: pd.DataFrame, x: str, y: str) -> str:
    """Scores on a grid of two axes: means written in the cells, baselines beside the grid.

    scores (DataFrame): of gmgan.report.effects.grid. Returns SVG.
    """
    scores = of_one_extractor(scores)
    columns, rows = values_of(scores, x), values_of(scores, y)
    size = (0.62 * (len(columns) + 1) + 1.1, 0.34 * (len(rows) + 1) + 0.9)
    grids = scores.groupby(["title", "metric"], sort=False)
    figure, axes = make_panels(len(grids), max(1, int(10 / size[0])), size)
    for panel, ((title, name), cells) in zip(axes, grids, strict=True):
        metric = metric_of(name)
        everywhere = cells[x].isna() & cells[y].isna()  # a baseline that depends on neither
        _heat_map(panel, cells[~everywhere], metric, (x, columns), (y, rows))
        text = metric.label + (f"\n{title}" if scores.title.nunique() > 1 else "")
        for mean in cells["mean"][everywhere]:
            text += f"\nbaseline: {mean:.{metric.digits}f}"
        panel.set_title(text, fontsize=8)
    return svg(figure, TightLayoutEngine())


def _heat_map(
    panel: Axes,
    cells: pd.DataFrame,
    metric: Metric,
    x: tuple[str, list[Any]],
    y: tuple[str, list[Any]],
) -> None:
    """One metric of one model; x, y: an axis and its values."""
    (across, columns), (down, rows) = x, y
    texts = [[value_text(value) for value in values] for values in (columns, rows)]
    table = np.full((len(rows) + 1, len(columns) + 1), np.nan)
    for row, column, mean in zip(
        _places_or_last(cells[down], rows),
        _places_or_last(cells[across], columns),
        cells["mean"],
        strict=True,
    ):
        table[row, column] = mean
    for i, (values, text) in enumerate(zip((columns, rows), texts, strict=True)):
        beside = np.isnan(table[:, -1] if i == 0 else table[-1]).all()
        if beside:
            table = table[:, :-1] if i == 0 else table[:-1]
        else:
            text.append("baseline")
            line = panel.axvline if i == 0 else panel.axhline
            line(len(values) - 0.5, color="white", lw=4)
    colours = plt.get_cmap("cividis_r" if metric.better == "lower" else "cividis")
    picture = panel.imshow(np.ma.masked_invalid(table), cmap=colours, aspect="auto")
    for (row, column), mean in np.ndenumerate(table):
        if np.isfinite(mean):
            dark = np.dot(picture.to_rgba(mean)[:3], (0.3, 0.59, 0.11)) < 0.5
            style: dict[str, Any] = {"color": "white" if dark else "black", "fontsize": 7}
            panel.text(column, row, f"{mean:.{metric.digits}f}", ha="center", va="center", **style)
    panel.set_xticks(range(len(texts[0])), texts[0], fontsize=7)
    panel.set_yticks(range(len(texts[1])), texts[1], fontsize=7)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    if max(map(len, texts[0])) > LONG + 3:
        panel.tick_params(axis="x", rotation=30)
    panel.set(xlabel=across, ylabel=down)


def _is_number(values: list[Any]) -> bool:
    return not any(isinstance(value, str) for value in values)


def _places(column: pd.Series, values: list[Any]) -> np.ndarray:
    """Where values stand on an axis: numbers at themselves, others one after the other."""
    if _is_number(values):
        return column.to_numpy(float)
    return np.array([values.index(value) for value in column], float)


def _places_or_last(column: pd.Series, values: list[Any]) -> list[int]:
    """The position of each value, for none the one after the last."""
    return [len(values) if pd.isna(value) else values.index(value) for value in column]


def _label(panel: Axes, values: list[Any]) -> None:
    """The values as labels of the x axis, which is logarithmic where they differ much."""
    texts = [value_text(value) for value in values]
    places = _places(pd.Series(values), values)
    if _is_number(values) and min(values) > 0 and max(values) >= WIDE * min(values):
        panel.set_xscale("log")
    panel.set_xticks(places, texts, fontsize=7)
    panel.minorticks_off()
    if not _is_number(values):
        panel.set_xlim(-0.5, len(values) - 0.5)
    if max(map(len, texts)) > LONG and len(texts) > 3:
        panel.tick_params(axis="x", rotation=30)
