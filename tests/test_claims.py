"""Comparisons, families, verdicts and summaries on tables whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gmgan.errors import GmganError
from gmgan.evaluation.metrics import built_in
from gmgan.pipeline.grid import parse_run, resolved_models
from gmgan.report.claims import COLUMNS, by_halves, evaluate, summarise
from gmgan.report.comparisons import COMPARISONS, Evidence, shared_components
from gmgan.report.plan import Claim, Endpoint, Plan, SmallestEffect, load_plan, properties_of
from gmgan.report.statistics import PAIRED_FROM

MIXTURE = frozenset({"mixture", "unsupervised", "from-scratch", "paper-loss"})


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def plan_of(secondary=(), smallest=5.0, scale="difference", **endpoint):
    base = {"compare": "baseline", "data": "all", "metrics": ["fid"], "better": "lower"}
    entries = {
        "primary": [Endpoint(**{**base, **endpoint})],
        "secondary": [Endpoint(**{**base, **each}) for each in secondary],
    }
    effects = {"fid": {"effect": smallest, "scale": scale, "reason": "r"}}
    effects |= {"bounded": {"effect": 0.05, "reason": "r"}}
    effects |= {"effect-of-k": {"effect": 1.1, "scale": "ratio", "reason": "r"}}
    known = {name: SmallestEffect(**effect) for name, effect in effects.items()}
    claim = Claim(id="1", title="t", source="s", **entries)
    return Plan(smallest_effects=known, claims=[claim])


def scores(rng, difference, seeds=5, noise=1.0, datasets=("digits",), models=("gm",), **change):
    """Rows of `gan` with a mean of 50 and of models that lie `difference` from it."""
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
                "kimg": 400.0,
            }
            for model in ("gan", *models):
                value = 50 + noise * rng.standard_normal() + (model != "gan") * difference
                own = {"model": model, "K": 1 if model == "gan" else 10, "value": value}
                own["run"] = f"{dataset}.{model}.{seed}"
                rows.append({**common, **own, **(change if model != "gan" else {})})
    return pd.DataFrame(rows)


def evidence_of(table, sweep=None, classes=10, **properties):
    """properties: of a model, or by a model's varied values."""
    models = set(table.model) - {"gan", "kmeans", "kmeans-pca", "real"}
    return Evidence(
        table=table,
        sweep=table.assign(sigma_scale=1.0) if sweep is None else sweep,
        baselines=dict.fromkeys(models, "gan"),
        properties={name: of_cells(rows, properties) for name, rows in table.groupby("dataset")},
        points={"toy"},
        classes=dict.fromkeys(table.dataset.unique(), classes),
    )


def of_cells(rows, properties):
    known = {"gan": frozenset({"single"}), **properties}
    rows = rows[~rows.model.isin(["kmeans", "kmeans-pca", "real"])]
    cells = set(zip(rows.model, rows.varied, strict=True))
    return {cell: known.get(cell[1] or cell[0], known.get(cell[0], MIXTURE)) for cell in cells}


def verdicts(table, plan=None, **more):
    result = evaluate(plan or plan_of(), evidence_of(table, **more))
    assert list(result.columns) == COLUMNS
    return result


@pytest.mark.parametrize("seeds", [5, 10])
def test_planted_differences_get_their_verdict(rng, seeds):
    assert verdicts(scores(rng, -8, seeds)).verdict.tolist() == ["supported"]
    assert verdicts(scores(rng, +8, seeds)).verdict.tolist() == ["contradicted"]
    assert verdicts(scores(rng, 0.1, seeds)).verdict.tolist() == ["equivalent"]
    assert verdicts(scores(rng, 3, seeds, noise=9)).verdict.tolist() == ["undecided"]
    row = verdicts(scores(rng, -8, seeds)).iloc[0]
    assert row.effect == pytest.approx(-8, abs=2)
    assert row.low < row.effect < row.high
    assert (row.seeds, row.test) == (seeds, "Welch" if seeds < PAIRED_FROM else "paired t")


def test_a_significant_difference_that_does_not_matter_is_equivalent(rng):
    row = verdicts(scores(rng, -2, seeds=10, noise=0.5)).iloc[0]
    assert row.p_holm < 0.05
    assert row.verdict == "equivalent"


