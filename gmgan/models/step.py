"""What the losses of one training step see: a batch, and the discriminator."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """Real and generated samples of one step.

    real, fake: N x *shape, in [-1, 1] for images; real_classes (LongTensor): N, -1 if unlabelled;
    k, y (LongTensor): N components and N classes drawn for the generated samples; eps: the noise, N
    x dim, standard normal; z: what the prior makes of k and eps, N x dim; fake_classes: the classes
    that the generated samples should have, or None; rng: for draws of a loss or a penalty.

    `fake` is detached in a discriminator step and carries gradients to the generator and the prior
    in a generator step. In a discriminator step with a penalty, `real` and `fake` require
    gradients.
    """

    real: Tensor
    real_classes: Tensor
    fake: Tensor
    fake_classes: Tensor | None
    k: Tensor
    y: Tensor
    eps: Tensor
    z: Tensor
    rng: torch.Generator


@dataclass(frozen=True)
class _Seen:
    images: Tensor
    classes: Tensor | None
    features: Tensor | None
    outputs: Tensor


class StepDiscriminator:
    """The discriminator in one step of the training: `D(images)` gives its outputs, float32.

    Outputs of the same tensor are computed once. Classes reach networks with `takes_classes` only.

    network: the discriminator; source: of an objective; precision: the context that it runs in.
    """

    def __init__(
        self,
        network: Any,
        source: Callable[[Tensor], Tensor],
        precision: AbstractContextManager,
    ) -> None:
        self.network, self._source, self._precision = network, source, precision
        self._takes_classes = getattr(network, "takes_classes", False)
        self._seen: list[_Seen] = []

    def __call__(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        """Outputs (N x n_outputs) for N x *shape."""
        return self._look(images, classes).outputs

    def pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Outputs for the real and for the generated samples of a batch.

        They are computed in one pass unless an output depends on the rest of its batch.
        """
        sides = (batch.real, batch.real_classes), (batch.fake, batch.fake_classes)
        if not self.network.batch_statistics and not any(self._recall(*side) for side in sides):
            classes = None
            if self._takes_classes and batch.fake_classes is not None:
                classes = torch.cat([batch.real_classes, batch.fake_classes])
            features, outputs = self._run(torch.cat([batch.real, batch.fake]), classes)
            halves = [None, None] if features is None else features.split(len(batch.real))
            parts = zip(sides, halves, outputs.split(len(batch.real)), strict=True)
            self._seen += [_Seen(*side, half, output) for side, half, output in parts]
        real, fake = (self._look(*side).outputs for side in sides)
        return real, fake

    def features(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        """What the last layer of the discriminator sees (N x feature_dim)."""
        features = self._look(images, classes).features
        assert features is not None  # parts that need features refuse networks without them
        return features

    def source(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        """One number per sample (N), the larger the more real: what penalties are about."""
        return self._source(self(images, classes))

    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        """Outputs (float32) of another network, at the precision of the discriminator."""
        with self._precision:
            return network(images).float()

    def _look(self, images: Tensor, classes: Tensor | None) -> _Seen:
        seen = self._recall(images, classes)
        if seen is None:
            seen = _Seen(images, classes, *self._run(images, classes))
            self._seen.append(seen)
        return seen

    def _recall(self, images: Tensor, classes: Tensor | None) -> _Seen | None:
        for seen in self._seen:
            if seen.images is images and (seen.classes is classes or not self._takes_classes):
                return seen
        return None

    def _run(self, images: Tensor, classes: Tensor | None) -> tuple[Tensor | None, Tensor]:
        with self._precision:
            if self._takes_classes:
                return None, self.network(images, classes).float()
            if not hasattr(self.network, "features"):
                return None, self.network(images).float()
            features = self.network.features(images)
            return features.float(), self.network.head(features).float()
