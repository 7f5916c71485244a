"""Agreement of clusters and classes, k-means, and the clustering stage."""

import csv
from functools import partial
from itertools import permutations, product

import numpy as np
import pytest
import torch
from conftest import read_arrays, read_json
from scipy.stats import entropy
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from torch import nn

from gmgan.config.models import Encoder
from gmgan.conformance.training import Recipe
from gmgan.errors import GmganError
from gmgan.evaluation import clustering, rivals
from gmgan.evaluation.cluster import encoder_clusters
from gmgan.evaluation.consensus import consensus_clusters
from gmgan.models.auxiliary import encoder
from gmgan.models.priors import StaticMixture


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def brute_force_acc(classes, clusters, n_classes, n_clusters):
    """Try every one-to-one matching of the smaller side into the larger one."""
    size = max(n_classes, n_clusters)
    return max(np.mean(np.array(order)[clusters] == classes) for order in permutations(range(size)))


@pytest.mark.parametrize(("n_classes", "n_clusters"), [(4, 4), (3, 5), (5, 3)])
def test_acc_is_the_best_matching(rng, n_classes, n_clusters):
    for _ in range(20):
        classes = rng.integers(n_classes, size=40)
        clusters = rng.integers(n_clusters, size=40)
        table = clustering.contingency(classes, clusters, n_classes, n_clusters)
        result = clustering.matched_accuracy(table)
        assert result == pytest.approx(brute_force_acc(classes, clusters, n_classes, n_clusters))
        matched = clustering.matched_classes(table)
        assert np.mean(matched[clusters] == classes) == pytest.approx(result)
        kept = matched[matched >= 0]
        assert len(set(kept)) == len(kept) == min(n_classes, n_clusters)


def test_purity_takes_the_majority_and_is_never_below_acc(rng):
    table = clustering.contingency(np.array([0, 0, 1, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 1]), 3, 3)
    assert table.tolist() == [[2, 1, 0], [0, 2, 1], [0, 0, 0]]
    assert clustering.purity(table) == pytest.approx(4 / 6)
    assert clustering.majority_classes(table).tolist() == [0, 1, -1]
    for _ in range(20):
        random = rng.integers(0, 9, (4, 6))
        assert clustering.purity(random) >= clustering.matched_accuracy(random)


def test_nmi_is_mutual_information_over_the_mean_entropy(rng):
    classes = rng.integers(4, size=300)
    clusters = np.where(rng.random(300) < 0.6, classes, rng.integers(4, size=300))
    joint = clustering.contingency(classes, clusters, 4, 4) / 300
    p, q = joint.sum(1), joint.sum(0)
    information = entropy(p) + entropy(q) - entropy(joint.ravel())
    result = clustering.clustering_scores(classes, clusters, 4, 4)
    assert result["cluster_nmi"] == pytest.approx(2 * information / (entropy(p) + entropy(q)))
    perfect = clustering.clustering_scores(classes, (classes + 1) % 4, 4, 4)
    assert set(perfect.values()) == {1.0}


def test_baselines_find_separated_blobs(rng):
    centres = np.array([[0, 0], [5, 0], [0, 5]])
    labels = rng.integers(3, size=300)
    points = (centres[labels] + 0.1 * rng.standard_normal((300, 2))).astype(np.float32)
    clusters = clustering.kmeans_clusters(points[:200], points[200:], 3, seed=1, starts=5)
    assert clustering.clustering_scores(labels[200:], clusters, 3, 3)["cluster_acc"] == 1
    images = np.zeros((300, 4, 4, 1), np.uint8)
    images[np.arange(300), labels, 0, 0] = rng.integers(100, 255, 300)
    clusters = clustering.kmeans_clusters(images, images, 3, seed=1, starts=5, pca_dim=2)
    assert clustering.clustering_scores(labels, clusters, 3, 3)["cluster_acc"] == 1
    clusters = clustering.nearest_neighbour_clusters(points[:200], labels[:200], points[200:])
    assert np.array_equal(clusters, labels[200:])
    with pytest.raises(GmganError, match="only 2 samples"):
        clustering.kmeans_clusters(points[:2], points, 3, seed=1, starts=1)


