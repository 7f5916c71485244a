"""Quality and diversity as two separate scores, after Ben-Yosef and Weinshall.

How sure each formula is. Diversity follows a public re-implementation's reading of the authors'
ICLR 2019 submission of the same work; leaving pairs of a sample with itself out is ours. The form
of the quality score is quoted from memory of the paper and unconfirmed; its calibration and the
unit of its distances are ours.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from gmgan.errors import GmganError
from gmgan.evaluation.metric import Metric, Value
from gmgan.evaluation.modes import HIGH_QUALITY_STDS
from gmgan.evaluation.neighbours import nearest_distances
from gmgan.evaluation.samples import Real, Samples, nearest_modes
from gmgan.seeds import derive_seed

PAIRS_AT_ONCE = 100  # fits a processor's cache
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik 2003


@dataclass(frozen=True)
class Calibration:
    """Where the quality score falls: `log_a`, and the `unit` of distance it is in."""

    unit: float
    log_a: float


def quality(distances: np.ndarray, calibration: Calibration) -> float:
    """Mean of s_q = 1 - e^d / (e^d + a) = 1 / (1 + e^(d - log a)), in [0, 1].

    distances (array): distance of each sample to the nearest real training sample in feature
    space, taken in the unit of the calibration.
    """
    d = np.asarray(distances, np.float64) / calibration.unit
    return float(expit(calibration.log_a - d).mean())


def calibrate(held_out: np.ndarray, noise: np.ndarray, top: float) -> Calibration:
    """The calibration under which a typical real sample scores `top` and noise 1 - `top`.

    held_out, noise (array): distances of real held-out samples and of uniform noise to the nearest
    real training sample; typical is the median. Where noise lies no farther than the farthest
    hundredth of the held-out samples, that distance takes its place. 0.5 < top < 1.
    """
    near = float(np.median(held_out))
    far = max(float(np.median(noise)), float(np.quantile(held_out, 0.99)), near + 1e-9)
    unit = (far - near) / (2 * logit(top))
    return Calibration(unit, (near + far) / (2 * unit))


def class_entropy(classes: np.ndarray, n_classes: int) -> float:
    """d_inter: entropy of the shares of the predicted classes (N integers) over log n_classes."""
    shares = np.bincount(classes, minlength=n_classes) / len(classes)
    shares = shares[shares > 0]
    return float(np.abs((shares * np.log(shares)).sum()) / np.log(n_classes))  # no -0.0


def ms_ssim_window(size: int) -> tuple[int, float]:
    """(window, sigma) of the Gaussian window: 11 pixels, or 5 for images below 16 pixels."""
    return (11, 1.5) if size >= 16 else (5, 0.5)


def most_scales(size: int) -> int:
    """The most scales that images of `size` pixels allow; the usual five need 176 pixels.

    torchmetrics asks for a window in size // 2^(n - 1) and in size // (n - 1)^2 pixels.
    """
    window, _ = ms_ssim_window(size)
    return sum(size // divisor >= window for divisor in (1, 2, 4, 9, 16))


def pairwise_diversity(images: np.ndarray, pairs: int, scales: int, seed: int) -> float:
    """d_intra: 1 - mean MS-SSIM over `pairs` random pairs of different samples.

    images (array): uint8 N x H x W x C; scales (int): MS-SSIM scales, with the first of the usual
    weights, made to sum to 1. Negative terms count as 0, since their powers are not real. Raises
    GmganError for fewer than two images or more scales than their size allows.
    """
    import torch

    from gmgan.runtime.torch_setup import allow_torchvision_without_ops

    allow_torchvision_without_ops()
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure as ms_ssim,
    )

    if len(images) < 2:
        raise GmganError(f"diversity needs pairs of samples, got {len(images)} sample")
    size = min(images.shape[1:3])
    window, sigma = ms_ssim_window(size)
    if not 1 <= scales <= most_scales(size):
        raise GmganError(
            f"images of {size} pixels allow at most {most_scales(size)} scales of "
            f"MS-SSIM, got {scales}; lower evaluation.ms_ssim_scales"
        )
    weights = np.array(MS_SSIM_WEIGHTS[:scales])
    betas = tuple((weights / weights.sum()).tolist())
    rng = np.random.default_rng(seed)
    first = rng.integers(len(images), size=pairs)
    second = (first + rng.integers(1, len(images), size=pairs)) % len(images)
    options: dict[str, Any] = {"data_range": 255.0, "reduction": "none", "normalize": "relu"}
    similarities = []
    for start in range(0, pairs, PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        sides = (images[first[rows]], images[second[rows]])
        left, right = (torch.from_numpy(side).permute(0, 3, 1, 2).float() for side in sides)
        similarities.append(
            ms_ssim(left, right, sigma=sigma, kernel_size=window, betas=betas, **options)
        )
    return float(1 - torch.cat(similarities).double().mean())


def point_diversity(nearest: np.ndarray, is_good: np.ndarray, n_modes: int) -> float:
    """Diversity of 2-D points: sqrt(share of modes captured x entropy of the nearest modes).

    nearest (array): index of each point's nearest mode; is_good (array): which points count for
    capturing it. The two-dimensional form is ours.
    """
    captured = len(np.unique(nearest[is_good])) / n_modes
    return float(np.sqrt(captured * class_entropy(nearest, n_modes)))


def quality_diversity(
    fake: Samples,
    real: Real,
    held_out_quality: float,
    ms_ssim_pairs: int,
    ms_ssim_scales: int | None,
    dataset: str,
) -> dict[str, Value]:
    """Quality, diversity d = sqrt(d_intra d_inter), for images its two parts, and sqrt(q d).

    held_out_quality: quality of a typical real held-out sample. ms_ssim_scales None: as many as
    fit. The pairs are drawn by a seed of the data set's name. Raises GmganError for one sample.
    """
    calibration = calibrate(real.held_out_distances, real.noise_distances, held_out_quality)
    parts: dict[str, Value] = {}
    if real.modes is not None:
        nearest, distances = nearest_modes(fake.samples, real.modes.centres)
        is_good = distances <= HIGH_QUALITY_STDS * real.modes.std
        diversity = point_diversity(nearest, is_good, len(real.modes.centres))
    else:
        distances = nearest_distances(fake.features, real.training)
        scales = ms_ssim_scales or most_scales(min(fake.samples.shape[1:3]))
        seed = derive_seed("pairs", dataset)
        intra = pairwise_diversity(fake.samples, ms_ssim_pairs, scales, seed)
        inter = class_entropy(*real.classes_of(fake))
        diversity = float(np.sqrt(intra * inter))
        parts = {"diversity_intra": intra, "diversity_inter": inter}
    value = quality(distances, calibration)
    both = float(np.sqrt(value * diversity))
    return {"quality": value, "diversity": diversity, **parts, "quality_diversity": both}


SHARED: dict[str, Any] = dict(score=quality_diversity, better="higher", bounded=True, swept=True)
QUALITY = Metric(
    **SHARED,
    name="quality",
    label="quality",
    data="all",
    source="after Ben-Yosef and Weinshall 2018; form unconfirmed, unit and a are ours",
    panels=frozenset({"sweep", "effect-of-k"}),
)
DIVERSITY = Metric(
    **SHARED,
    name="diversity",
    label="diversity",
    data="all",
    source="Ben-Yosef and Weinshall, as a public re-implementation reads the ICLR 2019 submission",
    panels=frozenset({"sweep", "effect-of-k"}),
)
QUALITY_DIVERSITY = Metric(
    **SHARED, name="quality_diversity", label="quality and diversity", data="all", source="ours"
)
DIVERSITY_INTRA = Metric(
    **SHARED,
    name="diversity_intra",
    label="diversity, within pairs",
    source="as diversity; leaving out a sample with itself is ours; MS-SSIM by torchmetrics",
)
DIVERSITY_INTER = Metric(
    **SHARED, name="diversity_inter", label="diversity, over classes", source="as diversity"
)