def test_the_family_wise_error_of_null_differences(rng):
    """Three data sets without any effect: at most 5 in 100 tables hold a false difference."""
    plan, wrong, repeats = plan_of(smallest=0.1), 0, 300
    for _ in range(repeats):
        result = verdicts(scores(rng, 0, datasets=("a", "b", "c")), plan)
        wrong += bool(set(result.verdict) & {"supported", "contradicted"})
    assert wrong / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert wrong > 0


def test_undecided_says_what_would_have_been_seen_and_how_many_seeds_decide():
    rng = np.random.default_rng(11)
    row = verdicts(scores(rng, 0, seeds=16, noise=9)).iloc[0]
    assert row.verdict == "undecided"
    assert row.detectable == pytest.approx(2.9 * 9 * np.sqrt(2 / 16), rel=0.4)
    more = int(row.deciding_seeds)
    assert more == pytest.approx(2 * (2.93 * 9 / 5) ** 2, rel=0.5)
    decided = [verdicts(scores(rng, 0, more, noise=9)).verdict.iloc[0] for _ in range(10)]
    assert decided.count("equivalent") >= 5


def test_a_primary_comparison_is_the_mean_over_models_and_families_hold_nothing_else(rng):
    table = scores(rng, -8, models=("gm", "gm2"), datasets=("digits", "mnist"))
    plan = plan_of(secondary=[{"metrics": ["kid"]}])
    table = pd.concat([table, table.assign(metric="kid")])
    result = verdicts(table, plan)
    primary = result[result.role == "primary"]
    assert primary.comparison.tolist() == ["mean of gm.K10, gm2.K10 against gan"] * 2
    assert (primary.family == 2).all()
    by = table[(table.metric == "fid") & (table.dataset == "digits")]
    by = by.pivot_table(index="seed", columns="model", values="value")
    exact = stats.ttest_ind(by[["gm", "gm2"]].mean(axis=1), by.gan, equal_var=False)
    assert primary.p.iloc[0] == pytest.approx(exact.pvalue)
    parts = result[result.role == "primary, by model"]
    assert parts.comparison.tolist() == ["gm.K10 against gan", "gm2.K10 against gan"] * 2
    assert (parts.family == 4).all()
    assert (result[result.role == "secondary"].family == 2).all()


def test_a_seed_that_one_model_lacks_takes_no_part_in_the_mean(rng):
    table = scores(rng, -8, models=("gm", "gm2"))
    result = verdicts(table[~((table.model == "gm2") & (table.seed == 4))])
    assert result[result.role == "primary"].seeds.tolist() == [4]


def test_models_take_part_by_their_properties(rng):
    table = scores(rng, -8, models=("mine", "other"))
    plan = plan_of(models=["mixture", "unsupervised"])
    both = verdicts(table, plan)
    assert both[both.role == "primary"].comparison.tolist() == [
        "mean of mine.K10, other.K10 against gan"
    ]
    supervised = MIXTURE - {"unsupervised"} | {"supervised"}
    one = verdicts(table, plan, other=supervised)
    assert one.comparison.tolist() == ["mine.K10 against gan"]
    none = verdicts(table, plan, mine=supervised, other=supervised)
    assert none.verdict.tolist() == ["not tested"]
    assert "has a mixture as its prior and no labels" in none.reason.iloc[0]


def test_a_varied_loss_is_another_loss(rng, params):
    names = [f"digits.gmgan-static.K10{varied}.s0" for varied in ("", ".objective=hinge")]
    models = resolved_models(params, [parse_run(params, name) for name in names])
    plain, changed = (properties_of(models[name]) for name in names)
    assert (plain, changed) == (MIXTURE, MIXTURE - {"paper-loss"} | {"other-loss"})
    table = scores(rng, -8).assign(varied="")
    hinge = scores(rng, -8).assign(varied="objective=hinge")
    hinge = hinge[hinge.model == "gm"].assign(run=lambda rows: rows.run + "x")
    result = verdicts(
        pd.concat([table, hinge]),
        plan_of(models=["paper-loss"]),
        gm=plain,
        **{"objective=hinge": changed},
    )
    assert result.comparison.tolist() == ["gm.K10 against gan"]


def test_properties_of_the_shipped_models(params):
    names = {name: properties_of(model) for name, model in params.models.items()}
    assert names["gan"] == {"single", "unsupervised", "from-scratch", "paper-loss"}
    assert names["gmgan-dynamic"] == MIXTURE | {"learned-prior"}
    assert "supervised" in names["acgan"] and "supervised" in names["gmgan-supervised"]
    assert "continues" in names["gmgan-finetuned-wide"]