def test_the_stage_writes_scores_that_follow_from_its_table(finished):
    run = finished.folder / "results" / "runs" / "toy-ring-ci.gmgan-dynamic.K8.s0"
    about = read_json(run / "clusters.json")
    table = np.array(about["table"])
    assert table.shape == (8, 8)
    assert table.sum() == 20000
    rows = {row["metric"]: row["value"] for row in about["scores"]}
    assert rows["cluster_acc"] == pytest.approx(clustering.matched_accuracy(table))
    assert rows["cluster_purity"] == pytest.approx(clustering.purity(table))
    assert about["matched_class"] == clustering.matched_classes(table).tolist()
    assert set(about["baselines"]) == {"kmeans"}  # PCA of two dimensions would be no change
    baseline = {row["metric"]: row["value"] for row in about["baselines"]["kmeans"]}
    assert baseline["cluster_acc"] == pytest.approx(1, abs=0.01)  # eight separated modes


def test_images_are_clustered_by_a_classifier_of_generated_ones(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    run = "digits-ci.gmgan-static.K10.s0"
    project.snakemake(f"results/runs/{run}/clusters.json")
    about = read_json(project.folder / "results" / "runs" / run / "clusters.json")
    assert np.array(about["table"]).shape == (10, 10)
    assert np.array(about["table"]).sum() == 360
    assert set(about["baselines"]) == {"kmeans", "kmeans-pca"}
    for rows in about["baselines"].values():  # k-means on 8 x 8 digits is known to do well
        assert {row["metric"]: row["value"] for row in rows}["cluster_acc"] > 0.6
    for rows in (about["scores"], *about["baselines"].values()):
        of = {row["metric"]: row for row in rows}
        counts = {name: (row["n_real"], row["split"]) for name, row in of.items()}
        assert counts["cluster_acc"] == (360, "test")
        assert counts["cluster_acc_all"] == (1797, "all")
        # The held-out images are a fifth of all.
        assert of["cluster_acc_all"]["value"] == pytest.approx(of["cluster_acc"]["value"], abs=0.1)


@pytest.mark.parametrize("name", ["Gaussian mixture, PCA", "k-means, autoencoder"])
def test_rivals_find_separated_images(rng, name):
    labels = rng.integers(3, size=600)
    images = np.zeros((600, 6, 6, 1), np.uint8)
    for label in range(3):  # two rows of noise on black, a class has its own rows
        own = np.flatnonzero(labels == label)
        images[own, 2 * label : 2 * label + 2] = rng.integers(100, 255, (len(own), 2, 6, 1))
    assigned = dict(rivals.assignments(images[:500], images[500:], 3, 1, torch.device("cpu")))
    scores = clustering.clustering_scores(labels[500:], assigned[name], 3, 3)
    assert scores["cluster_acc"] == 1


def test_the_command_scores_rivals_on_held_out_and_on_all_images(finished):
    done = finished.gmgan("cluster-rivals", "digits-ci", "--runs", "2")
    header, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    methods = ["k-means", "k-means, PCA", "Gaussian mixture, PCA", "k-means, autoencoder"]
    together = [f"{method}, consensus of 2" for method in methods]
    assert [row[0] for row in rows] == [*methods, *methods, *together]
    data, _ = read_arrays(finished.folder / "results/data/digits.safetensors")
    train, test = (data[split].reshape(len(data[split]), -1) / 255 for split in ("train", "test"))
    theirs = KMeans(10, n_init=20, random_state=0).fit(train).predict(test)
    nmi = normalized_mutual_info_score(data["test_labels"], theirs)
    assert float(rows[0][header.index("cluster_nmi")]) == pytest.approx(nmi, abs=0.05)
    done = finished.gmgan("cluster-rivals", "toy-ring-ci", check=False)
    assert done.returncode == 2
    assert "holds points; choose one of images" in done.stderr
    assert done.stdout == ""


def test_a_consensus_has_the_most_mutual_information_with_the_clusterings(rng):
    def information(clusters):
        """Summed quadratic mutual information: p(c) sum_j p(j | c)^2 - sum_j p(j)^2."""
        total = 0
        for each in clusterings:
            joint = clustering.contingency(each, clusters, 2, 2) / len(clusters)
            of_cluster = joint.sum(1)
            total += sum((row**2).sum() / p for row, p in zip(joint, of_cluster, strict=True) if p)
            total -= (joint.sum(0) ** 2).sum()
        return total

    for _ in range(20):
        clusterings = rng.integers(2, size=(5, 9))
        every = [np.array([0, *rest]) for rest in product(range(2), repeat=8)]
        best = max(information(clusters) for clusters in every)
        result = consensus_clusters(clusterings, 2, seed=0)
        assert information(result) == pytest.approx(best)


def test_a_consensus_is_better_than_noisy_clusterings_whatever_their_numbers(rng):
    labels = rng.integers(5, size=1000)
    noisy = np.where(rng.random((7, 1000)) < 0.6, labels, rng.integers(5, size=(7, 1000)))
    renumbered = [rng.permutation(5)[clusters] for clusters in noisy]
    singly, jointly = (
        [clustering.clustering_scores(labels, each, 5, 5)["cluster_acc"] for each in clusterings]
        for clusterings in (renumbered, [consensus_clusters(renumbered, 5, seed=0)])
    )
    assert max(singly) < 0.75
    assert jointly[0] > 0.95


def test_the_command_scores_runs_and_their_consensus(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    runs = ["digits-ci.gmgan-static.K10.s0", "digits-ci.gmgan-dynamic.K10.s0"]
    stages = [f"results/runs/{run}/clusters.json" for run in runs]
    project.snakemake(*stages)
    done = project.gmgan("cluster-consensus", *runs)
    rows = list(csv.DictReader(done.stdout.splitlines(), delimiter="\t"))
    assert [row["method"] for row in rows] == ["gmgan-static", "gmgan-dynamic", "consensus of 2"]
    assert [row["seed"] for row in rows] == ["0", "0", ""]
    for row, path in zip(rows, stages, strict=False):
        for score in read_json(project.folder / path)["scores"]:
            if score["metric"] in row:
                assert float(row[score["metric"]]) == pytest.approx(score["value"], abs=1e-4)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (["digits-ci.gmgan-static.K10.s0"], "two runs or more"),
        (
            ["digits-ci.gmgan-static.K10.s0", "toy-ring-ci.gmgan-static.K8.s0"],
            "one data set and one K",
        ),
        (["digits-ci.gan.K1.s0", "digits-ci.gan.K1.s1"], "no components to cluster by"),
    ],
)
def test_a_consensus_needs_runs_that_belong_together(finished, runs, words):
    done = finished.gmgan("cluster-consensus", *runs, check=False)
    assert done.returncode == 2
    assert words in done.stderr


