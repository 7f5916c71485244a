"""Priors against closed forms: moments of each component, and where gradients go."""

import math

import numpy as np
import pytest
import torch

from gmgan.config.models import DynamicPrior, Latent, StaticPrior
from gmgan.models.priors import DynamicMixture, Normal, StaticMixture, build_prior

LATENT = Latent(dim=5, c=0.7, sigma=0.3)
STATIC = StaticPrior(kind="static")
N = 200_000


def draw(prior, k, sigma_scale=1.0):
    eps = torch.randn(N, prior.dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return prior(torch.full((N,), k), eps, sigma_scale).double().numpy()


def check_moments(z, mean, covariance):
    """Sample moments within 6 standard errors of the exact ones."""
    error = np.sqrt(np.diag(covariance) / len(z))
    assert np.all(np.abs(z.mean(0) - mean) < 6 * error)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) * 2 / len(z))
    assert np.all(np.abs(np.cov(z, rowvar=False) - covariance) < 6 * scale)


@pytest.mark.parametrize("s", [0.25, 1.0, 4.0])
def test_normal_prior_has_covariance_s(s):
    check_moments(draw(Normal(5), 0, s), np.zeros(5), s * np.eye(5))


@pytest.mark.parametrize("s", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("k", [0, 3])
def test_static_component_moments(k, s):
    prior = build_prior(STATIC, LATENT, 4, seed=2)
    check_moments(draw(prior, k, s), prior.means[k].numpy(), s * 0.3**2 * np.eye(5))


def test_sigma_as_variance_is_the_square_root():
    prior = build_prior(STATIC, LATENT.model_copy(update={"sigma_is": "variance"}), 4, seed=2)
    check_moments(draw(prior, 1), prior.means[1].numpy(), 0.3 * np.eye(5))


def test_static_means_are_uniform_in_the_cube():
    prior = build_prior(STATIC, LATENT.model_copy(update={"dim": 50}), 400, seed=3)
    means = prior.means.numpy()
    assert np.abs(means).max() <= 0.7
    # U[-c, c]: mean 0, variance c^2 / 3, fourth moment c^4 / 5; 20,000 values.
    assert abs(means.mean()) < 6 * 0.7 / math.sqrt(3 * means.size)
    spread = math.sqrt((0.7**4 / 5 - 0.7**4 / 9) / means.size)
    assert abs(np.mean(means**2) - 0.7**2 / 3) < 6 * spread


@pytest.mark.parametrize("covariance", ["full", "diagonal", "scalar"])
def test_dynamic_starts_as_the_static_prior(covariance):
    static = build_prior(STATIC, LATENT, 4, seed=2)
    dynamic = build_prior(DynamicPrior(kind="dynamic", covariance=covariance), LATENT, 4, seed=2)
    k = torch.arange(4)
    eps = torch.randn(4, 5, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(dynamic(k, eps), static(k, eps))


def test_dynamic_full_covariance_is_a_a_transposed():
    prior = DynamicMixture(torch.zeros(2, 3), 1.0, "full")
    factor = torch.tensor([[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [-1.0, 0.3, 0.7]])
    with torch.no_grad():
        prior.factors[1] = factor
        prior.means[1] = torch.tensor([1.0, -2.0, 0.5])
    exact = (factor @ factor.T).numpy()
    check_moments(draw(prior, 1, 2.0), np.array([1.0, -2.0, 0.5]), 2 * exact)


def test_dynamic_diagonal_and_scalar_covariances():
    diagonal = DynamicMixture(torch.zeros(1, 3), 1.0, "diagonal")
    scalar = DynamicMixture(torch.zeros(1, 3), 1.0, "scalar")
    with torch.no_grad():
        diagonal.factors[0] = torch.tensor([0.5, 1.0, 2.0])
        scalar.factors[0] = 0.4
    check_moments(draw(diagonal, 0), np.zeros(3), np.diag([0.25, 1.0, 4.0]))
    check_moments(draw(scalar, 0), np.zeros(3), 0.16 * np.eye(3))
    assert scalar.factors.numel() == 1
    assert diagonal.factors.numel() == 3


@pytest.mark.parametrize("covariance", ["full", "diagonal", "scalar"])
def test_gradients_reach_means_and_factors_of_the_used_component_only(covariance):
    prior = DynamicMixture(torch.zeros(3, 4), 0.5, covariance)
    prior(torch.tensor([1, 1]), torch.ones(2, 4)).sum().backward()
    # z = mu + A eps, summed over two samples and all coordinates: d/dmu = 2.
    assert torch.equal(prior.means.grad[1], torch.full((4,), 2.0))
    assert torch.all(prior.factors.grad[1] != 0)
    assert torch.all(prior.means.grad[[0, 2]] == 0)
    assert torch.all(prior.factors.grad[[0, 2]] == 0)


def test_static_and_normal_priors_have_nothing_to_learn():
    assert not list(StaticMixture(torch.zeros(3, 4), 0.5).parameters())
    assert not list(Normal(4).parameters())
    z = StaticMixture(torch.zeros(3, 4), 0.5)(torch.tensor([0]), torch.ones(1, 4))
    assert not z.requires_grad


def test_equal_seeds_give_equal_means_and_others_do_not():
    first, again = (build_prior(STATIC, LATENT, 4, seed=5) for _ in range(2))
    other = build_prior(STATIC, LATENT, 4, seed=6)
    assert torch.equal(first.means, again.means)
    assert not torch.equal(first.means, other.means)
