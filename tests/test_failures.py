"""Which scores see which failure, made on purpose of real digits."""

import re

import pytest
from conftest import ROOT, docs_script

from gmgan.config.loader import load
from gmgan.pipeline.runner import Runner

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def failures():
    return docs_script("failures")


@pytest.fixture(scope="module")
def scored(failures, finished):
    runner = Runner(load(finished.folder / "params.yaml"), finished.folder / "results")
    results = failures.scored(runner, "digits-ci")
    return results, {
        failure: {name: score.value for name, score in scores.items()}
        for failure, scores in results.items()
    }


SEEN = {  # failure: scores that must be below this share of those of held-out images
    "one image per class": {
        "recall_k3": 0.1,
        "coverage_k5": 0.3,
        "within_class_diversity_ratio": 0.01,
        "vendi": 0.5,
    },
    "blurred": {"precision_k3": 0.3, "quality": 0.5, "recall_k3": 0.3, "vendi": 0.5},
    "class 3 dropped": {"recall_k3": 0.95, "coverage_k5": 0.95, "diversity_inter": 0.97},
    "noise": {"precision_k3": 0.7, "quality": 0.5, "recall_k3": 0.4, "inception_score": 0.4},
}
BLIND = {  # what does not see it: at least this share of the held-out images' score
    "one image per class": {
        "inception_score": 0.95,
        "precision_k3": 0.8,
        "quality": 0.8,
        "diversity": 0.9,
    },
    "class 3 dropped": {"precision_k3": 0.95, "quality": 0.95, "diversity_intra": 0.97},
    "memorised": {"recall_k3": 1.0, "precision_k3": 1.0, "vendi": 0.9},
    "noise": {"diversity_intra": 1.0, "within_class_diversity_ratio": 0.6},
}


@pytest.mark.parametrize("failure", SEEN)
def test_scores_that_see_a_failure(scored, failure):
    _, values = scored
    for name, share in SEEN[failure].items():
        assert values[failure][name] < share * values["held-out images"][name], name
    assert values[failure]["fid"] > 2 * values["held-out images"]["fid"]


@pytest.mark.parametrize("failure", BLIND)
def test_scores_that_do_not_see_it(scored, failure):
    _, values = scored
    for name, share in BLIND[failure].items():
        assert values[failure][name] >= share * values["held-out images"][name], name


def test_memorised_images_score_better_than_held_out_ones(scored):
    """Only FID against the other split is worse than against the reference."""
    _, values = scored
    held_out, memorised = values["held-out images"], values["memorised"]
    assert memorised["fid"] == pytest.approx(0, abs=1e-6) and held_out["fid"] > 0.01
    assert memorised["quality"] > 0.999 > held_out["quality"]
    assert memorised["fid_other_split"] > 0.01 > memorised["fid"]


def test_contradictions_carry_a_note(scored):
    results, _ = scored
    noted = {
        failure: {n for n, s in scores.items() if s.flag} for failure, scores in results.items()
    }
    assert noted["held-out images"] == noted["memorised"] == set()
    assert {"recall_k3", "precision_k3", "quality", "diversity"} <= noted["one image per class"]


def test_the_page_shows_the_table_of_every_score(failures, scored):
    """Its numbers are of `digits`, with more images than here: names and columns are compared."""
    results, _ = scored
    page = (ROOT / "docs" / "metrics.md").read_text()
    shown = docs_script("marked").part(page, failures.COMMAND)

    def frame(table):
        return [re.sub(r"-?\d[\d.]*( \*)?", "", line.split("|")[1]) for line in table.splitlines()]

    made = failures.as_markdown(results)
    assert frame(shown) == frame(made)
    assert shown.splitlines()[0] == made.splitlines()[0]
