"""Scores of 2-D points against the mixture they imitate."""

import numpy as np

HIGH_QUALITY_STDS = 3.0


def nearest_modes(points, centres):
    """Index of, and Euclidean distance to, the nearest centre: (N,), (N,) from N x 2 and M x 2."""
    distances = np.linalg.norm(points[:, None, :] - centres[None, :, :], axis=2)
    nearest = distances.argmin(1)
    return nearest, distances[np.arange(len(points)), nearest]


def mode_scores(points, centres, std):
    """Modes captured and share of high-quality samples.

    A sample is of high quality if it lies within 3 standard deviations of its nearest mode; a mode
    is captured if at least one high-quality sample is nearest to it (Srivastava et al. 2017,
    VEEGAN, section 4.1). Real data score 1 - exp(-4.5) = 0.989 of high quality.
    """
    nearest, distance = nearest_modes(points, centres)
    good = distance <= HIGH_QUALITY_STDS * std
    return {
        "modes_captured": float(len(np.unique(nearest[good]))),
        "high_quality_share": float(good.mean()),
    }


def first_reach(times, values, level):
    """The first of `times` at which the value reaches `level`, or None if none does."""
    reached = np.flatnonzero(np.asarray(values) >= level)
    return float(times[reached[0]]) if len(reached) else None


def mean_over_time(times, values) -> float:
    """Mean of a curve given at increasing `times` (trapezoidal rule)."""
    times = np.asarray(times, np.float64)
    return float(np.trapezoid(values, times) / (times[-1] - times[0]))
