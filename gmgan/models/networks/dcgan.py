"""DCGAN networks (Radford, Metz and Chintala 2016) for square images."""

from typing import Any

from torch import Tensor, nn

from gmgan.config.models import DcganNetwork
from gmgan.errors import GmganError

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


def _channels(network: DcganNetwork, level: int) -> int:
    return min(network.base_channels * 2**level, network.max_channels)


def generator(network: DcganNetwork, in_dim: int, sample_shape: tuple[int, ...]) -> nn.Module:
    """z (N x in_dim) to images (N x C x S x S) in [-1, 1]; each stage doubles the size."""
    channels, size, _ = sample_shape
    start, n = doublings(size)
    width = _channels(network, n - 1)
    layers = [
        nn.Linear(in_dim, width * start * start, bias=not network.batch_norm),
        nn.Unflatten(1, (start, start, width)),
        Permute(0, 3, 1, 2),
        *_norm(network, width),
        nn.ReLU(inplace=True),
    ]
    for level in reversed(range(n)):
        out = _channels(network, level - 1) if level else channels
        last = level == 0
        bias = last or not network.batch_norm
        layers.append(nn.ConvTranspose2d(width, out, 4, 2, 1, bias=bias))
        layers += [nn.Tanh()] if last else [*_norm(network, out), nn.ReLU(inplace=True)]
        width = out
    return _initialised(nn.Sequential(*layers))


def discriminator(
    network: DcganNetwork, sample_shape: tuple[int, ...], n_outputs: int
) -> nn.Module:
    """Images (N x C x S x S) to logits (N x n_outputs); each stage halves the size."""
    channels, size, _ = sample_shape
    start, n = doublings(size)
    layers: list[nn.Module] = []
    width = channels
    for level in range(n):
        out = _channels(network, level)
        norm = _norm(network, out) if level else []
        layers += [
            nn.Conv2d(width, out, 4, 2, 1, bias=not norm),
            *norm,
            nn.LeakyReLU(0.2, inplace=True),
        ]
        width = out
    layers += [Permute(0, 2, 3, 1), nn.Flatten(), nn.Linear(width * start * start, n_outputs)]
    net: Any = _initialised(nn.Sequential(*layers))
    net.batch_statistics = network.batch_norm and n > 1
    return net


def _norm(network: DcganNetwork, width: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(width)] if network.batch_norm else []


def _initialised(net: nn.Module) -> nn.Module:
    """Weights from N(0, 0.02^2), batch-norm scales from N(1, 0.02^2), as in the paper."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return net
