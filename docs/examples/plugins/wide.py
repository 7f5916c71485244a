"""Fully connected networks of two equal layers; the discriminator is spectrally normalised."""

from math import prod

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class Wide:
    """Options: `width` of every hidden layer."""

    @staticmethod
    def generator(options, in_dim, sample_shape):
        """z (N x in_dim) to images (N x C x H x W) in [-1, 1]."""
        width, pixels = options["width"], prod(sample_shape)
        body = [nn.Linear(in_dim, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        head = [nn.Linear(width, pixels), nn.Tanh(), nn.Unflatten(1, sample_shape)]
        return nn.Sequential(*body, *head)

    @staticmethod
    def discriminator(options, sample_shape, n_outputs):
        """Images (N x C x H x W) to logits (N x n_outputs)."""
        width, pixels = options["width"], prod(sample_shape)
        net = nn.Sequential(
            nn.Flatten(),
            spectral_norm(nn.Linear(pixels, width)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Linear(width, width)),
            nn.LeakyReLU(0.2),
            nn.Linear(width, n_outputs),
        )
        net.batch_statistics = False
        return net
