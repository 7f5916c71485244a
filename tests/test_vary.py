"""Runs with varied values: their names, their settings, what is refused, and what they share."""

import re
from dataclasses import replace
from itertools import product

import pandas as pd
import pytest
from conftest import ROOT, read_json

from gmgan.config.loader import load
from gmgan.config.run import Run
from gmgan.config.values import parse, text_of, value_of
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.graph import Graph

TEXT = (ROOT / "params.yaml").read_text()
STATIC, GAN = "digits.gmgan-static.K10.s0", "digits.gan.K1.s0"
MNIST = "mnist.gmgan-static.K10.s0"

SUITE = """
  varied:
    title: varied
    datasets: digits
    models: [gan, gmgan-static, gmgan-dynamic]
    K: 10
    seeds: 0
    vary:
"""


@pytest.fixture
def with_suite(tmp_path):
    """A function that gives the params with `vary`, and further lines, in a suite `varied`."""

    def make(vary, more=""):
        lines = "".join(f"      {line}\n" for line in vary.strip().splitlines())
        path = tmp_path / "params.yaml"
        path.write_text(TEXT + SUITE.lstrip("\n") + lines + more)
        return load(path)

    return make


def names(params, suite="varied"):
    return [run.name for run in grid.suite_runs(params, suite)]


def test_names_are_stable(with_suite):
    """These names are those of folders of results: a change loses every one of them."""
    params = with_suite("latent.sigma: [0.2, 0.3]\ntraining.learning_rate: [1e-5, 0.001]")
    assert names(params) == [
        "digits.gan.K1.training.learning_rate=1e-5.s0",
        "digits.gan.K1.training.learning_rate=0.001.s0",
        "digits.gmgan-static.K10.latent.sigma=0.2+training.learning_rate=1e-5.s0",
        "digits.gmgan-static.K10.latent.sigma=0.2+training.learning_rate=0.001.s0",
        "digits.gmgan-static.K10.training.learning_rate=1e-5.s0",
        "digits.gmgan-static.K10.training.learning_rate=0.001.s0",
        "digits.gmgan-dynamic.K10.latent.sigma=0.2+training.learning_rate=1e-5.s0",
        "digits.gmgan-dynamic.K10.latent.sigma=0.2+training.learning_rate=0.001.s0",
        "digits.gmgan-dynamic.K10.training.learning_rate=1e-5.s0",
        "digits.gmgan-dynamic.K10.training.learning_rate=0.001.s0",
    ]


def test_names_are_unique_safe_and_read_back_without_the_suite(with_suite, params):
    runs = grid.suite_runs(
        with_suite(
            """
latent.sigma: [0.1, 0.3, 2, 1.5e-3]
prior.covariance: [full, scalar]
objective: [gan, hinge]
training.kimg: [10, 12.5]
"""
        ),
        "varied",
    )
    # gan: 2 objectives x 2 kimg; static x 4 sigma; dynamic x 4 sigma x 2 covariances
    assert len({run.name for run in runs}) == len(runs) == 4 + 16 + 32
    for run in runs:
        assert re.fullmatch(r"[\w.=+-]{1,119}", run.name)
        assert grid.parse_run(params, run.name) == run


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2, "0.2"),
        (1e-5, "1e-5"),
        (2.5e22, "2.5e22"),
        (60.0, "60"),
        (-3, "-3"),
        (True, "true"),
        (None, "null"),
        ("leaky-relu", "leaky-relu"),
        ([64, 32], "64x32"),
        ([0.5, 1e-3], "0.5x0.001"),
        ([], "none"),
    ],
)
def test_values_have_one_text_that_reads_back(value, text):
    assert text_of(value) == text
    assert value_of(text) == value
    assert parse(f"a.b={text}") == {"a.b": value}


@pytest.mark.parametrize("value", ["a/b", "a b", "m:C", "1", "", "ä", float("inf"), {"a": 1}])
def test_values_that_are_unsafe_in_a_name_have_no_text(value):
    with pytest.raises(ValueError, match="has no place in a run's name"):
        text_of(value)


