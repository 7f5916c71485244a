"""Scores against closed forms and independent implementations."""

import numpy as np
import pytest
import scipy.linalg
from conftest import seen
from scipy import stats

from gmgan.errors import GmganError
from gmgan.evaluation import fidelity
from gmgan.evaluation.frechet import fid, frechet_distance, moments
from gmgan.evaluation.modes import first_reach, mean_over_time, mode_scores
from gmgan.evaluation.reference import choose_reference
from gmgan.evaluation.samples import Modes
from gmgan.records import ConvergencePoint
from gmgan.report.statistics import mean_interval


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def spd(rng, d):
    factor = rng.standard_normal((d, d))
    return factor @ factor.T


def test_frechet_distance_of_commuting_gaussians(rng):
    a, b = rng.uniform(0.1, 2, 6), rng.uniform(0.1, 2, 6)
    basis = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    shift = rng.standard_normal(6)
    exact = shift @ shift + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    distance = frechet_distance(shift, basis * a @ basis.T, np.zeros(6), basis * b @ basis.T)
    assert distance == pytest.approx(exact, rel=1e-10)


def test_frechet_distance_against_a_general_matrix_root(rng):
    mean_1, mean_2 = rng.standard_normal((2, 8))
    cov_1, cov_2 = spd(rng, 8), spd(rng, 8)
    root = scipy.linalg.sqrtm(cov_1 @ cov_2)
    exact = np.sum((mean_1 - mean_2) ** 2) + np.trace(cov_1 + cov_2 - 2 * np.real(root))
    assert frechet_distance(mean_1, cov_1, mean_2, cov_2) == pytest.approx(exact, rel=1e-9)


def test_frechet_distance_to_itself_is_zero_even_if_singular(rng):
    features = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 10))
    assert frechet_distance(*moments(features), *moments(features)) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_refuses_too_few_samples(rng):
    with pytest.raises(GmganError, match="needs more than 64 samples, got 64"):
        moments(rng.standard_normal((64, 64)))


def test_fid_agrees_with_torch_fidelity(rng):
    import torch

    from gmgan.runtime.torch_setup import allow_torchvision_without_ops

    allow_torchvision_without_ops()
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    fake, real = rng.gamma(2, 1, (900, 64)), rng.gamma(2.2, 1, (800, 64))
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(torch.from_numpy(fake)),
        fid_features_to_statistics(torch.from_numpy(real)),
        verbose=False,
    )
    ours = fid(seen(fake), seen(real))
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-9)


def test_inception_score_of_certain_and_of_uniform_predictions():
    certain = np.full((200, 10), -100.0)
    certain[np.arange(200), np.arange(200) % 10] = 100.0
    assert fidelity.inception_score(seen(None, certain), None, 1) == pytest.approx(10)
    uniform = np.zeros((200, 10))
    assert fidelity.inception_score(seen(None, uniform), None, 1) == pytest.approx(1)
    with pytest.raises(GmganError, match="at least 10 samples, got 9"):
        fidelity.inception_score(seen(None, uniform[:9]), None, 10)


@pytest.mark.parametrize(
    ("n", "parts"), [(70, 1), (1999, 1), (2000, 2), (10_000, 10), (50_000, 10)]
)
def test_parts_of_the_inception_score_have_a_thousand_samples(rng, n, parts):
    logits = seen(None, rng.standard_normal((n, 4)).astype(np.float32))
    assert fidelity.inception_score(logits, None, None) == fidelity.inception_score(
        logits, None, parts
    )


def test_kid_against_the_formula(rng):
    fake, real = rng.standard_normal((60, 5)), rng.standard_normal((60, 5)) + 0.5

    def kernel(a, b):
        return (a @ b.T / 5 + 1) ** 3

    n = 60
    within = sum(
        (kernel(x, x).sum() - np.trace(kernel(x, x))) / (n * (n - 1)) for x in (fake, real)
    )
    exact = within - 2 * kernel(fake, real).mean()
    sides = seen(fake.astype(np.float32)), seen(real.astype(np.float32))
    assert fidelity.kid(*sides, 2, 60)[0] == pytest.approx(exact, rel=1e-5)
    with pytest.raises(GmganError, match="subsets of 61"):
        fidelity.kid(*sides, 2, 61)


