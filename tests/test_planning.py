"""What `gmgan power` says, and that the simulated rates are those of the documentation."""

import re

import pandas as pd
import pytest
from conftest import ROOT, docs_script

from gmgan.pipeline.stage import Scope
from gmgan.pipeline.stages import report
from gmgan.report.plan import load_plan
from gmgan.report.planning import planned
from gmgan.report.simulation import as_markdown
from gmgan.report.statistics import power_at

EMPTY = ["run", "dataset", "model", "K", "varied", "seed", "metric", "value", "sigma_scale"]
EMPTY += ["kimg", "n_real", "n_fake", "extractor", "extractor_hash", "split"]


def settings_of(params, suite):
    return report.settings(Scope.of(params, {"suite": suite}))


NOTHING = pd.DataFrame(columns=EMPTY)


def test_baselines_have_the_varied_values_of_the_model(params):
    rows = planned(load_plan(), settings_of(params, "sigma-loss"), NOTHING, NOTHING)
    against = rows.comparison.str.partition(" against ")
    hinge = against[against[0].str.contains("objective=hinge") & (against[2] != "chance")]
    assert len(hinge)
    assert set(hinge[2].str.removesuffix(", mean over the sweep")) == {"r3gan.objective=hinge"}


def test_the_comparisons_of_a_suite_are_known_before_it_runs(params):
    rows = planned(load_plan(), settings_of(params, "quick"), NOTHING, NOTHING)
    first = rows[rows.claim == "1"]
    assert first.comparison.tolist() == [
        "mean of gmgan-static.K10, gmgan-dynamic.K10 against gan",
        "gmgan-supervised.K10 against acgan",
    ]
    assert (first.family == 2).all()
    assert rows.power.isna().all()
    claims = {"1", "2", "4", "5", "6", "7", "A"}
    assert set(rows.claim) == claims


def test_power_takes_the_spread_of_scored_runs(params):
    rows = [
        {
            "run": f"digits.{model}.K{K}.s{seed}",
            "dataset": "digits",
            "model": model,
            "K": K,
            "varied": "",
            "seed": seed,
            "metric": "inception_score",
            "value": 5 + 0.3 * seed,
            "kimg": 1.0,
            **dict.fromkeys(("n_real", "n_fake"), 1),
            **dict.fromkeys(("extractor", "extractor_hash", "split"), "e"),
        }
        for model, K in (("acgan", 1), ("gmgan-supervised", 10))
        for seed in (0, 1)
    ]
    table = pd.DataFrame(rows)
    sweep = table.assign(sigma_scale=1.0)
    result = planned(load_plan(), settings_of(params, "quick"), table, sweep)
    row = result[(result.claim == "1") & (result.comparison.str.startswith("gmgan-sup"))].iloc[0]
    assert row.spread == pytest.approx(0.3 / 2**0.5)
    assert row.power_5 == pytest.approx(power_at([5], row.spread, 0.0, 0.2, 2)[0, 0])


def test_unknown_spreads_have_a_reason(project):
    done = project.gmgan("power", "--suite", "quick")
    rows = len(done.stdout.splitlines()) - 1
    said = done.stderr.splitlines()[0]
    assert said.startswith(f"gmgan: {rows} of {rows} spreads are unknown: suite quick has no ")
    assert said.endswith("make them: snakemake --cores all --config suite=quick -- all")
    scores = project.folder / "results" / "ci" / "scores.csv"
    scores.parent.mkdir(parents=True)
    rows = pd.DataFrame([{name: "" for name in EMPTY}]).assign(dataset="digits-ci", K=1, seed=0)
    rows = rows.assign(run="digits-ci.acgan.K1.s0", model="acgan")
    for name in ("scores.csv", "tradeoff.csv"):
        rows.assign(kimg=1.0, value=1.0).to_csv(scores.with_name(name), index=False)
    said = project.gmgan("power", "--suite", "ci").stderr.splitlines()[0]
    assert ": one seed has no spread; raise `seeds` of suite ci" in said


def test_the_simulated_rates_of_the_documentation_hold():
    """Error rates of 400 families are at most .05 within three standard errors."""
    page = (ROOT / "docs" / "statistics.md").read_text()
    pattern = r"\| (normal|skewed|bounded) \| (\d+) \| (.*) \|"
    rates = [
        (noise, *map(float, numbers.split(" | ")))
        for noise, _, numbers in re.findall(pattern, page)
    ]
    assert len(rates) == 9
    for noise, difference, equivalence, *_, coverage in rates:
        assert max(difference, equivalence) <= 0.05 + 0.033, noise
        assert coverage >= 0.94, noise
    assert page.count("| log-rank |") == 3


def test_the_simulation_prints_the_tables_of_the_documentation():
    printed = as_markdown(2, (5,)).splitlines()
    page = (ROOT / "docs" / "statistics.md").read_text()
    heads = [
        line for line in printed if line.startswith(("| scores", "| times", "| corr", "| int"))
    ]
    assert len(heads) == 4
    assert all(head in page for head in heads)


def test_the_page_shows_the_plan():
    text = (ROOT / "docs" / "statistics.md").read_text()
    assert text == docs_script("plan").with_plan(text), "run python docs/scripts/plan.py"
