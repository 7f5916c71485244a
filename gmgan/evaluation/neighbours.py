"""Distances to nearest neighbours, and the scores that are counts of them."""

import numpy as np

from gmgan.errors import GmganError

CHUNK = 100  # rows at a time: their distances to 10,000 references stay in a processor's cache


def squared_distances(points, references, chunk=CHUNK):
    """Squared Euclidean distances, a few points at a time: yields (start, chunk x M array).

    points (array): N x d; references (array): M x d. Float64; where points coincide the result may
    be off by rounding, below 0 as well. What is yielded is overwritten by the next piece: the peak
    is chunk x M x 8 bytes.
    """
    points, references = np.asarray(points, np.float64), np.asarray(references, np.float64)
    squares, transposed = (references**2).sum(1), np.ascontiguousarray(references.T)
    buffer = np.empty((min(chunk, len(points)), len(references)))
    for start in range(0, len(points), chunk):
        piece = points[start : start + chunk]
        found = buffer[: len(piece)]
        np.matmul(-2 * piece, transposed, out=found)
        found += squares
        found += (piece**2).sum(1)[:, None]
        yield start, found


def nearest_distances(points, references):
    """Euclidean distance of each point (N x d) to its nearest reference (M x d), float64 N."""
    pieces = [found.min(1) for _, found in squared_distances(points, references)]
    return np.sqrt(np.clip(np.concatenate(pieces), 0, None))


def nearest_neighbours(points, references, count, chunk=2000):
    """Indices and Euclidean distances of the `count` nearest references: two N x count arrays.

    points (array): N x ...; references (array): M x ... of the same shape. Distances are between
    the values as they are, in float64, nearest first. Works through `chunk` references at a time,
    since a training split does not fit as float64.
    """
    points = np.asarray(points, np.float64).reshape(len(points), -1)
    squares = (points**2).sum(1)[:, None]
    index = np.zeros((len(points), 0), np.int64)
    nearest = np.zeros((len(points), 0))
    for start in range(0, len(references), chunk):
        piece = np.asarray(references[start : start + chunk], np.float64).reshape(
            -1, points.shape[1]
        )
        found = squares + (piece**2).sum(1) - 2 * points @ piece.T
        both = np.concatenate([nearest, found], 1)
        numbers = np.arange(start, start + len(piece))
        labels = np.concatenate([index, np.broadcast_to(numbers, found.shape)], 1)
        kept = np.argsort(both, 1, kind="stable")[:, :count]
        nearest = np.take_along_axis(both, kept, 1)
        index = np.take_along_axis(labels, kept, 1)
    return index, np.sqrt(np.clip(nearest, 0, None))


def precision_recall(fake, real, neighbours):
    """Improved precision and recall with k nearest neighbours (Kynkaanniemi et al. 2019, eq. 1).

    Precision is the share of generated samples (N x d) within the ball of some real one (M x d),
    recall the share of real samples within the ball of some generated one; a ball reaches to the
    k-th nearest sample of its own kind, and its border belongs to it.
    """
    if min(len(fake), len(real)) <= neighbours:
        raise GmganError(
            f"precision and recall with {neighbours} neighbours need more than "
            f"{neighbours} samples, got {min(len(fake), len(real))}"
        )
    fake_radii, real_radii = (_squared_radii(kind, neighbours) for kind in (fake, real))
    precise, recalled = np.zeros(len(fake), bool), 0
    for start, found in squared_distances(real, fake):
        precise |= (found <= real_radii[start : start + len(found), None]).any(0)
        recalled += np.count_nonzero((found <= fake_radii).any(1))
    return {
        f"precision_k{neighbours}": float(precise.mean()),
        f"recall_k{neighbours}": recalled / len(real),
    }


def density_coverage(fake, real, neighbours):
    """Density and coverage with k nearest neighbours (Naeem et al. 2020, equations 4 and 5).

    fake (array): N x d; real (array): M x d. Density can exceed 1.
    """
    if len(real) <= neighbours:
        raise GmganError(
            f"density and coverage with {neighbours} neighbours need more than "
            f"{neighbours} real samples, got {len(real)}"
        )
    radii, inside, covered = _squared_radii(real, neighbours), 0, 0
    for start, found in squared_distances(real, fake):
        within = found < radii[start : start + len(found), None]
        inside += np.count_nonzero(within)
        covered += np.count_nonzero(within.any(1))
    return {
        f"density_k{neighbours}": inside / (neighbours * len(fake)),
        f"coverage_k{neighbours}": covered / len(real),
    }


def _squared_radii(points, neighbours):
    """Squared distance of each point to its k-th nearest other point."""
    pieces = []
    for _, found in squared_distances(points, points):
        found.partition(neighbours, axis=1)  # the nearest is the point itself
        pieces.append(found[:, neighbours].copy())
    return np.concatenate(pieces)
