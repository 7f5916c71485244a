"""What every reader returns."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gmgan.errors import GmganError
from gmgan.records import Record


@dataclass(frozen=True)
class Splits(Record):
    """Training and test samples of a data set.

    train, test (array): uint8 N x H x W x C images, or float32 N x 2 points.
    train_labels, test_labels (array): int64 N, classes from 0; -1 where unlabelled.
    classes (list of str): names of the classes in order of their number; empty if unlabelled.
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: list[str]

    def __post_init__(self) -> None:
        n_classes = len(self.classes)
        for split, samples, labels in self.parts():
            if len(samples) == 0:
                raise GmganError(f"the {split} split is empty")
            if len(samples) != len(labels):
                counts = f"{len(samples)} samples and {len(labels)} labels"
                raise GmganError(f"the {split} split has {counts}")
            if labels.min() < (0 if n_classes else -1) or labels.max() >= n_classes:
                outside = f"from {labels.min()} to {labels.max()}, outside 0 to {n_classes - 1}"
                raise GmganError(f"the {split} split has labels {outside}")

    def parts(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """(name, samples, labels) of both splits."""
        return [("train", self.train, self.train_labels), ("test", self.test, self.test_labels)]


def check_splits(splits: Any, sample_shape: tuple[int, ...], n_classes: int) -> None:
    """Raise GmganError if a reader gave something else than its source declares.

    sample_shape: (H, W, C) or (2,); n_classes: 0 for unlabelled data.
    """
    if not isinstance(splits, Splits):
        raise GmganError(f"the reader gave {type(splits).__name__}, not gmgan.data.splits.Splits")
    dtype = np.dtype(np.uint8 if len(sample_shape) == 3 else np.float32)
    for split, samples, labels in splits.parts():
        shape = samples.shape[1:]
        if (samples.dtype, shape) != (dtype, sample_shape):
            expected = f"expected {dtype} {list(sample_shape)}"
            raise GmganError(
                f"the {split} split is {samples.dtype} {list(shape)} per sample, {expected}"
            )
        if labels.dtype != np.int64:
            raise GmganError(f"the {split} labels are {labels.dtype}, expected int64")
        if not np.isfinite(samples).all():
            raise GmganError(f"the {split} split holds values that are not finite")
    if len(splits.classes) != n_classes:
        raise GmganError(f"the reader names {len(splits.classes)} classes, expected {n_classes}")
