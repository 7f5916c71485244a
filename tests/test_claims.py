"""Paired tests, their correction, and verdicts."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gmgan.metrics.significance import holm, paired_test
from gmgan.report.claims import COLUMNS, evaluate, load_claims, summarise


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_paired_test_is_scipys(rng):
    for n in (2, 3, 5, 12):
        a, b = rng.standard_normal(n) + 0.4, rng.standard_normal(n)
        found, exact = paired_test(a, b), stats.ttest_rel(a, b)
        assert found.p == pytest.approx(exact.pvalue)
        interval = exact.confidence_interval(0.95)
        assert found.effect - found.half == pytest.approx(interval.low)
        assert found.effect + found.half == pytest.approx(interval.high)
        assert found.size == pytest.approx((a - b).mean() / (a - b).std(ddof=1))


def test_paired_test_without_spread_or_with_one_pair():
    assert paired_test([1.0, 2.0], [1.0, 2.0]).p == 1
    assert paired_test([2.0, 3.0], [1.0, 2.0]).p == 0
    one = paired_test([2.0], [1.5])
    assert (one.effect, one.half, one.p, one.seeds) == (0.5, None, None, 1)
    with pytest.raises(ValueError):
        paired_test([], [])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


CLAIM = {
    "id": 1,
    "title": "t",
    "source": "s",
    "data": "all",
    "metrics": [{"metric": "fid", "better": "lower"}],
}


def scores(rng, difference, seeds=5, noise=1.0, datasets=("digits",), **change):
    rows = []
    for dataset in datasets:
        for seed in range(seeds):
            common = {
                "dataset": dataset,
                "seed": seed,
                "metric": "fid",
                "n_real": 100,
                "n_fake": 100,
                "extractor": "classifier",
                "extractor_hash": "h",
                "split": "train",
            }
            base = 50 + 5 * rng.standard_normal()
            rows.append({**common, "model": "gan", "K": 1, "value": base})
            rows.append(
                {
                    **common,
                    "model": "gm",
                    "K": 10,
                    **change,
                    "value": base + difference + noise * rng.standard_normal(),
                }
            )
    return pd.DataFrame(rows)


def verdicts(table, claims=(CLAIM,)):
    found = evaluate(list(claims), table, {"gm": "gan"}, points=set())
    assert list(found.columns) == COLUMNS
    return found


def test_a_planted_difference_is_found_in_its_direction(rng):
    assert verdicts(scores(rng, -8)).verdict.tolist() == ["supported"]
    assert verdicts(scores(rng, +8)).verdict.tolist() == ["contradicted"]
    row = verdicts(scores(rng, -8)).iloc[0]
    assert row.effect == pytest.approx(-8, abs=2)
    assert row.seeds == 5


def test_the_error_rate_of_a_null_difference(rng):
    """Three comparisons of nothing: at most 5 in 100 tables hold a false verdict."""
    wrong = sum(
        bool(set(verdicts(scores(rng, 0, datasets=("a", "b", "c"))).verdict) - {"undecided"})
        for _ in range(600)
    )
    assert wrong / 600 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)
    assert wrong > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_fake", 1000), ("n_real", 1000), ("extractor_hash", "g"), ("split", "test")],
)
def test_scores_of_other_protocols_are_not_compared(rng, name, value):
    found = verdicts(scores(rng, -8, **{name: value}))
    assert found.verdict.tolist() == ["not tested"]
    assert f"differ in {name}" in found.reason.iloc[0]


def test_one_seed_and_missing_pairs(rng):
    one = verdicts(scores(rng, -8, seeds=1)).iloc[0]
    assert (one.verdict, one.seeds) == ("undecided", 1)
    assert "one seed" in one.reason
    table = scores(rng, -8)
    alone = verdicts(table[table.model == "gm"]).iloc[0]
    assert alone.verdict == "not tested"
    failed = table.assign(value=np.where(table.model == "gm", np.nan, table.value))
    assert verdicts(failed).verdict.iloc[0] == "not tested"
    assert "no such pair" in verdicts(table[table.model == "gan"]).reason.iloc[0]


def test_summaries():
    assert summarise(["supported", "supported"]) == "supported"
    assert summarise(["supported", "undecided"]) == "supported in part"
    assert summarise(["supported", "contradicted", "undecided"]) == "mixed"
    assert summarise(["undecided", "not tested"]) == "undecided"
    assert summarise(["not tested"]) == "not tested"


def test_the_shipped_claims_are_complete(params):
    claims = load_claims()
    assert [claim["id"] for claim in claims] == list(range(1, 9))
    for claim in claims:
        assert claim["title"] and claim["source"]
        assert ("metrics" in claim) != ("untested" in claim)
        for metric in claim.get("metrics", []):
            assert metric["better"] in ("higher", "lower")
        assert set(claim.get("models", [])) <= set(params.models)


@pytest.mark.xdist_group("pipeline")
def test_verdicts_of_a_real_grid_follow_from_its_scores(finished):
    results = finished.folder / "results"
    table, found = (pd.read_csv(results / name) for name in ("scores.csv", "tables/claims.csv"))
    row = found[
        (found.comparison == "gmgan-supervised.K10 against acgan")
        & (found.metric == "inception_score")
    ].iloc[0]
    values = table[table.metric == "inception_score"].set_index("run").value
    exact = values["digits-ci.gmgan-supervised.K10.s0"] - values["digits-ci.acgan.K1.s0"]
    assert row.effect == pytest.approx(exact)
    assert row.verdict == "undecided"
    assert set(found.claim) == set(range(1, 9))
    assert "Does it hold?" in (results / "report.html").read_text()
