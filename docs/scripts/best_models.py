"""Table of the best models in the README, from a finished suite.

python docs/scripts/best_models.py RESULTS DATASET
"""

import sys
from pathlib import Path

from marked import with_part

README = Path(__file__).parents[2] / "README.md"
COMMAND = "python docs/scripts/best_models.py results digits"


def write_table(results: Path, dataset: str) -> None:
    """Put the best models of a data set into the README, between its two marks."""
    head, rule, *rows = (results / "tables" / "best.md").read_text().splitlines(keepends=True)
    own = [row for row in rows if row.startswith(f"| {dataset} |")]
    footnotes = [f"\n{row}" for row in rows if row.startswith(f"† {dataset},")]
    content = "".join([head, rule, *own, *footnotes])
    README.write_text(with_part(README.read_text(), COMMAND, content))


if __name__ == "__main__":
    write_table(Path(sys.argv[1]), sys.argv[2])
