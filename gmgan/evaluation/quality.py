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

from gmgan.evaluation.metric import Metric, Value
from gmgan.evaluation.modes import HIGH_QUALITY_STDS
from gmgan.evaluation.neighbours import nearest_distances
from gmgan.evaluation.samples import Real, Samples, nearest_modes
from gmgan.evaluation.similarity import dissimilarity
from gmgan.seeds import derive_seed


@dataclass(frozen=True)
class Calibration:
    """Where the quality score falls: `log_a`, and the `unit` of distance it is in."""

    unit: float
    log_a: float


def quality(distances: np.ndarray, calibration: Calibration) -> float:
    """Mean of s_q = 1 - e^d / (e^d + a) = 1 / (1 + e^(d - log a)), in [0, 1].

    distances (array): distance of each sample to the nearest real training sample, of images in
    feature space, of points in the plane; taken in the unit of the calibration.
    """
    d = np.asarray(distances, np.float64) / calibration.unit
    return float(expit(calibration.log_a - d).mean())


def calibrate(held_out: np.ndarray, noise: np.ndarray, top: float) -> Calibration:
    """The calibration under which the median held-out sample scores `top`, median noise 1 - `top`.

    held_out, noise (array): distances of real held-out samples and of uniform noise to the nearest
    real training sample. Where the median of noise is no farther than that of held-out samples, the
    score is a step there. 0.5 < top < 1.
    """
    near = float(np.median(held_out))
    far = max(float(np.median(noise)), near * (1 + 1e-6) + 1e-12)
    unit = (far - near) / (2 * logit(top))
    return Calibration(unit, (near + far) / (2 * unit))


def anchors(real: Real, held_out_quality: float) -> dict[str, float]:
    """Mean quality of all real held-out samples and of uniform noise."""
    held_out, noise = real.held_out_distances, real.noise_distances
    calibration = calibrate(held_out, noise, held_out_quality)
    return {"held-out": quality(held_out, calibration), "noise": quality(noise, calibration)}


def class_entropy(classes: np.ndarray, n_classes: int) -> float:
    """d_inter: entropy of the shares of the predicted classes (N integers) over log n_classes."""
    shares = np.bincount(classes, minlength=n_classes) / len(classes)
    shares = shares[shares > 0]
    return float(np.abs((shares * np.log(shares)).sum()) / np.log(n_classes))  # no -0.0


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
    distances = nearest_distances(fake.features, real.training)
    parts: dict[str, Value] = {}
    if real.modes is not None:
        nearest, to_mode = nearest_modes(fake.samples, real.modes.centres)
        is_good = to_mode <= HIGH_QUALITY_STDS * real.modes.std
        diversity = point_diversity(nearest, is_good, len(real.modes.centres))
    else:
        rng = np.random.default_rng(derive_seed("pairs", dataset))
        intra = dissimilarity(fake.samples, ms_ssim_pairs, ms_ssim_scales, rng)
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
    version=2,
    panels=frozenset({"sweep", "effect-of-k"}),
)
DIVERSITY = Metric(
    **SHARED,
    name="diversity",
    label="diversity",
    data="all",
    source="Ben-Yosef and Weinshall, as a public re-implementation reads the ICLR 2019 submission",
    version=2,
    panels=frozenset({"sweep", "effect-of-k"}),
)
QUALITY_DIVERSITY = Metric(
    **SHARED,
    name="quality_diversity",
    label="quality and diversity",
    data="all",
    source="ours",
    version=2,
)
DIVERSITY_INTRA = Metric(
    **SHARED,
    name="diversity_intra",
    label="diversity, within pairs",
    source="as diversity; leaving out a sample with itself is ours; MS-SSIM of Wang et al. 2003",
    version=2,
)
DIVERSITY_INTER = Metric(
    **SHARED, name="diversity_inter", label="diversity, over classes", source="as diversity"
)