def test_runs_that_are_the_same_are_shared(with_suite, params):
    own = set(names(params, "quick"))
    assert STATIC in own
    same = with_suite("latent.sigma: [0.3, 3.0e-1, 0.30]\ntraining.learning_rate: 4.0e-4")
    assert names(same) == [GAN, STATIC, "digits.gmgan-dynamic.K10.s0"]
    assert set(names(same)) <= own
    graph, other = Graph(params), Graph(same)
    assert graph.fingerprint(graph.job("score", run=STATIC)) == other.fingerprint(
        other.job("score", run=STATIC)
    )
    ab = with_suite("latent.c: 1\nlatent.sigma: 1")
    ba = with_suite("latent.sigma: 1.0\nlatent.c: 1.0")
    assert names(ab) == names(ba)
    assert names(ab)[1] == "digits.gmgan-static.K10.latent.c=1+latent.sigma=1.s0"


def test_an_option_is_told_whether_its_kind_is_varied_with_it_or_not(params):
    run = grid.with_changes(params, STATIC, ["prior=dynamic", "prior.covariance=full"])
    assert run.varied == "prior=dynamic+prior.covariance=full"
    again = grid.with_changes(
        params, "digits.gmgan-dynamic.K10.s0", ["prior.kind=dynamic", "prior.covariance=diagonal"]
    )
    assert again.varied == "prior.covariance=diagonal"


def test_what_has_no_effect_is_left_out(params):
    """A normal prior has no sigma; a model that continues no other has no second budget."""
    for change in ("latent.sigma=7", "latent.c=3", "training.kimg_continued=9"):
        assert grid.with_changes(params, GAN, [change]).name == GAN
    assert grid.with_changes(params, GAN, ["latent.dim=8"]).varied == "latent.dim=8"
    tuned = grid.with_changes(
        params, "mnist-finetune.gmgan-finetuned-wide.K10.s0", ["training.kimg_continued=9"]
    )
    assert tuned.varied == "training.kimg_continued=9"
    assert grid.settings(params, tuned).training.kimg == 9


@pytest.mark.parametrize(
    ("change", "section", "key", "value"),
    [
        ("latent.sigma=0.2", "latent", "sigma", 0.2),
        ("training.precision=bfloat16", "training", "precision", "bfloat16"),
        ("prior.weights=learned", "prior", "weights", "learned"),
        ("objective=hinge", "objective", "kind", "hinge"),
        ("network.generator_widths=64x32", "network", "generator_widths", [64, 32]),
        ("network.generator_widths=64", "network", "generator_widths", [64]),
        ("generator.batch_norm=false", "network", "generator", {"batch_norm": False}),
    ],
)
def test_a_value_changes_its_setting_and_nothing_else(params, change, section, key, value):
    plain = grid.settings(params, grid.parse_run(params, STATIC))
    run = grid.with_changes(params, STATIC, [change])
    changed = grid.settings(params, run)
    before, after = plain.model_dump(mode="json"), changed.model_dump(mode="json")
    assert after["run"].pop("varied") == run.varied != before["run"].pop("varied")
    if isinstance(value, dict):
        value = before[section][key] | value  # a part of it
    assert after[section][key] == value != before[section][key]
    before[section][key] = value
    assert after == before
    graph = Graph(params)
    prints = [graph.fingerprint(graph.job("train", run=each)) for each in (STATIC, run.name)]
    assert prints[0] != prints[1]


def test_a_network_and_entries_of_lists(params):
    run = grid.with_changes(params, STATIC, ["network=mlp-r"])
    assert grid.settings(params, run).network == params.networks["mlp-r"]
    change = ["penalties.0=r1", "penalties.0.gamma=10", "generator.batch_norm=false"]
    run = grid.with_changes(params, STATIC, change)
    assert run.varied == "generator.batch_norm=false+penalties.0=r1+penalties.0.gamma=10"
    (penalty,) = grid.settings(params, run).penalties
    assert (penalty.kind, penalty.gamma) == ("r1", 10)
    whole = ['penalties=[{"kind": "r1", "gamma": 10}]', "generator.batch_norm=false"]
    assert grid.with_changes(params, STATIC, whole) == run
    assert grid.with_changes(params, run.name, ["penalties=none"]).varied == (
        "generator.batch_norm=false"
    )


def test_other_runs_of_the_package_are_untouched_by_a_varied_one(params):
    before = params.model_dump()
    grid.settings(params, grid.with_changes(params, STATIC, ["network.activation=leaky-relu"]))
    assert params.model_dump() == before


