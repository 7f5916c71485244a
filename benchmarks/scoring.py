"""All scores of 10,000 samples: features once, against one torch-fidelity call per metric.

Images of MNIST's shape, the pipeline's classifier as extractor with random weights: the arithmetic
is that of a trained one. Both sides compute the Inception Score, FID, KID, precision and recall
with the same settings; ours adds quality, diversity, density and coverage. Theirs registers the
network as it was trained, as its documentation shows; a second line gives it our network, whose
batch normalisation is folded.
"""

import time

import numpy as np
import torch

from benchmarks.result import Result
from gmgan.evaluation import fidelity, quality
from gmgan.evaluation.classifier import Classifier, Committee
from gmgan.evaluation.extractors import (
    ClassifierExtractor,
    classifier_extractor_class,
    extract,
    load_extractor,
)
from gmgan.evaluation.frechet import fid
from gmgan.evaluation.neighbours import density_coverage, precision_recall
from gmgan.evaluation.samples import Real, Samples
from gmgan.records import ExtractorDescription
from gmgan.runtime.torch_setup import allow_torchvision_without_ops

allow_torchvision_without_ops()

from torch_fidelity import calculate_metrics, register_feature_extractor  # noqa: E402

N = 10_000
GOAL = 3.0
SHAPE = {"sample_shape": [1, 28, 28], "n_classes": 10, "channels": [16, 32, 64], "feature_dim": 64}
EXTRACTOR = ExtractorDescription(kind="classifier", hash="", members=1, **SHAPE)
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
    generated, reference = (Samples(side, *extract(net, side, "cpu")) for side in (fake, real))
    shared = {
        "inception_score": fidelity.inception_score(generated, reference, IS_SPLITS),
        "fid": fid(generated, reference),
        "kid": fidelity.kid(generated, reference, KID_SUBSETS, KID_SUBSET_SIZE),
        **precision_recall(generated, reference, NEIGHBOURS),
    }
    real_side = Real(
        **vars(reference),
        extractor="",
        extractor_hash="",
        extractor_id="",
        knows_classes=True,
        training=reference.features,
        held_out_distances=np.ones(100),  # once per data set, so not part of this
        noise_distances=np.full(100, 2.0),
    )
    quality.quality_diversity(generated, real_side, 0.95, 2000, None, "benchmark")
    density_coverage(generated, reference, 5)
    return shared


def their_scores(fake, real, name):
    """The shared scores by torch-fidelity's own entry point, one call per metric."""
    scores = {}
    for metric in ("isc", "fid", "kid", "prc"):
        scores |= calculate_metrics(
            input1=Tensors(fake),
            input2=Tensors(real),
            feature_extractor=name,
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
    return scores


def timed(function, *arguments):
    """(result, seconds) of one call."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


def run():
    """Two results; the scores of both sides are compared, too."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = Committee([Classifier(**SHAPE)]).eval().requires_grad_(False)
    weights = net.state_dict()
    as_trained = type("AsTrained", (ClassifierExtractor,), {"trained_classifier": lambda _: net})
    register_feature_extractor("as-trained", as_trained)
    register_feature_extractor("folded", classifier_extractor_class(weights, EXTRACTOR))
    rng = np.random.default_rng(0)
    fake, real = (rng.integers(0, high, (N, 28, 28, 1), np.uint8) for high in (200, 256))
    folded = load_extractor(EXTRACTOR, {name: tensor.numpy() for name, tensor in weights.items()})
    our_scores(folded, fake[:2000], real[:2000])  # loads libraries
    ours, seconds = timed(our_scores, folded, fake, real)
    for name, theirs_with, goal in (
        ("as-trained", "", GOAL),
        ("folded", ", theirs with our folded network", None),
    ):
        theirs, their_seconds = timed(their_scores, fake, real, name)
        if abs(ours["fid"] / theirs["frechet_inception_distance"] - 1) > 1e-3:
            raise AssertionError(f"the two sides disagree: {ours} and {theirs}")
        shown = f"scoring, {N:,} samples, all scores{theirs_with}"
        yield Result(shown, seconds, their_seconds, "s", goal=goal)
