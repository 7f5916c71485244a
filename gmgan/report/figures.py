"""Figures in one style: colour-blind safe, readable in grey, as SVG.

A figure is drawn from the very table that the report stores beside it.
"""

import base64
import io
import re
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine, TightLayoutEngine
from matplotlib.ticker import LogLocator, NullLocator

from gmgan.evaluation.metrics import in_order, metric_of
from gmgan.pixels import PALETTE

COLOURS = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in PALETTE]
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold dollar signs
    "font.family": "sans-serif",
    "svg.hashsalt": "gmgan",
    "figure.dpi": 100,
}
LINE_COLOURS = [COLOURS[i] for i in (8, 1, 0, 2, 3, 5, 4, 7, 9)]
MARKERS = "osD^vP<>X*"
DASHES = ["-", "--", "-.", ":"]
Styles = dict[str, dict[str, Any]]  # label -> keywords of `plot`


def looks(cells: list[tuple[str, str, int]]) -> Styles:
    """Keywords of `plot` for each label: colour and marker by model, dash by its number of K.

    cells: [(label, model, K)] in the order of display.
    """
    models = list(dict.fromkeys(model for _, model, _ in cells))
    styles: Styles = {}
    seen: dict[str, list[int]] = {}
    for label, model, K in cells:
        i = models.index(model)
        values = seen.setdefault(model, [])
        if K not in values:
            values.append(K)
        styles[label] = {
            "color": LINE_COLOURS[i % len(LINE_COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "ls": DASHES[values.index(K) % len(DASHES)],
            "ms": 3.5,
            "lw": 1.2,
        }
    return styles


def training_curves(histories: pd.DataFrame) -> str:
    """Losses (top) and mean discriminator outputs (bottom) against kimg, a column per model.

    histories (DataFrame): title, seed, kimg, loss_d, loss_g, d_real, d_fake. Returns SVG.
    """
    titles = list(dict.fromkeys(histories.title))
    columns = min(4, len(titles))
    blocks = -(-len(titles) // columns)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2 * blocks,
            columns,
            figsize=(2.4 * columns + 0.6, 3.6 * blocks),
            sharex="col",
            squeeze=False,
        )
        series = (
            (("loss_d", "discriminator", 3, "-"), ("loss_g", "generator", 0, "--")),
            (("d_real", "on real", 2, "-"), ("d_fake", "on generated", 1, "--")),
        )
        for axis in axes.flat:
            axis.set_visible(False)
        for i, title in enumerate(titles):
            block, column = divmod(i, columns)
            seeds = list(histories[histories.title == title].groupby("seed"))
            for row, lines in enumerate(series):
                axis = axes[2 * block + row, column]
                axis.set_visible(True)
                for name, label, colour, dash in lines:
                    for j, (_, history) in enumerate(seeds):
                        smooth = history[name].rolling(5, min_periods=1).mean()
                        axis.plot(
                            history.kimg,
                            smooth,
                            dash,
                            color=COLOURS[colour],
                            lw=0.9,
                            alpha=0.8,
                            label=label if j == 0 else None,
                        )
                if column == 0:
                    axis.set_ylabel("discriminator output" if row else "loss")
                    axis.legend(fontsize=7, loc="best")
            axes[2 * block, column].set_title(title, fontsize=8)
            axes[2 * block + 1, column].set(xlabel="kimg", ylim=(0, 1))
        TightLayoutEngine().execute(figure)
        return _svg(figure)


def extent_of(centres: np.ndarray, std: float) -> float:
    """Half the side of a plot of points: all modes (M x 2) with their circles, and a margin."""
    return float(1.25 * (np.abs(centres).max() + 3 * std))


def scatters(
    panels: list[tuple[str, np.ndarray, np.ndarray]], centres: np.ndarray, std: float
) -> str:
    """Generated points coloured by component, over the 3-std circles of the true modes.

    panels: [(title, points N x 2, colour index N)]. Returns SVG with the points as pictures.
    """
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    extent = extent_of(centres, std)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(2.4 * columns, 2.55 * rows), squeeze=False
        )
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        for axis, (title, points, colour) in zip(axes.flat, panels, strict=False):
            for x, y in centres:
                axis.add_patch(plt.Circle((x, y), 3 * std, fill=False, lw=0.6, color="#777777"))
            axis.scatter(
                points[:, 0],
                points[:, 1],
                s=1.5,
                lw=0,
                c=PALETTE[colour % len(PALETTE)] / 255,
                rasterized=True,
            )
            axis.set(
                xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal", xticks=[], yticks=[]
            )
            axis.set_title(title, fontsize=8)
        TightLayoutEngine().execute(figure)
        return _svg(figure)


def sweep(points: pd.DataFrame, styles: Styles) -> str:
    """Quality against diversity as sigma_scale goes, and each score against it.

    points (DataFrame): title, sigma_scale, metric, mean, low, high. Lines are means over seeds,
    bands their range, stars the scale of training. Returns SVG.
    """
    shown = [metric for metric in in_order(points.metric) if "sweep" in metric.panels]
    columns = 3
    rows = -(-(len(shown) + 1) // columns)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(3.1 * columns, 2.6 * rows + 0.5), squeeze=False
        )
        for axis in axes.flat:
            axis.set_visible(False)
        plane = axes.flat[0]
        plane.set_visible(True)
        for title, lines in points.groupby("title", sort=False):
            means = lines.pivot_table(index="sigma_scale", columns="metric", values="mean")
            style = styles[title]
            plane.plot(means.quality, means.diversity, label=title, **style)
            trained = means.loc[[1.0]]
            plane.plot(
                trained.quality, trained.diversity, "*", ms=11, color=style["color"], mec="black"
            )
        plane.set(xlabel="quality", ylabel="diversity")
        for axis, metric in zip(list(axes.flat)[1:], shown, strict=False):
            axis.set_visible(True)
            for title, line in points[points.metric == metric.name].groupby("title", sort=False):
                style = styles[title]
                axis.plot(line.sigma_scale, line["mean"], **style)
                axis.fill_between(
                    line.sigma_scale, line.low, line.high, color=style["color"], alpha=0.15, lw=0
                )
            axis.axvline(1, color="#777777", lw=0.8, ls=":")
            axis.set_xscale("log")
            scales = sorted(points.sigma_scale.unique())
            axis.set_xticks(scales, [f"{scale:g}" for scale in scales], fontsize=7)
            axis.minorticks_off()
            if metric.better == "lower":  # distances fall by decades
                _log_scale(axis)
            axis.set(xlabel="sigma_scale s", ylabel=metric.label)
        _legend_below(figure, plane)
        return _svg(figure)


def effect_of_k(scores: pd.DataFrame, styles: Styles) -> str:
    """Scores against K with 95 % intervals; models with a single K are lines across.

    scores (DataFrame): of gmgan.report.tables.effect_of_k, for one extractor or several. Returns
    SVG.
    """
    metrics = list(dict.fromkeys(scores.metric))
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(3.1 * columns, 2.4 * rows + 0.5), squeeze=False
        )
        for axis in axes.flat[len(metrics) :]:
            axis.set_visible(False)
        for axis, metric in zip(axes.flat, metrics, strict=False):
            for title, line in scores[scores.metric == metric].groupby("title", sort=False):
                style = {**styles[title], "ls": "-"}
                if line.is_baseline.all():
                    row = line.iloc[0]
                    axis.axhline(row["mean"], color=style["color"], ls="--", lw=1.2, label=title)
                    if row.interval95 == row.interval95:
                        axis.axhspan(
                            row["mean"] - row.interval95,
                            row["mean"] + row.interval95,
                            color=style["color"],
                            alpha=0.1,
                            lw=0,
                        )
                else:
                    axis.errorbar(
                        line.K, line["mean"], line.interval95, capsize=3, label=title, **style
                    )
            if metric_of(metric).bounded:  # intervals may leave the range that the score has
                bottom, top = axis.get_ylim()
                axis.set_ylim(max(bottom, -0.03), min(top, 1.03))
            ticks = sorted(scores[~scores.is_baseline].K.unique())
            axis.set_xticks(ticks, [str(tick) for tick in ticks])
            axis.set(xlabel="K", ylabel=metric_of(metric).label)
        _legend_below(figure, axes.flat[0])
        return _svg(figure)


