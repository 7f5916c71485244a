"""Toy data: equal mixtures of isotropic Gaussians in the plane, labelled by mode."""

from math import cos, pi, sin

import numpy as np

from gmgan.config.data import GridSource, PluginSource, RingSource, Source
from gmgan.data.splits import Splits
from gmgan.seeds import derive_seed


def centres(source: Source) -> np.ndarray:
    """Centres of the modes, M x 2: on a circle, on a grid row by row, or as the source says."""
    if isinstance(source, RingSource):
        angles = [2 * pi * i / source.modes for i in range(source.modes)]
        return np.array([(source.radius * cos(a), source.radius * sin(a)) for a in angles])
    if isinstance(source, GridSource):
        offsets = [(i - (source.side - 1) / 2) * source.spacing for i in range(source.side)]
        return np.array([(x, y) for y in offsets for x in offsets])
    if isinstance(source, PluginSource) and source.centres:
        return np.array(source.centres)
    raise TypeError(f"a source of kind {source.kind} has no modes")


def read(source: RingSource | GridSource, archives: object = None) -> Splits:
    """Draw the points of a ring or a grid; the same source always gives the same points."""
    modes = centres(source)

    def draw(split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(derive_seed("points", split, source.kind, len(modes)))
        labels = rng.integers(len(modes), size=count)
        points = modes[labels] + source.std * rng.standard_normal((count, 2))
        return points.astype(np.float32), labels

    train, train_labels = draw("train", source.n_train)
    test, test_labels = draw("test", source.n_test)
    names = [f"mode {i}" for i in range(len(modes))]
    return Splits(train, train_labels, test, test_labels, names)
