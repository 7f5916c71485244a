"""What the built-in networks share."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gmgan.config.models import Normalisation

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class Discriminator(nn.Sequential):
    """Layers in order; the last one is linear. `batch_statistics`: see gmgan/models/networks."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__(*layers)
        self.batch_statistics = any(isinstance(layer, BATCH_NORM) for layer in layers)
        self.feature_dim = self[-1].in_features

    def features(self, samples: Tensor) -> Tensor:
        """What the last layer sees (N x feature_dim)."""
        for layer in list(self)[:-1]:
            samples = layer(samples)
        return samples

    def head(self, features: Tensor) -> Tensor:
        """The outputs (N x n_outputs) for `features`."""
        return self[-1](features)


BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d)


def normalise_spectrally(net: nn.Module, normalisation: Normalisation) -> None:
    """Divide every weight by its largest singular value (Miyato et al. 2018), if so chosen."""
    if normalisation.spectral_norm:
        for layer in [each for each in net.modules() if isinstance(each, WEIGHTED)]:
            spectral_norm(layer)
