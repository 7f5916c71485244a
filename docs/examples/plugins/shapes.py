"""Discs, squares and triangles, drawn as 16 x 16 grey images."""

import numpy as np

from gmgan.data.splits import Splits
from gmgan.seeds import derive_seed

CLASSES = ["disc", "square", "triangle"]


def read(source, archives) -> Splits:
    """n_train and n_test images, as the options say; the same source gives the same images."""
    parts = []
    for split in ("train", "test"):
        rng = np.random.default_rng(derive_seed("shapes", split))
        labels = rng.integers(len(CLASSES), size=source.options[f"n_{split}"])
        parts += [np.stack([draw(CLASSES[label], rng) for label in labels]), labels]
    return Splits(*parts, CLASSES)


def draw(shape, rng):
    """One white shape of random size and place with soft edges: uint8 16 x 16 x 1."""
    radius = rng.uniform(3, 5)
    y, x = np.mgrid[:16, :16] - rng.uniform(6, 9, size=(2, 1, 1))
    distance = {
        "disc": np.hypot(x, y),
        "square": np.maximum(abs(x), abs(y)),
        "triangle": np.maximum(y, 2 * abs(x) - y),
    }[shape]
    inside = np.clip(radius - distance + 0.5, 0, 1)
    return np.rint(255 * inside).astype(np.uint8)[:, :, None]