def test_mode_scores_by_hand():
    centres = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    points = np.array([[0.29, 0.0], [0.31, 0.0], [1.0, 0.1], [5.0, 5.0]])
    assert mode_scores(points, Modes(centres, 0.1)) == {
        "modes_captured": 2.0,
        "high_quality_share": 0.5,
    }


def test_real_points_have_the_exact_high_quality_share(rng):
    centres = np.array([[0.0, 0.0], [9.0, 0.0]])
    points = centres[rng.integers(2, size=100_000)] + 0.2 * rng.standard_normal((100_000, 2))
    scores = mode_scores(points, Modes(centres, 0.2))
    assert scores["modes_captured"] == 2
    assert scores["high_quality_share"] == pytest.approx(1 - np.exp(-4.5), abs=0.002)


@pytest.mark.parametrize(
    ("total", "n_real", "n_fake", "floor"),
    [
        (1000, 300, 400, (300, 400)),
        (1000, 900, 400, (500, 400)),
        (1000, 1000, 1000, (500, 500)),
        (10, 2, 20, (2, 5)),
    ],
)
def test_reference_and_floor(total, n_real, n_fake, floor):
    reference = choose_reference(total, n_real, n_fake, seed=1)
    fake, real = reference.floor(reference.order)
    assert (len(real), len(fake)) == floor
    assert not set(fake) & set(real)
    assert len(reference.reference(reference.order)) == n_real
    assert len(set(reference.order)) == len(reference.order)


def test_reference_refuses_a_small_split():
    with pytest.raises(GmganError, match="n_real is 11, but the split has only 10"):
        choose_reference(10, 11, 5, seed=1)


def test_interval_equals_scipy(rng):
    values = rng.standard_normal(7)
    low, high = stats.t.interval(0.95, 6, values.mean(), stats.sem(values))
    mean, half = mean_interval(values)
    assert mean == pytest.approx((low + high) / 2)
    assert half == pytest.approx((high - low) / 2)
    assert mean_interval([3.0]) == (3.0, None)
    assert mean_interval([]) == (None, None)


def test_interval_covers_the_mean_95_times_in_100(rng):
    covered = 0
    for _ in range(2000):
        mean, half = mean_interval(rng.standard_normal(4))
        covered += abs(mean) <= half
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


def test_time_to_a_level_and_mean_over_time():
    times = np.array([0.0, 10.0, 20.0, 40.0])

    def curve(captured):
        return [
            ConvergencePoint(kimg=kimg, modes_captured=modes, high_quality_share=0.0)
            for kimg, modes in zip(times, captured, strict=True)
        ]

    assert first_reach(curve([1, 7, 8, 6]), 8) == 20.0  # 95 % of 8 is 7.6
    assert first_reach(curve([1, 2, 3, 4]), 8) is None
    assert mean_over_time(times, [2, 2, 2, 2]) == 2
    assert mean_over_time([0, 10, 40], [0, 1, 1]) == pytest.approx((5 + 30) / 40)


def test_fid_of_fewer_samples_than_dimensions_only_where_allowed():
    rng = np.random.default_rng(0)
    few, many = rng.standard_normal((8, 16)), rng.standard_normal((400, 16))
    with pytest.raises(GmganError, match="needs more than 16 samples, got 8"):
        fid(seen(few), seen(many))
    (mean_1, cov_1), (mean_2, cov_2) = moments(few, singular=True), moments(many)
    values = scipy.linalg.eigvals(cov_1 @ cov_2).real  # root of a product by its eigenvalues
    cross = np.sqrt(np.clip(values, 0, None)).sum()
    exact = np.sum((mean_1 - mean_2) ** 2) + np.trace(cov_1 + cov_2) - 2 * cross
    assert fid(seen(few), seen(many), singular=True) == pytest.approx(exact, rel=1e-6)
