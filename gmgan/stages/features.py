"""Extract features once per set of images and extractor; every score reads them."""

import numpy as np

from gmgan.config import Run
from gmgan.evaluation.extractors import extract, extractor
from gmgan.evaluation.reference import choose_reference, other_split_order
from gmgan.pipeline.artifacts import read_arrays, read_json, write_arrays
from gmgan.pipeline.grid import extractor_id
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context

NOISE_IMAGES = 500


def run_real(context: Context, dataset: str, name: str):
    """Write the features of the real images that scores of `dataset` compare with.

    `features` are of the reference split, `other_features` of the other one: together they give
    training and held-out samples. `noise_features`, of images of uniform noise, are the bad end of
    the quality score.
    """
    evaluation = context.params.lookup("datasets", dataset).evaluation
    images = context.data(dataset, [evaluation.split])[evaluation.split]
    reference = choose_reference(
        len(images),
        evaluation.n_real,
        evaluation.n_fake,
        derive_seed("reference", dataset, evaluation.split),
    )
    features, logits = _extract(context, dataset, name, images[reference.order], f"real {dataset}")
    other = "test" if evaluation.split == "train" else "train"
    images = context.data(dataset, [other])[other]
    order = other_split_order(len(images), evaluation.n_real, derive_seed("other", dataset, other))
    other_features, _ = _extract(context, dataset, name, images[order], f"real {dataset}, {other}")
    rng = np.random.default_rng(derive_seed("noise images", dataset))
    noise = rng.integers(0, 256, (NOISE_IMAGES, *images.shape[1:]), np.uint8)
    noise_features, _ = _extract(context, dataset, name, noise, "noise")
    write_arrays(
        context.paths.real_features(dataset, name),
        {
            "features": features,
            "logits": logits,
            "other_features": other_features,
            "noise_features": noise_features,
        },
        {"fingerprint": context.expected.real_features(dataset, name)},
    )


def run(context: Context, cell: Run, name: str):
    """Write the features of a run's samples; empty if the run has none."""
    path = context.paths.samples(cell)
    arrays, about = read_arrays(path, ["samples"])
    context.refuse_stale(path, about, context.expected.sample(cell))
    found = {}
    if len(arrays["samples"]):
        found = dict(
            zip(
                ("features", "logits"),
                _extract(context, cell.dataset, name, arrays["samples"], cell.name),
                strict=True,
            )
        )
    write_arrays(
        context.paths.features(cell, name),
        found,
        {"fingerprint": context.expected.features(cell, name), "status": about["status"]},
    )


def load_extractor(context: Context, dataset, name):
    """The extractor that `dataset` calls `name`, from its weights."""
    identifier = extractor_id(context.params, dataset, name)
    about = read_json(context.paths.extractor_about(identifier))
    context.refuse_stale(
        context.paths.extractor_about(identifier), about, context.expected.extractor(dataset, name)
    )
    import torch

    arrays, _ = read_arrays(context.paths.extractor(identifier))
    weights = {key: torch.from_numpy(array) for key, array in arrays.items()}
    return extractor(about["kind"], weights, about)


def _extract(context, dataset, name, images, description):
    net = load_extractor(context, dataset, name)
    with Progress(len(images), f"{name} features of {description}", "images") as progress:
        return extract(net, images, context.device(), on_batch=progress.update)
