"""Unsupervised GAN with the non-saturating generator loss (Goodfellow et al. 2014)."""

from torch import Tensor
from torch.nn.functional import softplus


class Objective:
    """D(x) = sigmoid(logit) is the probability that x is real.

    D: -E log D(x) - E log(1 - D(G(z))); G: -E log D(G(z)). With a mixture prior this is the
    unsupervised GM-GAN (Ben-Yosef and Weinshall 2018).
    """

    n_outputs = 1
    conditional = False

    def __init__(self, n_classes: int, n_components: int) -> None:
        pass

    def fake_classes(self, k: Tensor, y: Tensor) -> None:
        return None

    def discriminator_loss(
        self, real: Tensor, fake: Tensor, real_classes: Tensor, fake_classes: None
    ) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, fake: Tensor, fake_classes: None) -> Tensor:
        return softplus(-fake).mean()

    def realness(self, outputs: Tensor) -> Tensor:
        return outputs[:, 0].sigmoid()
