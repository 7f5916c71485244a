"""Claims against a score table: a verdict for each comparison, and why."""

from importlib import resources

import pandas as pd
import yaml

from gmgan.metrics.significance import holm, paired_test

ALPHA = 0.05
PROTOCOL = ["n_real", "n_fake", "extractor", "extractor_hash", "split"]
COLUMNS = [
    "claim",
    "dataset",
    "comparison",
    "metric",
    "extractor",
    "better",
    "verdict",
    "effect",
    "interval95",
    "effect_size",
    "p",
    "p_holm",
    "seeds",
    "reason",
]


def load_claims() -> list[dict]:
    """The claims of claims.yaml, in order."""
    return yaml.safe_load((resources.files("gmgan.report") / "claims.yaml").read_text())["claims"]


def evaluate(claims: list, table: pd.DataFrame, baselines: dict, points: set) -> pd.DataFrame:
    """One row per claim, data set, model and metric, with the columns of COLUMNS.

    table: the tidy score table. baselines (dict): model -> the model it is compared with, if it has
    one. points (set): names of the 2-D data sets. p-values are Holm-adjusted over all
    tests of one claim. Verdicts: `supported` and `contradicted` need an adjusted p below 0.05,
    `undecided` is everything else that was tested, `not tested` says why in `reason`.
    """
    rows = []
    for claim in claims:
        found = [
            row
            for model, baseline in baselines.items()
            if model in claim.get("models", [model])
            for wanted in claim.get("metrics", [])
            for row in _comparisons(claim, wanted, table, model, baseline, points)
        ]
        tested = [row for row in found if row["p"] is not None]
        for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
            row["p_holm"] = p
            row["verdict"] = _verdict(row)
        if not found:
            reason = claim.get("untested", "this suite holds no such pair of models on such data")
            found = [{"claim": claim["id"], "verdict": "not tested", "reason": reason}]
        rows += found
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def summarise(verdicts) -> str:
    """One verdict from those of a claim's comparisons; untested ones have no say."""
    kinds = set(verdicts) - {"not tested"}
    decided = kinds - {"undecided"}
    if len(decided) == 2:
        return "mixed"
    if decided:
        return decided.pop() + (" in part" if "undecided" in kinds else "")
    return "undecided" if kinds else "not tested"


def _comparisons(claim, wanted, table, model, baseline, points):
    """Rows for one model, baseline and metric: one per data set, K and extractor."""
    rows = table[table.metric == wanted["metric"]]
    ours, theirs = rows[rows.model == model], rows[rows.model == baseline]
    for (dataset, K, extractor), group in ours.groupby(["dataset", "K", "extractor"], sort=False):
        if (claim["data"] == "images" and dataset in points) or (
            claim["data"] == "points" and dataset not in points
        ):
            continue
        against = theirs[(theirs.dataset == dataset) & (theirs.extractor == extractor)]
        if len(against) and against.K.nunique() > 1:
            against = against[against.K == K]
        yield {
            "claim": claim["id"],
            "dataset": dataset,
            "extractor": extractor,
            "comparison": f"{model}.K{K} against {baseline}",
            "metric": wanted["metric"],
            "better": wanted["better"],
            "p": None,
            **_compare(group, against, baseline),
        }


def _compare(group, against, baseline):
    pair = group.merge(against, on="seed", suffixes=("", "_baseline")).dropna(
        subset=["value", "value_baseline"]
    )
    if pair.empty:
        return {
            "verdict": "not tested",
            "seeds": 0,
            "reason": f"no seed has scores of both this model and {baseline}",
        }
    for name in PROTOCOL:
        if set(pair[name]) != set(pair[f"{name}_baseline"]) or pair[name].nunique() > 1:
            return {
                "verdict": "not tested",
                "seeds": 0,
                "reason": f"the scores differ in {name} and cannot be compared",
            }
    test = paired_test(pair.value, pair.value_baseline)
    reason = "one seed: no interval and no test exist" if test.pairs == 1 else ""
    return {
        "verdict": "undecided",
        "effect": test.effect,
        "interval95": test.half,
        "effect_size": test.size,
        "p": test.p,
        "seeds": test.pairs,
        "reason": reason,
    }


def _verdict(row):
    if row["p_holm"] >= ALPHA:
        return "undecided"
    return "supported" if (row["effect"] > 0) == (row["better"] == "higher") else "contradicted"