def test_varied_values_are_never_pooled(rng):
    plain = scores(rng, -8).assign(varied="")
    changed = scores(rng, +8).assign(varied="latent.sigma=1")
    changed = changed[changed.model == "gm"].assign(run=lambda rows: rows.run + "x")
    result = verdicts(pd.concat([plain, changed]))
    assert result.comparison.tolist() == [
        "gm.K10 against gan",
        "gm.K10.latent.sigma=1 against gan",
    ]
    assert result.verdict.tolist() == ["supported", "contradicted"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_fake", 1000), ("n_real", 1000), ("extractor_hash", "g"), ("split", "test")],
)
def test_scores_of_other_protocols_are_not_compared(rng, name, value):
    result = verdicts(scores(rng, -8, **{name: value}))
    assert result.verdict.tolist() == ["not tested"]
    assert f"differ in {name}" in result.reason.iloc[0]


def test_one_seed_and_missing_sides(rng):
    one = verdicts(scores(rng, -8, seeds=1)).iloc[0]
    assert (one.verdict, one.seeds) == ("undecided", 1)
    assert "one seed" in one.reason
    table = scores(rng, -8)
    alone = verdicts(table[table.model == "gm"]).iloc[0]
    assert (alone.verdict, alone.reason) == ("not tested", "no run of gan has this score")
    failed = table.assign(value=np.where(table.model == "gm", np.nan, table.value))
    assert verdicts(failed).verdict.iloc[0] == "not tested"


def test_a_score_that_no_run_has_is_not_tested(rng):
    table = scores(rng, -2)
    result = evaluate(load_plan(), evidence_of(table))
    assert set(result.claim) == {claim.id for claim in load_plan().claims}
    missing = result[result.metric == "within_class_diversity_ratio"]
    assert set(missing.verdict) == {"not tested"}
    assert "no run of this suite has this score on images" in set(missing.reason)
    fid = result[(result.metric == "fid") & (result.claim == "1") & result.comparison.notna()]
    assert fid.verdict.tolist() == ["equivalent"]  # a ratio of 0.96


def test_the_kinds_of_data_are_kept_apart(rng):
    table = scores(rng, -8, datasets=("toy", "digits"))
    assert verdicts(table, plan_of(data="points")).dataset.tolist() == ["toy"]
    assert verdicts(table, plan_of(data="images")).dataset.tolist() == ["digits"]
    assert set(verdicts(table).dataset) == {"toy", "digits"}


def test_two_sample_counts_are_two_comparisons(rng):
    table = scores(rng, -8)
    result = verdicts(pd.concat([table, table.assign(n_fake=50, value=table.value + 3)]))
    assert result.comparison.tolist() == [
        "gm.K10 against gan, n = 100",
        "gm.K10 against gan, n = 50",
    ]
    assert result.effect.iloc[0] == pytest.approx(result.effect.iloc[1])


def test_components_are_compared_with_chance_run_by_run(rng):
    table = scores(rng, 0, noise=0.01).assign(metric="component_acc")
    table["value"] = table.value / 50 - 0.5
    chance = table.assign(metric="component_acc_chance", value=0.15)
    plan = plan_of(compare="chance", metrics=["component_acc"], better=None, models=["mixture"])
    row = verdicts(pd.concat([table, chance]), plan).iloc[0]
    own = table[table.model == "gm"].value
    assert row.p == pytest.approx(stats.ttest_1samp(own, 0.15).pvalue)
    assert row.verdict == "supported"
    assert row.comparison == "gm.K10 against chance (0.150)"


def test_only_models_are_compared_with_k_means(rng):
    table = scores(rng, 0).assign(metric="cluster_acc")
    names = {"gm": "gm", "gan": "kmeans"}
    rows = table.assign(model=table.model.map(names), K=10)
    more = rows[rows.model == "kmeans"].assign(model="kmeans-pca")
    plan = plan_of(compare="kmeans", metrics=["cluster_acc"], better=None)
    assert verdicts(pd.concat([rows, more]), plan).comparison.tolist() == ["gm.K10 against kmeans"]
    assert verdicts(table, plan).verdict.tolist() == ["not tested"]


