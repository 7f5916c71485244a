"""Nearest neighbours of generated samples among the training samples."""

import numpy as np


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
