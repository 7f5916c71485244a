"""AC-GAN (Odena, Olah and Shlens 2017): conditional generator, auxiliary classifier."""

from torch import Tensor
from torch.nn.functional import cross_entropy, softplus


class Objective:
    """Logit 0 is the source (real or generated), logits 1 to N are the auxiliary class head.

    D maximises L_S + L_C and G maximises L_C - L_S (equations 2 and 3 of the paper), here with the
    non-saturating form of G's part of L_S. L_C is computed on real and on generated samples. The
    head gives logits; cross_entropy applies the softmax.
    """

    conditional = True

    def __init__(self, n_classes: int, n_components: int) -> None:
        self.n_outputs = 1 + n_classes

    def fake_classes(self, k: Tensor, y: Tensor) -> Tensor:
        return y

    def discriminator_loss(
        self, real: Tensor, fake: Tensor, real_classes: Tensor, fake_classes: Tensor
    ) -> Tensor:
        source = softplus(-real[:, 0]).mean() + softplus(fake[:, 0]).mean()
        classes = cross_entropy(real[:, 1:], real_classes) + cross_entropy(
            fake[:, 1:], fake_classes
        )
        return source + classes

    def generator_loss(self, fake: Tensor, fake_classes: Tensor) -> Tensor:
        return softplus(-fake[:, 0]).mean() + cross_entropy(fake[:, 1:], fake_classes)

    def realness(self, outputs: Tensor) -> Tensor:
        return outputs[:, 0].sigmoid()
