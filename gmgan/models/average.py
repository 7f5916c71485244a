"""Moving averages of weights that samples are drawn from."""

from dataclasses import dataclass

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


@dataclass(frozen=True)
class Average:
    """An exponential moving average, with torch's AveragedModel.

    Its half-life is `half_life_kimg`, but at most `warm_up` times the thousands of images shown so
    far (StyleGAN2, Karras et al. 2020). Buffers, such as statistics of batch norm, are the last
    ones.
    """

    half_life_kimg: float
    warm_up: float

    def of(self, module: nn.Module) -> AveragedModel:
        """The average of `module`, so far equal to it."""
        return AveragedModel(module)

    def update(self, average: AveragedModel, module: nn.Module, kimg: float, shown: float) -> None:
        """Take the weights of `module` into its average.

        kimg: thousands of images shown so far; shown: of these, since the last update.
        """
        half_life = min(self.half_life_kimg, self.warm_up * kimg)
        average.multi_avg_fn = get_ema_multi_avg_fn(0.5 ** (shown / half_life))
        average.update_parameters(module)
