"""Latent priors: p(z) = sum_k N(z; mu_k, Sigma_k) / K.

Every prior maps a component index and standard normal noise to z, so that gradients reach learned
parameters (re-parameterisation): z = mu_k + A_k eps with Sigma_k = A_k A_k^T. At sampling time
`sigma_scale` multiplies every Sigma_k, so the standard deviation grows by its square root.
"""

import math

import torch
from torch import Tensor, nn

from gmgan.config.models import DynamicPrior, FixedPrior, Latent


class NormalPrior(nn.Module):
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

    def __init__(self, means: Tensor, std: float) -> None:
        super().__init__()
        self.n_components, self.dim = means.shape
        self.register_buffer("means", means)
        self.register_buffer("std", torch.tensor(float(std)))

    def forward(self, k: Tensor, eps: Tensor, sigma_scale: float = 1.0) -> Tensor:
        """z (N x dim) for components k (LongTensor, N) and noise eps (N x dim)."""
        return self.means[k] + (math.sqrt(sigma_scale) * self.std) * eps


class DynamicMixture(nn.Module):
    """Learned mixture: mu_k and A_k are parameters, A_k starts at std * I.

    covariance: `full` (A_k dim x dim), `diagonal` (dim numbers per component) or `scalar`
    (one number per component).
    """

    def __init__(self, means: Tensor, std: float, covariance: str) -> None:
        super().__init__()
        self.n_components, self.dim = means.shape
        self.covariance = covariance
        self.means = nn.Parameter(means.clone())
        start = {
            "full": lambda: torch.eye(self.dim).repeat(self.n_components, 1, 1),
            "diagonal": lambda: torch.ones(self.n_components, self.dim),
            "scalar": lambda: torch.ones(self.n_components, 1),
        }[covariance]()
        self.factors = nn.Parameter(float(std) * start)

    def forward(self, k: Tensor, eps: Tensor, sigma_scale: float = 1.0) -> Tensor:
        """z (N x dim) for components k (LongTensor, N) and noise eps (N x dim)."""
        if self.covariance == "full":  # for all components at once: one product, not N small ones
            spread = (eps @ self.factors.flatten(0, 1).T).unflatten(1, (-1, self.dim))
            spread = spread[torch.arange(len(k), device=k.device), k]
        else:
            spread = self.factors[k] * eps
        return self.means[k] + (math.sqrt(sigma_scale) * spread if sigma_scale != 1.0 else spread)


def standard_deviation(latent: Latent) -> float:
    """The standard deviation of a latent space: sigma, or its root if sigma is a variance."""
    return math.sqrt(latent.sigma) if latent.sigma_is == "variance" else latent.sigma


def build_prior(
    prior: FixedPrior | DynamicPrior, latent: Latent, n_components: int, seed: int
) -> nn.Module:
    """The prior of a run; `seed` decides the means of a mixture."""
    if prior.kind == "normal":
        return NormalPrior(latent.dim)
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(n_components, latent.dim, generator=generator)
    means = latent.c * (2 * uniform - 1)
    std = standard_deviation(latent)
    if isinstance(prior, DynamicPrior):
        return DynamicMixture(means, std, prior.covariance)
    return StaticMixture(means, std)
