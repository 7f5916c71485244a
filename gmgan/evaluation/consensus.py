"""One clustering out of several of the same samples, without labels."""

from collections.abc import Sequence

import numpy as np

from gmgan.evaluation.clustering import kmeans_clusters

KMEANS_STARTS = 20


def consensus_clusters(clusterings: Sequence[np.ndarray], n_clusters: int, seed: int) -> np.ndarray:
    """Clusters (N integers) that agree best with several clusterings (each N integers).

    k-means on the indicators of all clusters of all clusterings, which maximises the mean quadratic
    mutual information with them (Topchy, Jain and Punch 2005). The numbers that the clusterings
    give their clusters do not matter.
    """
    indicators = [clusters[:, None] == np.unique(clusters)[None, :] for clusters in clusterings]
    rows = np.concatenate(indicators, axis=1).astype(np.float32)
    return kmeans_clusters(rows, rows, n_clusters, seed, KMEANS_STARTS)
