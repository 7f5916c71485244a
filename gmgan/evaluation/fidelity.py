"""Inception Score, KID and class accuracy, from features and logits of images."""

import numpy as np

from gmgan.errors import GmganError
from gmgan.evaluation.metric import Metric, Value
from gmgan.evaluation.samples import Real, Samples, logits_of

RNG_SEED = 2020


PART = 1000  # samples of a part: over 10 parts of 70 the score is .25 to .5 too low


def inception_score(fake: Samples, real: Samples, is_splits: int | None) -> Value:
    """exp E_x KL(p(y|x) || p(y)) over shuffled parts: mean and, of several, standard deviation.

    Salimans et al. 2016. Named after Inception whatever network gives the logits: the extractor
    column says which. is_splits None: parts of at least 1,000 samples, at most 10 and at least one.
    Raises GmganError for fewer samples than parts.
    """
    if is_splits is None:
        is_splits = min(10, max(1, len(fake) // PART))
    if len(fake) < is_splits:
        raise GmganError(
            f"the Inception Score over {is_splits} splits needs at least {is_splits} "
            f"samples, got {len(fake)}"
        )
    import torch

    from gmgan.runtime.torch_setup import allow_torchvision_without_ops

    allow_torchvision_without_ops()
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = torch.from_numpy(logits_of(fake))
    scores = isc_features_to_metric(logits, splits=is_splits, rng_seed=RNG_SEED)
    mean, spread = scores["inception_score_mean"], scores["inception_score_std"]
    return mean if is_splits == 1 else (mean, spread)


def kid(
    fake: Samples, real: Samples, kid_subsets: int, kid_subset_size: int
) -> tuple[float, float]:
    """Unbiased squared MMD, cubic kernel, over random subsets: mean and standard deviation.

    Binkowski et al. 2018. Raises GmganError for fewer samples than a subset has.
    """
    if min(len(fake), len(real)) < kid_subset_size:
        raise GmganError(
            f"KID with subsets of {kid_subset_size} needs that many samples, got "
            f"{min(len(fake), len(real))}; lower evaluation.kid_subset_size"
        )
    import torch

    from gmgan.runtime.torch_setup import allow_torchvision_without_ops

    allow_torchvision_without_ops()
    from torch_fidelity.metric_kid import kid_features_to_metric

    sides = (torch.from_numpy(side.features).double() for side in (fake, real))
    subsets = {"kid_subsets": kid_subsets, "kid_subset_size": kid_subset_size}
    scores = kid_features_to_metric(*sides, **subsets, rng_seed=RNG_SEED, verbose=False)
    return scores["kernel_inception_distance_mean"], scores["kernel_inception_distance_std"]


def class_accuracy(fake: Samples, real: Real) -> float:
    """Share of samples whose predicted class is the one they were meant to have."""
    return float(np.mean(real.classes_of(fake)[0] == fake.targets))


INCEPTION_SCORE = Metric(
    name="inception_score",
    label="Inception Score",
    limits=(1, "classes"),
    score=inception_score,
    better="higher",
    digits=2,
    source="Salimans et al. 2016, by torch-fidelity",
    version=2,
    panels=frozenset({"effect-of-k"}),
)
KID = Metric(
    name="kid",
    label="KID",
    score=kid,
    better="lower",
    digits=4,
    source="Binkowski et al. 2018, by torch-fidelity",
)
CLASS_ACCURACY = Metric(
    name="class_accuracy",
    label="class accuracy",
    score=class_accuracy,
    better="higher",
    bounded=True,
    group="components",
    data="all",
    needs="targets",
    source="standard",
)
