"""Prepare a data set: one file of arrays, its hash and its statistics beside it."""

from importlib import import_module

import numpy as np

from gmgan import data
from gmgan.artifacts import sha256_file, write_arrays, write_json
from gmgan.data.splits import Splits
from gmgan.stages.context import Archives, Context


def run(context: Context, dataset: str):
    """Write the prepared data that `dataset` uses."""
    source_name = context.source_of(dataset)
    source = context.params.datasets[source_name].source
    reader = import_module(data.MODULES[source.kind])
    splits: Splits = reader.read(source, Archives(context.paths.archives()))
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
