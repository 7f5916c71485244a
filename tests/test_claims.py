"""Paired tests, their correction, and verdicts."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gmgan.errors import GmganError
from gmgan.evaluation.metrics import built_in
from gmgan.report.claims import (
    COLUMNS,
    COMPARISONS,
    Evidence,
    better,
    evaluate,
    load_claims,
    shared_components,
    summarise,
)
from gmgan.report.statistics import holm, paired_test, welch_test


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_paired_test_is_scipys(rng):
    for n in (2, 3, 5, 12):
        a, b = rng.standard_normal(n) + 0.4, rng.standard_normal(n)
        result, exact = paired_test(a, b), stats.ttest_rel(a, b)
        assert result.p == pytest.approx(exact.pvalue)
        interval = exact.confidence_interval(0.95)
        assert result.effect - result.half == pytest.approx(interval.low)
        assert result.effect + result.half == pytest.approx(interval.high)
        assert result.size == pytest.approx((a - b).mean() / (a - b).std(ddof=1))


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


def test_welch_test_is_scipys(rng):
    for n, m in ((2, 3), (5, 4)):
        a, b = rng.standard_normal(n) + 1, 2 * rng.standard_normal(m)
        result, exact = welch_test(a, b), stats.ttest_ind(a, b, equal_var=False)
        assert result.p == pytest.approx(exact.pvalue)
        interval = exact.confidence_interval(0.95)
        assert result.effect + result.half == pytest.approx(interval.high)
        assert result.seeds == min(n, m)
    assert welch_test([1.0], [2.0, 3.0]).p is None
    assert welch_test([1.0, 1.0], [2.0, 2.0]).p == 0


def claim(**test):
    base = {"compare": "baseline", "data": "all", "metric": "fid", "better": "lower"}
    return {"id": 1, "title": "t", "source": "s", "tests": [{**base, **test}]}


CLAIM = claim()


def scores(rng, difference, seeds=5, noise=1.0, datasets=("digits",), **change):
    rows = []
    for dataset in datasets:
        for seed in range(seeds):
            common = {
                "dataset": dataset,
                "varied": "",
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
    sweep = table.assign(sigma_scale=1.0)
    result = evaluate(list(claims), Evidence(table, sweep, {"gm": "gan"}, points={"toy"}))
    assert list(result.columns) == COLUMNS
    return result


def test_a_planted_difference_is_found_in_its_direction(rng):
    assert verdicts(scores(rng, -8)).verdict.tolist() == ["supported"]
    assert verdicts(scores(rng, +8)).verdict.tolist() == ["contradicted"]
    row = verdicts(scores(rng, -8)).iloc[0]
    assert row.effect == pytest.approx(-8, abs=2)
    assert row.seeds == 5


def test_the_error_rate_of_a_null_difference(rng):
    """Three comparisons without any effect: at most 5 in 100 tables hold a false verdict."""
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
    result = verdicts(scores(rng, -8, **{name: value}))
    assert result.verdict.tolist() == ["not tested"]
    assert f"differ in {name}" in result.reason.iloc[0]


def test_one_seed_and_missing_pairs(rng):
    one = verdicts(scores(rng, -8, seeds=1)).iloc[0]
    assert (one.verdict, one.seeds) == ("undecided", 1)
    assert "one seed" in one.reason
    table = scores(rng, -8)
    alone = verdicts(table[table.model == "gm"]).iloc[0]
    assert alone.verdict == "not tested"
    failed = table.assign(value=np.where(table.model == "gm", np.nan, table.value))
    assert verdicts(failed).verdict.iloc[0] == "not tested"
    assert "no runs that could test it" in verdicts(table[table.model == "gan"]).reason.iloc[0]


def test_the_shipped_claims_cope_with_a_table_that_lacks_their_metrics(rng):
    table = scores(rng, -8)
    result = evaluate(load_claims(), Evidence(table, swept(rng, -2), {"gm": "gan"}, set()))
    assert set(result.claim) == set(range(1, 9))
    assert set(result.verdict) == {"not tested"}


def test_the_kind_of_data_and_the_models_are_kept_apart(rng):
    table = scores(rng, -8, datasets=("toy", "digits"))
    assert verdicts(table, [claim(data="points")]).dataset.tolist() == ["toy"]
    assert verdicts(table, [claim(data="images")]).dataset.tolist() == ["digits"]
    assert set(verdicts(table).dataset) == {"toy", "digits"}
    assert verdicts(table, [claim(models=["other"])]).verdict.tolist() == ["not tested"]


def test_two_sample_counts_are_two_comparisons(rng):
    table = scores(rng, -8)
    result = verdicts(pd.concat([table, table.assign(n_fake=50, value=table.value + 3)]))
    assert result.comparison.tolist() == [
        "gm.K10 against gan, n = 100",
        "gm.K10 against gan, n = 50",
    ]
    assert result.effect.iloc[0] == pytest.approx(result.effect.iloc[1])


def test_against_a_number_and_against_a_named_model(rng):
    table = scores(rng, -8)
    one = [claim(compare="value", against=60, models=["gm"])]
    row = verdicts(table, one).iloc[0]
    exact = stats.ttest_1samp(table[table.model == "gm"].value, 60)
    assert row.p == pytest.approx(exact.pvalue)
    assert row.verdict == "supported"
    named = verdicts(table, [claim(compare="model", against="gan")]).iloc[0]
    assert named.p == pytest.approx(verdicts(table).p.iloc[0])
    absent = verdicts(table, [claim(compare="model", against="kmeans")])
    assert absent.verdict.tolist() == ["not tested"]


def swept(rng, slope, seeds=4):
    rows = []
    for seed in range(seeds):
        table = scores(rng, 0, seeds=1, noise=0).assign(seed=seed)
        for scale in (0.25, 1.0, 4.0):
            value = 50 + slope * np.log(scale) + 0.1 * rng.standard_normal(2)
            rows.append(table.assign(sigma_scale=scale, value=value - (table.model == "gm")))
    return pd.concat(rows, ignore_index=True)


def test_scales_and_means_over_the_sweep(rng):
    sweep = swept(rng, slope=-2)
    table = sweep[sweep.sigma_scale == 1]
    evidence = Evidence(table, sweep, {"gm": "gan"}, set())
    result = evaluate([claim(compare="scales")], evidence)
    assert result.comparison.tolist() == [
        "gan.K1, s = 4 against s = 0.25",
        "gm.K10, s = 4 against s = 0.25",
    ]
    assert result.verdict.tolist() == ["supported"] * 2
    assert result.effect.tolist() == pytest.approx([-2 * np.log(16)] * 2, abs=0.3)
    mean = evaluate([claim(compare="sweep")], evidence).iloc[0]
    assert mean.effect == pytest.approx(-1, abs=0.2)
    assert mean.comparison == "gm.K10 against gan, mean over the sweep"
    assert mean.verdict == "supported"


def over_K(rng, growth, seeds=6):
    tables = []
    for dataset, power in growth.items():
        for K in (5, 20):
            value = 40 * K**power * np.exp(0.05 * rng.standard_normal(seeds))
            table = scores(rng, 0, seeds, datasets=(dataset,))
            tables.append(table[table.model == "gm"].assign(K=K, value=value))
    return pd.concat(tables, ignore_index=True)


def test_the_effect_of_K_is_compared_between_data_sets(rng):
    one = [claim(compare="data-sets", better="other")]
    differing = verdicts(over_K(rng, {"a": 0.5, "b": -0.2}), one)
    assert differing.verdict.tolist() == ["supported"]
    assert differing.effect.iloc[0] == pytest.approx(0.7 * np.log(4), abs=0.15)
    same = verdicts(over_K(rng, {"a": 0.5, "b": 0.5}), one)
    assert same.verdict.tolist() == ["undecided"]
    assert verdicts(over_K(rng, {"a": 0.5}), one).verdict.tolist() == ["not tested"]


def test_only_models_are_compared_with_k_means(rng):
    table = scores(rng, 0).assign(metric="cluster_acc")
    names = {"gm": "gmgan-static", "gan": "kmeans"}
    rows = [table.assign(model=table.model.map(names), K=10)]
    rows.append(rows[0][rows[0].model == "kmeans"].assign(model="kmeans-pca"))
    result = evaluate(load_claims(), Evidence(pd.concat(rows), swept(rng, 1), {}, set()))
    assert result[result.claim == 6].comparison.tolist() == ["gmgan-static.K10 against kmeans"]


def test_values_of_K_that_only_some_models_have_take_no_part(rng):
    table = scores(rng, -8)
    more = table[table.model == "gm"].assign(K=20)
    other = table[table.model == "gm"].assign(model="gm2")
    both = pd.concat([table, more, other], ignore_index=True)
    assert shared_components(both) == {"digits": {10}}
    assert verdicts(both).comparison.tolist() == ["gm.K10 against gan"]
    assert len(verdicts(pd.concat([table, more]))) == 2  # all models have both values


def test_summaries():
    assert summarise(["supported", "supported"]) == "supported"
    assert summarise(["supported", "undecided"]) == "supported in part"
    assert summarise(["supported", "contradicted", "undecided"]) == "mixed"
    assert summarise(["undecided", "not tested"]) == "undecided"
    assert summarise(["not tested"]) == "not tested"


def test_a_claim_without_a_direction_takes_the_better_one():
    assert better({"metric": "fid"}) == "lower"
    assert better({"metric": "quality"}) == "higher"
    assert better({"metric": "quality", "better": "lower"}) == "lower"
    with pytest.raises(GmganError, match="density_k5 has no better direction"):
        better({"metric": "density_k5"})


def test_the_shipped_claims_are_complete(params):
    claims = load_claims()
    assert [claim["id"] for claim in claims] == list(range(1, 9))
    for claim in claims:
        assert claim["title"] and claim["source"]
        assert claim["tests"]
        for test in claim["tests"]:
            assert test["compare"] in COMPARISONS
            assert better(test) in ("higher", "lower", "other")
            repeats = test.get("better") == built_in(test["metric"]).better
            assert not repeats or test["compare"] == "scales"  # where both directions are named
            assert test["data"] in ("images", "points", "all")
            assert built_in(test["metric"])
            assert set(test.get("models", [])) <= set(params.models)


def test_verdicts_of_a_real_grid_follow_from_its_scores(finished):
    results = finished.folder / "results"
    table, result = (pd.read_csv(results / name) for name in ("scores.csv", "tables/claims.csv"))
    row = result[
        (result.comparison == "gmgan-supervised.K10 against acgan")
        & (result.metric == "inception_score")
    ].iloc[0]
    values = table[table.metric == "inception_score"].set_index("run").value
    exact = values["digits-ci.gmgan-supervised.K10.s0"] - values["digits-ci.acgan.K1.s0"]
    assert row.effect == pytest.approx(exact)
    assert row.verdict == "undecided"
    assert set(result.claim) == set(range(1, 9))
    assert "Does it hold?" in (results / "report.html").read_text()


def test_every_varied_value_is_a_comparison_of_its_own(rng):
    table = scores(rng, -8)
    ours = table[table.model == "gm"]
    varied = pd.concat([table, ours.assign(varied="latent.sigma=0.2", value=ours.value + 20)])
    result = verdicts(varied)
    assert result.comparison.tolist() == [
        "gm.K10 against gan",
        "gm.K10.latent.sigma=0.2 against gan",
    ]
    assert result.verdict.tolist() == ["supported", "contradicted"]
    assert result.effect.diff().iloc[1] == pytest.approx(20)
    assert verdicts(table).effect.iloc[0] == result.effect.iloc[0]  # the other is not pooled


def test_the_baseline_of_varied_values_is_the_one_that_params_say(rng):
    rate = "training.learning_rate=0.01"
    table = scores(rng, -8)
    both = pd.concat([table, table.assign(varied=rate, value=3 * table.value)])
    compared = {"digits": {("gm", rate): ("gan", rate), ("gm", ""): ("gan", "")}}
    evidence = Evidence(both, both.assign(sigma_scale=1.0), {"gm": "gan"}, set(), compared)
    for compare, more in (("baseline", ""), ("sweep", ", mean over the sweep")):
        result = evaluate([claim(compare=compare)], evidence)
        assert result.comparison.tolist() == [
            f"gm.K10 against gan{more}",
            f"gm.K10.{rate} against gan.{rate}{more}",
        ]
        assert result.effect.iloc[1] == pytest.approx(3 * result.effect.iloc[0])
    alone = both[(both.model == "gm") | (both.varied == "")]
    evidence = Evidence(alone, alone.assign(sigma_scale=1.0), {"gm": "gan"}, set(), compared)
    assert evaluate([CLAIM], evidence).verdict.tolist() == ["supported", "not tested"]


def test_the_effect_of_K_is_compared_at_the_same_varied_values(rng):
    table = over_K(rng, {"a": 0.5, "b": -0.2})
    other = table[table.dataset == "b"].assign(varied="latent.sigma=0.2")
    one = [claim(compare="data-sets", better="other")]
    result = verdicts(pd.concat([table, other]), one)
    assert result.comparison.tolist() == [
        "gm, log ratio over K: a (K = 5 to 20) against b (K = 5 to 20)"
    ]