@pytest.mark.parametrize(
    ("vary", "line", "message"),
    [
        ("latent.sigmaa: 0.2", 0, "latent.sigmaa: unknown key 'sigmaa'; did you mean sigma"),
        ("latnt.sigma: 0.2", 0, "unknown parameter 'latnt'; did you mean latent? known: auxiliary"),
        ("title: other", 0, "title: unknown parameter 'title'; known: auxiliary"),
        ("latent.sigma: [0.2, -1]", 0, "latent.sigma.1: Input should be greater than 0 (got -1)"),
        ("latent.c: 1\nlatent.sigma: wide", 1, "latent.sigma: Input should be a valid number"),
        ("objective: [gan, hing]", 0, "objective.1: unknown kind 'hing'; did you mean hinge"),
        ("objective: my_loss:Loss", 0, "'my_loss:Loss' has no place in a run's name"),
        ("network: [mlp-r, mlp]", 0, "network.1: unknown network 'mlp'"),
        ("network.width: 3", 0, "network.width: unknown key 'width'"),
        ("penalties.2: r1", 0, "unknown parameter '2'; it is the position in a list of 0"),
        ("penalties: [[{kind: r1}]]", 0, "penalties.0: Field required"),
        ("latent.sigma: []", 0, "List should have at least 1 item"),
    ],
)
def test_mistakes_in_vary_name_their_place(with_suite, tmp_path, vary, line, message):
    with pytest.raises(GmganError) as caught:
        with_suite(vary)
    text = str(caught.value)
    first = TEXT.count("\n") + SUITE.count("\n")
    assert text.startswith(f"{tmp_path}/params.yaml:{first + line}: suites.varied.vary.")
    assert message in text
    assert "\n" not in text


def test_a_parameter_of_some_models_is_left_out_of_the_others(with_suite):
    found = names(with_suite("prior.covariance: [full, scalar]"))
    assert found == [
        GAN,
        STATIC,
        "digits.gmgan-dynamic.K10.s0",
        "digits.gmgan-dynamic.K10.prior.covariance=scalar.s0",
    ]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (STATIC, "latent.sigmaa=1", "latent.sigmaa: unknown key 'sigmaa'; did you mean sigma"),
        (STATIC, "latent.sigma=0", "latent.sigma: Input should be greater than 0 (got 0)"),
        (STATIC, "latent.sigma", "--set latent.sigma: expected PARAMETER=VALUE"),
        (GAN, "prior.covariance=full", "prior.covariance: unknown key 'covariance'; known: kind"),
        (MNIST, "penalties=gradient-penalty", "a penalty needs a discriminator"),
        (STATIC, "prior=normal", "has one normal prior, so K must be 1, got 10"),
        (STATIC, "training.kimg=Infinity", "Input should be a finite number (got inf)"),
    ],
)
def test_impossible_changes_are_one_line(params, name, change, message):
    with pytest.raises(GmganError, match=re.escape(message)) as caught:
        grid.with_changes(params, name, [change])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits.gmgan-static.K10.latent.sigma=0.30.s0", f"is the run '{STATIC}'; use that name"),
        ("digits.gan.K1.latent.sigma=2.s0", f"is the run '{GAN}'; use that name"),
        (
            "digits.gmgan-static.K10.latent.sigma=2+latent.c=1.s0",
            "is the run 'digits.gmgan-static.K10.latent.c=1+latent.sigma=2.s0'",
        ),
        ("digits.gmgan-static.K10.latent.sigma.s0", "expected PARAMETER=VALUE"),
        ("digits.gmgan-static.K10.s0.s0", "expected PARAMETER=VALUE"),
        ("digits.gmgan-static.K10.latent.sigm=2.s0", "unknown key 'sigm'"),
    ],
)
def test_a_run_has_one_name(params, name, message):
    with pytest.raises(GmganError, match=re.escape(message)):
        grid.parse_run(params, name)


def test_names_stay_below_120_characters(params):
    changes = [f"training.{key}=0.12345" for key in ("beta1", "beta2", "learning_rate")]
    assert len(grid.with_changes(params, STATIC, changes).name) < 120
    with pytest.raises(GmganError, match="has at most 119 characters, this one has"):
        grid.with_changes(params, STATIC, [*changes, "training.decay_from=0.12345"])


