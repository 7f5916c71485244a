"""Agreement between classes and clusters, and k-means as the baseline.

Accuracy and purity are kept apart: the best one-to-one matching (ACC, by the Hungarian algorithm)
is what most papers report, and purity, where every cluster takes its majority class, is never
smaller; some publish it under the name of accuracy.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import random_table

from gmgan.errors import GmganError
from gmgan.evaluation.metric import Metric, Value
from gmgan.evaluation.samples import Real, Samples

BASELINES = {"kmeans": "k-means", "kmeans-pca": "k-means after PCA"}


def contingency(
    classes: np.ndarray, clusters: np.ndarray, n_classes: int, n_clusters: int
) -> np.ndarray:
    """Counts, n_clusters x n_classes, of the samples (N integers each) in a cluster and class."""
    table = np.zeros((n_clusters, n_classes), np.int64)
    np.add.at(table, (clusters, classes), 1)
    return table


def majority_classes(table: np.ndarray) -> np.ndarray:
    """The class with most samples in each cluster (row); -1 for an empty cluster."""
    return np.where(table.sum(1) > 0, table.argmax(1), -1)


def matched_classes(table: np.ndarray) -> np.ndarray:
    """The class of each cluster (row) in the best one-to-one matching; -1 if it has none."""
    rows, columns = linear_sum_assignment(table, maximize=True)
    classes = np.full(len(table), -1)
    classes[rows] = columns
    return classes


def purity(table: np.ndarray) -> float:
    """Share of samples in the majority class of their cluster."""
    return float(table.max(1).sum() / table.sum())


def matched_accuracy(table: np.ndarray) -> float:
    """ACC: share of samples in the class that is matched one-to-one with their cluster.

    With more clusters than classes the clusters left over count as wrong.
    """
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / table.sum())


def clustering_scores(
    classes: np.ndarray, clusters: np.ndarray, n_classes: int, n_clusters: int
) -> dict[str, float]:
    """ACC, purity, NMI (arithmetic mean of entropies) and ARI of N samples."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    table = contingency(classes, clusters, n_classes, n_clusters)
    return {
        "cluster_acc": matched_accuracy(table),
        "cluster_purity": purity(table),
        "cluster_nmi": float(normalized_mutual_info_score(classes, clusters)),
        "cluster_ari": float(adjusted_rand_score(classes, clusters)),
    }


def component_scores(fake: Samples, real: Real) -> dict[str, Value]:
    """Purity and one-to-one accuracy of the predicted classes of generated samples by component.

    `component_acc_chance` is the accuracy of permuted components, the mean over permutations.
    """
    if fake.components is None:
        raise TypeError("these scores need the components of the samples")
    classes, n_classes = real.classes_of(fake)
    table = contingency(classes, fake.components, n_classes, fake.components.max() + 1)
    return {
        "component_purity": purity(table),
        "component_acc": matched_accuracy(table),
        "component_acc_chance": chance_accuracy(table),
    }


def chance_accuracy(table: np.ndarray, permutations: int = 100) -> float:
    """The matched accuracy to expect if clusters and classes were independent.

    The mean over random tables with the same sums of rows and columns, which is what permutations
    of the clusters give.
    """
    random = random_table(table.sum(1), table.sum(0), seed=0)
    return float(np.mean([matched_accuracy(each) for each in random.rvs(permutations)]))


def kmeans_clusters(
    train: np.ndarray,
    held_out: np.ndarray,
    n_clusters: int,
    seed: int,
    starts: int,
    pca_dim: int | None = None,
) -> np.ndarray:
    """Clusters of `held_out` samples (M, integers) by k-means on `train`, optionally after PCA.

    train (array): N x ...; held_out (array): M x ...; flattened, uint8 scaled to [0, 1]. k-means++
    from `starts` starts, the one with the least inertia. Raises GmganError for fewer training
    samples than clusters.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    if len(train) < n_clusters:
        raise GmganError(f"k-means into {n_clusters} clusters has only {len(train)} samples")
    train, held_out = (as_rows(samples) for samples in (train, held_out))
    state = seed % 2**32
    if pca_dim is not None:
        pca = PCA(min(pca_dim, *train.shape), random_state=state).fit(train)
        train, held_out = pca.transform(train), pca.transform(held_out)
    means = KMeans(n_clusters, n_init=starts, random_state=state).fit(train)
    return means.predict(held_out)


def as_rows(samples: np.ndarray) -> np.ndarray:
    """Samples (N x ...) as N x D float32; uint8 scaled to [0, 1]."""
    flat = samples.reshape(len(samples), -1).astype(np.float32)
    return flat / 255 if samples.dtype == np.uint8 else flat


def nearest_neighbour_clusters(
    points: np.ndarray, components: np.ndarray, held_out: np.ndarray, neighbours: int = 25
) -> np.ndarray:
    """Clusters of 2-D points: the K-way classifier is a vote of the nearest generated points.

    points (array): N x 2 generated, components (array): N integers, held_out (array): M x 2.
    """
    from sklearn.neighbors import KNeighborsClassifier

    vote = KNeighborsClassifier(min(neighbours, len(points))).fit(points, components)
    return vote.predict(held_out)


COMPONENT_PURITY = Metric(
    name="component_purity",
    label="component purity",
    score=component_scores,
    better="higher",
    bounded=True,
    group="components",
    data="all",
    needs="components",
    source="standard",
)
COMPONENT_ACC = replace(
    COMPONENT_PURITY,
    name="component_acc",
    label="component accuracy, one-to-one",
    source="standard, Hungarian algorithm",
    panels=frozenset({"effect-of-k"}),
)
COMPONENT_ACC_CHANCE = replace(
    COMPONENT_ACC,
    name="component_acc_chance",
    label="component accuracy by chance",
    better=None,
    source="100 permutations",
    panels=frozenset(),
)
# Computed by the stage of clustering, by clustering_scores.
CLUSTER_ACC = Metric(
    name="cluster_acc",
    label="ACC (one-to-one)",
    better="higher",
    bounded=True,
    group="clusters",
    data="all",
    source="procedure of Ben-Yosef and Weinshall 2018",
    panels=frozenset({"effect-of-k"}),
)
CLUSTER_PURITY = replace(CLUSTER_ACC, name="cluster_purity", label="purity", panels=frozenset())
CLUSTER_NMI = replace(CLUSTER_ACC, name="cluster_nmi", label="NMI")
CLUSTER_ARI = replace(CLUSTER_PURITY, name="cluster_ari", label="ARI", bounded=False)
CLUSTER_ACC_ALL = replace(
    CLUSTER_ACC, name="cluster_acc_all", label="ACC, training images too", panels=frozenset()
)
CLUSTER_NMI_ALL = replace(CLUSTER_ACC_ALL, name="cluster_nmi_all", label="NMI, training images too")
ENCODER_ACC = replace(
    CLUSTER_ACC,
    name="encoder_acc",
    label="ACC by the encoder",
    source="after InfoGAN and ClusterGAN",
    panels=frozenset(),
)
ENCODER_NMI = replace(ENCODER_ACC, name="encoder_nmi", label="NMI by the encoder")
