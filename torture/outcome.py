"""A row of the table: what was done, how often, what came of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """what: the disturbance; good: the outcome that is right; wrong: {what went wrong: times}."""

    what: str
    good: str = "as undisturbed"
    tried: int = 0
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, *wrong: str) -> None:
        """Count one try, and what went wrong in it."""
        self.tried += 1
        self.wrong.update(wrong)


def as_markdown(outcomes: Iterable[Outcome]) -> str:
    """The table."""
    rows = [("what", "times", "outcome"), ("---", "---:", "---")]
    for each in outcomes:
        wrong = "; ".join(f"**{what}** ({times})" for what, times in each.wrong.items())
        rows.append((each.what, str(each.tried), wrong.replace("|", "\\|") or each.good))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