def swept(rng, slope, seeds=4):
    rows = []
    for scale in (0.25, 1.0, 4.0):
        table = scores(rng, -1, seeds=seeds, noise=0.1)
        rows.append(table.assign(sigma_scale=scale, value=table.value + slope * np.log(scale)))
    return pd.concat(rows, ignore_index=True)


def test_scales_and_means_over_the_sweep(rng):
    sweep = swept(rng, slope=-2)
    table = sweep[sweep.sigma_scale == 1]
    plan = plan_of(compare="scales", models=["mixture"])
    row = verdicts(table, plan, sweep=sweep).iloc[0]
    assert (row.comparison, row.verdict) == ("gm.K10, s = 4 against s = 0.25", "supported")
    assert row.effect == pytest.approx(-2 * np.log(16), abs=0.3)
    mean = verdicts(table, plan_of(compare="sweep", smallest=0.1), sweep=sweep).iloc[0]
    assert mean.effect == pytest.approx(-1, abs=0.2)
    assert mean.comparison == "gm.K10 against gan, mean over the sweep"
    assert mean.verdict == "supported"


def over_K(rng, growth, seeds=6, Ks=(10, 20)):
    tables = []
    for dataset, power in growth.items():
        for K in Ks:
            value = 40 * K**power * np.exp(0.03 * rng.standard_normal(seeds))
            table = scores(rng, 0, seeds, datasets=(dataset,))
            tables.append(table[table.model == "gm"].assign(K=K, value=value))
    return pd.concat(tables, ignore_index=True)


def test_the_effect_of_K_is_compared_between_data_sets_of_one_kind(rng):
    plan = plan_of(compare="data-sets", better="other", data="images")
    differing = verdicts(over_K(rng, {"a": 0.5, "b": -0.2}), plan).iloc[0]
    assert (differing.verdict, differing.test) == ("supported", "Welch")
    assert differing.effect == pytest.approx(2**0.7, rel=0.1)
    same = verdicts(over_K(rng, {"a": 0.5, "b": 0.5}), plan)
    assert same.verdict.tolist() == ["equivalent"]
    for table in (over_K(rng, {"a": 0.5}), over_K(rng, {"a": 0.5, "toy": 0.1})):
        alone = verdicts(table, plan)
        assert alone.verdict.tolist() == ["not tested"]
        assert "two data sets of one kind" in alone.reason.iloc[0]


def test_values_of_K_below_the_number_of_classes_cap_the_score_and_are_left_out(rng):
    table = over_K(rng, {"a": 0.5, "b": -0.2}, Ks=(5, 10))
    plan = plan_of(compare="data-sets", better="other")
    assert verdicts(table, plan).verdict.tolist() == ["not tested"]
    assert verdicts(table, plan, classes=5).verdict.tolist() == ["supported"]


def test_times_to_the_modes_are_censored_at_the_budget(rng):
    table = scores(rng, 0, seeds=10, datasets=("toy",)).assign(metric="kimg_to_95_modes")
    reached = 20 + 5 * np.arange(10)
    table["value"] = 400.0
    table.loc[table.model == "gm", "value"] = reached
    smallest = {"kimg_to_95_modes": SmallestEffect(effect=1.25, scale="ratio", reason="r")}
    plan = plan_of(metrics=["kimg_to_95_modes"]).model_copy(update={"smallest_effects": smallest})
    row = verdicts(table, plan).iloc[0]
    assert (row.test, row.verdict) == ("log-rank", "supported")
    never = verdicts(table.assign(value=400.0), plan).iloc[0]
    assert (never.verdict, never.reason) == (
        "not tested",
        "no run of either reached 95 % of the modes",
    )


def test_intervals_stay_within_what_the_metric_can_differ_by(rng):
    table = scores(rng, 0, seeds=3).assign(metric="recall_k3")
    table["value"] = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]
    row = verdicts(table, plan_of(metrics=["recall_k3"], better="higher")).iloc[0]
    assert -1 <= row.low < row.effect < row.high <= 1


def test_values_of_K_that_only_some_models_have_take_no_part(rng):
    table = scores(rng, -8, models=("gm", "gm2"))
    more = table[table.model == "gm"].assign(K=20)
    both = pd.concat([table, more], ignore_index=True)
    assert shared_components(both) == {"digits": {10}}
    parts = verdicts(both)
    assert parts[parts.role == "primary, by model"].comparison.tolist() == [
        "gm.K10 against gan",
        "gm2.K10 against gan",
    ]


