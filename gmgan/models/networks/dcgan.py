"""DCGAN networks (Radford, Metz and Chintala 2016) for square images."""

from torch import nn

from gmgan.errors import GmganError
from gmgan.models.convolution import Doubling, Halving

START_SIZES = (4, 5, 6, 7)


def doublings(size):
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


class ChannelsFirst(nn.Module):
    """N x H x W x C to N x C x H x W, without moving data where channels lie last in memory."""

    def forward(self, x):
        return x.permute(0, 3, 1, 2)


class ChannelsLast(nn.Module):
    """The inverse. Flattening N x C x H x W itself would cost a copy, and again in the gradient."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1)


def _channels(network, level):
    return min(network["base_channels"] * 2**level, network["max_channels"])


def generator(network, in_dim, sample_shape):
    """z (N x in_dim) to images (N x C x S x S) in [-1, 1]; each stage doubles the size."""
    channels, size, _ = sample_shape
    start, n = doublings(size)
    width = _channels(network, n - 1)
    layers = [
        nn.Linear(in_dim, width * start * start, bias=not network["batch_norm"]),
        nn.Unflatten(1, (start, start, width)),
        ChannelsFirst(),
        *_norm(network, width),
        nn.ReLU(inplace=True),
    ]
    for level in reversed(range(n)):
        out = _channels(network, level - 1) if level else channels
        last = level == 0
        layers.append(Doubling(width, out, bias=last or not network["batch_norm"]))
        layers += [nn.Tanh()] if last else [*_norm(network, out), nn.ReLU(inplace=True)]
        width = out
    return _initialised(nn.Sequential(*layers))


def discriminator(network, sample_shape, n_outputs):
    """Images (N x C x S x S) to logits (N x n_outputs); each stage halves the size."""
    channels, size, _ = sample_shape
    start, n = doublings(size)
    layers, width = [], channels
    for level in range(n):
        out = _channels(network, level)
        norm = _norm(network, out) if level else []
        layers += [
            Halving(width, out, bias=not norm),
            *norm,
            nn.LeakyReLU(0.2, inplace=True),
        ]
        width = out
    layers += [ChannelsLast(), nn.Flatten(), nn.Linear(width * start * start, n_outputs)]
    net = _initialised(nn.Sequential(*layers))
    net.batch_statistics = network["batch_norm"] and n > 1
    return net


def _norm(network, width):
    return [nn.BatchNorm2d(width)] if network["batch_norm"] else []


def _initialised(net):
    """Weights from N(0, 0.02^2), batch-norm scales from N(1, 0.02^2), as in the paper."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return net
