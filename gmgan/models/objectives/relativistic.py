"""Relativistic pairing loss (Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024)."""

from torch import Tensor
from torch.nn.functional import softplus

from gmgan.models.objectives import base
from gmgan.models.step import Batch, StepDiscriminator


class Objective(base.Objective):
    """D: E softplus(D(G(z)) - D(x)); G: E softplus(D(x) - D(G(z))), each x paired with one G(z)."""

    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = D.pair(batch)
        return softplus(fake - real).mean()

    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = D.pair(batch)
        return softplus(real - fake)[:, 0]
