"""gmgan: a reproducible benchmark of Gaussian-mixture GANs."""

__version__ = "0.1.0"
