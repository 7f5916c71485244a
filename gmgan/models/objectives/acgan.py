"""AC-GAN (Odena, Olah and Shlens 2017): conditional generator, auxiliary classifier."""

from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from gmgan.models.objectives import base
from gmgan.models.step import Batch, StepDiscriminator


class Objective(base.Objective):
    """Logit 0 is the source (real or generated), logits 1 to N are the auxiliary class head.

    D maximises L_S + L_C and G maximises L_C - L_S (equations 2 and 3 of the paper), here with the
    non-saturating form of G's part of L_S. L_C is computed on real and on generated samples. The
    head gives logits; cross_entropy applies the softmax.
    """

    conditional = True

    def __init__(self, options: Any, n_classes: int, n_components: int) -> None:
        self.n_outputs = 1 + n_classes

    def fake_classes(self, k: Tensor, y: Tensor) -> Tensor:
        return y

    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = D.pair(batch)
        source = softplus(-real[:, 0]).mean() + softplus(fake[:, 0]).mean()
        return source + _classes(real, batch.real_classes) + _classes(fake, batch.fake_classes)

    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        fake = D(batch.fake, batch.fake_classes)
        return softplus(-fake[:, 0]) + _classes(fake, batch.fake_classes, "none")

    def realness(self, outputs: Tensor) -> Tensor:
        return self.source(outputs).sigmoid()


def _classes(outputs: Tensor, classes: Tensor | None, reduction: str = "mean") -> Tensor:
    assert classes is not None  # `fake_classes` names one for every sample
    return cross_entropy(outputs[:, 1:], classes, reduction=reduction)
