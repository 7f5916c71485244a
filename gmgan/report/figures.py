"""The figures of the report, as SVG.

A figure is drawn from the very table that the report stores beside it.
"""

from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine, TightLayoutEngine

from gmgan.evaluation.metrics import in_order, metric_of
from gmgan.pixels import PALETTE
from gmgan.report.style import (
    COLOURS,
    STYLE,
    Styles,
    legend_below,
    log_scale,
    make_panels,
    svg,
    wrapped,
)
from gmgan.report.tables import of_one_extractor

CURVE_POINTS = 60  # of a line: more are hardly seen, and fill the page


@matplotlib.rc_context(STYLE)
def training_curves(histories: pd.DataFrame) -> str:
    """Losses (top) and mean discriminator outputs (bottom) against kimg, a column per model.

    Lines are medians over seeds of a mean over five entries, bands reach from the lowest to the
    highest seed. histories (DataFrame): title, seed, kimg, loss_d, loss_g, d_real, d_fake.
    Returns SVG.
    """
    titles = histories.title.unique()
    columns = min(4, len(titles))
    blocks = -(-len(titles) // columns)
    size = (2.4 * columns + 0.6, 3.6 * blocks)
    figure, axes = plt.subplots(2 * blocks, columns, figsize=size, sharex="col", squeeze=False)
    series = (
        ("loss", ("loss_d", "discriminator", 3, "-"), ("loss_g", "generator", 0, "--")),
        (
            "discriminator output",
            ("d_real", "on real", 2, "-"),
            ("d_fake", "on generated", 1, "--"),
        ),
    )
    for i in range(columns * blocks):
        block, column = divmod(i, columns)
        pair = axes[2 * block : 2 * block + 2, column]
        if i >= len(titles):
            pair[0].set_visible(False)
            pair[1].set_visible(False)
            continue
        own = histories[histories.title == titles[i]]
        for axis, (ylabel, *lines) in zip(pair, series, strict=True):
            for name, label, colour, dash in lines:
                smooth = own.groupby("seed")[name].rolling(5, min_periods=1).mean()
                over_seeds = (
                    smooth.droplevel("seed").groupby(own.kimg).agg(["median", "min", "max"])
                )
                shown = over_seeds[:: -(-len(over_seeds) // CURVE_POINTS)]
                axis.plot(shown["median"], color=COLOURS[colour], ls=dash, lw=1.2, label=label)
                band = {"color": COLOURS[colour], "alpha": 0.2, "lw": 0}
                axis.fill_between(shown.index, shown["min"], shown["max"], **band)
            if column == 0:
                axis.set_ylabel(ylabel)
                axis.legend(fontsize=7, loc="best")
        pair[0].set_title(wrapped(titles[i], 2.4), fontsize=8)
        pair[1].set(xlabel="kimg", ylim=(0, 1))
    return svg(figure, TightLayoutEngine())


def extent_of(centres: np.ndarray, std: float) -> float:
    """Half the side of a plot of points: all modes (M x 2) with their circles, and a margin."""
    return float(1.25 * (np.abs(centres).max() + 3 * std))


@matplotlib.rc_context(STYLE)
def scatters(
    panels: list[tuple[str, np.ndarray, np.ndarray]], centres: np.ndarray, std: float
) -> str:
    """Generated points coloured by component, over the 3-std circles of the true modes.

    panels: [(title, points N x 2, colour index N)]. Returns SVG with the points as pictures.
    """
    side = (-extent_of(centres, std), extent_of(centres, std))
    figure, axes = make_panels(len(panels), 4, (2.4, 2.55))
    for axis, (title, points, colour) in zip(axes, panels, strict=True):
        for centre in centres:
            axis.add_patch(plt.Circle(centre, 3 * std, fill=False, lw=0.6, color="#777777"))
        colours = PALETTE[colour % len(PALETTE)] / 255
        x, y = points.T
        axis.scatter(x, y, s=1.5, lw=0, c=colours, rasterized=True)
        axis.set(xlim=side, ylim=side, aspect="equal", xticks=[], yticks=[])
        axis.set_title(wrapped(title, 2.4), fontsize=8)
    return svg(figure, TightLayoutEngine())


@matplotlib.rc_context(STYLE)
def sweep(points: pd.DataFrame, styles: Styles) -> str:
    """Quality against diversity as sigma_scale goes, and each score against it.

    points (DataFrame): title, sigma_scale, metric, extractor, mean, low, high; the first extractor
    is shown. Lines are means over seeds, bands their range, stars the scale of training. The plane
    ends below the least diversity at sigma_scale .5 and more, so that the lines do not lie on each
    other: at smaller scales a normal prior may have very little. Returns SVG.
    """
    points = of_one_extractor(points)
    shown = [metric for metric in in_order(points.metric) if "sweep" in metric.panels]
    scales = sorted(points.sigma_scale.unique())
    figure, (plane, *axes) = make_panels(len(shown) + 1, 3, (3.1, 2.6), (0, 0.5))
    for title, lines in points.groupby("title", sort=False):
        means = lines.pivot_table(index="sigma_scale", columns="metric", values="mean")
        plane.plot(means.quality, means.diversity, label=title, **styles[title])
        star = {"ms": 11, "color": styles[title]["color"], "mec": "black"}
        plane.plot(means.quality[[1.0]], means.diversity[[1.0]], "*", **star)
    plane.set(xlabel="quality", ylabel="diversity")
    wide = points[(points.metric == "diversity") & (points.sigma_scale >= 0.5)]["mean"]
    margin = 0.1 * (wide.max() - wide.min()) + 0.005
    plane.set_ylim(bottom=max(plane.get_ylim()[0], wide.min() - margin))
    for axis, metric in zip(axes, shown, strict=True):
        for title, line in points[points.metric == metric.name].groupby("title", sort=False):
            _means(axis, "sigma_scale", line, 0.15, **styles[title])
        axis.axvline(1, color="#777777", lw=0.8, ls=":")
        axis.set_xscale("log")
        axis.set_xticks(scales, [f"{scale:g}" for scale in scales], fontsize=7)
        axis.minorticks_off()
        if metric.better == "lower":  # distances fall by decades
            log_scale(axis)
        axis.set(xlabel="sigma_scale s", ylabel=metric.label)
    return svg(figure, legend_below(figure, plane))


@matplotlib.rc_context(STYLE)
def convergence(curves: pd.DataFrame, styles: Styles) -> str:
    """Modes captured and share of high-quality samples against kimg.

    curves (DataFrame): title, kimg, metric, mean, low, high. Lines are means over seeds, bands
    their range. Returns SVG.
    """
    metrics = curves.metric.nunique()
    figure, axes = make_panels(metrics, metrics, (4.4, 3.4))
    for axis, (metric, rows) in zip(axes, curves.groupby("metric", sort=False), strict=True):
        for title, line in rows.groupby("title", sort=False):
            every = max(1, len(line) // 8)
            _means(axis, "kimg", line, 0.12, label=title, markevery=every, **styles[title])
        axis.set(xlabel="kimg", ylabel=metric_of(metric).label)
    return svg(figure, legend_below(figure, axes[0]))


@matplotlib.rc_context({**STYLE, "axes.grid": False})
def contingencies(counts: pd.DataFrame, rows_label: str) -> str:
    """Shares of classes per component (or cluster), one panel a model: rows sum to 1.

    counts (DataFrame): title, group, class, count; groups and classes in order. Of several
    `extractor` the first is shown. Returns SVG.
    """
    counts = of_one_extractor(counts) if "extractor" in counts else counts
    tables = {
        title: rows.pivot_table(index="group", columns="class", values="count", sort=False)
        for title, rows in counts.groupby("title", sort=False)
    }
    tallest = max(8, *(len(table) for table in tables.values()))
    figure, axes = make_panels(len(tables), 4, (2.7, 1.2 + 0.16 * tallest), (0.4, 0))
    for i, (axis, (title, table)) in enumerate(zip(axes, tables.items(), strict=True)):
        shares = table.to_numpy() / np.maximum(table.to_numpy().sum(1, keepdims=True), 1)
        picture = axis.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="equal")
        axis.set_xticks(range(table.shape[1]), table.columns, fontsize=6)
        axis.set_yticks(range(table.shape[0]), table.index, fontsize=6)
        if max(len(str(name)) for name in table.columns) > 2:
            axis.tick_params(axis="x", rotation=90)
        axis.set_title(wrapped(title, 2.6), fontsize=8)
        axis.set(xlabel="class", ylabel="" if i % 4 else rows_label)
    bar = figure.colorbar(picture, ax=figure.axes, shrink=0.6, fraction=0.03, use_gridspec=False)
    bar.set_label("share of the row")
    return svg(figure, ConstrainedLayoutEngine())


def _means(axis: Axes, x: str, line: pd.DataFrame, alpha: float, **style: Any) -> None:
    """Means over seeds against the column `x`, and their range as a band."""
    axis.plot(line[x], line["mean"], **style)
    axis.fill_between(line[x], line.low, line.high, color=style["color"], alpha=alpha, lw=0)
