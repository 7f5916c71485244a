"""What a metric is given: generated samples and the real ones that they are compared with."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from gmgan.records import Snapshots

ROWS = ("samples", "features", "logits", "targets", "components")


@dataclass(frozen=True)
class Samples:
    """One side of a comparison: generated or real samples.

    samples (array): uint8 N x H x W x C images or float32 N x 2 points; features (array): float32
    N x d as the extractor gives them, for points the points themselves; logits (array or None):
    float32 N x classes of the extractor, None for points.

    None where there are none, or where the extractor does not know the data set's classes: targets
    (int64 N), the class that each sample is meant to have; components (int64 N), the component that
    it was drawn from. snapshots: samples on the way through training, on points.
    """

    samples: np.ndarray
    features: np.ndarray
    logits: np.ndarray | None = None
    targets: np.ndarray | None = None
    components: np.ndarray | None = None
    snapshots: Snapshots | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, rows: slice) -> Self:
        """The same with some of its samples."""
        arrays = {name: getattr(self, name) for name in ROWS}
        return replace(self, **{name: a[rows] for name, a in arrays.items() if a is not None})


def split(columns: np.ndarray, members: int) -> list[np.ndarray]:
    """The parts of `columns` (N x M d) that the members of an extractor gave: M arrays N x d."""
    return np.split(columns, members, axis=1)


def by_member(seen: Samples, members: int) -> list[Samples]:
    """The same samples as each member of an extractor sees them."""
    if seen.logits is None or members == 1:
        return [seen] * members
    pairs = zip(split(seen.features, members), split(seen.logits, members), strict=True)
    return [replace(seen, features=features, logits=logits) for features, logits in pairs]


class Modes(NamedTuple):
    """The mixture that 2-D points imitate: centres (M x 2) and the standard deviation of each."""

    centres: np.ndarray
    std: float


@dataclass(frozen=True, kw_only=True)
class Real(Samples):
    """Real samples to compare with, as one member of an extractor sees them.

    training (array): features of all real training samples, M x d. held_out_distances,
    noise_distances (array): distances of real held-out samples and of uniform noise to the nearest
    real training sample in feature space. modes: for points. extractor_id: with the data that the
    extractor was trained on; knows_classes: its classes are those of the data set. other_split:
    samples of the split that is not the reference, None where they are too few.
    """

    extractor: str
    extractor_hash: str
    extractor_id: str
    knows_classes: bool
    training: np.ndarray
    held_out_distances: np.ndarray
    noise_distances: np.ndarray
    modes: Modes | None = None
    other_split: "Real | None" = None

    def classes_of(self, seen: Samples) -> tuple[np.ndarray, int]:
        """Predicted classes (int64 N) and their number: nearest modes, or highest logits."""
        if self.modes is not None:
            return nearest_modes(seen.samples, self.modes.centres)[0], len(self.modes.centres)
        logits = logits_of(seen)
        return logits.argmax(1), logits.shape[1]


def logits_of(seen: Samples) -> np.ndarray:
    """The logits of images; raises TypeError for points, which have none."""
    if seen.logits is None:
        raise TypeError("points have no logits")
    return seen.logits


def nearest_modes(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of, and Euclidean distance to, the nearest centre: (N,), (N,) from N x 2 and M x 2."""
    distances = np.linalg.norm(points[:, None, :] - centres[None, :, :], axis=2)
    nearest = distances.argmin(1)
    return nearest, distances[np.arange(len(points)), nearest]
