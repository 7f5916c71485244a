"""Figures in one style: colour-blind safe, readable in grey, vector where that is small."""

import base64
import io
import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from gmgan.pixels import PALETTE

COLOURS = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in PALETTE]
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "svg.hashsalt": "gmgan",
    "figure.dpi": 100,
}


def training_curves(histories: dict) -> str:
    """Losses (top) and mean discriminator outputs (bottom) against kimg, a column per model.

    histories: {title of the model: [history as DataFrame, one per seed]}. Returns SVG.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2,
            len(histories),
            figsize=(2.3 * len(histories) + 0.6, 4),
            sharex="col",
            sharey="row",
            squeeze=False,
        )
        series = (
            (("loss_d", "discriminator", 3, "-"), ("loss_g", "generator", 0, "--")),
            (("d_real", "on real", 2, "-"), ("d_fake", "on generated", 1, "--")),
        )
        for column, (title, seeds) in enumerate(histories.items()):
            for row, lines in enumerate(series):
                axis = axes[row, column]
                for name, label, colour, dash in lines:
                    for i, history in enumerate(seeds):
                        smooth = history[name].rolling(5, min_periods=1).mean()
                        axis.plot(
                            history.kimg,
                            smooth,
                            dash,
                            color=COLOURS[colour],
                            lw=0.9,
                            alpha=0.8,
                            label=label if i == 0 else None,
                        )
            axes[0, column].set_title(title, fontsize=9)
            axes[1, column].set_xlabel("kimg")
            axes[1, column].set_ylim(0, 1)
        axes[0, 0].set_ylabel("loss")
        axes[1, 0].set_ylabel("discriminator output")
        for row in range(2):
            axes[row, 0].legend(fontsize=7, loc="best")
        figure.tight_layout()
        return _svg(figure)


def scatters(panels: list, centres, std) -> str:
    """Generated points coloured by component, over the 3-std circles of the true modes.

    panels: [(title, points N x 2, colour index N)]. Returns a PNG as a data address.
    """
    columns = min(5, len(panels))
    rows = -(-len(panels) // columns)
    extent = 1.25 * (np.abs(centres).max() + 3 * std)
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
                points[:, 0], points[:, 1], s=1.5, lw=0, c=PALETTE[colour % len(PALETTE)] / 255
            )
            axis.set(
                xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal", xticks=[], yticks=[]
            )
            axis.set_title(title, fontsize=8)
        figure.tight_layout()
        return png_address(_png(figure))


def png_address(png: bytes) -> str:
    """A data address for the bytes of a PNG."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _svg(figure):
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = re.sub("<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
    return text[text.index("<svg") :]


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=140)
    plt.close(figure)
    return buffer.getvalue()
