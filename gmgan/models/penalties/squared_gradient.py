"""R1 and R2 (Mescheder et al. 2018, equations 9 and 10)."""

from torch import Tensor

from gmgan.config.models import SquaredGradientPenalty
from gmgan.models.penalties.gradients import squared_gradients
from gmgan.models.step import Batch, StepDiscriminator


class Penalty:
    """gamma / 2 E ||grad D(x)||^2, over real samples for r1, over generated ones for r2."""

    def __init__(self, options: SquaredGradientPenalty) -> None:
        self.gamma, self.at_real = options.gamma, options.kind == "r1"

    def __call__(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        real, fake = (batch.real, batch.real_classes), (batch.fake, batch.fake_classes)
        return self.gamma / 2 * squared_gradients(D, *(real if self.at_real else fake)).mean()
