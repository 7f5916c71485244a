"""Supervised GM-GAN (Ben-Yosef and Weinshall 2018): N sigmoids, components mapped to classes."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from gmgan.errors import GmganError


def component_class(k: Tensor, n_classes: int) -> Tensor:
    """f(k) = k mod N, the class of component k. Every class has a component if K >= N."""
    return k % n_classes


class Objective:
    """D(x)_i = sigmoid(logit i) is the probability that x is a REAL sample of class i.

    D: -E_x[log D(x)_y + sum_{m != y} log(1 - D(x)_m)] - E_z[sum_m log(1 - D(G(z))_m)].
    G: -E_z[log D(G(z))_f(k) + sum_{m != f(k)} log(1 - D(G(z))_m)]; that G's sum runs over the other
    classes too is our reading, the paper leaves it open.
    """

    conditional = False

    def __init__(self, n_classes: int, n_components: int) -> None:
        if n_components < n_classes:
            raise GmganError(
                f"supervised GM-GAN: K = {n_components} is below the number of classes"
                f" {n_classes}; every class needs at least one component"
            )
        self.n_outputs = self.n_classes = n_classes

    def fake_classes(self, k: Tensor, y: Tensor) -> Tensor:
        return component_class(k, self.n_classes)

    def discriminator_loss(
        self, real: Tensor, fake: Tensor, real_classes: Tensor, fake_classes: Tensor
    ) -> Tensor:
        return self._matches(real, real_classes) + _sum_over_classes(fake, torch.zeros_like(fake))

    def generator_loss(self, fake: Tensor, fake_classes: Tensor) -> Tensor:
        return self._matches(fake, fake_classes)

    def realness(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid().amax(1)

    def _matches(self, outputs: Tensor, classes: Tensor) -> Tensor:
        return _sum_over_classes(outputs, one_hot(classes, self.n_classes).to(outputs.dtype))


def _sum_over_classes(outputs: Tensor, targets: Tensor) -> Tensor:
    losses = binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return losses.sum(1).mean()
