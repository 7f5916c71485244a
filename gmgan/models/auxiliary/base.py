"""What every auxiliary network has, and what it is told when it is made."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gmgan.models.step import Batch, StepDiscriminator


@dataclass(frozen=True)
class Parts:
    """The rest of a model.

    n_components, dim, noise_dim: of the prior; n_classes: 0 for unlabelled data; feature_dim: of
    the discriminator's features, None if it has none; network: makes an untrained network with the
    layers of the discriminator and so many outputs.
    """

    n_components: int
    dim: int
    noise_dim: int
    n_classes: int
    feature_dim: int | None
    network: Callable[[int], nn.Module]

    @classmethod
    def of(
        cls, prior: Any, discriminator: Any, n_classes: int, network: Callable[[int], nn.Module]
    ) -> "Parts":
        """The parts of a model with this prior and this discriminator."""
        return cls(
            n_components=prior.n_components,
            dim=prior.dim,
            noise_dim=getattr(prior, "noise_dim", prior.dim),
            n_classes=n_classes,
            feature_dim=getattr(discriminator, "feature_dim", None),
            network=network,
        )


class Auxiliary(nn.Module, ABC):
    """A network with losses of its own. It is trained by the optimizer of the generator.

    It is made by `Auxiliary(options, parts)`, where options is the entry in params.yaml, or the
    `options` of one of the user's own.
    """

    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor | None:
        """What is added to the loss of D: a scalar, or None."""
        return None

    @abstractmethod
    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        """What is added to the loss of G: a scalar. Its gradients train this network, too."""
