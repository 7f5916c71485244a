"""Scores that contradict each other: a note beside each number that alone would mislead."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gmgan.records import Score


@dataclass(frozen=True)
class Rule:
    """`note` stands beside `metric` where it is at least `least` and `other` at most `most`.

    Without a metric of its own (`least` None) the rule is about `other` alone. Families are named
    without their parameter.
    """

    metric: str
    least: float | None
    other: str
    most: float
    note: str


RULES = (
    Rule("recall", None, "recall", 0.02, "no real variety is met"),
    Rule("coverage", None, "coverage", 0.02, "no real neighbourhood is met"),
    Rule("quality", 0.5, "precision", 0.1, "near real samples, but outside their neighbourhoods"),
    Rule("quality", 0.5, "recall", 0.1, "near real samples, but few of them"),
    Rule("precision", 0.5, "recall", 0.1, "real-looking samples of little variety"),
    Rule("density", 0.8, "coverage", 0.2, "dense in few places"),
    Rule("diversity", 0.5, "within_class_diversity_ratio", 0.5, "between classes, not within them"),
    Rule("vendi", 2.0, "precision", 0.1, "distinct, but not real"),
    Rule("component_purity", 0.9, "diversity_inter", 0.5, "components share few classes"),
)


def flagged(scores: Iterable[Score]) -> list[Score]:
    """The scores of one set of samples by one extractor, each with the notes that it needs."""
    scores = list(scores)
    values = {_family(s.metric): s.value for s in reversed(scores) if s.value is not None}

    def notes(score: Score) -> str:
        return "; ".join(
            f"{rule.note} ({rule.other} {values[rule.other]:.3f})"
            for rule in RULES
            if rule.metric == _family(score.metric)
            and rule.other in values
            and values[rule.other] <= rule.most
            and (rule.least is None or (score.value is not None and score.value >= rule.least))
        )

    return [replace(score, flag=notes(score)) for score in scores]


def _family(metric: str) -> str:
    """recall_k3 -> recall."""
    return re.sub(r"_k\d+$", "", metric)
