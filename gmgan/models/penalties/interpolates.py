"""Gradient penalty on interpolates (WGAN-GP, Gulrajani et al. 2017, equation 3)."""

import torch
from torch import Tensor

from gmgan.config.models import InterpolatePenalty
from gmgan.models.penalties.gradients import squared_gradients
from gmgan.models.step import Batch, StepDiscriminator

TINY = 1e-12  # keeps the gradient of the root finite


class Penalty:
    """weight E (||grad D(x)|| - 1)^2 at x = u real + (1 - u) generated, one u ~ U[0, 1] a pair."""

    def __init__(self, options: InterpolatePenalty) -> None:
        self.weight = options.weight

    def __call__(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = batch.real.detach(), batch.fake.detach()
        shape = (len(real), *[1] * (real.dim() - 1))
        u = torch.rand(shape, generator=batch.rng, device=real.device)
        mixed = (u * real + (1 - u) * fake).requires_grad_()
        norms = (squared_gradients(D, mixed, batch.real_classes) + TINY).sqrt()
        return self.weight * (norms - 1).square().mean()
