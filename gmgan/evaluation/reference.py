"""Which real samples are the reference, and which measure the real-against-real floor."""

from dataclasses import dataclass

import numpy as np

from gmgan.errors import GmganError


@dataclass(frozen=True)
class Reference:
    """A fixed shuffle of a split, cut into pieces.

    order (array): indices of the samples that are used. Scores compare with the first `n_real`.
    The floor compares the first `floor_real` with the `floor_fake` that follow them.
    """

    order: np.ndarray
    n_real: int
    floor_real: int
    floor_fake: int

    def reference(self, rows):
        """The reference part of an array whose rows follow `order`."""
        return rows[: self.n_real]

    def floor(self, rows):
        """The two disjoint real halves, as (stand-in for generated, reference)."""
        return (rows[self.floor_real : self.floor_real + self.floor_fake], rows[: self.floor_real])


def choose_reference(total, n_real, n_fake, seed) -> Reference:
    """Cut a split of `total` samples.

    The floor has the same n as the scores where the split is large enough; else two halves of it,
    at most of that n. Raises GmganError if the split has fewer than `n_real` samples.
    """
    if total < n_real:
        raise GmganError(
            f"evaluation.n_real is {n_real}, but the split has only {total} samples; lower n_real"
        )
    floor_real, floor_fake = n_real, n_fake
    if n_real + n_fake > total:
        floor_real, floor_fake = min(n_real, total // 2), min(n_fake, total // 2)
    order = np.random.default_rng(seed).permutation(total)
    return Reference(order[: max(n_real, floor_real + floor_fake)], n_real, floor_real, floor_fake)


def other_split_order(total, n_real, seed):
    """Indices of at most `n_real` random samples of the split that is not the reference."""
    return np.random.default_rng(seed).permutation(total)[:n_real]
