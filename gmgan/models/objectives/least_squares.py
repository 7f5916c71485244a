"""Least-squares GAN (Mao et al. 2017, equation 9: targets 1 for real, 0 for generated)."""

from torch import Tensor

from gmgan.models.objectives import base
from gmgan.models.step import Batch, StepDiscriminator


class Objective(base.Objective):
    """D: E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2; G: E (D(G(z)) - 1)^2 / 2."""

    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = D.pair(batch)
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        return (D(batch.fake, batch.fake_classes)[:, 0] - 1).square() / 2
