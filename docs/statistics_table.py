"""Write the plan of the claims into docs/statistics.md, from gmgan/report/claims.yaml.

python docs/statistics_table.py
"""

from pathlib import Path

from gmgan.report.plan import as_markdown

PAGE = Path(__file__).parent / "statistics.md"
BEGIN, END = "<!-- begin: python docs/statistics_table.py -->\n", "<!-- end -->\n"


def with_plan(text: str) -> str:
    """The page with the plan as it is now."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + as_markdown() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(with_plan(PAGE.read_text()))
