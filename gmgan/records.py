"""The content of every stored file, as typed records: what the stages hand to each other.

Arrays are stored as safetensors, everything else as JSON. Which file holds which record stands in
gmgan/pipeline/stages.py. This module declares fields and computes nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
from pydantic import ConfigDict


class Record:
    """Base of the records; pydantic checks their fields when a file is read."""

    __pydantic_config__: ClassVar = ConfigDict(arbitrary_types_allowed=True)


K = TypeVar("K")
V = TypeVar("V", covariant=True)


class Stored(Mapping[K, V], ABC):
    """Records by run or data set, each loaded and checked when it is asked for."""

    @abstractmethod
    def place(self, key: K) -> str:
        """The name of the file that holds the record, for readers of the report."""


@dataclass(frozen=True, kw_only=True)
class Stamp(Record):
    """What the runner stores with a record: `provenance` says which code and machine made it."""

    fingerprint: str
    provenance: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SplitStatistics(Record):
    """Counts (overall and per class) and moments per channel of one split."""

    count: int
    per_class: list[int]
    mean: list[float]
    std: list[float]


@dataclass(frozen=True, kw_only=True)
class DataDescription(Record):
    """A prepared data set without its arrays.

    classes: names in the order of the labels, empty if unlabelled; sample_shape: [H, W, C] or [2];
    sha256: hash of the file of arrays.
    """

    source: dict[str, Any]
    sha256: str
    classes: list[str]
    sample_shape: list[int]
    train: SplitStatistics
    test: SplitStatistics


@dataclass(frozen=True, kw_only=True)
class ExtractorDescription(Record):
    """A feature extractor without its weights; `hash` identifies them.

    The fields after `hash` are None unless the kind is `classifier`; accuracies are means over the
    members of its committee.
    """

    kind: str
    hash: str
    trained_on: str | None = None
    sample_shape: list[int] | None = None
    n_classes: int | None = None
    channels: list[int] | None = None
    feature_dim: int | None = None
    members: int = 1
    train_accuracy: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class RealFeatures(Record):
    """Features and logits of the splits of an image data set as one extractor sees them, float32.

    train, test (N x M d), train_logits, test_logits (N x M classes): the outputs of the extractor's
    M members side by side. held_out_distances (N_test x M), noise_distances: of the test split
    and of images of uniform noise to the nearest sample of the training split.
    """

    train: np.ndarray
    train_logits: np.ndarray
    test: np.ndarray
    test_logits: np.ndarray
    held_out_distances: np.ndarray
    noise_distances: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(Record):
    """Settings, duration and outcome of a training. `status`: `ok` or `diverged`."""

    run: str
    status: str
    settings: dict[str, Any]
    kimg: float
    iterations: int
    seconds: float
    images_per_second: float
    device: str
    threads: int
    parameters: dict[str, int]
    data_sha256: str
    weights_sha256: str
    stamp: Stamp | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Snapshots(Record):
    """Samples taken during a training.

    samples: T x N x H x W x C (uint8) or T x N x 2 (float32); kimg: T.
    """

    samples: np.ndarray
    kimg: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Generated(Record):
    """The samples that a run is scored on; empty arrays if its training failed.

    samples: uint8 N x H x W x C or float32 N x 2; component, class_: int64 N, the class is -1 where
    the model gives none. status: `ok`, `collapsed`, or the training's.
    """

    samples: np.ndarray
    component: np.ndarray
    class_: np.ndarray
    status: str


@dataclass(frozen=True, kw_only=True)
class Features(Record):
    """Features (N x M d) and logits (N x M classes) of a run's samples, float32; empty if none.

    M: members of the extractor.
    """

    features: np.ndarray
    logits: np.ndarray
    status: str


@dataclass(frozen=True, kw_only=True)
class Score(Record):
    """One number and everything that makes it comparable: a row of the score table.

    spread: standard deviation over the members of the extractor's committee, where it has several;
    else over parts or subsets, where the metric has them. version: of the metric's definition.
    extractor_id: the extractor with the data that it was trained on. signature: one line to cite.
    flag: which other score contradicts this one. seconds: time of computation.
    """

    metric: str
    value: float | None
    spread: float | None = None
    n_real: int | None = None
    n_fake: int | None = None
    extractor: str
    extractor_hash: str
    extractor_id: str = ""
    split: str
    version: int = 1
    signature: str = ""
    flag: str = ""
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class ConvergencePoint(Record):
    """Mode scores of one snapshot of a training on points."""

    kimg: float
    modes_captured: float
    high_quality_share: float


@dataclass(frozen=True, kw_only=True)
class Scores(Record):
    """The scores of a run; none if its training failed.

    groups: per extractor the counts of predicted classes, a row per component, or per requested
    class for a conditional generator. convergence, reached_95_modes: for points only.
    """

    run: str
    status: str
    scores: list[Score]
    groups: dict[str, list[list[int]]] = field(default_factory=dict)
    convergence: list[ConvergencePoint] = field(default_factory=list)
    reached_95_modes: bool | None = None
    stamp: Stamp | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Floor(Record):
    """Scores of real samples against other real samples of the same split.

    anchors: per extractor the quality score of held-out samples and of noise.
    """

    dataset: str
    status: str
    scores: list[Score]
    anchors: dict[str, dict[str, float]] = field(default_factory=dict)
    stamp: Stamp | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class SweepPoint(Score):
    """A score of samples drawn at one sigma_scale."""

    sigma_scale: float


@dataclass(frozen=True, kw_only=True)
class Tradeoff(Record):
    """The sweep of sigma_scale over a run; no points if its training failed."""

    run: str
    status: str
    points: list[SweepPoint]
    stamp: Stamp | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Clusters(Record):
    """How components cluster held-out samples, and how the k-means baselines do.

    table: counts, a row per component and a column per class; None if training failed.
    majority_class, matched_class: the class of each component, -1 for none.
    """

    run: str
    status: str
    n_generated: int
    scores: list[Score]
    table: list[list[int]] | None
    majority_class: list[int] | None = None
    matched_class: list[int] | None = None
    baselines: dict[str, list[Score]] = field(default_factory=dict)
    stamp: Stamp | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Memorisation(Record):
    """Median distance to the nearest training image, of generated and of held-out images.

    In grey levels: the root of the mean square over pixels.
    """

    generated: float
    held_out: float
    n_generated: int
    n_held_out: int


@dataclass(frozen=True, kw_only=True)
class Explored(Record):
    """What the report's explorer shows of a run; no arrays if its training failed.

    sweep: scales x groups x samples x *shape. pairs (P x 2), walks (P x rows x steps x *shape): on
    the way from one component (or class) to another. Of images: generated (N x H x W x C), their
    nearest training images, these images' indices and distances in grey levels.
    """

    status: str
    sweep: np.ndarray | None = None
    pairs: np.ndarray | None = None
    walks: np.ndarray | None = None
    generated: np.ndarray | None = None
    neighbours: np.ndarray | None = None
    neighbour_index: np.ndarray | None = None
    neighbour_distance: np.ndarray | None = None
    memorisation: Memorisation | None = None
