"""All scores of 10,000 samples: features once, against one torch-fidelity call per metric.

Images of MNIST's shape, the pipeline's classifier as extractor with random weights: the arithmetic
is that of a trained one. Both sides compute the Inception Score, FID, KID, precision and recall
with the same settings; ours adds quality, diversity, density and coverage.
"""

import time

import numpy as np
import torch

from benchmarks.result import Result
from gmgan.metrics import fidelity, quality
from gmgan.models.classifier import Classifier
from gmgan.models.extractors import classifier_extractor_class, extract, extractor

N = 10_000
GOAL = 3.0
SHAPE = {"sample_shape": (1, 28, 28), "n_classes": 10, "channels": [32, 64], "feature_dim": 64}
KID_SUBSETS, KID_SUBSET_SIZE, IS_SPLITS, NEIGHBOURS = 100, 1000, 10, 3


class Tensors(torch.utils.data.Dataset):
    """Images as torch-fidelity wants them: an item is a uint8 tensor C x H x W."""

    def __init__(self, images):
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i]


def our_scores(net, fake, real):
    """Everything that the pipeline scores images with."""
    fake_features, fake_logits = extract(net, fake, "cpu")
    real_features, _ = extract(net, real, "cpu")
    shared = (
        fidelity.inception_score(fake_logits, IS_SPLITS)
        | fidelity.fid(fake_features, real_features)
        | fidelity.kid(fake_features, real_features, KID_SUBSETS, KID_SUBSET_SIZE)
        | fidelity.precision_recall(fake_features, real_features, NEIGHBOURS)
    )
    distances = quality.nearest_distances(fake_features, real_features)
    calibration = quality.calibrate(distances, 2 * distances, 0.95)
    quality.quality(distances, calibration)
    quality.diversity_scores(fake, fake_logits.argmax(1), 10, 2000, quality.ms_ssim_scales(28), 0)
    quality.density_coverage(fake_features, real_features, 5)
    return shared


def their_scores(fake, real):
    """The shared scores by torch-fidelity's own entry point, one call per metric."""
    from torch_fidelity import calculate_metrics

    found = {}
    for metric in ("isc", "fid", "kid", "prc"):
        found |= calculate_metrics(
            input1=Tensors(fake),
            input2=Tensors(real),
            feature_extractor="benchmark-classifier",
            isc_splits=IS_SPLITS,
            kid_subsets=KID_SUBSETS,
            kid_subset_size=KID_SUBSET_SIZE,
            prc_neighborhood=NEIGHBOURS,
            batch_size=250,
            cuda=False,
            cache=False,
            save_cpu_ram=True,
            verbose=False,
            **{metric: True},
        )
    return found


def run():
    """One result; the scores of both sides are compared, too."""
    from torch_fidelity import register_feature_extractor

    torch.set_num_threads(1)
    torch.manual_seed(0)
    weights = Classifier(**SHAPE).state_dict()
    register_feature_extractor("benchmark-classifier", classifier_extractor_class(weights, SHAPE))
    net = extractor("classifier", weights, SHAPE)
    rng = np.random.default_rng(0)
    fake, real = (rng.integers(0, high, (N, 28, 28, 1), np.uint8) for high in (200, 256))
    started = time.perf_counter()
    ours = our_scores(net, fake, real)
    between = time.perf_counter()
    theirs = their_scores(fake, real)
    ended = time.perf_counter()
    if abs(ours["fid"] / theirs["frechet_inception_distance"] - 1) > 1e-3:
        raise AssertionError(f"the two sides disagree: {ours} and {theirs}")
    yield Result(
        f"scoring, {N:,} samples, all scores", between - started, ended - between, "s", goal=GOAL
    )
