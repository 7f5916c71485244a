"""Table of the best models in the README, from a finished suite.

python docs/best_table.py RESULTS DATASET
"""

import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- begin: python docs/best_table.py results digits -->\n", "<!-- end -->\n"


def write_table(results: Path, dataset: str) -> None:
    """Put the best models of a data set into the README, between its two marks."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END, 1)[1]
    head, rule, *rows = (results / "tables" / "best.md").read_text().splitlines(keepends=True)
    own = [row for row in rows if row.startswith(f"| {dataset} |")]
    README.write_text("".join([before, BEGIN, head, rule, *own, END, after]))


if __name__ == "__main__":
    write_table(Path(sys.argv[1]), sys.argv[2])
