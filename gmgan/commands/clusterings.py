"""Shared by the commands that cluster the images of a data set and score the clusters."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation.clustering import clustering_scores
from gmgan.evaluation.consensus import consensus_clusters
from gmgan.pipeline.runner import Runner
from gmgan.seeds import derive_seed


@dataclass(frozen=True)
class Row:
    """ACC and NMI of one clustering; `all`: of the images of both splits.

    seed: none for a consensus.
    """

    method: str
    seed: int | None
    K: int
    cluster_acc: float
    cluster_nmi: float
    cluster_acc_all: float
    cluster_nmi_all: float


COLUMNS = [field.name for field in fields(Row)]


@dataclass(frozen=True)
class LabelledImages:
    """The images of both splits of a data set, the held-out ones first.

    images (array): uint8 N x H x W x C. labels (array): N integers.
    """

    dataset: str
    images: np.ndarray
    labels: np.ndarray
    n_held_out: int

    @property
    def train(self) -> np.ndarray:
        return self.images[self.n_held_out :]

    def row(self, method: str, seed: int | None, n_clusters: int, clusters: np.ndarray) -> Row:
        """The scores of clusters (N integers) of all images."""
        n_classes = int(self.labels.max()) + 1
        held_out, every = (
            clustering_scores(self.labels[:n], clusters[:n], n_classes, n_clusters)
            for n in (self.n_held_out, len(self.labels))
        )
        of_held_out = held_out["cluster_acc"], held_out["cluster_nmi"]
        of_all = every["cluster_acc"], every["cluster_nmi"]
        return Row(method, seed, n_clusters, *of_held_out, *of_all)

    def consensus(self, method: str, n_clusters: int, clusterings: Sequence[np.ndarray]) -> Row:
        """The scores of the consensus of several clusterings of all images."""
        seed = derive_seed("consensus", self.dataset, n_clusters, len(clusterings))
        clusters = consensus_clusters(clusterings, n_clusters, seed)
        return self.row(f"{method} of {len(clusterings)}", None, n_clusters, clusters)


def labelled_images(runner: Runner, dataset: str) -> LabelledImages:
    """The prepared images of a data set.

    Raises GmganError for points, for images without labels, and for data that is not prepared.
    """
    if runner.params.lookup("datasets", dataset).is_points:
        raise GmganError(f"data set '{dataset}' holds points; choose one of images")
    source = runner.params.source_names[dataset]
    data: Splits = runner.read("prepare", "data", source=source)
    labels = np.concatenate([data.test_labels, data.train_labels])
    if labels.min() < 0:
        raise GmganError(f"data set '{dataset}' has images without labels; nothing to compare with")
    return LabelledImages(dataset, np.concatenate([data.test, data.train]), labels, len(data.test))
