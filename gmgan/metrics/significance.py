"""What a handful of seeds can say."""

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
