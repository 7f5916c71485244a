"""Put the verdicts of a finished `quick` into the table of docs/statistics.md, as one column.

python docs/scripts/verdicts.py HEADING PROJECT
"""

import sys
from pathlib import Path

import pandas as pd
from marked import part, with_part

PAGE = Path(__file__).parents[1] / "statistics.md"
COMMAND = "python docs/scripts/verdicts.py HEADING PROJECT"
LEVEL = r"against chance .*"  # its level is another one in every project
COMPARISON = ["claim", "dataset", "comparison", "metric"]


def verdicts(project: Path) -> pd.Series:
    """The verdict on each primary comparison that a project could test, by comparison."""
    rows = pd.read_csv(project / "results" / "tables" / "claims.csv", dtype=str)
    rows = rows[(rows.role == "primary") & (rows.verdict != "not tested")]
    rows["comparison"] = rows.comparison.str.replace(LEVEL, "against chance", regex=True)
    return rows.set_index(COMPARISON).verdict


def from_markdown(text: str) -> pd.DataFrame:
    """The table as `as_markdown` wrote it, without its last two rows."""
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines()]
    return pd.DataFrame(rows[2:-2], columns=rows[0]).set_index(COMPARISON)


def as_markdown(table: pd.DataFrame) -> str:
    """A row per primary comparison, a column of verdicts per project, and how many agree."""
    lines = [
        f"| {' | '.join([*COMPARISON, *table.columns])} |",
        "|" + " --- |" * (len(COMPARISON) + len(table.columns)),
    ]
    lines += [f"| {' | '.join([*row[0], *row[1:]])} |" for row in table.itertuples()]
    first = table.columns[0]
    undecided = table.isin(["undecided", "not tested"])
    counts = {"decided": ~undecided, f"as with {first}": table.eq(table[first], axis=0)}
    for name, counted in counts.items():
        cells = "".join(f" {n} of {len(table)} |" for n in counted.sum())
        lines.append(f"| | | {name} | |{cells}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    heading, project = sys.argv[1:]
    page = PAGE.read_text()
    table = from_markdown(part(page, COMMAND))
    table[heading] = verdicts(Path(project))
    PAGE.write_text(with_part(page, COMMAND, as_markdown(table.fillna("not tested"))))
