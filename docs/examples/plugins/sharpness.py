"""How sharp images are."""

import numpy as np


def ratio(fake, real, power=1):
    """Mean brightness step between neighbouring pixels, generated over real; 1 is as sharp."""
    return step(fake.samples, power) / step(real.samples, power)


def step(images, power):
    """Mean of |difference|^power along rows and columns of uint8 N x H x W x C."""
    pixels = images.astype(np.float64)
    steps = [abs(np.diff(pixels, axis=axis)) ** power for axis in (1, 2)]
    return float(np.mean(steps[0]) + np.mean(steps[1]))
