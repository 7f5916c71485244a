"""DCGAN networks (Radford, Metz and Chintala 2016) for square images."""

from torch import Tensor, nn

from gmgan.config.models import DcganNetwork, Normalisation
from gmgan.errors import GmganError
from gmgan.models.networks.layers import Discriminator, normalise_spectrally

START_SIZES = (4, 5, 6, 7)


def doublings(size: int) -> tuple[int, int]:
    """(start, n) with size = start * 2^n, start in 4..7 and n >= 1, or GmganError."""
    start, n = size, 0
    while start > START_SIZES[-1] and start % 2 == 0:
        start, n = start // 2, n + 1
    if n == 0 or start not in START_SIZES:
        raise GmganError(
            f"no dcgan for images of {size} pixels: the size must be 4, 5, 6 or 7 "
            "times a power of two, such as 28, 32, 48, 64 or 96; set source.size"
        )
    return start, n


class Permute(nn.Module):
    """Permutes the dimensions of a tensor without copying it.

    Used before flattening, it keeps all layers in the memory format channels_last. Flattening
    N x C x H x W itself makes a training step 7 % (DCGAN) to 10 % (dcgan-small, 28 x 28) slower.
    """

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.order)


def generator(network: DcganNetwork, in_dim: int, sample_shape: tuple[int, ...]) -> nn.Module:
    """z (N x in_dim) to images (N x C x S x S) in [-1, 1]; each stage doubles the size."""
    channels, size, _ = sample_shape
    start, n = doublings(size)
    widths = _widths(network.base_channels, network.max_channels, n)
    norm = network.generator
    width = widths[-1]
    layers = [
        nn.Linear(in_dim, width * start * start, bias=not norm.batch_norm),
        nn.Unflatten(1, (start, start, width)),
        Permute(0, 3, 1, 2),
        *_norm(norm, width),
        nn.ReLU(inplace=True),
    ]
    for level in reversed(range(n)):
        out = widths[level - 1] if level else channels
        last = level == 0
        bias = last or not norm.batch_norm
        layers.append(nn.ConvTranspose2d(width, out, 4, 2, 1, bias=bias))
        layers += [nn.Tanh()] if last else [*_norm(norm, out), nn.ReLU(inplace=True)]
        width = out
    return _initialised(nn.Sequential(*layers), norm)


def discriminator(
    network: DcganNetwork, sample_shape: tuple[int, ...], n_outputs: int
) -> nn.Module:
    """Images (N x C x S x S) to logits (N x n_outputs); each stage halves the size."""
    channels, size, _ = sample_shape
    start, n = doublings(size)
    base = network.discriminator_channels or network.base_channels
    layers: list[nn.Module] = []
    width = channels
    for level, out in enumerate(_widths(base, network.max_channels, n)):
        norm = _norm(network.discriminator, out) if level else []
        layers += [
            nn.Conv2d(width, out, 4, 2, 1, bias=not norm),
            *norm,
            nn.LeakyReLU(0.2, inplace=True),
        ]
        width = out
    layers += [Permute(0, 2, 3, 1), nn.Flatten(), nn.Linear(width * start * start, n_outputs)]
    return _initialised(Discriminator(layers), network.discriminator)


def _widths(base: int, most: int, n: int) -> list[int]:
    """Channels of each level, from the full size downwards: doubled up to `most`."""
    return [min(base * 2**level, most) for level in range(n)]


def _norm(normalisation: Normalisation, width: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(width)] if normalisation.batch_norm else []


def _initialised(net: nn.Module, normalisation: Normalisation) -> nn.Module:
    """Weights from N(0, 0.02^2), batch-norm scales from N(1, 0.02^2), as in the paper."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    normalise_spectrally(net, normalisation)
    return net
