"""Prepare a data set: one file of arrays, its hash and its statistics beside it."""

import numpy as np

from gmgan import data, plugins
from gmgan.data.splits import check_splits
from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import sha256_file, write_arrays, write_json
from gmgan.stages.context import Archives, Context


def run(context: Context, dataset: str):
    """Write the prepared data that `dataset` uses.

    Raises GmganError if the reader gives another shape or number of classes than `source` declares.
    """
    source_name = context.source_of(dataset)
    source = context.params.datasets[source_name].source
    read = plugins.load(source.kind, data.READERS)
    splits = read(source, Archives(context.paths.archives()))
    # A plug-in's kind is any module:attribute, so mypy does not see that "images" is ImagesSource.
    counted = source.kind == "images" and source.classes is None  # type: ignore[union-attr]
    n_classes = len(splits.classes) if counted else source.n_classes or 0
    try:
        check_splits(splits, source.sample_shape, n_classes)
    except GmganError as error:
        raise GmganError(f"datasets.{source_name}.source, {source.kind}: {error}") from error
    path = context.paths.data(source_name)
    stamp = context.stamp(context.expected.data(source_name))
    write_arrays(
        path,
        {
            "train": splits.train,
            "train_labels": splits.train_labels,
            "test": splits.test,
            "test_labels": splits.test_labels,
        },
        {"fingerprint": stamp["fingerprint"]},
    )
    write_json(
        context.paths.data_about(source_name),
        {
            **stamp,
            "source": source.model_dump(),
            "sha256": sha256_file(path),
            "classes": splits.classes,
            "sample_shape": splits.train.shape[1:],
            "train": _describe(splits.train, splits.train_labels, splits.classes),
            "test": _describe(splits.test, splits.test_labels, splits.classes),
        },
    )


def _describe(samples, labels, classes):
    channels = tuple(range(samples.ndim - 1))
    return {
        "count": len(samples),
        "per_class": np.bincount(labels[labels >= 0], minlength=len(classes)).tolist(),
        "mean": samples.mean(channels, dtype=np.float64).tolist(),
        "std": samples.std(channels, dtype=np.float64).tolist(),
    }
