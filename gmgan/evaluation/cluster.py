"""Cluster real samples by the components of an unsupervised GM-GAN, and by k-means."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gmgan.config.run import Run
from gmgan.config.settings import ClusterSettings
from gmgan.data.splits import Splits
from gmgan.evaluation import classifier, clustering
from gmgan.evaluation.extractor import to_images
from gmgan.evaluation.signature import signed
from gmgan.models.auxiliary.encoder import Auxiliary as Encoder
from gmgan.models.model import Model, sample
from gmgan.models.restore import restore_model
from gmgan.models.step import StepDiscriminator
from gmgan.pixels import to_model_range
from gmgan.records import Clusters, DataDescription, Score, TrainingRecord
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed

NAMES = {name: name for name in ("cluster_acc", "cluster_purity", "cluster_nmi", "cluster_ari")}
BY_ENCODER = {"cluster_acc": "encoder_acc", "cluster_nmi": "encoder_nmi"}
ALL_IMAGES = {"cluster_acc": "cluster_acc_all", "cluster_nmi": "cluster_nmi_all"}


def cluster(
    weights: dict[str, np.ndarray],
    record: TrainingRecord,
    data: Splits,
    description: DataDescription,
    settings: ClusterSettings,
    device: torch.device,
) -> Clusters:
    """How well a run's components cluster the held-out split (Ben-Yosef and Weinshall 2018).

    Labelled pairs (G(z), k) train a K-way classifier, which assigns every real held-out sample to a
    component; so does the model's encoder, if it has one. Class labels serve only to score the
    result. k-means with the same K and seed is fit
    on the training split (`kmeans_n` samples of it) and assigns the same held-out samples. Images
    of both splits together are scored, too, as deep clustering does it.
    """
    run, n_classes, n_test = settings.run.run, len(description.classes), len(data.test)
    samples, labels = data.test, data.test_labels
    if samples.ndim == 4:
        samples = np.concatenate([samples, data.train])
        labels = np.concatenate([labels, data.train_labels])

    def rows(clusters: np.ndarray, names: Mapping[str, str], split: str) -> list[Score]:
        every = clustering.clustering_scores(labels[: len(clusters)], clusters, n_classes, run.K)
        told: dict[str, Any] = {"n_real": len(clusters), "split": split}
        told |= {"extractor": "clusters", "extractor_hash": "clusters"}
        told |= {"extractor_id": "clusters"}
        return [
            signed(Score(metric=name, value=every[known], **told), run.dataset, {}, None)
            for known, name in names.items()
        ]

    def scores(clusters: np.ndarray) -> list[Score]:
        of_both = rows(clusters, ALL_IMAGES, "all") if len(clusters) > n_test else []
        return rows(clusters[:n_test], NAMES, "test") + of_both

    failed = Clusters(
        run=run.name,
        status=record.status,
        n_generated=settings.clustering.n_generated,
        scores=[],
        table=None,
        baselines={name: scores(ids) for name, ids in _kmeans(data, samples, settings, run)},
    )
    if record.status != "ok":
        return failed
    model = restore_model(settings.run, weights, description, device)
    clusters = component_clusters(model, settings, samples, device)
    by_encoder = encoder_clusters(model, data.test, device)
    own = [] if by_encoder is None else rows(by_encoder, BY_ENCODER, "test")
    table = clustering.contingency(data.test_labels, clusters[:n_test], n_classes, run.K)
    return replace(
        failed,
        scores=scores(clusters) + own,
        table=table.tolist(),
        majority_class=clustering.majority_classes(table).tolist(),
        matched_class=clustering.matched_classes(table).tolist(),
    )


def component_clusters(
    model: Model, settings: ClusterSettings, held_out: np.ndarray, device: torch.device
) -> np.ndarray:
    """The component that a classifier of generated samples gives to each held-out sample.

    held_out: uint8 N x H x W x C or float32 N x 2. Returns N integers.
    """
    run, entry = settings.run.run, settings.classifier
    seed = derive_seed("clusters", run.dataset, run.seed)
    samples, components, _ = sample(model, settings.clustering.n_generated, seed, device)
    if entry is None:
        return clustering.nearest_neighbour_clusters(samples, components, held_out)
    entry = entry.model_copy(update={"kimg": settings.clustering.kimg or entry.kimg})
    images, labels = to_images(samples, device), torch.from_numpy(components).to(device)
    seed = derive_seed("component classifier", run.dataset, run.K, run.seed)
    with Progress(entry.kimg, f"classifier of components of {run}", "kimg") as progress:
        net = classifier.train_classifier(
            images, labels, run.K, entry, seed, lambda n, _: progress.update(n / 1000)
        )
    return classifier.predict(net, to_images(held_out, device)).cpu().numpy()


@torch.no_grad()
def encoder_clusters(
    model: Model, held_out: np.ndarray, device: torch.device, block: int = 500
) -> np.ndarray | None:
    """The component that the model's encoder gives to each held-out sample; None without one.

    held_out: as for `component_clusters`. Returns N integers.
    """
    encoders = [each for each in model.auxiliary if isinstance(each, Encoder) and each.information]
    if not encoders:
        return None
    samples = torch.from_numpy(held_out)
    if samples.dim() == 4:
        samples = samples.permute(0, 3, 1, 2)
    clusters = []
    with model.evaluating():
        for part in samples.split(block):
            D = StepDiscriminator(model.discriminator, model.objective.source, nullcontext())
            logits, _ = encoders[0].encode(to_model_range(part.to(device)), D)
            clusters.append(logits.argmax(1).cpu())
    return torch.cat(clusters).numpy()


def _kmeans(
    data: Splits, samples: np.ndarray, settings: ClusterSettings, run: Run
) -> Iterator[tuple[str, np.ndarray]]:
    """Clusters of `samples` by each baseline; PCA only where it leaves dimensions out."""
    pca_dim, starts = settings.clustering.pca_dim, settings.clustering.kmeans_starts
    seed = derive_seed("k-means", run.dataset, run.K, run.seed)
    order = np.random.default_rng(seed).permutation(len(data.train))
    train = data.train[order[: settings.clustering.kmeans_n]]
    for name, dim in zip(clustering.BASELINES, (None, pca_dim), strict=True):
        if dim is None or dim < np.prod(data.train.shape[1:]):
            yield name, clustering.kmeans_clusters(train, samples, run.K, seed, starts, dim)