@pytest.mark.parametrize(
    ("model", "changes", "baseline"),
    [
        ("gmgan-static.K10", [], "gan.K1"),
        ("gmgan-static.K10", ["latent.sigma=2"], "gan.K1"),
        ("gmgan-static.K10", ["latent.dim=8"], "gan.K1.latent.dim=8"),
        ("gmgan-static.K10", ["objective=hinge", "latent.c=2"], "gan.K1.objective=hinge"),
        ("gmgan-dynamic.K10", ["prior.covariance=scalar"], "gan.K1"),
        ("gmgan-static.K10", ["prior=one-hot"], "gan.K1"),
        (
            "gmgan-supervised.K10",
            ["training.beta1=0.1", "latent.sigma=2"],
            "acgan.K1.training.beta1=0.1",
        ),
        # the objective supervised needs K >= 10, which the normal prior of AC-GAN does not have
        ("gmgan-supervised.K10", ["objective=gan"], "acgan.K1.objective=gan"),
        ("gan.K1", ["training.beta1=0.1"], None),
    ],
)
def test_the_baseline_has_the_values_that_apply_to_it(params, model, changes, baseline):
    run = grid.with_changes(params, f"digits.{model}.s3", changes)
    found = grid.baseline_run(params, run)
    assert (found and found.name) == (baseline and f"digits.{baseline}.s3")


def test_a_value_that_makes_the_baseline_impossible_does_not_reach_it(params):
    run = replace(grid.parse_run(params, STATIC), varied="objective=supervised")
    assert grid.baseline_run(params, run) == grid.parse_run(params, GAN)


def test_the_parent_shares_what_decides_the_networks(params):
    changes = ["latent.dim=32", "latent.sigma=2", "training.kimg=5", "network.activation=relu"]
    run = grid.with_changes(params, "mnist.gmgan-finetuned-wide.K10.s1", changes)
    parent = Run("mnist", "gan-mlp", 1, 1, "latent.dim=32+network.activation=relu")
    assert grid.settings(params, run).init_from == parent
    assert grid.settings(params, parent).network == grid.settings(params, run).network


def test_k_follows_a_varied_prior(with_suite):
    params = with_suite("prior: [normal, static]")
    assert names(params) == [
        GAN,
        "digits.gan.K10.prior=static.s0",
        "digits.gmgan-static.K1.prior=normal.s0",
        STATIC,
        "digits.gmgan-dynamic.K1.prior=normal.s0",
        "digits.gmgan-dynamic.K10.prior=static.s0",
    ]


def test_values_of_a_block_and_of_the_suite(with_suite):
    cells = """
    cells:
    - models: gmgan-static
    - models: gan
      vary: {}
    - models: gmgan-dynamic
      vary:
        latent.c: 3
"""
    params = with_suite("latent.sigma: [1, 2]", cells.lstrip("\n"))
    assert names(params) == [
        "digits.gmgan-static.K10.latent.sigma=1.s0",
        "digits.gmgan-static.K10.latent.sigma=2.s0",
        GAN,
        "digits.gmgan-dynamic.K10.latent.c=3.s0",
    ]


def test_parameters_tell_the_value_of_every_run_that_has_one(with_suite):
    params = with_suite("latent.sigma: [0.3, 1]\nprior.covariance: [full, scalar]")
    runs = grid.suite_runs(params, "varied")
    found = grid.parameters(params, runs)
    assert list(found) == ["latent.sigma", "prior.covariance"]
    assert GAN not in found["latent.sigma"]
    assert found["latent.sigma"][STATIC] == 0.3
    sigma = {name: value for name, value in found["latent.sigma"].items() if "static" in name}
    assert list(sigma.values()) == [0.3, 1.0]
    dynamic = [f"digits.gmgan-dynamic.K10{more}.s0" for more in ("", ".prior.covariance=scalar")]
    assert [found["prior.covariance"].get(name) for name in (GAN, STATIC, *dynamic)] == [
        None,
        None,
        "full",
        "scalar",
    ]


def test_every_section_of_a_model_can_be_varied(params):
    """A new section of the entry is a parameter without being named anywhere else."""
    entry = params.models["gmgan-static"]
    sections = {name for name in type(entry).model_fields if name not in ("title", "extends")}
    sections -= {"baseline", "uses_labels", "init_from"}
    with pytest.raises(GmganError) as caught:
        grid.with_changes(params, STATIC, ["nothing=1"])
    assert all(name in str(caught.value) for name in sections)


