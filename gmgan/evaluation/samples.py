"""What a metric of the user's own is given."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """One side of a comparison: generated or real samples.

    samples (array): uint8 N x H x W x C images or float32 N x 2 points; features (array): float32
    N x d as the extractor gives them, for points the points themselves; logits (array or None):
    float32 N x classes of the extractor, None for points.
    """

    samples: np.ndarray
    features: np.ndarray
    logits: np.ndarray | None
