"""What seeds can say: tests, equivalence and planning against scipy, statsmodels and simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import tt_ind_solve_power, tt_solve_power

from gmgan.report.statistics import (
    PAIRED_FROM,
    compare,
    compare_times,
    deciding_seeds,
    detectable_effect,
    holm,
    t_test_power,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def series(values, seeds=None):
    return pd.Series(np.asarray(values, float), index=seeds)


def test_few_seeds_are_compared_by_welch_and_more_in_pairs(rng):
    a, b = rng.standard_normal(PAIRED_FROM) + 0.4, rng.standard_normal(PAIRED_FROM)
    few = compare(series(a[:-1]), series(b[:-1]))
    exact = stats.ttest_ind(a[:-1], b[:-1], equal_var=False)
    assert (few.test, few.p, few.seeds) == ("Welch", pytest.approx(exact.pvalue), PAIRED_FROM - 1)
    assert (few.low, few.high) == pytest.approx(tuple(exact.confidence_interval(0.95)))
    many = compare(series(a), series(b))
    exact = stats.ttest_rel(a, b)
    assert (many.test, many.p) == ("paired t", pytest.approx(exact.pvalue))
    assert (many.low, many.high) == pytest.approx(tuple(exact.confidence_interval(0.95)))
    assert compare(series(a), series(b), design="independent").test == "Welch"
    assert compare(series(a[:3]), series(b[:3]), design="same runs").test == "paired t"


def test_pairs_are_of_the_same_seed(rng):
    a, b = rng.standard_normal(14), rng.standard_normal(14)
    shuffled = series(b).sample(frac=1, random_state=0)
    assert compare(series(a), shuffled) == compare(series(a), series(b))
    other = compare(series(a), series(b[:10], range(4, 14)))
    assert other.effect == pytest.approx((a[4:] - b[:10]).mean())


@pytest.mark.parametrize("n", [4, 12])
def test_equivalence_is_two_one_sided_tests(rng, n):
    a, b, margin = rng.standard_normal(n), rng.standard_normal(n), 1.5
    sides = []
    for shift, alternative in ((margin, "greater"), (-margin, "less")):
        if n < PAIRED_FROM:
            one = stats.ttest_ind(a + shift, b, equal_var=False, alternative=alternative)
        else:
            one = stats.ttest_rel(a + shift, b, alternative=alternative)
        sides.append(one.pvalue)
    assert compare(series(a), series(b), margin).p_equivalent == pytest.approx(max(sides))
    assert compare(series(a), series(b)).p_equivalent is None


def test_a_ratio_is_a_difference_of_logarithms(rng):
    a, b = np.exp(rng.standard_normal(5)), np.exp(rng.standard_normal(5))
    ratio = compare(series(a), series(b), 1.2, ratio=True)
    log = compare(series(np.log(a)), series(np.log(b)), np.log(1.2))
    assert (ratio.p, ratio.p_equivalent) == (log.p, log.p_equivalent)
    assert np.log([ratio.effect, ratio.low, ratio.high]) == pytest.approx(
        [log.effect, log.low, log.high]
    )
    assert ratio.effect == pytest.approx(stats.gmean(a) / stats.gmean(b))
    with pytest.raises(ValueError, match="positive"):
        compare(series([0.0, 1.0]), series([1.0, 1.0]), 1.2, ratio=True)


def test_values_without_spread_are_permuted():
    """All five seeds agree: the exact test has 252 permutations, and one or two as extreme."""
    equal = compare(series([8] * 5), series([8] * 5), 0.5)
    assert (equal.p, equal.p_equivalent) == (1, pytest.approx(1 / 252))
    other = compare(series([8] * 5), series([7] * 5), 0.5)
    assert (other.p, other.p_equivalent) == (pytest.approx(2 / 252), 1)
    assert compare(series([1] * 2), series([1] * 2), 0.5).p_equivalent > 0.05


def test_one_seed_has_no_test_and_none_is_an_error():
    one = compare(series([2.0]), series([1.5]), 0.1)
    assert (one.effect, one.low, one.p, one.p_equivalent, one.seeds) == (0.5, None, None, None, 1)
    with pytest.raises(ValueError, match="a value on both sides"):
        compare(series([]), series([1.0]))


def test_times_are_compared_by_log_rank_with_the_budget_as_censoring(rng):
    a = np.minimum(np.ceil(rng.exponential(60, 12)), 400)
    b = np.minimum(np.ceil(rng.exponential(600, 12)), 400)
    assert 0 < (b == 400).sum() < 12
    result = compare_times(series(a), series(b), (400, 400), 1.25)
    sides = [stats.CensoredData(uncensored=t[t < 400], right=t[t == 400]) for t in (a, b)]
    assert result.p == pytest.approx(stats.logrank(*sides).pvalue, abs=0.02)
    assert result.p < 0.05
    assert result.effect == pytest.approx(stats.gmean(a) / stats.gmean(b))
    never = compare_times(series([400] * 3), series([400] * 3), (400, 400), 1.25)
    assert (never.p, never.p_equivalent) == (None, None)


def test_times_of_few_seeds_have_the_size_of_the_exact_test(rng):
    """Three seeds a side: no p below 2/20, whatever the times."""
    ps = [
        compare_times(
            series(rng.exponential(1, 3)), series(rng.exponential(99, 3)), (400,) * 2, 2
        ).p
        for _ in range(10)
    ]
    assert min(ps) == pytest.approx(0.1)


def test_holm_is_statsmodels(rng):
    for n in (1, 2, 7):
        ps = rng.random(n) ** 3
        assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])
    assert holm([]) == []


@pytest.mark.parametrize(("seeds", "comparisons"), [(3, 1), (10, 3), (20, 1)])
def test_the_detectable_effect_has_a_power_of_80_percent(seeds, comparisons):
    one = tt_ind_solve_power(nobs1=seeds, alpha=0.05 / comparisons, power=0.8)
    assert detectable_effect(2.0, seeds, False, comparisons) == pytest.approx(2 * one, rel=0.03)
    pairs = tt_solve_power(nobs=seeds, alpha=0.05 / comparisons, power=0.8)
    assert detectable_effect(2.0, seeds, True, comparisons) == pytest.approx(2 * pairs, rel=0.03)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("seeds", "size"), [(2, 5.41), (3, 4.34), (3, 5.1)])
def test_power_of_few_seeds_is_that_of_simulated_tests(rng, paired, seeds, size):
    a = rng.standard_normal((100_000, seeds)) + size
    b = rng.standard_normal((100_000, seeds))
    result = stats.ttest_1samp(a, 0, axis=1) if paired else stats.ttest_ind(a, b, axis=1)
    simulated = (result.pvalue < 0.05 / 4).mean()
    near = size * np.linspace(0.97, 1.03, 50)  # the noncentral t is undefined at some of them
    powers = t_test_power(near, seeds, 0.05 / 4, paired)
    assert powers[25] == pytest.approx(simulated, abs=0.01)
    assert (np.diff(powers) > 0).all()


def test_a_larger_family_needs_a_larger_effect():
    effects = [detectable_effect(1.0, 3, False, family) for family in (1, 4, 12, 50, 200)]
    assert effects == sorted(effects)


def rates(rng, seeds, difference, margin, repeats=400):
    """Shares of repeats that show a difference, and equivalence, with a spread of 1."""
    results = [
        compare(
            series(rng.standard_normal(seeds) + difference),
            series(rng.standard_normal(seeds)),
            margin,
        )
        for _ in range(repeats)
    ]
    return np.mean([[r.p < 0.05, r.p_equivalent < 0.05] for r in results], axis=0)


def test_the_advised_seeds_decide_with_80_percent_either_way(rng):
    seeds = deciding_seeds(1.0, np.sqrt(2), 1.0, 1)
    error = 3 * np.sqrt(0.8 * 0.2 / 400)
    shown, equivalent = rates(rng, seeds, 1.0, 1.0)[0], rates(rng, seeds, 0.0, 1.0)[1]
    assert min(shown, equivalent) == pytest.approx(0.8, abs=error + 0.03)
    fewer = seeds * 2 // 3
    assert min(rates(rng, fewer, 1.0, 1.0)[0], rates(rng, fewer, 0.0, 1.0)[1]) < 0.8 - error
    assert deciding_seeds(1.0, np.sqrt(2), 1.0, 5) > seeds
    assert deciding_seeds(1.0, 0.5, 1.0, 1) < seeds  # pairs that agree
    assert deciding_seeds(1.0, None, 0.01, 1) is None


def test_errors_under_no_difference_and_at_the_margin(rng):
    error = 3 * np.sqrt(0.05 * 0.95 / 400)
    for seeds in (5, 12):
        assert rates(rng, seeds, 0.0, 1.0)[0] <= 0.05 + error
        assert rates(rng, seeds, 1.0, 1.0)[1] <= 0.05 + error