def convergence(curves: pd.DataFrame, styles: Styles) -> str:
    """Modes captured and share of high-quality samples against kimg.

    curves (DataFrame): title, kimg, metric, mean, low, high. Lines are means over seeds, bands
    their range. Returns SVG.
    """
    metrics = list(dict.fromkeys(curves.metric))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(metrics), figsize=(4.4 * len(metrics), 3.4))
        for axis, metric in zip(np.atleast_1d(axes), metrics, strict=True):
            for title, line in curves[curves.metric == metric].groupby("title", sort=False):
                style = {**styles[title], "markevery": max(1, len(line) // 8)}
                axis.plot(line.kimg, line["mean"], label=title, **style)
                axis.fill_between(
                    line.kimg, line.low, line.high, color=style["color"], alpha=0.12, lw=0
                )
            axis.set(xlabel="kimg", ylabel=metric_of(metric).label)
        _legend_below(figure, np.atleast_1d(axes)[0])
        return _svg(figure)


def contingencies(counts: pd.DataFrame, rows_label: str, columns_label: str) -> str:
    """Shares of classes per component (or cluster), one panel a model: rows sum to 1.

    counts (DataFrame): title, group, class, count; groups and classes in order. Returns SVG.
    """
    titles = list(dict.fromkeys(counts.title))
    columns = min(4, len(titles))
    rows = -(-len(titles) // columns)
    tables = {
        title: counts[counts.title == title].pivot_table(
            index="group", columns="class", values="count", sort=False
        )
        for title in titles
    }
    tallest = max(len(table) for table in tables.values())
    with plt.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(2.7 * columns + 0.4, (1.2 + 0.16 * max(tallest, 8)) * rows),
            squeeze=False,
        )
        for axis in axes.flat[len(titles) :]:
            axis.set_visible(False)
        for i, (axis, title) in enumerate(zip(axes.flat, titles, strict=False)):
            table = tables[title]
            shares = table.to_numpy() / np.maximum(table.to_numpy().sum(1, keepdims=True), 1)
            picture = axis.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="equal")
            axis.set_xticks(range(table.shape[1]), table.columns, fontsize=6)
            axis.set_yticks(range(table.shape[0]), table.index, fontsize=6)
            if max(len(str(name)) for name in table.columns) > 2:
                axis.tick_params(axis="x", rotation=90)
            axis.set_title(title, fontsize=8)
            axis.set_xlabel(columns_label)
            if i % columns == 0:
                axis.set_ylabel(rows_label)
        figure.colorbar(
            picture,
            ax=axes,
            label="share of the row",
            shrink=0.6,
            fraction=0.03,
            use_gridspec=False,
        )
        ConstrainedLayoutEngine().execute(figure)
        return _svg(figure)


def _log_scale(axis: Axes) -> None:
    """A logarithmic y axis with labels such as 0.5 and 20, as many as have room."""
    axis.set_yscale("log")
    bottom, top = axis.get_ylim()
    decades = np.log10(top / bottom)
    between = (2, 3, 4, 5, 7) if decades < 1 else (2, 5) if decades < 3 else ()
    axis.yaxis.set_minor_locator(LogLocator(subs=between) if between else NullLocator())
    for set_formatter in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        set_formatter(lambda value, _: f"{value:g}")
    axis.tick_params(axis="y", which="both", labelsize=7)


def png_address(png: bytes) -> str:
    """A data address for the bytes of a PNG."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _legend_below(figure: Figure, axis: Axes) -> None:
    """One legend for all panels, under them."""
    handles, labels = axis.get_legend_handles_labels()
    lines = -(-len(labels) // 5)
    height = figure.get_size_inches()[1]
    TightLayoutEngine(rect=(0, (0.25 * lines + 0.1) / height, 1, 1)).execute(figure)
    figure.legend(handles, labels, loc="lower center", ncols=min(5, len(labels)), fontsize=8)


def _svg(figure: Figure) -> str:
    """The figure as SVG text, without the ids that nothing refers to.

    A figure that keeps its layout engine is drawn twice; here layouts are computed before.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=140, metadata={"Date": None})
    plt.close(figure)
    text = re.sub("<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
    text = text[text.index("<svg") :]
    used = set(re.findall(r"#([\w-]+)", text))
    return re.sub(r' id="([\w-]+)"', lambda m: m[0] if m[1] in used else "", text)
