"""How often the tests of claims are right: error rates, power and coverage, by simulation."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from gmgan.report.statistics import (
    ALPHA,
    compare,
    compare_times,
    detectable_effect,
    holm,
    mean_interval,
)

FAMILY = 3  # comparisons with one correction
CORRELATION = 0.3  # of the two scores of a seed
SMALLEST = 1.0  # the smallest effect of interest, in standard deviations of a run
BUDGET = 400.0  # of the times

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _of_normal(change: Callable[[np.ndarray], np.ndarray]) -> Noise:
    return lambda rng, shape: change(rng.standard_normal(shape))


NOISE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    # functions of a standard normal variable with mean 0 and standard deviation 1
    "normal": lambda z: z,
    "skewed": lambda z: (np.exp(0.5 * z) - np.exp(0.125)) / 0.6039,
    "bounded": lambda z: (np.maximum(z, -0.5) - 0.1978) / 0.7439,
}


@dataclass(frozen=True)
class Rates:
    """Shares of simulated families.

    false_difference: with a difference shown where there is none; false_equivalence: with
    equivalence shown at the smallest effect; power, power_of_equivalence: shares of comparisons
    that show the smallest effect, and equivalence of equals; coverage: of the 95 % intervals.
    """

    noise: str
    seeds: int
    false_difference: float
    false_equivalence: float
    power: float
    power_of_equivalence: float
    coverage: float


def simulate(seeds: tuple[int, ...], repeats: int) -> Iterator[Rates]:
    """The rates of each kind of noise and number of seeds, from `repeats` families of FAMILY."""
    rng = np.random.default_rng(0)
    for noise in NOISE:
        for n in seeds:
            equal = [_family(rng, noise, n, 0.0) for _ in range(repeats)]
            apart = [_family(rng, noise, n, SMALLEST) for _ in range(repeats)]
            yield Rates(
                noise=noise,
                seeds=n,
                false_difference=float(np.mean([f[0].any() for f in equal])),
                false_equivalence=float(np.mean([f[1].any() for f in apart])),
                power=float(np.mean([f[0] for f in apart])),
                power_of_equivalence=float(np.mean([f[1] for f in equal])),
                coverage=float(np.mean([f[2] for f in equal + apart])),
            )


def simulate_times(seeds: tuple[int, ...], repeats: int) -> Iterator[tuple[int, float, float]]:
    """(seeds, share of false differences, power for three times the speed) of the log-rank test.

    Times are exponential with a mean of 300 kimg of a budget of 400, in steps of ten.
    """
    rng = np.random.default_rng(0)

    def times(n: int, mean: float) -> pd.Series:
        return pd.Series(np.minimum(np.ceil(rng.exponential(mean / 10, n)) * 10, BUDGET))

    def shown(n: int, ratio: float) -> bool:
        sides = times(n, 300 / ratio), times(n, 300.0)
        p = compare_times(*sides, (BUDGET, BUDGET), 1.25).p
        return p is not None and p < ALPHA

    for n in seeds:
        false, power = (np.mean([shown(n, r) for _ in range(repeats)]) for r in (1.0, 3.0))
        yield n, float(false), float(power)


def simulate_pairing(seeds: Sequence[int], repeats: int) -> Iterator[tuple[float, list[float]]]:
    """(correlation of pairs, power of the paired test less that of Welch's, per number of seeds).

    Of a difference that Welch's test shows with 50 % power at correlation 0, at the level of the
    first step of a family of FAMILY.
    """
    rng = np.random.default_rng(0)
    level = ALPHA / FAMILY
    for correlation in (0.0, 0.2, 0.3, 0.4):
        gains = []
        for n in seeds:
            difference = detectable_effect(1.0, n, False, FAMILY, power=0.5)
            shared, *own = rng.standard_normal((3, repeats, n))
            a, b = (np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * z for z in own)
            paired = stats.ttest_rel(a + difference, b, axis=1).pvalue < level
            welch = stats.ttest_ind(a + difference, b, axis=1, equal_var=False).pvalue < level
            gains.append(float(paired.mean() - welch.mean()))
        yield correlation, gains


def simulate_intervals(seeds: Sequence[int], repeats: int) -> Iterator[tuple[str, list[float]]]:
    """(kind of interval, its coverage of a mean of bounded scores, per number of seeds)."""
    rng = np.random.default_rng(0)
    draws = {n: [NOISE["bounded"](rng.standard_normal(n)) for _ in range(repeats)] for n in seeds}

    def t(values: np.ndarray) -> tuple[float, float]:
        mean, half = mean_interval(values)
        return mean - (half or 0), mean + (half or 0)

    def bootstrap(method: str) -> Callable[[np.ndarray], tuple[float, float]]:
        def interval(values: np.ndarray) -> tuple[float, float]:
            options = {"n_resamples": 999, "method": method, "rng": 0}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about equal values
                low, high = stats.bootstrap((values,), np.mean, **options).confidence_interval
            return low, high

        return interval

    for name, interval in {
        "Student-t": t,
        "percentile bootstrap": bootstrap("percentile"),
        "BCa bootstrap": bootstrap("BCa"),
    }.items():
        ends = {n: np.array([interval(values) for values in draws[n]]) for n in seeds}
        yield name, [float(np.mean((e[:, 0] <= 0) & (e[:, 1] >= 0))) for e in ends.values()]


def _family(
    rng: np.random.Generator, noise: str, seeds: int, difference: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each comparison shows a difference, shows equivalence, covers the truth."""
    results = []
    for _ in range(FAMILY):
        shared, *own = rng.standard_normal((3, seeds))
        z = (np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * each for each in own)
        a, b = (pd.Series(NOISE[noise](each)) for each in z)
        results.append(compare(a + difference, b, SMALLEST))
    equivalent = np.array(holm([r.p_equivalent for r in results if r.p_equivalent is not None]))
    shown = np.array(holm([r.p for r in results if r.p is not None]))
    covered = [(r.low or 0) <= difference <= (r.high or 0) for r in results]
    return shown < ALPHA, equivalent < ALPHA, np.array(covered)


def as_markdown(repeats: int, seeds: tuple[int, ...] = (5, 10, 20)) -> str:
    """The tables of docs/statistics.md."""
    lines = [
        "| scores | seeds | false difference | false equivalence | power | power of equivalence | "
        "coverage |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in simulate(seeds, repeats):
        rates = (r.false_difference, r.false_equivalence, r.power, r.power_of_equivalence)
        values = [*(f"{rate:.3f}" for rate in rates), f"{r.coverage:.3f}"]
        lines.append(f"| {r.noise} | {r.seeds} | {' | '.join(values)} |")
    lines += [
        "",
        "| times | seeds | false difference | power, three times as fast |",
        "| --- | ---: | ---: | ---: |",
    ]
    for n, false, power in simulate_times(seeds, max(1, repeats // 4)):
        lines.append(f"| log-rank | {n} | {false:.3f} | {power:.3f} |")
    few = (3, 5, 6, 7, 8, 10, 20)
    lines += ["", f"| correlation | {' | '.join(f'{n} seeds' for n in few)} |"]
    lines += ["| --- |" + " ---: |" * len(few)]
    for correlation, gains in simulate_pairing(few, 20 * repeats):
        lines.append(f"| {correlation} | {' | '.join(f'{gain:+.2f}' for gain in gains)} |")
    lines += ["", f"| interval | {' | '.join(f'{n} seeds' for n in few)} |"]
    lines += ["| --- |" + " ---: |" * len(few)]
    for name, coverage in simulate_intervals(few, repeats):
        lines.append(f"| {name} | {' | '.join(f'{each:.3f}' for each in coverage)} |")
    return "\n".join(lines) + "\n"
