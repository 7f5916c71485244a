"""What a handful of seeds can say."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


def mean_interval(values, confidence=0.95):
    """(mean, half width) of the Student-t interval; the half width is None for one value.

    values: finite numbers, one per seed. Returns (None, None) for none.
    """
    values = np.asarray(list(values), np.float64)
    if len(values) == 0:
        return None, None
    if len(values) == 1:
        return float(values[0]), None
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(half)


@dataclass(frozen=True)
class PairedTest:
    """A difference over paired seeds.

    effect: mean difference; half: half width of its 95 % interval (None for one pair); p: two-sided
    (None for one pair); size: mean over standard deviation of the differences (Cohen's d_z, None
    where it has no spread); pairs: number of seeds.
    """

    effect: float
    half: float | None
    p: float | None
    size: float | None
    pairs: int


def paired_test(values, baselines) -> PairedTest:
    """Student's paired t-test of `values` against `baselines`, one pair per seed.

    Differences without any spread have p = 1 if they are zero and p = 0 otherwise.
    """
    differences = np.asarray(values, np.float64) - np.asarray(baselines, np.float64)
    if differences.ndim != 1 or len(differences) == 0:
        raise ValueError("paired_test needs at least one pair")
    mean, half = mean_interval(differences)
    if len(differences) == 1:
        return PairedTest(mean, None, None, None, 1)
    spread = differences.std(ddof=1)
    if spread == 0:
        return PairedTest(mean, 0.0, float(mean == 0), None, len(differences))
    p = 2 * stats.t.sf(abs(mean) / (spread / np.sqrt(len(differences))), len(differences) - 1)
    return PairedTest(mean, half, float(p), float(mean / spread), len(differences))


def holm(p_values) -> list[float]:
    """Holm's step-down adjustment of p-values (Holm 1979), in the order given."""
    p_values = np.asarray(p_values, np.float64)
    order = np.argsort(p_values)
    steps = (len(p_values) - np.arange(len(p_values))) * p_values[order]
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted.tolist()
