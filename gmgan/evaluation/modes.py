"""Scores of 2-D points against the mixture they imitate."""

from dataclasses import replace

import numpy as np

from gmgan.evaluation.metric import Metric
from gmgan.evaluation.samples import Modes, Real, Samples, nearest_modes
from gmgan.records import ConvergencePoint, Snapshots

HIGH_QUALITY_STDS = 3.0
MODES_SHARE = 0.95


def mode_scores(points: np.ndarray, modes: Modes) -> dict[str, float]:
    """Modes captured and share of high-quality samples (N x 2).

    A sample is of high quality if it lies within 3 standard deviations of its nearest mode; a mode
    is captured if at least one high-quality sample is nearest to it (Srivastava et al. 2017,
    VEEGAN, section 4.1). Real data score 1 - exp(-4.5) = 0.989 of high quality.
    """
    nearest, distance = nearest_modes(points, modes.centres)
    good = distance <= HIGH_QUALITY_STDS * modes.std
    return {
        "modes_captured": float(len(np.unique(nearest[good]))),
        "high_quality_share": float(good.mean()),
    }


def modes_captured(fake: Samples, real: Real) -> dict[str, float]:
    """`mode_scores` of generated points."""
    return mode_scores(fake.samples, _modes(real))


def convergence(snapshots: Snapshots, modes: Modes) -> list[ConvergencePoint]:
    """`mode_scores` of every snapshot of a training."""
    return [
        ConvergencePoint(kimg=float(kimg), **mode_scores(points, modes))
        for kimg, points in zip(snapshots.kimg, snapshots.samples, strict=True)
    ]


def first_reach(curve: list[ConvergencePoint], n_modes: int) -> float | None:
    """The first kimg at which 95 % of the modes are captured, or None if that never happens."""
    level = MODES_SHARE * n_modes
    return next((point.kimg for point in curve if point.modes_captured >= level), None)


def mean_over_time(times: np.ndarray, values: list[float]) -> float:
    """Mean of a curve given at increasing `times` (trapezoidal rule)."""
    times = np.asarray(times, np.float64)
    return float(np.trapezoid(values, times) / np.ptp(times))


def over_training(fake: Samples, real: Real) -> dict[str, float]:
    """How fast the modes are captured, the budget if never, and how good samples are on the way."""
    if fake.snapshots is None:
        raise TypeError("these scores need the snapshots of a training")
    modes, kimg = _modes(real), fake.snapshots.kimg
    curve = convergence(fake.snapshots, modes)
    reached = first_reach(curve, len(modes.centres))
    return {
        "kimg_to_95_modes": float(kimg[-1]) if reached is None else reached,
        "high_quality_over_training": mean_over_time(
            kimg, [point.high_quality_share for point in curve]
        ),
    }


def _modes(real: Real) -> Modes:
    if real.modes is None:
        raise TypeError("images have no modes")
    return real.modes


MODES_CAPTURED = Metric(
    name="modes_captured",
    label="modes captured",
    limits=(0, "classes"),
    score=modes_captured,
    better="higher",
    digits=1,
    data="points",
    source="Srivastava et al. 2017, section 4.1",
    swept=True,
)
HIGH_QUALITY_SHARE = Metric(
    name="high_quality_share",
    label="high-quality share",
    score=modes_captured,
    better="higher",
    bounded=True,
    data="points",
    source="Srivastava et al. 2017, section 4.1",
    swept=True,
    panels=frozenset({"effect-of-k"}),
)
KIMG_TO_95_MODES = Metric(
    name="kimg_to_95_modes",
    label="kimg to 95 % of modes",
    limits=(0, None),
    score=over_training,
    better="lower",
    digits=0,
    group="convergence",
    data="points",
    needs="snapshots",
    source="ours",
)
HIGH_QUALITY_OVER_TRAINING = replace(
    KIMG_TO_95_MODES,
    name="high_quality_over_training",
    label="high-quality share, mean over training",
    better="higher",
    digits=3,
    bounded=True,
    limits=(None, None),
)
