"""Prepare a data set: its arrays, and a description with counts and statistics."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gmgan import data, plugins
from gmgan.config.data import ImagesSource
from gmgan.config.settings import PrepareSettings
from gmgan.data.archives import Archives
from gmgan.data.splits import Splits, check_splits
from gmgan.data.thinning import thin
from gmgan.errors import GmganError
from gmgan.records import DataDescription, SplitStatistics


@dataclass(frozen=True)
class Prepared:
    """The outputs of the stage."""

    data: Splits
    description: DataDescription


def prepare(settings: PrepareSettings, archives: Archives) -> Prepared:
    """Read a data set, and leave out samples of its thinned classes.

    Raises GmganError if the reader gives another shape or number of classes than the source
    declares, or if a thinned class does not exist.
    """
    source = settings.source
    splits = plugins.load(source.kind, data.READERS)(source, archives)
    counted = isinstance(source, ImagesSource) and source.classes is None
    n_classes = len(splits.classes) if counted else source.n_classes or 0
    try:
        check_splits(splits, source.sample_shape, n_classes)
    except GmganError as error:
        raise GmganError(f"source {source.kind}: {error}") from error
    if settings.class_shares:
        splits = thin(splits, settings.class_shares)
    description = DataDescription(
        source=source.model_dump(mode="json"),
        sha256="",  # of the file, which the runner writes
        classes=splits.classes,
        sample_shape=list(splits.train.shape[1:]),
        train=_statistics(splits.train, splits.train_labels, len(splits.classes)),
        test=_statistics(splits.test, splits.test_labels, len(splits.classes)),
    )
    return Prepared(splits, description)


def _statistics(samples: np.ndarray, labels: np.ndarray, n_classes: int) -> SplitStatistics:
    axes: Any = tuple(range(samples.ndim - 1))
    return SplitStatistics(
        count=len(samples),
        per_class=np.bincount(labels[labels >= 0], minlength=n_classes).tolist(),
        mean=samples.mean(axes, dtype=np.float64).tolist(),
        std=samples.std(axes, dtype=np.float64).tolist(),
    )
