"""What a handful of seeds can say."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


def mean_interval(values: Any) -> tuple[Any, float | None]:
    """(mean, half width) of the 95 % Student-t interval of finite numbers, one per seed.

    The half width is None for one value; both are None for none.
    """
    values = np.asarray(list(values), np.float64)
    if len(values) < 2:
        return (float(values[0]) if len(values) else None), None
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(half)


@dataclass(frozen=True)
class Difference:
    """A difference over seeds.

    effect: difference of means; half: half width of its 95 % interval; p: two-sided (both None
    where one seed leaves no spread to judge by); size: effect over standard deviation (Cohen's d_z
    of pairs, d of independent samples; None without spread); seeds: number of seeds on either side.
    """

    effect: float
    half: float | None
    p: float | None
    size: float | None
    seeds: int


def paired_test(values: Any, baselines: Any) -> Difference:
    """Student's paired t-test of `values` against `baselines`, one pair per seed.

    Differences without any spread have p = 1 if they are zero and p = 0 otherwise.
    """
    differences = np.asarray(values, np.float64) - np.asarray(baselines, np.float64)
    if differences.ndim != 1 or len(differences) == 0:
        raise ValueError("paired_test needs at least one pair")
    mean, half = mean_interval(differences)
    if len(differences) == 1:
        return Difference(mean, None, None, None, 1)
    spread = differences.std(ddof=1)
    if spread == 0:
        return Difference(mean, 0.0, float(mean == 0), None, len(differences))
    p = 2 * stats.t.sf(abs(mean) / (spread / np.sqrt(len(differences))), len(differences) - 1)
    return Difference(mean, half, float(p), float(mean / spread), len(differences))


def welch_test(values: Any, others: Any) -> Difference:
    """Welch's t-test of two independent samples, one value per seed."""
    a, b = np.asarray(values, np.float64), np.asarray(others, np.float64)
    seeds = min(len(a), len(b))
    effect = float(a.mean() - b.mean())
    if seeds < 2:
        return Difference(effect, None, None, None, seeds)
    pooled = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    if pooled == 0:
        return Difference(effect, 0.0, float(effect == 0), None, seeds)
    result = stats.ttest_ind(a, b, equal_var=False)
    interval = result.confidence_interval(0.95)
    half = float(interval.high - interval.low) / 2
    return Difference(effect, half, float(result.pvalue), effect / float(pooled), seeds)


def holm(p_values: Any) -> list[float]:
    """Holm's step-down adjustment of p-values (Holm 1979), in the order given."""
    p_values = np.asarray(p_values, np.float64)
    order = np.argsort(p_values)
    steps = (len(p_values) - np.arange(len(p_values))) * p_values[order]
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted.tolist()
