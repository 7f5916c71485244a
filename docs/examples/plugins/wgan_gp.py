"""Wasserstein GAN with gradient penalty (Gulrajani et al. 2017), losses and penalty."""

import torch
from pydantic import BaseModel, PositiveFloat

from gmgan.models.objectives import base


class Objective(base.Objective):
    """D: E D(G(z)) - E D(x); G: -E D(G(z)), on samples of its own."""

    fresh_fakes = True

    def discriminator_loss(self, batch, D):
        real, fake = D.pair(batch)
        return fake.mean() - real.mean()

    def generator_loss(self, batch, D):
        return -D(batch.fake)[:, 0]


class Penalty:
    """weight E (|grad D(x)| - 1)^2 between pairs of real and generated samples."""

    class Options(BaseModel, extra="forbid"):
        weight: PositiveFloat = 10

    def __init__(self, options):
        self.weight = options.weight

    def __call__(self, batch, D):
        shape = (len(batch.real), *[1] * (batch.real.dim() - 1))
        u = torch.rand(shape, generator=batch.rng, device=batch.real.device)
        x = torch.lerp(batch.fake.detach(), batch.real.detach(), u).requires_grad_()
        (gradient,) = torch.autograd.grad(D.source(x).sum(), x, create_graph=True)
        return self.weight * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
