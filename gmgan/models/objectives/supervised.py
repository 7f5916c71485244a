"""Supervised GM-GAN (Ben-Yosef and Weinshall 2018): N sigmoids, components mapped to classes."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from gmgan.errors import GmganError
from gmgan.models.objectives import base
from gmgan.models.step import Batch, StepDiscriminator


def component_class(k: Tensor, n_classes: int) -> Tensor:
    """f(k) = k mod N, the class of component k. Every class has a component if K >= N."""
    return k % n_classes


class Objective(base.Objective):
    """D(x)_i = sigmoid(logit i) is the probability that x is a REAL sample of class i.

    D: -E_x[log D(x)_y + sum_{m != y} log(1 - D(x)_m)] - E_z[sum_m log(1 - D(G(z))_m)].
    G: -E_z[log D(G(z))_f(k) + sum_{m != f(k)} log(1 - D(G(z))_m)]; that G's sum runs over the other
    classes too is our reading, the paper leaves it open.
    """

    def __init__(self, options: Any, n_classes: int, n_components: int) -> None:
        if n_components < n_classes:
            raise GmganError(
                f"supervised GM-GAN: K = {n_components} is below the number of classes"
                f" {n_classes}; every class needs at least one component"
            )
        self.n_outputs = self.n_classes = n_classes

    def fake_classes(self, k: Tensor, y: Tensor) -> Tensor:
        return component_class(k, self.n_classes)

    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = D.pair(batch)
        of_real = _sum_over_classes(real, self._targets(batch.real_classes, real)).mean()
        return of_real + _sum_over_classes(fake, torch.zeros_like(fake)).mean()

    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        fake = D(batch.fake, batch.fake_classes)
        return _sum_over_classes(fake, self._targets(batch.fake_classes, fake))

    def source(self, outputs: Tensor) -> Tensor:
        return outputs.amax(1)

    def realness(self, outputs: Tensor) -> Tensor:
        return self.source(outputs).sigmoid()

    def _targets(self, classes: Tensor | None, outputs: Tensor) -> Tensor:
        assert classes is not None  # `fake_classes` names one for every sample
        return one_hot(classes, self.n_classes).to(outputs.dtype)


def _sum_over_classes(outputs: Tensor, targets: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(outputs, targets, reduction="none").sum(1)
