"""The sweep of sigma_scale: both known orders on a trained model."""

import pandas as pd
import pytest
from conftest import read_json

pytestmark = pytest.mark.pipeline


def test_small_s_gives_quality_and_large_s_diversity(project):
    """Four components for eight modes: only a wider spread can reach the others."""
    project.edit("params.yaml", "kimg: 60\n      learn", "kimg: 250\n      learn")
    run = "toy-ring-ci.gmgan-static.K4.s0"
    for stage in (("prepare", "toy-ring-ci"), ("train", run), ("tradeoff", run)):
        project.gmgan(*stage)
    about = read_json(project.folder / "results" / "runs" / run / "tradeoff.json")
    points = pd.DataFrame(about["points"])
    scores = points.pivot_table(index="sigma_scale", columns="metric", values="value")
    assert list(scores.index) == [0.1, 0.25, 0.5, 1.0, 2.0, 4.0]
    assert scores.quality.is_monotonic_decreasing
    assert scores.diversity[4.0] > scores.diversity[1.0] >= scores.diversity[0.1]
    assert set(points.n_fake) == set(points.n_real) == {1000}


def test_every_run_of_the_suite_is_swept(finished):
    sweep = pd.read_csv(finished.folder / "results" / "tradeoff.csv")
    assert sweep.groupby("run").sigma_scale.nunique().to_dict() == {
        "toy-ring-ci.gan.K1.s0": 6,
        "toy-ring-ci.gmgan-dynamic.K8.s0": 6,
        "digits-ci.acgan.K1.s0": 3,
        "digits-ci.gmgan-supervised.K10.s0": 3,
    }
    digits = sweep[sweep.dataset == "digits-ci"]
    assert {"quality", "diversity", "precision_k3", "recall_k3", "fid"} <= set(digits.metric)
    assert not sweep.duplicated(["run", "sigma_scale", "metric", "extractor"]).any()


def test_the_scale_of_training_is_the_ordinary_sampler(finished):
    """At s = 1 the sweep measures what the scores do, up to the noise of another sample."""
    results = finished.folder / "results"
    table, sweep = (pd.read_csv(results / name) for name in ("scores.csv", "tradeoff.csv"))
    sweep = sweep[sweep.sigma_scale == 1]
    for run in sweep.run.unique():
        ours, theirs = (
            frame[(frame.run == run) & (frame.metric == "quality")].value.item()
            for frame in (table, sweep)
        )
        assert ours == pytest.approx(theirs, abs=0.08), run
