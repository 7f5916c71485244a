"""Scores of images from features and logits: Inception Score, FID and KID.

All take arrays of N x d features; `fake` are generated, `real` are reference samples. Each function
gives {name: value} or {name: (value, spread)}.
"""

import numpy as np
import torch

from gmgan.errors import GmganError
from gmgan.evaluation.frechet import frechet_distance, moments
from gmgan.runtime.torch_setup import allow_torchvision_without_ops

allow_torchvision_without_ops()

from torch_fidelity.metric_isc import isc_features_to_metric  # noqa: E402
from torch_fidelity.metric_kid import kid_features_to_metric  # noqa: E402

RNG_SEED = 2020


def inception_score(logits, splits):
    """exp E_x KL(p(y|x) || p(y)) over `splits` shuffled parts: mean and std (Salimans et al. 2016).

    Named after Inception whatever network gives the logits: the extractor column says which.
    """
    if len(logits) < splits:
        raise GmganError(
            f"the Inception Score over {splits} splits needs at least {splits} "
            f"samples, got {len(logits)}"
        )
    scores = isc_features_to_metric(torch.from_numpy(logits), splits=splits, rng_seed=RNG_SEED)
    return {"inception_score": (scores["inception_score_mean"], scores["inception_score_std"])}


def fid(fake, real, singular=False):
    """Frechet distance between moments of the features (Heusel et al. 2017).

    `singular` allows fewer samples than dimensions, as published numbers at n = 1,000 have it.
    """
    return {"fid": frechet_distance(*moments(fake, singular), *moments(real, singular))}


def kid(fake, real, subsets, subset_size):
    """Unbiased squared MMD, cubic kernel, over random subsets: mean and std (Binkowski 2018)."""
    if min(len(fake), len(real)) < subset_size:
        raise GmganError(
            f"KID with subsets of {subset_size} needs that many samples, got "
            f"{min(len(fake), len(real))}; lower evaluation.kid_subset_size"
        )
    scores = kid_features_to_metric(
        torch.from_numpy(fake).double(),
        torch.from_numpy(real).double(),
        kid_subsets=subsets,
        kid_subset_size=subset_size,
        rng_seed=RNG_SEED,
        verbose=False,
    )
    return {
        "kid": (scores["kernel_inception_distance_mean"], scores["kernel_inception_distance_std"])
    }


def class_accuracy(logits, targets):
    """Share of samples that the extractor's classifier gives the class they were meant to have."""
    return {"class_accuracy": float(np.mean(logits.argmax(1) == targets))}
