"""Features of real and of generated images, extracted once; every score reads them."""

import numpy as np
import torch

from gmgan.config.settings import FeatureSettings, RealFeatureSettings
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation.extractors import extract, load_extractor
from gmgan.evaluation.neighbours import nearest_distances
from gmgan.evaluation.samples import split
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
    """Features of both splits of a data set, and distances to the nearest training sample.

    Held-out samples are the good end of the quality score, images of uniform noise the bad one.
    Raises GmganError for an extractor of images of another shape.
    """
    name, members = settings.dataset, extractor.members
    height, width, channels = data.train.shape[1:]
    if extractor.sample_shape not in (None, [channels, height, width]):
        other = " x ".join(map(str, extractor.sample_shape or []))
        raise GmganError(
            f"data set '{name}' has images of {channels} x {height} x {width}, the extractor is "
            f"for {other}; name another one in its evaluation"
        )
    rng = np.random.default_rng(derive_seed("noise images", name))
    noise = rng.integers(0, 256, (NOISE_IMAGES, *data.train.shape[1:]), np.uint8)
    net = load_extractor(extractor, weights)

    def seen(images: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
        with Progress(len(images), f"{extractor.kind} features of {what}", "images") as progress:
            return extract(net, images, device, on_batch=progress.update)

    train, train_logits = seen(data.train, f"real {name}, train")
    test, test_logits = seen(data.test, f"real {name}, test")

    def to_training(features: np.ndarray) -> np.ndarray:
        pairs = zip(split(features, members), split(train, members), strict=True)
        return np.stack([nearest_distances(own, references) for own, references in pairs], 1)

    return RealFeatures(
        train=train,
        train_logits=train_logits,
        test=test,
        test_logits=test_logits,
        held_out_distances=to_training(test),
        noise_distances=to_training(seen(noise, "noise")[0]),
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
