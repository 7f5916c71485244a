"""The explorer's pictures and points, packed small enough to lie inside the page."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from gmgan.config.run import Run
from gmgan.records import Explored
from gmgan.report.figures import png_address

MOST_BYTES = 8_000_000  # of all runs together; the rest of the page takes about 2 MB
FILM_POINTS = 400
FRAMES = 4  # stored coordinates reach this many times the extent of the plot


def sprite(images: np.ndarray) -> str:
    """A PNG address of `images` (rows x columns x H x W x C, uint8), edge to edge."""
    rows, columns, height, width, channels = images.shape
    picture = images.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(picture.squeeze(2) if channels == 1 else picture).save(
        buffer, "PNG", optimize=True
    )
    return png_address(buffer.getvalue())


def packed(points: np.ndarray, extent: float) -> str:
    """Points (... x 2) as base64 of little-endian int16; 32,767 is FRAMES x extent."""
    scaled = np.clip(points / (FRAMES * extent), -1, 1) * 32767
    return base64.b64encode(np.rint(scaled).astype("<i2").tobytes()).decode()


def image_entry(explored: Explored, snapshots: np.ndarray) -> dict[str, Any]:
    """The explorer of one run on images.

    snapshots: times x images x H x W x C. Pictures are sheets without gaps: `sweep` has a row per
    scale and component, `film` one per time, `walks` one per pair and noise, `neighbours` one per
    generated image, which comes first.
    """
    sweep, generated, neighbours = explored.sweep, explored.generated, explored.neighbours
    assert sweep is not None and generated is not None and neighbours is not None
    assert explored.neighbour_distance is not None
    beside = np.concatenate([generated[:, None], neighbours], 1)
    entry = {
        "shape": sweep.shape[:3],
        "sweep": sprite(sweep.reshape(-1, *sweep.shape[2:])),
        "film": sprite(snapshots),
        "film_columns": snapshots.shape[1],
        "neighbours": sprite(beside),
        "neighbour_distance": np.round(explored.neighbour_distance, 1).tolist(),
    }
    if explored.pairs is not None and explored.walks is not None:
        walks = explored.walks
        entry |= {
            "pairs": explored.pairs.tolist(),
            "walk_shape": walks.shape[1:3],
            "walks": sprite(walks.reshape(-1, *walks.shape[2:])),
        }
    return entry


def point_entry(explored: Explored, snapshots: np.ndarray, extent: float) -> dict[str, Any]:
    """The explorer of one run on 2-D points.

    snapshots: times x N x 2; extent: half the side of the plots.
    """
    assert explored.sweep is not None
    film = snapshots[:, :FILM_POINTS]
    entry = {
        "shape": explored.sweep.shape[:3],
        "sweep": packed(explored.sweep, extent),
        "film": packed(film, extent),
        "film_columns": film.shape[1],
    }
    if explored.pairs is not None and explored.walks is not None:
        entry |= {
            "pairs": explored.pairs.tolist(),
            "walk_shape": explored.walks.shape[1:3],
            "walks": packed(explored.walks, extent),
        }
    return entry


def size_of(entry: dict[str, Any]) -> int:
    """Bytes that an entry takes in the page, nearly all of them its pictures."""
    return sum(len(value) for value in entry.values() if isinstance(value, str))


def within(
    candidates: Sequence[tuple[Run, Callable[[], dict[str, Any]]]], most: int = MOST_BYTES
) -> tuple[dict[Run, dict[str, Any]], list[Run]]:
    """The first of `candidates` (a run and a function that gives its entry) that fit.

    Returns {run: entry} and the runs that did not fit.
    """
    kept: dict[Run, dict[str, Any]] = {}
    left_out, total = [], 0
    for run, make in candidates:
        if total >= most:
            left_out.append(run)
            continue
        entry = make()
        total += size_of(entry)
        if total > most:
            left_out.append(run)
        else:
            kept[run] = entry
    return kept, left_out
