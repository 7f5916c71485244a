"""Wasserstein GAN (Arjovsky et al. 2017). Keep D Lipschitz by a penalty or spectral norm."""

from torch import Tensor

from gmgan.models.objectives import base
from gmgan.models.step import Batch, StepDiscriminator


class Objective(base.Objective):
    """D: E D(G(z)) - E D(x); G: -E D(G(z)), on samples of its own as in WGAN-GP's algorithm 1."""

    fresh_fakes = True

    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = D.pair(batch)
        return fake.mean() - real.mean()

    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        return -D(batch.fake, batch.fake_classes)[:, 0]