def rows_of(*primary, secondary=()):
    rows = [("primary", "fid", verdict) for verdict in primary]
    rows += [("primary, by model", "fid", "undecided")]
    rows += [("secondary", metric, verdict) for metric, verdict in secondary]
    return pd.DataFrame(rows, columns=["role", "metric", "verdict"])


def test_a_claim_is_as_good_as_its_weakest_primary_comparison():
    every = ["supported", "undecided", "equivalent", "contradicted", "not tested"]
    assert summarise(rows_of(*every)).text == "contradicted in 1 of 5 primary comparisons"
    assert summarise(rows_of(*every[:3])).verdict == "equivalent"
    assert summarise(rows_of(*every[:2])).verdict == "undecided"
    assert summarise(rows_of("supported", "supported", "not tested")).text == (
        "supported in 2 of 3 primary comparisons"
    )
    assert summarise(rows_of("not tested")).text == "not tested"
    secondary = [("recall_k3", "contradicted"), ("modes_captured", "not tested")]
    beside = summarise(rows_of("supported", secondary=secondary)).beside
    assert beside == {"recall_k3": {"contradicted": 1}}


def test_halves_of_the_seeds_show_a_verdict_that_hangs_on_some(rng):
    table = scores(rng, -8, seeds=12)
    assert by_halves(plan_of(), evidence_of(table)) == {"1": ("supported", "supported")}
    late = (table.seed >= 6) & (table.model == "gm")
    turned = table.assign(value=table.value + 16 * late)
    assert by_halves(plan_of(), evidence_of(turned)) == {"1": ("supported", "contradicted")}
    assert by_halves(plan_of(), evidence_of(table[table.seed < 5])) == {}


def test_the_shipped_plan_is_complete(params):
    plan = load_plan()
    assert [claim.id for claim in plan.claims if not claim.ours] == [str(i) for i in range(1, 9)]
    assert all(effect.reason for effect in plan.smallest_effects.values())
    for claim in plan.claims:
        for role, endpoint in claim.endpoints():
            assert endpoint.compare in COMPARISONS
            for metric in endpoint.metrics:
                assert built_in(metric)
                assert endpoint.direction(metric) in ("higher", "lower", "other")
                assert role == "secondary" or plan.smallest(metric)


def test_a_claim_needs_a_direction():
    endpoint = Endpoint(compare="baseline", data="all", metrics=["density_k5"])
    with pytest.raises(GmganError, match="density_k5 has no better direction"):
        endpoint.direction("density_k5")


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
    assert set(result.claim) == {claim.id for claim in load_plan().claims}
    assert "Do the paper's claims hold?" in (results / "report.html").read_text()


def test_the_baseline_of_varied_values_is_the_one_that_params_say(rng):
    rate = "training.learning_rate=0.01"
    table = scores(rng, -8)
    both = pd.concat([table, table.assign(varied=rate, value=3 * table.value)])
    pairs = {"digits": {("gm", rate): ("gan", rate), ("gm", ""): ("gan", "")}}
    for compare, more in (("baseline", ""), ("sweep", ", mean over the sweep")):
        evidence = replace(evidence_of(both), compared=pairs)
        result = evaluate(plan_of(compare=compare, models=["mixture"]), evidence)
        assert result.comparison.tolist() == [
            f"gm.K10 against gan{more}",
            f"gm.K10.{rate} against gan.{rate}{more}",
        ]
        assert result.effect.iloc[1] == pytest.approx(3 * result.effect.iloc[0])
    alone = both[(both.model == "gm") | (both.varied == "")]
    result = evaluate(plan_of(models=["mixture"]), replace(evidence_of(alone), compared=pairs))
    assert result.verdict.tolist() == ["supported", "not tested"]


def test_the_effect_of_K_is_compared_at_the_same_varied_values(rng):
    table = over_K(rng, {"a": 0.5, "b": -0.2})
    other = table[table.dataset == "b"].assign(varied="latent.sigma=0.2")
    result = verdicts(pd.concat([table, other]), plan_of(compare="data-sets", better="other"))
    assert result.comparison.tolist() == [
        "gm, ratio over K: a (K = 10 to 20) against b (K = 10 to 20)"
    ]
