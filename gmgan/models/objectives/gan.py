"""Unsupervised GAN with the non-saturating generator loss (Goodfellow et al. 2014)."""

from torch import Tensor
from torch.nn.functional import softplus

from gmgan.models.objectives import base
from gmgan.models.step import Batch, StepDiscriminator


class Objective(base.Objective):
    """D(x) = sigmoid(logit) is the probability that x is real.

    D: -E log D(x) - E log(1 - D(G(z))); G: -E log D(G(z)). With a mixture prior this is the
    unsupervised GM-GAN (Ben-Yosef and Weinshall 2018).
    """

    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = D.pair(batch)
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        return softplus(-D(batch.fake, batch.fake_classes)[:, 0])

    def realness(self, outputs: Tensor) -> Tensor:
        return self.source(outputs).sigmoid()
