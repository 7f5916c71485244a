"""Write into docs/statistics.md which verdicts of quick repeat, from finished projects.

python docs/verdicts_table.py SEEDS-0-9 SEEDS-10-19
"""

import sys
from pathlib import Path

import pandas as pd

PAGE = Path(__file__).parent / "statistics.md"
BEGIN, END = "<!-- begin: python docs/verdicts_table.py A B -->\n", "<!-- end -->\n"
COMPARISON = ["claim", "dataset", "comparison", "metric"]
COLUMNS = ["seeds 0-9", "seeds 10-19"]


def verdicts(folder: Path) -> pd.Series:
    """The verdict on each primary comparison that a project could test, by comparison."""
    rows = pd.read_csv(folder / "results" / "tables" / "claims.csv")
    rows = rows[(rows.role == "primary") & (rows.verdict != "not tested")]
    return rows.set_index(COMPARISON).verdict


def as_markdown(folders: list[Path]) -> str:
    """A row per primary comparison, a column of verdicts per project, and how many agree."""
    table = pd.concat(dict(zip(COLUMNS, map(verdicts, folders), strict=True)), axis=1)
    lines = [
        f"| {' | '.join([*COMPARISON, *COLUMNS])} |",
        "|" + " --- |" * (len(COMPARISON) + len(COLUMNS)),
    ]
    lines += [f"| {' | '.join([*row[0], *row[1:]])} |" for row in table.itertuples()]
    decided = (table != "undecided").sum()
    lines.append("| | | decided | |" + "".join(f" {n} of {len(table)} |" for n in decided))
    same = table.eq(table[COLUMNS[0]], axis=0).sum()
    lines.append("| | | as with seeds 0-9 | |" + "".join(f" {n} of {len(table)} |" for n in same))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    before, rest = PAGE.read_text().split(BEGIN)
    content = as_markdown([Path(folder) for folder in sys.argv[1:]])
    PAGE.write_text(before + BEGIN + content + END + rest.split(END, 1)[1])
