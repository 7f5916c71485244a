"""Write the table of built-in metrics into docs/metrics.md, from their records.

python docs/scripts/metrics.py
"""

from pathlib import Path

from marked import with_part

from gmgan.evaluation.metrics import as_markdown

PAGE = Path(__file__).parents[1] / "metrics.md"
COMMAND = "python docs/scripts/metrics.py"


def with_table(text: str) -> str:
    """The page with the table as the records have it now."""
    return with_part(text, COMMAND, as_markdown())


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
