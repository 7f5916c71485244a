"""Draw the rooms of the package and the imports between them: writes docs/rooms.svg.

The imports are read by import-linter's graph (grimp); an arrow's width grows with their number.
"""

from collections import Counter
from pathlib import Path

import grimp
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROWS = [
    ["worker"],
    ["cli", "commands", "conformance", "exported"],
    ["pipeline"],
    ["report"],
    ["evaluation"],
    ["training"],
    ["data", "models"],
    ["records", "config"],
    ["runtime", "plugins", "pixels", "seeds", "errors"],
]
SMALL = {"errors", "seeds"}  # everything uses them: their arrows say nothing


def imports() -> Counter:
    """{(importing room, imported room): number of imports}."""
    graph, pairs = grimp.build_graph("gmgan"), Counter()
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            rooms = room_of(module), room_of(other)
            if rooms[0] != rooms[1]:
                pairs[rooms] += 1
    return pairs


def room_of(module: str) -> str:
    """The package or module below `gmgan`; the worker, which starts commands, stands apart."""
    if module == "gmgan.runtime.worker":
        return "worker"
    return [*module.split("."), "gmgan"][1]


def draw(pairs: Counter, path: Path) -> None:
    """One box per room, imports as arrows downwards."""
    places = {
        room: ((i + 0.5) * 8 / len(row), -1.1 * level)
        for level, row in enumerate(ROWS)
        for i, room in enumerate(row)
    }
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gmgan"})
    figure, axis = plt.subplots(figsize=(8, 7))
    for (start, end), count in sorted(pairs.items()):
        if {start, end} <= set(places) and end not in SMALL:
            style = {"arrowstyle": "-|>", "lw": 0.4 + 0.12 * count, "color": "#0072b2"}
            curve = {"connectionstyle": "arc3,rad=0.12", "alpha": 0.55}
            ends = {"shrinkA": 12, "shrinkB": 14}
            axis.annotate("", places[end], places[start], arrowprops=style | curve | ends)
    box = {"boxstyle": "round,pad=0.5", "fc": "white", "ec": "#444444"}
    for room, (x, y) in places.items():
        axis.text(x, y, room, ha="center", va="center", fontsize=10, bbox=box)
    axis.set(xlim=(0, 8), ylim=(-1.1 * len(ROWS) + 0.5, 0.6))
    axis.axis("off")
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    draw(imports(), Path(__file__).with_name("rooms.svg"))
