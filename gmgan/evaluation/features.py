"""Features of real and of generated images, extracted once; every score reads them."""

import numpy as np
import torch

from gmgan.config.settings import FeatureSettings, RealFeatureSettings
from gmgan.data.splits import Splits
from gmgan.evaluation.extractors import extract, load_extractor
from gmgan.evaluation.reference import other_split_order, reference_of
from gmgan.records import ExtractorDescription, Features, Generated, RealFeatures
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed

NOISE_IMAGES = 500


def real_features(
    data: Splits,
    weights: dict[str, np.ndarray],
    extractor: ExtractorDescription,
    settings: RealFeatureSettings,
    device: torch.device,
) -> RealFeatures:
    """Features of the real images that the scores of a data set compare with.

    The other split gives held-out (or training) samples beside the reference; images of uniform
    noise are the bad end of the quality score.
    """
    name, split = settings.dataset, settings.split
    other = "test" if split == "train" else "train"
    images, others = getattr(data, split), getattr(data, other)
    reference = reference_of(data, settings)
    order = other_split_order(len(others), settings.n_real, derive_seed("other", name, other))
    rng = np.random.default_rng(derive_seed("noise images", name))
    noise = rng.integers(0, 256, (NOISE_IMAGES, *images.shape[1:]), np.uint8)
    net = load_extractor(extractor, weights)

    def seen(images: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
        with Progress(len(images), f"{extractor.kind} features of {what}", "images") as progress:
            return extract(net, images, device, on_batch=progress.update)

    features, logits = seen(images[reference.order], f"real {name}")
    return RealFeatures(
        features=features,
        logits=logits,
        other_features=seen(others[order], f"real {name}, {other}")[0],
        noise_features=seen(noise, "noise")[0],
    )


def features(
    samples: Generated,
    weights: dict[str, np.ndarray],
    extractor: ExtractorDescription,
    settings: FeatureSettings,
    device: torch.device,
) -> Features:
    """Features of a run's samples; empty if the run has none."""
    images = samples.samples
    if not len(images):
        empty = np.empty((0, 0), np.float32)
        return Features(features=empty, logits=empty, status=samples.status)
    net = load_extractor(extractor, weights)
    title = f"{settings.extractor} features of {settings.run}"
    with Progress(len(images), title, "images") as progress:
        values, logits = extract(net, images, device, on_batch=progress.update)
    return Features(features=values, logits=logits, status=samples.status)
