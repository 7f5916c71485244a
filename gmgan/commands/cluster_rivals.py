"""Cluster the images of a data set by methods without a GAN."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from gmgan.commands.clusterings import Row, labelled_images
from gmgan.evaluation.rivals import assignments
from gmgan.pipeline.runner import Runner
from gmgan.seeds import derive_seed


def cluster_rivals(runner: Runner, dataset: str, n_clusters: int, n_seeds: int) -> Iterator[Row]:
    """The scores of each method by seed, then of each method's consensus over the seeds.

    Each method is fit on the training split. Raises GmganError for points, for a data set without
    labels, and for one that is not prepared.
    """
    data = labelled_images(runner, dataset)
    clusterings: dict[str, list[np.ndarray]] = defaultdict(list)
    for seed in range(n_seeds):
        derived = derive_seed("rivals", dataset, n_clusters, seed)
        for name, clusters in assignments(
            data.train, data.images, n_clusters, derived, runner.device
        ):
            clusterings[name].append(clusters)
            yield data.row(name, seed, n_clusters, clusters)
    if n_seeds > 1:
        for name, of_seeds in clusterings.items():
            yield data.consensus(f"{name}, consensus", n_clusters, of_seeds)
