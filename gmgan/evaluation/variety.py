"""Variety that other scores do not see: within a class, and as a number of distinct samples."""

from dataclasses import replace

import numpy as np

from gmgan.evaluation.metric import Metric, Value
from gmgan.evaluation.modes import HIGH_QUALITY_STDS
from gmgan.evaluation.neighbours import squared_distances
from gmgan.evaluation.samples import Modes, Real, Samples, nearest_modes
from gmgan.evaluation.similarity import dissimilarity
from gmgan.seeds import derive_seed


def image_diversity(
    images: np.ndarray,
    classes: np.ndarray,
    n_classes: int,
    pairs: int,
    scales: int | None,
    seed: int,
) -> float:
    """Mean over classes of 1 - mean MS-SSIM of pairs of the same class (Odena et al. 2017, 4.3).

    images (array): uint8 N x H x W x C; classes (array): N integers. `pairs` in all, the same
    number per class. A class of fewer than two images counts as 0: it shows no variety.
    """
    values = []
    for number in range(n_classes):
        own, rng = images[classes == number], np.random.default_rng(seed + number)
        each = max(1, pairs // n_classes)
        values.append(dissimilarity(own, each, scales, rng) if len(own) > 1 else 0.0)
    return float(np.mean(values))


def point_spread(points: np.ndarray, modes: Modes) -> float:
    """Mean over modes of the spread of their points over the true standard deviation.

    The spread is the root of the mean squared distance to the points' own mean, per coordinate.
    Points within 3 standard deviations of their nearest mode (N x 2) count; a mode of fewer than
    two counts as 0. Real data score sqrt(1 - 4.5 e^-4.5 / (1 - e^-4.5)) = 0.974.
    """
    nearest, distance = nearest_modes(points, modes.centres)
    good = distance <= HIGH_QUALITY_STDS * modes.std
    spreads = []
    for number in range(len(modes.centres)):
        own = points[good & (nearest == number)].astype(np.float64)
        spreads.append(np.sqrt(own.var(0, ddof=1).mean()) if len(own) > 1 else 0.0)
    return float(np.mean(spreads) / modes.std)


def within_class(
    fake: Samples, real: Real, ms_ssim_pairs: int, ms_ssim_scales: int | None, dataset: str
) -> dict[str, Value]:
    """Diversity within classes, and its ratio to that of the real samples.

    Classes are the extractor's predictions on both sides; of points, the nearest modes.
    """

    def diversity(side: Samples) -> float:
        if real.modes is not None:
            return point_spread(side.samples, real.modes)
        seed = derive_seed("pairs within classes", dataset)
        return image_diversity(
            side.samples, *real.classes_of(side), ms_ssim_pairs, ms_ssim_scales, seed
        )

    value, of_real = diversity(fake), diversity(real)
    ratio = value / of_real if of_real else float(value > 0)
    return {"within_class_diversity": value, "within_class_diversity_ratio": ratio}


def vendi_score(features: np.ndarray, bandwidth: float) -> float:
    """exp of the entropy of the eigenvalues of K / n (Friedman and Dieng 2023, definition 3.1).

    features (array): n x d; k(x, y) = exp(-norm(x - y)^2 / (2 bandwidth^2)). In [1, n]: the number
    of samples that are distinct at the scale of the bandwidth.
    """
    kernel = np.empty((len(features), len(features)))
    for start, squares in squared_distances(features, features):
        kernel[start : start + len(squares)] = np.exp(
            -np.clip(squares, 0, None) / (2 * bandwidth**2)
        )
    values = np.linalg.eigvalsh(kernel / len(features))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def vendi(fake: Samples, real: Real, vendi_samples: int) -> float:
    """Vendi score of the features of the first `vendi_samples` samples.

    The bandwidth is half the median distance between as many real samples: with the median itself
    all sets are alike, at the scale of nearest neighbours noise scores most.
    """
    reference = real.features[:vendi_samples]
    squares = np.concatenate([s.copy() for _, s in squared_distances(reference, reference)])
    apart = squares[np.triu_indices(len(reference), 1)]
    bandwidth = float(np.sqrt(np.median(np.clip(apart, 0, None)))) / 2
    return vendi_score(fake.features[:vendi_samples], max(bandwidth, 1e-12))


WITHIN_CLASS_RATIO = Metric(
    name="within_class_diversity_ratio",
    label="within-class diversity over real",
    score=within_class,
    better="higher",
    data="all",
    needs="classes",
    source="ours",
    limits=(0.0, None),
    swept=True,
    panels=frozenset({"sweep", "effect-of-k"}),
)
WITHIN_CLASS = replace(
    WITHIN_CLASS_RATIO,
    name="within_class_diversity",
    label="within-class diversity",
    source="after Odena et al. 2017, section 4.3",
    panels=frozenset(),
)
VENDI = Metric(
    name="vendi",
    label="Vendi score",
    score=vendi,
    better="higher",
    digits=1,
    limits=(1.0, None),
    source="Friedman and Dieng 2023; kernel and bandwidth are ours",
)
