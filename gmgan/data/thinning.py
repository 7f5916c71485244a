"""Leave out samples of some classes, so that classes are not equally frequent."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gmgan.data.splits import Splits
from gmgan.errors import GmganError, unknown_name
from gmgan.seeds import derive_seed


def thin(splits: Splits, shares: Mapping[str, float]) -> Splits:
    """Both splits with the given share of each named class; at least one sample of it stays.

    shares: name of a class -> share above 0, at most 1. A larger share keeps what a smaller one
    keeps. Order stays. Raises GmganError for a name that is no class.
    """
    for name in shares:
        if name not in splits.classes:
            raise GmganError(f"class_shares: {unknown_name('class', name, splits.classes)}")
    parts: dict[str, Any] = {}
    for split, samples, labels in splits.parts():
        kept = np.ones(len(labels), bool)
        for name, share in shares.items():
            members = np.flatnonzero(labels == splits.classes.index(name))
            order = np.random.default_rng(derive_seed("class_shares", split, name))
            count = max(1, round(share * len(members)))
            kept[order.permutation(members)[count:]] = False
        parts |= {split: samples[kept], f"{split}_labels": labels[kept]}
    return replace(splits, **parts)
