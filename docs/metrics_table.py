"""Write the table of built-in metrics into docs/metrics.md, from their records.

python docs/metrics_table.py
"""

from pathlib import Path

from gmgan.evaluation.metrics import as_markdown

PAGE = Path(__file__).parent / "metrics.md"
BEGIN, END = "<!-- begin: python docs/metrics_table.py -->\n", "<!-- end -->\n"


def with_table(text: str) -> str:
    """The page with the table as the records have it now."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + as_markdown() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
