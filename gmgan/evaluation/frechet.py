"""Frechet distance between two Gaussians, in whatever space the samples lie."""

import numpy as np
from scipy.linalg import eigh

from gmgan.errors import GmganError
from gmgan.evaluation.metric import Metric
from gmgan.evaluation.samples import Samples


def moments(samples: np.ndarray, singular: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d) and unbiased covariance (d x d) of samples (N x d), in float64.

    Raises GmganError for N <= d, where the covariance is singular, unless `singular` allows it.
    """
    samples = np.asarray(samples, np.float64)
    if len(samples) <= samples.shape[1] and not (singular and len(samples) > 1):
        raise GmganError(
            f"a Frechet distance in {samples.shape[1]} dimensions needs more than "
            f"{samples.shape[1]} samples, got {len(samples)}; raise n_real and n_fake"
        )
    return samples.mean(0), np.cov(samples, rowvar=False)


def frechet_distance(
    mean_1: np.ndarray, covariance_1: np.ndarray, mean_2: np.ndarray, covariance_2: np.ndarray
) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Dowson and Landau 1982; Heusel et al. 2017).

    The trace of the root is the sum of the roots of the eigenvalues of R S2 R, R = S1^(1/2): a
    symmetric problem, exact where S1 S2 has no real root numerically. FID is this distance between
    moments of features.
    """
    values, vectors = eigh(covariance_1)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(eigh(root @ covariance_2 @ root, eigvals_only=True), 0, None)).sum()
    offset = np.sum((mean_1 - mean_2) ** 2)
    return float(offset + np.trace(covariance_1) + np.trace(covariance_2) - 2 * cross)


def fid(fake: Samples, real: Samples, singular: bool = False) -> float:
    """Frechet distance between moments of the features; of the points themselves for points.

    `singular` allows fewer samples than dimensions, as published numbers at n = 1,000 have it.
    """
    return frechet_distance(*moments(fake.features, singular), *moments(real.features, singular))


FID = Metric(
    name="fid",
    label="FID",
    limits=(0, None),
    score=fid,
    better="lower",
    digits=2,
    source="Heusel et al. 2017",
    swept=True,
    panels=frozenset({"sweep", "effect-of-k"}),
)
FID_OTHER_SPLIT = Metric(
    name="fid_other_split",
    label="FID, other split",
    limits=(0, None),
    score=fid,
    better="lower",
    digits=2,
    source="as FID, against the split that is not the reference",
    other_split=True,
)
FRECHET_DISTANCE = Metric(
    name="frechet_distance",
    label="Fréchet distance",
    limits=(0, None),
    score=fid,
    better="lower",
    digits=4,
    data="points",
    source="as FID, on the points themselves",
    swept=True,
    panels=frozenset({"sweep", "effect-of-k"}),
)
