"""A mixture whose means are different corners of the cube {-c, c}^dim."""

import math

import torch
from torch import nn

from gmgan.errors import GmganError
from gmgan.models.priors import standard_deviation


class Lattice(nn.Module):
    """means (Tensor): K x dim; every component has the covariance std^2 I."""

    def __init__(self, means, std):
        super().__init__()
        self.n_components, self.dim = means.shape
        self.register_buffer("means", means)
        self.std = std

    def forward(self, k, eps, sigma_scale=1.0):
        """z (N x dim) for components k (LongTensor, N) and noise eps (N x dim)."""
        return self.means[k] + math.sqrt(sigma_scale) * self.std * eps


def build(options, latent, n_components, seed):
    """Component k has k in binary as its first signs, the others are random."""
    bits = (n_components - 1).bit_length()
    if bits > latent.dim:
        raise GmganError(f"no {n_components} corners in {latent.dim} dimensions; raise dim")
    random = torch.Generator().manual_seed(seed)
    corners = torch.randint(2, (n_components, latent.dim), generator=random)
    corners[:, :bits] = torch.arange(n_components)[:, None] >> torch.arange(bits) & 1
    std = standard_deviation(latent)
    return Lattice(options["c"] * (2.0 * corners - 1), std)