def test_only_unsupervised_mixtures_are_clustered(finished):
    for run in ("toy-ring-ci.gan.K1.s0", "digits-ci.gmgan-supervised.K10.s0"):
        done = finished.gmgan("cluster", run, check=False)
        assert done.returncode == 2
        assert "no components to cluster by" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_an_encoder_clusters_real_samples_by_the_components_that_it_learned():
    """Samples of two components are shown to an encoder that tells them by their first pixel."""
    recipe = Recipe(shape=(1, 8, 8), make_prior=lambda: StaticMixture(torch.zeros(2, 8), 1.0))
    options = Encoder(kind="encoder", network="own")
    recipe.make_auxiliary = partial(encoder.Auxiliary, options)
    model = recipe.started().model
    model.auxiliary[0].network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    weight = torch.zeros(10, 64)
    weight[1, 0] = 1.0
    model.auxiliary[0].network[1].weight.data = weight
    model.auxiliary[0].network[1].bias.data.zero_()
    images = np.zeros((6, 8, 8, 1), np.uint8)
    images[::2, 0, 0] = 255
    clusters = encoder_clusters(model, images, torch.device("cpu"), block=4)
    assert clusters.tolist() == [1, 0, 1, 0, 1, 0]
    assert encoder_clusters(Recipe().started().model, images, torch.device("cpu")) is None
