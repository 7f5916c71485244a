"""Distances to nearest neighbours, and the scores that are counts of them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from gmgan.errors import GmganError
from gmgan.evaluation.metric import Metric, Value
from gmgan.evaluation.samples import Samples

CHUNK = 100  # rows at a time: their distances to 10,000 references stay in a processor's cache


def squared_distances(
    points: np.ndarray, references: np.ndarray, chunk: int = CHUNK
) -> Iterator[tuple[int, np.ndarray]]:
    """Squared Euclidean distances, a few points at a time: yields (start, chunk x M array).

    points (array): N x d; references (array): M x d. Float64; where points coincide the result may
    be off by rounding, below 0 as well. What is yielded is overwritten by the next piece: the peak
    is chunk x M x 8 bytes.
    """
    references = np.asarray(references, np.float64)
    squares, transposed = (references**2).sum(1), np.ascontiguousarray(references.T)
    buffer = np.empty((min(chunk, len(points)), len(references)))
    for start in range(0, len(points), chunk):
        piece = np.asarray(points[start : start + chunk], np.float64)
        distances = buffer[: len(piece)]
        np.matmul(-2 * piece, transposed, out=distances)
        distances += squares
        distances += (piece**2).sum(1)[:, None]
        yield start, distances


def nearest_distances(points: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Euclidean distance of each point (N x d) to its nearest reference (M x d), float64 N."""
    if points.shape[1] == 2:
        return cKDTree(references).query(points)[0]
    pieces = [distances.min(1) for _, distances in squared_distances(points, references)]
    return np.sqrt(np.clip(np.concatenate(pieces), 0, None))


def nearest_neighbours(
    points: np.ndarray, references: np.ndarray, count: int, chunk: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and Euclidean distances of the `count` nearest references: two N x count arrays.

    points (array): N x ...; references (array): M x ... of the same shape. Distances are between
    the values as they are, in float64, nearest first. Works through `chunk` references at a time,
    since a training split does not fit as float64.
    """
    points, references = (side.reshape(len(side), -1) for side in (points, references))
    index, nearest = np.zeros((len(points), 0), np.int64), np.zeros((len(points), 0))
    for start, distances in squared_distances(references, points, chunk):
        both = np.concatenate([nearest, distances.T], 1)
        numbers = np.arange(start, start + len(distances))
        labels = np.concatenate([index, np.broadcast_to(numbers, distances.T.shape)], 1)
        kept = np.argsort(both, 1, kind="stable")[:, :count]
        nearest = np.take_along_axis(both, kept, 1)
        index = np.take_along_axis(labels, kept, 1)
    return index, np.sqrt(np.clip(nearest, 0, None))


def precision_recall(fake: Samples, real: Samples, neighbours: int) -> dict[str, Value]:
    """Improved precision and recall with k nearest neighbours (Kynkaanniemi et al. 2019, eq. 1).

    Precision is the share of generated samples within the ball of some real one in feature space,
    recall the share of real samples within the ball of some generated one; a ball reaches to the
    k-th nearest sample of its own kind, and its border belongs to it. Raises GmganError for k
    samples or fewer.
    """
    if min(len(fake), len(real)) <= neighbours:
        raise GmganError(
            f"precision and recall with {neighbours} neighbours need more than "
            f"{neighbours} samples, got {min(len(fake), len(real))}"
        )
    fake_radii, real_radii = (_squared_radii(side.features, neighbours) for side in (fake, real))
    precise, recalled = np.zeros(len(fake), bool), 0
    for start, distances in squared_distances(real.features, fake.features):
        precise |= (distances <= real_radii[start : start + len(distances), None]).any(0)
        recalled += int(np.count_nonzero((distances <= fake_radii).any(1)))
    return {
        f"precision_k{neighbours}": float(precise.mean()),
        f"recall_k{neighbours}": recalled / len(real),
    }


def density_coverage(fake: Samples, real: Samples, density_neighbours: int) -> dict[str, Value]:
    """Density and coverage with k nearest neighbours (Naeem et al. 2020, equations 4 and 5).

    Density can exceed 1. Raises GmganError for k real samples or fewer.
    """
    k = density_neighbours
    if len(real) <= k:
        raise GmganError(
            f"density and coverage with {k} neighbours need more than "
            f"{k} real samples, got {len(real)}"
        )
    radii, inside, covered = _squared_radii(real.features, k), 0, 0
    for start, distances in squared_distances(real.features, fake.features):
        within = distances < radii[start : start + len(distances), None]
        inside += int(np.count_nonzero(within))
        covered += int(np.count_nonzero(within.any(1)))
    return {f"density_k{k}": inside / (k * len(fake)), f"coverage_k{k}": covered / len(real)}


def _squared_radii(points: np.ndarray, neighbours: int) -> np.ndarray:
    """Squared distance of each point to its k-th nearest other point."""
    pieces = []
    for _, distances in squared_distances(points, points):
        distances.partition(neighbours, axis=1)  # the nearest is the point itself
        pieces.append(distances[:, neighbours].copy())
    return np.concatenate(pieces)


PRECISION = Metric(
    name="precision_k{neighbours}",
    label="precision (k = {neighbours})",
    score=precision_recall,
    better="higher",
    bounded=True,
    source="Kynkaanniemi et al. 2019",
    swept=True,
    panels=frozenset({"sweep"}),
)
RECALL = replace(PRECISION, name="recall_k{neighbours}", label="recall (k = {neighbours})")
DENSITY = Metric(
    name="density_k{density_neighbours}",
    label="density (k = {density_neighbours})",
    score=density_coverage,
    source="Naeem et al. 2020, eq. 4",
)
COVERAGE = Metric(
    name="coverage_k{density_neighbours}",
    label="coverage (k = {density_neighbours})",
    score=density_coverage,
    better="higher",
    bounded=True,
    source="Naeem et al. 2020, eq. 5",
)
