"""Draw the packages and modules of gmgan and the imports between them: writes docs/imports.svg.

import-linter's graph (grimp) gives the imports; an arrow's width grows with their number. Parts
that every other part may use stand at the bottom, without arrows.
"""

from collections import Counter
from pathlib import Path

import grimp
import matplotlib

from gmgan.pipeline.stages import STAGES

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PLACES = {  # (x, y) of each part's centre; y points downwards
    "worker": (5.0, 0.0),
    "cli": (5.0, 1.0),
    "commands": (7.0, 2.0),
    "pipeline": (5.0, 3.0),
    "report": (2.4, 4.2),
    "conformance": (0.2, 4.6),
    "evaluation": (4.5, 5.4),
    "training": (7.5, 5.2),
    "exported": (9.8, 5.4),
    "data": (2.4, 7.0),
    "models": (6.5, 7.0),
}
BASE = [["config", "records"], ["runtime", "plugins", "reading", "pixels", "seeds", "errors"]]
ENTRANCES = {"gmgan", "__main__"}  # the package's version, and `python -m gmgan`
BLUE, GREY = "#0072b2", "#777777"


def imports() -> Counter:
    """{(importing part, imported part): number of imports}."""
    graph, pairs = grimp.build_graph("gmgan"), Counter()
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            ends = part_of(module), part_of(other)
            if ends[0] != ends[1] and not ENTRANCES.intersection(ends):
                pairs[ends] += 1
    return pairs


def part_of(module: str) -> str:
    """The package or module below `gmgan`; the worker, which starts commands, stands apart."""
    if module == "gmgan.runtime.worker":
        return "worker"
    return [*module.split("."), "gmgan"][1]


def draw(pairs: Counter, path: Path) -> None:
    """One box per part, imports as arrows. Raises KeyError for a part without a place."""
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gmgan", "font.size": 13})
    figure, axis = plt.subplots(figsize=(9, 8.5))
    boxes = {
        part: axis.text(*place, part, ha="center", va="center", bbox=_box("white"), zorder=3)
        for part, place in PLACES.items()
    }
    base = {part for row in BASE for part in row}
    called = {part_of(stage.compute.partition(":")[0]) for stage in STAGES.values()}
    arrows = {pair: {"lw": 0.8 + 0.25 * n, "color": BLUE} for pair, n in pairs.items()}
    for part in called - {"pipeline"}:
        arrows.setdefault(("pipeline", part), {"lw": 1.2, "color": GREY, "linestyle": "--"})
    for (start, end), style in sorted(arrows.items()):
        if end in base:
            continue
        ends = {"patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch()}
        style |= ends | {"arrowstyle": "-|>", "mutation_scale": 14, "alpha": 0.75}
        (x, top), (x_end, bottom) = PLACES[start], PLACES[end]
        if x == x_end and any(x == each and top < y < bottom for each, y in PLACES.values()):
            style["connectionstyle"] = "arc3,rad=0.3"  # around the part between them
        axis.annotate("", PLACES[end], PLACES[start], arrowprops=style)
    for level, row in enumerate(BASE):
        text = "   ·   ".join(row)
        axis.text(5, 8.3 + 0.8 * level, text, ha="center", va="center", bbox=_box("#eef3f7"))
    notes = "blue: imports, wider if more; dashed: called by name; below: used by all above"
    axis.text(5, 7.7, notes, ha="center", va="center", fontsize=10, color="#444444")
    axis.set(xlim=(-0.8, 10.6), ylim=(9.6, -0.5))
    axis.axis("off")
    dated = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
    figure.savefig(path, bbox_inches="tight", dpi=80, **dated)
    plt.close(figure)


def _box(colour: str) -> dict:
    return {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": "#444444"}


if __name__ == "__main__":
    draw(imports(), Path(__file__).parents[1] / "imports.svg")
