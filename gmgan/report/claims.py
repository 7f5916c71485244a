"""Claims against the score tables: a verdict for each comparison and each claim, and why."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from gmgan.report.comparisons import Evidence, Question, Row
from gmgan.report.plan import WORDS, Claim, Endpoint, Plan
from gmgan.report.statistics import (
    ALPHA,
    MOST_SEEDS,
    PAIRED_FROM,
    Difference,
    deciding_seeds,
    detectable_effect,
    holm,
)

CELL = ["model", "K", "varied", "against", "against_varied", "metric", "extractor", "n_fake"]
RESULT = ["test", "effect", "low", "high", "p", "p_equivalent", "seeds", "spread"]
RESULT += ["spread_of_pairs"]
ADJUSTED = ["p_holm", "p_equivalent_holm", "detectable", "deciding_seeds"]
PLANNED = ["role", "compare", "better", "scale", "smallest", "family"]
COLUMNS = ["claim", "verdict", "dataset", "comparison", *CELL, *PLANNED, *RESULT, *ADJUSTED]
COLUMNS += ["reason"]
SAME_RUNS = ("chance", "scales")  # comparisons of two scores of the same runs
WEAKEST_FIRST = ("contradicted", "equivalent", "undecided", "supported")


def evaluate(plan: Plan, evidence: Evidence) -> pd.DataFrame:
    """One row per claim, endpoint and comparison, with the columns of COLUMNS.

    p-values are Holm-adjusted within families: the primary comparisons of a claim are one, those of
    each secondary metric of a claim another, and so are those by model of each metric. Verdicts at
    0.05: `equivalent` if the difference is shown to be below the smallest effect of interest, else
    `supported` or `contradicted` if there is a difference in the claimed or in the other direction,
    else `undecided`; `not tested` says why in `reason`.
    """
    rows = [row for claim in plan.claims for row in _tested(claim, plan, evidence)]
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


@dataclass(frozen=True)
class Summary:
    """A claim's verdict, the one of its weakest primary comparison, and how many of each there are.

    counts: verdicts of the primary comparisons; beside: those of each secondary metric that was
    tested.
    """

    verdict: str
    counts: dict[str, int]
    beside: dict[str, dict[str, int]]

    @property
    def text(self) -> str:
        """The verdict and how much of the claim was tested."""
        total = sum(self.counts.values())
        if self.verdict == "not tested":
            return self.verdict
        return f"{self.verdict} in {self.counts[self.verdict]} of {total} primary comparisons"


def summarise(rows: pd.DataFrame) -> Summary:
    """The summary of one claim from its rows of the claims' table.

    A claim is as good as its weakest primary comparison: contradicted if one is, else equivalent if
    one is, else undecided if one is; supported if all are. Untested comparisons are counted, and
    ignored unless all are untested.
    """
    primary = rows[rows.role == "primary"]
    weakest = [verdict for verdict in WEAKEST_FIRST if verdict in set(primary.verdict)]
    secondary = rows[(rows.role == "secondary") & (rows.verdict != "not tested")]
    beside = secondary.groupby("metric", sort=False).verdict
    return Summary(
        verdict=weakest[0] if weakest else "not tested",
        counts=_counts(primary.verdict),
        beside={metric: _counts(verdicts) for metric, verdicts in beside},
    )


def by_halves(plan: Plan, evidence: Evidence) -> dict[str, tuple[str, str]]:
    """Each claim's verdict on the first and on the second half of the seeds.

    Empty with fewer than six seeds. Half the seeds decide less: `undecided` beside the verdict of
    all seeds is no contradiction, another decision is one.
    """
    seeds = sorted(evidence.table.seed.dropna().unique())
    if len(seeds) < 6:
        return {}
    primary = [claim.model_copy(update={"secondary": []}) for claim in plan.claims]
    plan, middle, results = plan.model_copy(update={"claims": primary}), len(seeds) // 2, []
    for half in (seeds[:middle], seeds[middle:]):
        tables = (t[t.seed.isin(half)] for t in (evidence.table, evidence.sweep))
        rows = evaluate(
            plan, replace(evidence, **dict(zip(("table", "sweep"), tables, strict=True)))
        )
        results.append({claim: summarise(own).verdict for claim, own in rows.groupby("claim")})
    return {claim: (first, results[1][claim]) for claim, first in results[0].items()}


def _counts(verdicts: Iterable[str]) -> dict[str, int]:
    return dict(Counter(verdicts).most_common())


def _tested(claim: Claim, plan: Plan, evidence: Evidence) -> list[Row]:
    """The rows of one claim, its families adjusted."""
    families: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for role, endpoint in claim.endpoints():
        for metric in endpoint.metrics:
            of_k = endpoint.compare == "data-sets"
            smallest = plan.smallest("effect-of-k" if of_k else metric)
            answers, parts = Question(endpoint, metric, evidence, smallest).answers()
            common = {
                "claim": claim.id,
                "compare": endpoint.compare,
                "metric": metric,
                "better": endpoint.direction(metric) if answers else None,
                "scale": smallest.scale if smallest else "difference",
                "smallest": smallest.effect if smallest else None,
            }
            answers = answers or [{"reason": _why_not(endpoint, metric, evidence)}]
            families[role, "" if role == "primary" else metric] += [
                {**common, "role": role, **row} for row in answers
            ]
            families[f"{role}, by model", metric] += [
                {**common, "role": f"{role}, by model", **row} for row in parts
            ]
    return [row for rows in families.values() for row in _adjusted(rows)]


def _why_not(endpoint: Endpoint, metric: str, evidence: Evidence) -> str:
    kinds = ("points", "images") if endpoint.data == "all" else (endpoint.data,)
    scored = evidence.table[evidence.table.metric == metric].dataset
    if not any((scored.isin(evidence.points) == (kind == "points")).any() for kind in kinds):
        return f"no run of this suite has this score on {' or '.join(kinds)}"
    if endpoint.compare == "data-sets":
        return "it needs two data sets of one kind, each with several K from its number of classes"
    return f"no model of this suite has {' and '.join(WORDS[each] for each in endpoint.models)}"


def _adjusted(rows: list[Row]) -> list[Row]:
    """The rows of one family with their adjusted p-values, verdicts and plans."""
    tested = [row for row in rows if row.get("difference")]
    decidable = [row for row in tested if row["difference"].p is not None]
    for name in ("p", "p_equivalent"):
        stated = [row for row in decidable if getattr(row["difference"], name) is not None]
        ps = holm([getattr(row["difference"], name) for row in stated])
        for row, p in zip(stated, ps, strict=True):
            row[f"{name}_holm"] = p
    for row in rows:
        difference: Difference | None = row.pop("difference", None)
        row["family"] = len(decidable)
        row["verdict"] = _verdict(row, difference)
        if difference is None:
            row["seeds"] = 0
            continue
        row |= {name: getattr(difference, name) for name in RESULT}
        if difference.p is None:
            row["reason"] = "one seed: no interval and no test exist"
        elif row["verdict"] == "undecided":
            row |= _planned(row, difference, len(decidable))
    return rows


def _verdict(row: Row, difference: Difference | None) -> str:
    if difference is None:
        return "not tested"
    if row.get("p_equivalent_holm", 1) < ALPHA:
        return "equivalent"
    if row.get("p_holm", 1) >= ALPHA:
        return "undecided"
    higher = difference.effect > (1 if row["scale"] == "ratio" else 0)
    claimed = row["better"] in ("other", "higher" if higher else "lower")
    return "supported" if claimed else "contradicted"


def _planned(row: Row, difference: Difference, family: int) -> dict[str, Any]:
    """The effect that these seeds would show, and the seeds that would decide."""
    paired = difference.test == "paired t"
    spread = difference.spread_of_pairs if paired else difference.spread
    if not spread or not difference.spread:
        return {"reason": "no spread between seeds to plan with"}
    ratio = row["scale"] == "ratio"
    effect = detectable_effect(spread, difference.seeds, paired, family)
    result: dict[str, Any] = {"detectable": float(np.exp(effect)) if ratio else effect}
    if row["smallest"] is not None:
        smallest = float(np.log(row["smallest"])) if ratio else row["smallest"]
        paired_from = 2 if row["compare"] in SAME_RUNS else PAIRED_FROM
        spreads = difference.spread, difference.spread_of_pairs
        seeds = deciding_seeds(*spreads, smallest, family, paired_from)
        result["deciding_seeds"] = seeds
        if seeds is None:
            result["reason"] = f"more than {MOST_SEEDS:,} seeds would decide"
    return result
