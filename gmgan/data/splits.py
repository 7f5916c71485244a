"""What every reader returns."""

from dataclasses import dataclass

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

    def __post_init__(self):
        for split in ("train", "test"):
            samples, labels = getattr(self, split), getattr(self, f"{split}_labels")
            if len(samples) == 0:
                raise GmganError(f"the {split} split is empty")
            if len(samples) != len(labels):
                raise GmganError(
                    f"the {split} split has {len(samples)} samples and {len(labels)} labels"
                )
            low = 0 if self.classes else -1
            if labels.min() < low or labels.max() >= max(len(self.classes), 0):
                raise GmganError(
                    f"the {split} split has labels from {labels.min()} to "
                    f"{labels.max()}, outside 0 to {len(self.classes) - 1}"
                )


def check_splits(splits, sample_shape, n_classes):
    """Raise GmganError if a reader gave something else than its source declares.

    sample_shape (tuple): (H, W, C) or (2,); n_classes (int): 0 for unlabelled data.
    """
    if not isinstance(splits, Splits):
        raise GmganError(f"the reader gave {type(splits).__name__}, not gmgan.data.splits.Splits")
    dtype = np.uint8 if len(sample_shape) == 3 else np.float32
    for split in ("train", "test"):
        samples, labels = getattr(splits, split), getattr(splits, f"{split}_labels")
        found = samples.dtype, samples.shape[1:]
        if found != (dtype, sample_shape):
            raise GmganError(
                f"the {split} split is {found[0]} {list(found[1])} per sample, "
                f"expected {np.dtype(dtype)} {list(sample_shape)}"
            )
        if labels.dtype != np.int64:
            raise GmganError(f"the {split} labels are {labels.dtype}, expected int64")
        if not np.isfinite(samples).all():
            raise GmganError(f"the {split} split holds values that are not finite")
    if len(splits.classes) != n_classes:
        raise GmganError(f"the reader names {len(splits.classes)} classes, expected {n_classes}")
