"""Golden values: fixed inputs give fixed scores, by the version of each definition.

A changed definition gives another value and needs a new version. `python tests/test_golden.py`
adds the values of new versions to golden_scores.json; those of old versions stay.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gmgan.evaluation.clustering import clustering_scores
from gmgan.evaluation.metrics import METRICS, built_in, metric_of
from gmgan.evaluation.samples import Modes, Real, Samples
from gmgan.evaluation.score import score_samples
from gmgan.evaluation.settings import ScoringSettings
from gmgan.records import Snapshots

GOLDEN = Path(__file__).parent / "golden_scores.json"
SETTINGS = ScoringSettings(
    n_real=60,
    n_fake=60,
    kid_subsets=3,
    kid_subset_size=20,
    ms_ssim_pairs=40,
    dataset="golden",
    run=None,
    modes=None,
    std=None,
    metrics={},
)


def images() -> dict[str, float]:
    """Scores of 60 images in three classes against 60 others."""
    rng = np.random.default_rng(20)
    classes = np.arange(60) % 3

    def side(shift):
        features = rng.standard_normal((60, 4)) + 2 * np.eye(3, 4)[classes] + shift
        pixels = 40 * rng.standard_normal((60, 8, 8, 1)) + 60 * classes[:, None, None, None]
        return dict(
            samples=np.clip(pixels + 60, 0, 255).astype(np.uint8),
            features=features.astype(np.float32),
            logits=(3 * features[:, :3]).astype(np.float32),
        )

    fake = Samples(**side(0.3), targets=classes, components=np.arange(60) % 4)
    held_out, noise = rng.uniform(0.2, 1, 50), rng.uniform(2, 4, 50)
    real = side(0)
    training = {"training": real["features"]}
    return values(fake, real | training, held_out, noise, None, side(-0.3) | training)


def points() -> dict[str, float]:
    """Scores of 60 points around three modes against 60 others."""
    rng = np.random.default_rng(21)
    centres = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    def side(std):
        return (centres[np.arange(60) % 3] + std * rng.standard_normal((60, 2))).astype(np.float32)

    own, real = side(0.15), side(0.1)
    snapshots = Snapshots(samples=np.stack([own + 9, own]), kimg=np.array([0.0, 10.0]))
    fake = Samples(own, own, components=np.arange(60) % 3, snapshots=snapshots)
    sides = {"samples": real, "features": real, "training": real}
    spread = rng.uniform(0, 0.1, 50), rng.uniform(0.3, 1, 50)
    return values(fake, sides, *spread, Modes(centres, 0.1))


def values(fake, real, held_out, noise, modes, other_split=None):
    told = {"extractor": "golden", "extractor_hash": "0", "extractor_id": "golden"}
    told |= {"held_out_distances": held_out, "noise_distances": noise, "modes": modes}
    told |= {"knows_classes": True}
    if other_split:
        told |= {"other_split": Real(**other_split, **told)}
    reference = Real(**real, **told)
    return {s.metric: s.value for s in score_samples([fake], [reference], SETTINGS, METRICS)}


def clusters() -> dict[str, float]:
    rng = np.random.default_rng(22)
    classes = rng.integers(4, size=200)
    assigned = np.where(rng.random(200) < 0.6, classes, rng.integers(5, size=200))
    return clustering_scores(classes, assigned, 4, 5)


def scores() -> dict[str, float]:
    """{kind of data: metric | version: value}."""
    kinds = {"images": images(), "points": points(), "clusters": clusters()}
    return {
        f"{kind}|{name}|v{metric_of(name).version}": value
        for kind, of_kind in kinds.items()
        for name, value in of_kind.items()
    }


def test_every_metric_has_its_golden_value():
    golden, made = json.loads(GOLDEN.read_text()), scores()
    missing = made.keys() - golden.keys()
    assert not missing, f"new versions without a value; run python tests/test_golden.py: {missing}"
    for name, value in made.items():
        text = f"{name}: its definition changed; raise its version"
        assert value == pytest.approx(golden[name], rel=1e-5, abs=1e-9), text
    names = {built_in(key.split("|")[1]).source for key in made}
    same = ("encoder_", "cluster_acc_all", "cluster_nmi_all")  # as cluster_..., of other samples
    metrics = [m for m in METRICS if not m.name.startswith(same)]
    assert names == {metric.source for metric in metrics}
    assert {metric.label for metric in metrics if "{" not in metric.name} <= {
        built_in(key.split("|")[1]).label for key in made
    }


if __name__ == "__main__":
    old = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    GOLDEN.write_text(json.dumps(dict(sorted((scores() | old).items())), indent=1) + "\n")
    sys.exit()
