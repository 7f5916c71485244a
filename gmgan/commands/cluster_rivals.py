"""Cluster the images of a data set by methods without a GAN."""

from collections.abc import Iterator, Sequence

import numpy as np

from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation.clustering import clustering_scores
from gmgan.evaluation.rivals import assignments
from gmgan.pipeline.runner import Runner
from gmgan.seeds import derive_seed

COLUMNS = (
    "method",
    "seed",
    "K",
    "cluster_acc",
    "cluster_nmi",
    "cluster_acc_all",
    "cluster_nmi_all",
)


def cluster_rivals(
    runner: Runner, dataset: str, n_clusters: int, seeds: Sequence[int]
) -> Iterator[tuple[str, int, int, float, float, float, float]]:
    """Rows of COLUMNS: ACC and NMI of held-out images, then of all images of the data set.

    Each method is fit on the training split. Raises GmganError for points, for a data set without
    labels, and for one that is not prepared.
    """
    if runner.params.lookup("datasets", dataset).is_points:
        raise GmganError(f"data set '{dataset}' holds points; choose one of images")
    source = runner.params.source_names[dataset]
    data: Splits = runner.read("prepare", "data", source=source)
    samples = np.concatenate([data.test, data.train])
    labels = np.concatenate([data.test_labels, data.train_labels])
    if labels.min() < 0:
        raise GmganError(f"data set '{dataset}' has images without labels; nothing to compare with")
    n_test, n_classes = len(data.test), int(labels.max()) + 1
    for seed in seeds:
        derived = derive_seed("rivals", dataset, n_clusters, seed)
        assigned = assignments(data.train, samples, n_clusters, derived, runner.device)
        for name, clusters in assigned:
            held_out, every = (
                clustering_scores(labels[:n], clusters[:n], n_classes, n_clusters)
                for n in (n_test, len(labels))
            )
            yield (
                *(name, seed, n_clusters),
                *(held_out["cluster_acc"], held_out["cluster_nmi"]),
                *(every["cluster_acc"], every["cluster_nmi"]),
            )
