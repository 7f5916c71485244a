"""What every reader returns."""

from dataclasses import dataclass

import numpy as np

from gmgan.errors import GmganError


@dataclass(frozen=True)
class Splits:
    """Training and test samples of a data set.

    train, test (array): uint8 N x H x W x C images, or float32 N x 2 points.
    train_labels, test_labels (array): int64 N, classes from 0; -1 where unlabelled.
    classes (list of str): names of the classes in order of their number; empty if unlabelled.
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: list

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
