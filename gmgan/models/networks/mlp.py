"""Fully connected networks, for points and for small images."""

from math import prod
from typing import Any

from torch import nn

from gmgan.config.models import MlpNetwork

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
        if network.batch_norm:
            layers.append(nn.BatchNorm1d(out))
        layers.append(ACTIVATIONS[network.activation]())
        width = out
    layers.append(nn.Linear(width, prod(sample_shape)))
    if len(sample_shape) > 1:
        layers += [nn.Tanh(), nn.Unflatten(1, sample_shape)]
    return nn.Sequential(*layers)


def discriminator(network: MlpNetwork, sample_shape: tuple[int, ...], n_outputs: int) -> nn.Module:
    """Samples (N x *sample_shape) to logits (N x n_outputs); leaky ReLU, no batch statistics."""
    layers: list[nn.Module] = [nn.Flatten()]
    width = prod(sample_shape)
    for out in network.discriminator_widths:
        layers += [nn.Linear(width, out), nn.LeakyReLU(0.2, inplace=True)]
        width = out
    layers.append(nn.Linear(width, n_outputs))
    net: Any = nn.Sequential(*layers)
    net.batch_statistics = False
    return net
