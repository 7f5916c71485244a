"""Nearest neighbours and the scores that count them, against loops over the definitions."""

import numpy as np
import pytest
import torch
from conftest import seen

from gmgan.errors import GmganError
from gmgan.evaluation.neighbours import density_coverage, nearest_distances, precision_recall
from gmgan.runtime.torch_setup import allow_torchvision_without_ops

allow_torchvision_without_ops()

from torch_fidelity.metric_prc import prc_features_to_metric  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def normal(rng, count, dim, scale=1.0, shift=0.0):
    return (scale * rng.standard_normal((count, dim)) + shift).astype(np.float32)


def test_nearest_distances_are_the_definition(rng):
    points, references = rng.standard_normal((257, 6)), rng.standard_normal((41, 6))
    naive = [min(np.linalg.norm(p - r) for r in references) for p in points]
    assert np.allclose(nearest_distances(points, references), naive)
    assert np.allclose(nearest_distances(points, points), 0, atol=1e-6)


def test_density_and_coverage_are_the_definition(rng):
    fake, real, k = normal(rng, 160, 3, 0.7), normal(rng, 250, 3), 5
    radii = [sorted(np.linalg.norm(real - r, axis=1))[k] for r in real]
    inside = [
        [np.linalg.norm(f - r) < radius for f in fake]
        for r, radius in zip(real, radii, strict=True)
    ]
    scores = density_coverage(seen(fake), seen(real), k)
    assert scores["density_k5"] == pytest.approx(np.sum(inside) / (k * len(fake)))
    assert scores["coverage_k5"] == pytest.approx(np.mean(np.any(inside, axis=1)))
    with pytest.raises(GmganError, match="more than 5 real samples, got 5"):
        density_coverage(seen(fake), seen(real[:5]), 5)


def test_precision_and_recall_against_the_definition(rng):
    fake = normal(rng, 170, 4, 0.8)
    real = normal(rng, 280, 4, shift=0.3)

    def covered(points, centres, k):
        radii = np.sort(np.linalg.norm(centres[:, None] - centres[None], axis=2), axis=1)[:, k]
        return np.mean([np.any(np.linalg.norm(centres - p, axis=1) <= radii) for p in points])

    scores = precision_recall(seen(fake), seen(real), 3)
    assert scores["precision_k3"] == pytest.approx(covered(fake, real, 3), abs=1e-6)
    assert scores["recall_k3"] == pytest.approx(covered(real, fake, 3), abs=1e-6)

    with pytest.raises(GmganError, match="more than 3 samples, got 3"):
        precision_recall(seen(fake[:3]), seen(real), 3)


@pytest.mark.parametrize("dim", [2, 64])
def test_precision_and_recall_are_those_of_torch_fidelity(rng, dim):
    fake, real = normal(rng, 1530, dim, 0.9, 0.1), normal(rng, 1210, dim)
    theirs = prc_features_to_metric(
        *map(torch.from_numpy, (fake, real)),
        prc_neighborhood=3,
        prc_batch_size=500,
        save_cpu_ram=False,
        verbose=False,
    )
    scores = precision_recall(seen(fake), seen(real), 3)
    assert 0.2 < scores["precision_k3"] < 1 and 0.2 < scores["recall_k3"] < 1
    assert scores["precision_k3"] == pytest.approx(theirs["precision"], abs=1 / 1530)
    assert scores["recall_k3"] == pytest.approx(theirs["recall"], abs=1 / 1210)
