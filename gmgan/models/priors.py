"""Latent priors: p(z) = sum_k alpha_k N(z; mu_k, Sigma_k).

Every prior maps a component index and standard normal noise to z, so that gradients reach learned
parameters (re-parameterisation): z = mu_k + A_k eps with Sigma_k = A_k A_k^T. At sampling time
`sigma_scale` multiplies every Sigma_k, so the standard deviation grows by its square root.

A prior is a module with `n_components`, `dim`, and `forward(k, eps, sigma_scale)`. It may have
`weights` (a `Weights`; without it every alpha_k is 1/K), `noise_dim` (the first so many of `dim`
entries of eps that z depends on) and `loss()`, a scalar that is added to the generator's loss.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from gmgan.config.models import DynamicPrior, Latent, Mixture, NormalPrior, StaticPrior
from gmgan.errors import GmganError


class Weights(nn.Module):
    """The weights alpha_k = softmax(logits)_k of a mixture.

    A component is drawn, so no gradient reaches alpha through the sample. Learned weights use the
    score-function estimator (Williams 1992): grad E_k[L] = E_k[(L - b) grad log alpha_k], with the
    mean loss of the other samples as b. It is unbiased. The straight-through estimator is not: it
    extends the loss linearly from one component's mean to another's, between which there is no
    data.
    """

    logits: Tensor

    def __init__(self, weights: Tensor, learning_rate: float | None) -> None:
        super().__init__()
        self.learning_rate = learning_rate  # None: fixed
        if learning_rate is None:
            self.register_buffer("logits", weights.log())
        else:
            self.logits = nn.Parameter(weights.log())

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` components (LongTensor)."""
        shares = self.logits.detach().to(rng.device).softmax(0)
        return torch.multinomial(shares, count, True, generator=rng)

    def loss(self, k: Tensor, losses: Tensor) -> Tensor:
        """A scalar whose gradient is the score-function estimate for alpha.

        losses: the generator's, one for each sample (N); k: its component.
        """
        if losses.dim() != 1:
            raise GmganError(
                "learned weights need the generator's loss of each sample: let generator_loss "
                "return N numbers, not their mean"
            )
        values = losses.detach()
        advantages = (values - values.mean()) * len(values) / max(len(values) - 1, 1)
        return (advantages * self.logits.log_softmax(0)[k]).mean()


def draw_components(prior: nn.Module, count: int, rng: torch.Generator) -> Tensor:
    """`count` components (LongTensor) of a prior, by its weights or uniformly."""
    weights = getattr(prior, "weights", None)
    if isinstance(weights, Weights):
        return weights.draw(count, rng)
    n: Any = prior.n_components
    return torch.randint(n, (count,), generator=rng, device=rng.device)


class Normal(nn.Module):
    """One standard normal in R^dim: the plain GAN's prior, the mixture with K = 1."""

    n_components = 1

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, k: Tensor, eps: Tensor, sigma_scale: float = 1.0) -> Tensor:
        """z for components k (LongTensor, N; ignored) and noise eps (N x dim)."""
        return math.sqrt(sigma_scale) * eps if sigma_scale != 1.0 else eps


class StaticMixture(nn.Module):
    """Fixed mixture: mu_k ~ U[-c, c]^dim drawn once, Sigma_k = std^2 I.

    means: K x dim.
    """

    means: Tensor
    std: Tensor

    def __init__(self, means: Tensor, std: float, weights: Weights | None = None) -> None:
        super().__init__()
        self.n_components, self.dim = means.shape
        self.weights = weights
        self.register_buffer("means", means)
        self.register_buffer("std", torch.tensor(float(std)))

    def forward(self, k: Tensor, eps: Tensor, sigma_scale: float = 1.0) -> Tensor:
        """z (N x dim) for components k (LongTensor, N) and noise eps (N x dim)."""
        return self.means[k] + (math.sqrt(sigma_scale) * self.std) * eps


class OneHot(StaticMixture):
    """z = (std eps, one-hot k): a mixture whose means are unit vectors of K dimensions.

    Those dimensions have no noise, the other `noise_dim` have mean 0 (InfoGAN, ClusterGAN).
    """

    def __init__(
        self, n_components: int, noise_dim: int, std: float, weights: Weights | None = None
    ) -> None:
        means = torch.cat([torch.zeros(n_components, noise_dim), torch.eye(n_components)], 1)
        super().__init__(means, std, weights)
        self.noise_dim = noise_dim
        self.std = torch.cat([torch.full((noise_dim,), float(std)), torch.zeros(n_components)])


class DynamicMixture(nn.Module):
    """Learned mixture: mu_k and A_k are parameters, A_k starts at std * I.

    covariance: `full` (A_k dim x dim), `diagonal` (dim numbers per component) or `scalar`
    (one number per component).
    """

    def __init__(
        self,
        means: Tensor,
        std: float,
        covariance: str,
        weights: Weights | None = None,
        sigma_penalty: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_components, self.dim = means.shape
        self.covariance, self.sigma_penalty = covariance, sigma_penalty
        self.means = nn.Parameter(means.clone())
        start = {
            "full": lambda: torch.eye(self.dim).repeat(self.n_components, 1, 1),
            "diagonal": lambda: torch.ones(self.n_components, self.dim),
            "scalar": lambda: torch.ones(self.n_components, 1),
        }[covariance]()
        self.factors = nn.Parameter(float(std) * start)
        self.weights = weights

    def forward(self, k: Tensor, eps: Tensor, sigma_scale: float = 1.0) -> Tensor:
        """z (N x dim) for components k (LongTensor, N) and noise eps (N x dim)."""
        if self.covariance == "full":  # for all components at once: one product, not N small ones
            spread = (eps @ self.factors.flatten(0, 1).T).unflatten(1, (-1, self.dim))
            spread = spread[torch.arange(len(k), device=k.device), k]
        else:
            spread = self.factors[k] * eps
        return self.means[k] + (math.sqrt(sigma_scale) * spread if sigma_scale != 1.0 else spread)

    def loss(self) -> Tensor | None:
        """sigma_penalty * mean (1 - std)^2 (DeLiGAN, Gurumurthy et al. 2017)."""
        if not self.sigma_penalty:
            return None
        return self.sigma_penalty * (1 - self.factors).square().mean()


def standard_deviation(latent: Latent) -> float:
    """The standard deviation of a latent space: sigma, or its root if sigma is a variance."""
    return math.sqrt(latent.sigma) if latent.sigma_is == "variance" else latent.sigma


def build_prior(
    prior: NormalPrior | StaticPrior | DynamicPrior, latent: Latent, n_components: int, seed: int
) -> nn.Module:
    """The prior of a run; `seed` decides the means of a mixture."""
    if isinstance(prior, NormalPrior):
        return Normal(latent.dim)
    std, weights = standard_deviation(latent), _weights(prior, n_components)
    if prior.kind == "one-hot":
        return OneHot(n_components, latent.dim, std, weights)
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(n_components, latent.dim, generator=generator)
    means = latent.c * (2 * uniform - 1)
    if isinstance(prior, DynamicPrior):
        return DynamicMixture(means, std, prior.covariance, weights, prior.sigma_penalty)
    return StaticMixture(means, std, weights)


def _weights(prior: Mixture, n_components: int) -> Weights | None:
    if prior.weights == "uniform":
        return None
    if prior.weights == "learned":
        return Weights(torch.full((n_components,), 1 / n_components), prior.weights_learning_rate)
    given = torch.tensor(prior.weights)
    return Weights(given / given.sum(), None)
