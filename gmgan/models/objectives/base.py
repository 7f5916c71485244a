"""What every objective has, with the values of an unsupervised GAN."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from gmgan.models.step import Batch, StepDiscriminator


class Objective(ABC):
    """The losses of generator and discriminator.

    n_outputs: outputs of the discriminator per sample; conditional: True if the generator is given
    a class as a one-hot vector beside z; fresh_fakes: True if the generator's step draws samples of
    its own, else it uses those of the last discriminator step.

    options: of the entry in params.yaml; n_classes: 0 for unlabelled data; n_components: K.
    """

    n_outputs = 1
    conditional = False
    fresh_fakes = False

    def __init__(self, options: Any, n_classes: int, n_components: int) -> None:
        self.options = options

    def fake_classes(self, k: Tensor, y: Tensor) -> Tensor | None:
        """The classes (N) that generated samples should have, or None.

        k, y (LongTensor): N components, and N classes drawn at random.
        """
        return None

    @abstractmethod
    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        """The loss of D: a scalar."""

    @abstractmethod
    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        """The loss of G for each generated sample (N), of which the mean is taken, or a scalar.

        Learned weights of a mixture need one for each sample.
        """

    def source(self, outputs: Tensor) -> Tensor:
        """One number per sample (N), the larger the more real D takes it to be.

        outputs: N x n_outputs.
        """
        return outputs[:, 0]

    def realness(self, outputs: Tensor) -> Tensor:
        """`source` as the training's history shows it: a probability where the loss defines one."""
        return self.source(outputs)
