"""Cluster real images by the components of an unsupervised GM-GAN, and by k-means."""

import numpy as np

from gmgan.config.run import Run
from gmgan.evaluation.clustering import (
    BASELINES,
    clustering_scores,
    contingency,
    kmeans_clusters,
    majority_classes,
    matched_classes,
    nearest_neighbour_clusters,
)
from gmgan.models.model import sample
from gmgan.pipeline.artifacts import write_json
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context
from gmgan.stages.trained import trained_model

SPLIT = "test"


def run(context: Context, cell: Run):
    """Write how well components cluster the held-out split (Ben-Yosef and Weinshall 2018).

    Labelled pairs (G(z), k) train a K-way classifier, which assigns every real held-out sample to a
    component; class labels serve only to score the result. k-means with the same K and seed is fit
    on the training split and assigns the same held-out samples.
    """
    status = context.status_of(cell)
    arrays = context.data(cell.dataset, ["train", SPLIT, f"{SPLIT}_labels"])
    n_classes = len(context.data_about(cell.dataset)["classes"])
    labels = arrays[f"{SPLIT}_labels"]

    def rows(clusters):
        return [
            {
                "metric": metric,
                "value": value,
                "n_real": len(labels),
                "extractor": "clusters",
                "extractor_hash": "clusters",
                "split": SPLIT,
            }
            for metric, value in clustering_scores(labels, clusters, n_classes, cell.K).items()
        ]

    found = {"scores": [], "table": None}  # type: dict[str, list | None]
    if status == "ok":
        clusters = component_clusters(context, cell, arrays[SPLIT])
        table = contingency(labels, clusters, n_classes, cell.K)
        found = {
            "scores": rows(clusters),
            "table": table.tolist(),
            "majority_class": majority_classes(table).tolist(),
            "matched_class": matched_classes(table).tolist(),
        }
    settings = context.params.datasets[cell.dataset].evaluation.clustering
    seed = derive_seed("k-means", cell.dataset, cell.K, cell.seed)
    baselines = {
        name: rows(
            kmeans_clusters(
                arrays["train"], arrays[SPLIT], cell.K, seed, settings.kmeans_starts, pca_dim
            )
        )
        for name, pca_dim in zip(BASELINES, (None, settings.pca_dim), strict=True)
        if pca_dim is None or pca_dim < np.prod(arrays["train"].shape[1:])
    }
    write_json(
        context.paths.clusters(cell),
        context.stamp(
            context.expected.clusters(cell),
            run=cell.name,
            status=status,
            n_generated=settings.n_generated,
            **found,
            baselines=baselines,
        ),
    )


def component_clusters(context, cell, held_out):
    """For each held-out sample the component that a classifier of generated samples gives it."""
    settings = context.params.datasets[cell.dataset].evaluation.clustering
    device = context.device()
    samples, components, _ = sample(
        trained_model(context, cell, device),
        settings.n_generated,
        derive_seed("clusters", cell.dataset, cell.seed),
        device,
    )
    if samples.ndim == 2:
        return nearest_neighbour_clusters(samples, components, held_out)
    import torch

    from gmgan.evaluation import classifier

    options = context.params.extractors[settings.classifier].model_dump()
    options["kimg"] = settings.kimg or options["kimg"]

    def tensor(images):
        return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(device)

    with Progress(options["kimg"], f"classifier of components of {cell.name}", "kimg") as progress:
        net = classifier.train_classifier(
            tensor(samples),
            torch.from_numpy(components).to(device),
            cell.K,
            options,
            derive_seed("component classifier", cell.dataset, cell.K, cell.seed),
            lambda count, loss: progress.update(count / 1000),
        )
    return classifier.predict(net, tensor(held_out)).cpu().numpy()
