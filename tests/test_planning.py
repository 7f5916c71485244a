"""What `gmgan power` says, and that the simulated rates are those of the documentation."""

import re

import pandas as pd
import pytest
from conftest import ROOT

from gmgan.pipeline.grid import suite_runs
from gmgan.report.plan import load_plan
from gmgan.report.planning import evidence_of, planned
from gmgan.report.simulation import as_markdown
from gmgan.report.statistics import power_at

EMPTY = ["run", "dataset", "model", "K", "varied", "seed", "metric", "value", "sigma_scale"]
EMPTY += ["kimg", "n_real", "n_fake", "extractor", "extractor_hash", "split"]


def test_the_comparisons_of_a_suite_are_known_before_it_runs(params):
    nothing = pd.DataFrame(columns=EMPTY)
    evidence = evidence_of(params, [], nothing, nothing)
    rows = planned(load_plan(), params, suite_runs(params, "quick"), evidence)
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
    evidence = evidence_of(params, ["digits"], table, table.assign(sigma_scale=1.0))
    result = planned(load_plan(), params, suite_runs(params, "quick"), evidence)
    row = result[(result.claim == "1") & (result.comparison.str.startswith("gmgan-sup"))].iloc[0]
    assert row.spread == pytest.approx(0.3 / 2**0.5)
    assert row.power_5 == pytest.approx(power_at([5], row.spread, 0.0, 0.2, 2)[0, 0])


def test_the_simulated_rates_of_the_documentation_hold():
    """Error rates of 1,000 families are at most .05 within three standard errors."""
    page = (ROOT / "docs" / "statistics.md").read_text()
    rows = [line for line in page.splitlines() if re.match(r"\| \w.*\d\.\d", line)]
    lines = [line.split("|")[1:-1] for line in rows]
    rates = [(cells[0].strip(), int(cells[1]), *map(float, cells[2:])) for cells in lines]
    means = [rate for rate in rates if len(rate) == 7]
    assert len(means) == 9
    for name, _, difference, equivalence, *_, coverage in means:
        assert difference <= 0.05 + 0.021, name
        assert name == "skewed" or equivalence <= 0.05 + 0.021, name
        assert name != "normal" or coverage >= 0.945
    head = as_markdown(1, (5,)).splitlines()[0]
    assert head in page
