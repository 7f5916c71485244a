"""Checks of data sets and metrics."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from gmgan.config.data import PluginSource
from gmgan.config.evaluation import PluginMetric
from gmgan.conformance.require import entry_of, require
from gmgan.data.archives import Archives
from gmgan.data.splits import Splits, check_splits
from gmgan.evaluation.metric import plugin_score
from gmgan.evaluation.samples import Samples

IMAGE = (16, 16, 1)


def check_data_set(read: Callable[..., Splits], **fields: Any) -> None:
    """Shapes, types, labels; two calls give the same."""
    source = entry_of(PluginSource, "source", **fields)
    first, second = (read(source, Archives("results/archives")) for _ in range(2))
    for splits in (first, second):
        check_splits(splits, source.sample_shape, source.n_classes or 0)
    for name, array in vars(first).items():
        equal = np.array_equal(array, getattr(second, name))
        require(equal, f"reading twice gave other {name}; draw from a generator of a fixed seed")


def check_metric(
    score: Callable[..., Any],
    options: Any = None,
    sample_shape: Sequence[int] = IMAGE,
    title: str = "a metric",
    better: str | None = None,
) -> None:
    """A finite number, the same for the same samples, which stay as they are."""
    entry_of(PluginMetric, title=title, better=better)
    rng = np.random.default_rng(1)

    def drawn(count: int) -> Samples:
        if len(sample_shape) == 1:
            points = rng.standard_normal((count, 2), np.float32)
            return Samples(points, points)
        images = rng.integers(0, 256, (count, *sample_shape), np.uint8)
        features, logits = (rng.standard_normal((count, d), np.float32) for d in (32, 10))
        return Samples(images, features, logits)

    sides = drawn(200), drawn(300)
    before, values = copy.deepcopy(sides), []
    for seed in (1, 2):
        np.random.seed(seed)
        torch.manual_seed(seed)
        values.append(plugin_score("it", score, options or {}, *sides))
    text = f"equal samples gave {values[0]} and {values[1]}; fix its seed"
    require(values[0] == values[1], text)
    for side, kept in zip(sides, before, strict=True):
        for name, array in vars(kept).items():
            require(np.array_equal(getattr(side, name), array), f"it changes {name} in place")