def test_values_that_belong_together_are_an_entry(with_suite):
    params = with_suite("latent: [{c: 0.1, sigma: 0.15}, {c: 0.467, sigma: 0.7}]")
    static = [run.varied for run in grid.suite_runs(params, "varied") if "static" in run.model]
    assert static == ["latent.c=0.1+latent.sigma=0.15", "latent.c=0.467+latent.sigma=0.7"]


def test_completeness_of_the_product(with_suite):
    params = with_suite("latent.sigma: [1, 2]\nlatent.c: [1, 2]\ntraining.beta1: [0.1, 0.9]")
    static = [run for run in grid.suite_runs(params, "varied") if run.model == "gmgan-static"]
    found = {tuple(parse(run.varied).values()) for run in static}
    assert found == set(product((1, 2), (1, 2), (0.1, 0.9)))


TINY = """
  tiny:
    title: sigma and loss in seconds
    datasets: toy-ring-ci
    models:
    - gan
    - gmgan-static
    K: 8
    seeds: 0
    vary:
      latent.sigma: [0.1, 0.3]
      objective: [gan, hinge]
"""


@pytest.mark.pipeline
def test_a_suite_with_varied_values_from_data_to_page(project):
    """The whole pipeline, its commands by hand and its names as targets."""
    project.edit("params.yaml", "      kimg: 60\n", "      kimg: 3\n")
    params = project.folder / "params.yaml"
    params.write_text(params.read_text() + TINY.lstrip("\n"))
    suite = ("--config", "suite=tiny")
    project.snakemake("all", *suite)
    results = project.folder / "results"
    table = pd.read_csv(results / "tiny/scores.csv", keep_default_na=False)
    base = "toy-ring-ci.gmgan-static.K8"
    varied = ["", "latent.sigma=0.3", "latent.sigma=0.3+objective=hinge", "objective=hinge"]
    ours = table[table.model == "gmgan-static"]
    assert sorted(ours.varied.unique()) == varied
    assert set(ours.run) == {f"{base}{'.' if text else ''}{text}.s0" for text in varied}
    assert set(ours[ours.varied == ""]["latent.sigma"]) == {"0.1"}
    assert set(ours[ours.varied == "objective=hinge"].objective) == {"hinge"}
    assert set(table[table.model == "gan"]["latent.sigma"]) == {""}
    assert {*pd.read_csv(results / "tiny/tradeoff.csv").columns} >= {"varied", "latent.sigma"}

    cells = pd.read_csv(
        results / "tiny/tables/toy-ring-ci.heat-map-of-latent.sigma-and-objective.csv"
    )
    for row in cells[cells.metric == "frechet_distance"].itertuples():
        rows = table[(table.model == row.model) & (table.metric == row.metric)]
        rows = rows[rows.objective == row.objective]
        if row.model == "gmgan-static":
            rows = rows[
                rows["latent.sigma"] == f"{row[cells.columns.get_loc('latent.sigma') + 1]:g}"
            ]
        assert row.mean == pytest.approx(rows.value.astype(float).mean())
        assert row.seeds == len(rows) == 1
    claims = pd.read_csv(results / "tiny/tables/claims.csv", keep_default_na=False)
    compared = claims[(claims.metric == "quality") & (claims["compare"] == "baseline")]
    assert set(compared.comparison) - {""} == {  # "": what this suite cannot test
        "gmgan-static.K8 against gan",
        "gmgan-static.K8.latent.sigma=0.3 against gan",
    }  # the claims on quality are about the paper's losses
    page = (results / "tiny/report.html").read_text()
    assert "Effect of latent.sigma and objective" in page
    assert "GM-GAN, static, K = 8, sigma = 0.3, objective = hinge" in page

    assert project.plan("all", *suite) == {}
    listed = project.gmgan("list", "--suite", "tiny").stdout.splitlines()
    assert len(listed) == 6
    assert all(line.endswith("scored") for line in listed)
    assert "6 runs" in project.gmgan("cost", "--suite", "tiny").stdout
    scored = results / "runs" / f"{base}.latent.sigma=0.3.s0" / "scores.json"
    before = read_json(scored)
    scored.unlink()
    done = project.gmgan("score", f"{base}.s0", "--set", "latent.sigma=0.3")
    assert f"run {base}.latent.sigma=0.3.s0" in done.stderr
    after = read_json(scored)
    assert after["fingerprint"] == before["fingerprint"]
    assert [row["value"] for row in after["scores"]] == [row["value"] for row in before["scores"]]
    drawn = project.gmgan("draw", f"{base}.s0", "--set", "latent.sigma=0.3", "--out", "drawn.npz")
    assert drawn.stdout == "drawn.npz\n"

    new = f"results/runs/{base}.latent.sigma=0.5.s0"
    plan = project.plan(f"{new}/train.json")
    assert plan == {"train": [f"{base}.latent.sigma=0.5.s0"]}
    project.snakemake(f"{new}/train.json")
    wrong = project.snakemake(f"{new.replace('0.5', '0.10')}/train.json", check=False)
    assert f"is the run '{base}.s0'; use that name" in wrong.stdout + wrong.stderr


