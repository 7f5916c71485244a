"""Write the plan of the claims into docs/statistics.md, from gmgan/report/claims.yaml.

python docs/scripts/plan.py
"""

from pathlib import Path

from marked import with_part

from gmgan.report.plan import as_markdown

PAGE = Path(__file__).parents[1] / "statistics.md"
COMMAND = "python docs/scripts/plan.py"


def with_plan(text: str) -> str:
    """The page with the plan as it is now."""
    return with_part(text, COMMAND, as_markdown())


if __name__ == "__main__":
    PAGE.write_text(with_plan(PAGE.read_text()))
