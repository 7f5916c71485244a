"""What a number of seeds can say: intervals, tests, equivalence, and the seeds that would decide.

Seeds are the replicates: every function takes one value per seed. Tests, adjustments and power are
those of scipy and statsmodels. docs/statistics.md gives the reasons and their simulation.
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

ALPHA, POWER = 0.05, 0.8
PAIRED_FROM = 10  # seeds: below, the degrees of freedom that pairing costs outweigh its gain
RESAMPLES = 999  # of permutation tests; all permutations where there are fewer
MOST_SEEDS = 1000  # that are ever advised
LOG_SIZES = math.log(1e-3), math.log(1e7)  # of effects in standard deviations

Design = Literal["same runs", "seeds", "independent"]


def mean_interval(values: Iterable[float]) -> tuple[Any, float | None]:
    """(mean, half width) of the 95 % Student-t interval of finite numbers, one per seed.

    The half width is None for one value; both are None for none. An interval that leaves the range
    of a metric may be cut off: the mean lies within, so no coverage is lost.
    """
    values = np.asarray(list(values), np.float64)
    if len(values) < 2:
        return (float(values[0]) if len(values) else None), None
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(half)


@dataclass(frozen=True)
class Difference:
    """A difference over seeds, on the scale of the metric (`ratio`: mean of ratios by logarithms).

    test: its name. effect, low, high: difference or ratio of means with its 95 % interval. p: of no
    difference, two-sided. p_equivalent: of a difference of the smallest effect or more (TOST), None
    if no smallest effect is stated. low, high and the ps are None where one seed leaves no spread
    to judge by. seeds: on the side that has fewer. spread, spread_of_pairs: standard deviations of
    one run and of the difference of a pair, on the scale of the test.
    """

    test: str
    effect: float
    low: float | None
    high: float | None
    p: float | None
    p_equivalent: float | None
    seeds: int
    spread: float | None = None
    spread_of_pairs: float | None = None


def compare(
    values: pd.Series,
    others: pd.Series,
    smallest: float | None = None,
    ratio: bool = False,
    design: Design = "seeds",
) -> Difference:
    """`values` against `others`, both by seed, with the test that docs/statistics.md states.

    Of the same runs: paired t-test. Of seeds: paired from PAIRED_FROM common seeds on, else Welch's
    test. Independent: Welch's. smallest: the smallest effect of interest, a ratio above 1 if
    `ratio`. Raises ValueError for no values, or for ratios of values that are not positive.
    """
    if ratio:
        if min(values.min(), others.min()) <= 0:
            raise ValueError("ratios need positive values")
        margin = None if smallest is None else float(np.log(smallest))
        result = compare(np.log(values), np.log(others), margin, design=design)
        effect, low, high = (
            None if end is None else float(np.exp(end))
            for end in (result.effect, result.low, result.high)
        )
        assert effect is not None
        return replace(result, effect=effect, low=low, high=high)
    common = values.index.intersection(others.index)
    pairs = (values[common] - others[common]) if design != "independent" else pd.Series([])
    paired = design == "same runs" or len(pairs) >= PAIRED_FROM
    a, b = (values[common], others[common]) if paired else (values, others)
    a, b = a.to_numpy(np.float64), b.to_numpy(np.float64)
    seeds = min(len(a), len(b))
    if seeds == 0:
        raise ValueError("compare needs a value on both sides")
    test, effect = "paired t" if paired else "Welch", float(a.mean() - b.mean())
    if seeds == 1:
        return Difference(test, effect, None, None, None, None, 1)
    spreads = dict(
        spread=float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)),
        spread_of_pairs=float(pairs.std(ddof=1)) if len(pairs) > 1 else None,
    )
    if _has_no_spread(a, b, paired):
        ps = _by_permutation(a, b, paired, smallest)
        return Difference("permutation", effect, effect, effect, *ps, seeds, **spreads)
    with warnings.catch_warnings():  # about one side without spread, which is no mistake
        warnings.simplefilter("ignore", RuntimeWarning)
        result = stats.ttest_rel(a, b) if paired else stats.ttest_ind(a, b, equal_var=False)
    low, high = result.confidence_interval(0.95)
    equivalent = None if smallest is None else _tost(a, b, paired, smallest)
    p = float(result.pvalue)
    return Difference(test, effect, float(low), float(high), p, equivalent, seeds, **spreads)


def compare_times(
    times: pd.Series, others: pd.Series, budgets: tuple[float, float], smallest: float
) -> Difference:
    """Times by seed until an event, against those of `others`; at the budget they are censored.

    p: log-rank test, referred to its permutations (the normal limit is liberal at five seeds). The
    effect is a ratio of (geometric) means, the time to the event or to the budget, with Welch's
    interval and equivalence. p is None if no run of either has the event.
    """
    result = compare(times, others, smallest, ratio=True, design="independent")
    a, b = (
        np.where(np.isclose(t, most) | (t >= most), np.inf, t)
        for t, most in zip((times, others), budgets, strict=True)
    )
    if result.seeds < 2:
        return replace(result, test="log-rank")
    if np.isinf(np.r_[a, b]).all():
        return replace(result, test="log-rank", p=None, p_equivalent=None)
    permuted = stats.permutation_test((a, b), _logrank, n_resamples=RESAMPLES, rng=0)
    return replace(result, test="log-rank", p=float(permuted.pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of p-values (Holm 1979), in the order given.

    statsmodels' multipletests gives the same and collects garbage on every call: more than half of
    the time of the claims of the suite `quick`.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values)
    steps = (len(values) - np.arange(len(values))) * values[order]
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted.tolist()


def detectable_effect(
    spread: float, seeds: int, paired: bool, comparisons: int, power: float = POWER
) -> float:
    """The smallest difference that `seeds` seeds show with that power, in the unit of `spread`.

    spread: of one run, or of the difference of a pair. comparisons: in the family; the level is the
    one of Holm's first step.
    """

    def missing(log_size: float) -> float:
        return power - t_test_power(math.exp(log_size), seeds, ALPHA / comparisons, paired)[0]

    return float(math.exp(brentq(missing, *LOG_SIZES, xtol=1e-4)) * spread)


def power_at(
    seeds: Sequence[float] | np.ndarray,
    spread: float,
    spread_of_pairs: float | None,
    smallest: float,
    comparisons: int,
    paired_from: int = PAIRED_FROM,
) -> np.ndarray:
    """2 x N: the power of each number of seeds to show a difference, and to show equivalence.

    A difference of the smallest effect, and equivalence where there is no difference (TOST). Pairs
    are taken from `paired_from` seeds on, if their spread is given. The level is the one of Holm's
    first step.
    """
    alpha, n = ALPHA / comparisons, np.asarray(seeds, np.float64)
    in_pairs = (n >= paired_from) & (spread_of_pairs is not None)
    power = np.ones((2, len(n)))
    for paired, which, sd in ((False, ~in_pairs, spread), (True, in_pairs, spread_of_pairs)):
        if which.any() and sd:
            size = smallest / sd
            power[0, which] = t_test_power(size, n[which], alpha, paired)
            one_sided = t_test_power(size, n[which], alpha, paired, "larger")
            power[1, which] = 2 * one_sided - 1  # both one-sided tests reject where nothing differs
    return power.clip(0, 1)


def t_test_power(
    sizes: np.ndarray | float,
    seeds: np.ndarray | float,
    alpha: float,
    paired: bool,
    alternative: Literal["two-sided", "larger"] = "two-sided",
) -> np.ndarray:
    """Power to show standardised differences: paired, or of two samples of `seeds` each.

    From statsmodels. With few degrees of freedom its noncentral t distribution is undefined at
    some points; there the probability is integrated over the chi-squared distribution of the
    variance.
    """
    from statsmodels.stats.power import TTestIndPower, TTestPower

    solver = TTestPower() if paired else TTestIndPower()
    power = np.atleast_1d(solver.power(sizes, seeds, alpha, alternative=alternative))
    places = np.broadcast_arrays(sizes, seeds, power)
    for i in np.flatnonzero(np.isnan(power)):
        size, n = (float(each.flat[i]) for each in places[:2])
        freedom, scale = (n - 1, n**0.5) if paired else (2 * n - 2, (n / 2) ** 0.5)
        power[i] = _rejections(size * scale, freedom, alpha, alternative)
    return power


def _rejections(shift: float, freedom: float, alpha: float, alternative: str) -> float:
    """P(|T| > t) or P(T > t) of T = (Z + shift) / sqrt(V / freedom), with V chi-squared."""
    chi2, normal = stats.chi2(freedom), stats.norm
    logs = np.linspace(np.log(chi2.ppf(1e-16)), np.log(chi2.isf(1e-16)), 2000)
    variance = np.exp(logs)
    two_sided = alternative == "two-sided"
    limit = stats.t.isf(alpha / 2 if two_sided else alpha, freedom) * np.sqrt(variance / freedom)
    rejected = normal.sf(limit - shift) + two_sided * normal.cdf(-limit - shift)
    return float(np.trapezoid(chi2.pdf(variance) * variance * rejected, logs))


def deciding_seeds(
    spread: float,
    spread_of_pairs: float | None,
    smallest: float,
    comparisons: int,
    paired_from: int = PAIRED_FROM,
) -> int | None:
    """Seeds that show the smallest effect, and equivalence where there is no difference, with 80 %
    power each, as `power_at` has it; None: more than MOST_SEEDS.
    """
    seeds = np.unique(np.geomspace(2, MOST_SEEDS, 250).round())
    power = power_at(seeds, spread, spread_of_pairs, smallest, comparisons, paired_from)
    enough = (power >= POWER).all(axis=0)
    return int(seeds[enough][0]) if enough.any() else None


def _has_no_spread(a: np.ndarray, b: np.ndarray, paired: bool) -> bool:
    deviations = [a - b] if paired else [a, b]
    scale = max(np.abs(a).max(), np.abs(b).max())
    return all(each.std() <= 1e-12 * scale for each in deviations)


def _tost(a: np.ndarray, b: np.ndarray, paired: bool, margin: float) -> float:
    from statsmodels.stats.weightstats import ttost_ind, ttost_paired

    if paired:
        return float(ttost_paired(a, b, -margin, margin)[0])
    return float(ttost_ind(a, b, -margin, margin, usevar="unequal")[0])


def _by_permutation(
    a: np.ndarray, b: np.ndarray, paired: bool, margin: float | None
) -> tuple[float, float | None]:
    """p of no difference and of no equivalence, for values without any spread."""

    def p(shift: float, alternative: str) -> float:
        def difference(x: np.ndarray, y: np.ndarray, axis: int) -> Any:
            return x.mean(axis) - y.mean(axis)

        kind = "samples" if paired else "independent"
        options = dict(permutation_type=kind, n_resamples=RESAMPLES, rng=0)
        samples = (a + shift, b)
        return float(
            stats.permutation_test(samples, difference, alternative=alternative, **options).pvalue
        )

    if margin is None:
        return p(0, "two-sided"), None
    return p(0, "two-sided"), max(p(margin, "greater"), p(-margin, "less"))


def _logrank(a: np.ndarray, b: np.ndarray) -> float:
    """The statistic of the log-rank test; infinite times are censored after all others."""
    last = np.r_[a, b][np.isfinite(np.r_[a, b])].max() + 1
    sides = (
        stats.CensoredData(uncensored=t[np.isfinite(t)], right=np.full(np.isinf(t).sum(), last))
        for t in (a, b)
    )
    return float(np.nan_to_num(stats.logrank(*sides).statistic))