def test_jobs_of_other_machines_get_the_names_whole():
    """How Snakemake hands a job to a cluster: RULE:WILDCARD=VALUE,WILDCARD=VALUE."""
    from snakemake.target_jobs import parse_target_jobs_cli_args

    run = "digits.gmgan-static.K10.latent.sigma=0.2+training.learning_rate=1e-5.s0"
    (target,) = parse_target_jobs_cli_args([f"features:run={run},extractor=classifier"])
    assert dict(target.wildcards_dict) == {"run": run, "extractor": "classifier"}


RECIPES = """
  digits-tuned:
    extends: digits
    title: digits, tuned
    recipes:
      gan:
        training.learning_rate: 0.002
      gmgan-static:
        latent.sigma: 0.2
        network: mlp-r
        training: {beta1: 0.0, learning_rate: 0.003}
"""


@pytest.fixture
def with_recipes(tmp_path):
    """A function that gives the params with the data set of RECIPES, after a replacement in it."""

    def make(old="", new=""):
        path = tmp_path / "params.yaml"
        entry = RECIPES.lstrip("\n").replace(old, new) if old else RECIPES.lstrip("\n")
        path.write_text(TEXT.replace("\nnetworks:\n", f"\n{entry}\nnetworks:\n", 1))
        return load(path)

    return make


def test_a_recipe_changes_a_model_on_its_data_set_only(with_recipes):
    params = with_recipes()

    def of(name):
        return grid.settings(params, grid.parse_run(params, name))

    tuned = of("digits-tuned.gmgan-static.K10.s0")
    assert (tuned.latent.sigma, tuned.training.learning_rate, tuned.training.beta1) == (
        0.2,
        3e-3,
        0,
    )
    assert tuned.network == params.networks["mlp-r"]
    assert tuned.training.batch_size == of(STATIC).training.batch_size
    for other in (STATIC, "digits-tuned.gmgan-dynamic.K10.s0"):
        assert of(other).latent.sigma == 0.3
        assert of(other).network == params.networks["mlp-small"]


def test_varied_values_and_baselines_start_from_the_recipe(with_recipes):
    params = with_recipes()
    tuned = grid.parse_run(params, "digits-tuned.gmgan-static.K10.s0")
    assert grid.baseline_run(params, tuned).name == "digits-tuned.gan.K1.s0"
    assert grid.settings(params, grid.baseline_run(params, tuned)).training.learning_rate == 0.002
    same = grid.with_changes(params, tuned.name, ["latent.sigma=0.2"])
    assert same == tuned
    other = grid.with_changes(params, tuned.name, ["training.learning_rate=0.0004"])
    assert other.varied == "training.learning_rate=0.0004"
    assert grid.settings(params, other).training.beta1 == 0
    whole = grid.with_changes(params, tuned.name, ["network=mlp-small"])
    assert grid.settings(params, whole).network == params.networks["mlp-small"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gan:\n", "gann:\n", "unknown model 'gann'; did you mean gan"),
        ("latent.sigma", "latent.sigm", "unknown key 'sigm'; did you mean sigma"),
        ("0.002", "-1", "training.learning_rate"),
    ],
)
def test_mistakes_in_recipes_are_reported_with_their_line(with_recipes, old, new, message):
    with pytest.raises(GmganError) as error:
        with_recipes(old, new)
    (line,) = str(error.value).splitlines()
    assert re.search(r"params.yaml:\d+: datasets.digits-tuned.recipes", line)
    assert re.search(message, line), line
