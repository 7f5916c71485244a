"""The one style of all figures: colour-blind safe, readable in grey, as SVG."""

import base64
import io
import re
import textwrap
from collections.abc import Hashable, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine, TightLayoutEngine
from matplotlib.ticker import LogLocator, NullLocator

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
MOST_LINES = len(LINE_COLOURS)  # of one figure
MARKERS = "osD^vP<>X*"
DASHES = ["-", "--", "-.", ":"]
Styles = dict[str, dict[str, Any]]  # label -> keywords of `plot`


def looks(cells: Sequence[tuple[str, Hashable, int]]) -> Styles:
    """Keywords of `plot` for each label: colour and marker by model, dash by its number of K.

    cells: [(label, model, K)] in the order of display; a model is a name, or a name with values.
    """
    values: dict[Hashable, list[int]] = {}
    for _, model, K in cells:
        values.setdefault(model, []).append(K)
    models = list(values)
    return {
        label: {
            "color": LINE_COLOURS[models.index(model) % len(LINE_COLOURS)],
            "marker": MARKERS[models.index(model) % len(MARKERS)],
            "ls": DASHES[list(dict.fromkeys(values[model])).index(K) % len(DASHES)],
            "ms": 3.5,
            "lw": 1.2,
        }
        for label, model, K in cells
    }


def make_panels(
    count: int, most: int, size: tuple[float, float], margin: tuple[float, float] = (0, 0)
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, at most `most` in a row.

    size: width and height that a panel takes; margin: what the figure adds to that; in inches.
    """
    columns = min(most, count)
    rows = -(-count // columns)
    inches = (size[0] * columns + margin[0], size[1] * rows + margin[1])
    figure, axes = plt.subplots(rows, columns, figsize=inches, squeeze=False)
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    return figure, list(axes.flat[:count])


def wrapped(title: str, inches: float) -> str:
    """A title of 8 points in lines that fit the width of a panel."""
    return textwrap.fill(title, int(inches / 0.068), break_long_words=False)


def log_scale(axis: Axes) -> None:
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


def legend_below(figure: Figure, axis: Axes) -> LayoutEngine:
    """One legend for all panels, under them: the layout that leaves room for it."""
    handles, labels = axis.get_legend_handles_labels()
    width, height = figure.get_size_inches()
    longest = 0.065 * max(map(len, labels)) + 0.55  # inches, with its line
    columns = max(1, min(5, len(labels), int(width / longest)))
    figure.legend(handles, labels, loc="lower center", ncols=columns, fontsize=8)
    bottom = (0.2 * -(-len(labels) // columns) + 0.15) / height
    return TightLayoutEngine(rect=(0, bottom, 1, 1))


def svg(figure: Figure, layout: LayoutEngine) -> str:
    """The figure as SVG text, without the ids that nothing refers to, in hundredths of a point.

    A figure that keeps its layout engine is drawn twice; here layouts are computed before.
    """
    layout.execute(figure)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=140, metadata={"Date": None})
    plt.close(figure)
    text = re.sub("<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
    text = text[text.index("<svg") :]
    used = set(re.findall(r"#([\w-]+)", text))
    text = re.sub(r' id="([\w-]+)"', lambda m: m[0] if m[1] in used else "", text)
    return re.sub(r' (?:d|x|y)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)
