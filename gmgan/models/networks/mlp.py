"""Fully connected networks, for points and for small images."""

from math import prod

from torch import nn

from gmgan.config.models import MlpNetwork
from gmgan.models.networks.layers import Discriminator, normalise_spectrally

ACTIVATIONS = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky-relu": lambda: nn.LeakyReLU(0.2, inplace=True),
}


def generator(network: MlpNetwork, in_dim: int, sample_shape: tuple[int, ...]) -> nn.Module:
    """z (N x in_dim) to samples (N x *sample_shape): linear output for points, tanh for images."""
    layers: list[nn.Module] = []
    width = in_dim
    for out in network.generator_widths:
        layers.append(nn.Linear(width, out))
        if network.generator.batch_norm:
            layers.append(nn.BatchNorm1d(out))
        layers.append(ACTIVATIONS[network.activation]())
        width = out
    layers.append(nn.Linear(width, prod(sample_shape)))
    if len(sample_shape) > 1:
        layers += [nn.Tanh(), nn.Unflatten(1, sample_shape)]
    net = nn.Sequential(*layers)
    normalise_spectrally(net, network.generator)
    return net


def discriminator(network: MlpNetwork, sample_shape: tuple[int, ...], n_outputs: int) -> nn.Module:
    """Samples (N x *sample_shape) to logits (N x n_outputs); leaky ReLU."""
    layers: list[nn.Module] = [nn.Flatten()]
    width = prod(sample_shape)
    for out in network.discriminator_widths:
        layers.append(nn.Linear(width, out))
        if network.discriminator.batch_norm:
            layers.append(nn.BatchNorm1d(out))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
        width = out
    layers.append(nn.Linear(width, n_outputs))
    net = Discriminator(layers)
    normalise_spectrally(net, network.discriminator)
    return net
