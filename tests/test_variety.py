"""Within-class diversity and the Vendi score: closed forms and known orders."""

import numpy as np
import pytest

from gmgan.evaluation.samples import Modes
from gmgan.evaluation.similarity import ms_ssim
from gmgan.evaluation.variety import image_diversity, point_spread, vendi_score


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_vendi_counts_samples_that_are_far_apart_and_not_their_copies():
    far = 1000 * np.arange(7.0)[:, None]
    assert vendi_score(far, 1.0) == pytest.approx(7)
    assert vendi_score(np.repeat(far, 5, axis=0), 1.0) == pytest.approx(7)
    assert vendi_score(np.zeros((20, 3)), 1.0) == pytest.approx(1)


def test_vendi_of_two_samples_has_a_closed_form():
    """Eigenvalues (1 +- k) / 2 with k = exp(-d^2 / (2 h^2)), and shares 3/4 and 1/4 far apart."""
    k = np.exp(-(1.5**2) / (2 * 0.8**2))
    shares = np.array([1 + k, 1 - k]) / 2
    exact = np.exp(-(shares * np.log(shares)).sum())
    assert vendi_score(np.array([[0.0], [1.5]]), 0.8) == pytest.approx(exact, rel=1e-9)
    uneven = np.array([[0.0], [0.0], [0.0], [1e4]])
    assert vendi_score(uneven, 1.0) == pytest.approx(4 / 3**0.75)


def test_pairs_are_of_one_class_and_classes_count_alike(rng):
    """Two classes of two images each: both pairs by hand; a third without images counts as 0."""
    images = rng.integers(0, 256, (4, 8, 8, 1), np.uint8)
    images[1] = images[0] // 2
    classes = np.array([0, 0, 1, 1])
    pairs = 1 - ms_ssim(images[[0, 2]], images[[1, 3]], 1)
    assert image_diversity(images, classes, 2, 20, None, 0) == pytest.approx(pairs.mean())
    assert image_diversity(images, classes, 3, 20, None, 0) == pytest.approx(pairs.sum() / 3)
    one_each = np.repeat(images[[0, 2]], 9, axis=0)
    assert image_diversity(one_each, np.repeat([0, 1], 9), 2, 20, None, 0) == pytest.approx(0)


def test_spread_of_points_over_the_true_one(rng):
    centres = np.array([[0.0, 0.0], [9.0, 0.0]])
    labels = rng.integers(2, size=200_000)
    noise = rng.standard_normal((200_000, 2))
    truncated = np.sqrt(1 - 4.5 * np.exp(-4.5) / (1 - np.exp(-4.5)))
    for std in (0.2, 0.05):
        points = centres[labels] + std * noise
        spread = point_spread(points, Modes(centres, 0.2))
        assert spread == pytest.approx(truncated if std == 0.2 else 0.25, rel=0.01)
    one = centres[:1] + 0.2 * noise
    assert point_spread(one, Modes(centres, 0.2)) == pytest.approx(truncated / 2, rel=0.01)
