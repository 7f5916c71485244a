"""Toy data: equal mixtures of isotropic Gaussians in the plane, labelled by mode."""

import numpy as np

from gmgan.data.splits import Splits
from gmgan.seeds import derive_seed


def read(source, archives=None) -> Splits:
    """Draw the points of a ring or a grid; the same source always gives the same points."""
    centres = np.array(source.centres)

    def draw(split, count):
        rng = np.random.default_rng(derive_seed("points", split, source.kind, len(centres)))
        labels = rng.integers(len(centres), size=count)
        points = centres[labels] + source.std * rng.standard_normal((count, 2))
        return points.astype(np.float32), labels

    train, train_labels = draw("train", source.n_train)
    test, test_labels = draw("test", source.n_test)
    names = [f"mode {i}" for i in range(len(centres))]
    return Splits(train, train_labels, test, test_labels, names)
