"""The explorer's pictures and points, packed to lie inside the page or in scripts beside it."""

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from gmgan.config.run import Run
from gmgan.records import Explored
from gmgan.report.style import png_address

MOST_BYTES = 2_000_000  # of runs in the page; the rest of it takes about 2 MB
FILM_POINTS = 400
STRIP = 16  # images beside each other at the top of the page
MOST_STRIPS = 6
FRAMES = 4  # stored coordinates reach this many times the extent of the plot


def sprite(images: np.ndarray) -> str:
    """A PNG address of `images` (... x columns x H x W x C, uint8), edge to edge."""
    images = images.reshape(-1, *images.shape[-4:])
    rows, columns, height, width, channels = images.shape
    picture = images.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    image = Image.fromarray(picture.squeeze(2) if channels == 1 else picture)
    image.save(buffer, "PNG", optimize=True)
    return png_address(buffer.getvalue())


def strips(held_out: np.ndarray, samples: Mapping[str, np.ndarray]) -> list[dict[str, str]]:
    """The rows of pictures at the top of the page, real images first: `title`, `address` of each.

    held_out: uint8 N x H x W x C, in the order of the classes or mixed; samples: by title.
    """
    chosen = np.linspace(0, len(held_out) - 1, STRIP).astype(int)
    rows = {"real, held out": held_out[chosen]}
    rows |= {title: images[:STRIP] for title, images in samples.items() if len(images)}
    shown = list(rows.items())[: MOST_STRIPS + 1]
    return [{"title": title, "address": sprite(images[None])} for title, images in shown]


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
    generated, neighbours = explored.generated, explored.neighbours
    assert generated is not None and neighbours is not None
    assert explored.neighbour_distance is not None and explored.memorisation is not None
    return _entry(explored, snapshots, sprite) | {
        "neighbours": sprite(np.concatenate([generated[:, None], neighbours], 1)),
        "neighbour_distance": np.round(explored.neighbour_distance, 1).tolist(),
        "memorisation": asdict(explored.memorisation),
    }


def point_entry(explored: Explored, snapshots: np.ndarray, extent: float) -> dict[str, Any]:
    """The explorer of one run on 2-D points.

    snapshots: times x N x 2; extent: half the side of the plots.
    """
    return _entry(explored, snapshots[:, :FILM_POINTS], partial(packed, extent=extent))


def _entry(
    explored: Explored, film: np.ndarray, pack: Callable[[np.ndarray], str]
) -> dict[str, Any]:
    assert explored.sweep is not None
    entry = {
        "shape": explored.sweep.shape[:3],
        "sweep": pack(explored.sweep),
        "film": pack(film),
        "film_columns": film.shape[1],
    }
    if explored.pairs is not None and explored.walks is not None:
        shape, walks = explored.walks.shape[1:3], pack(explored.walks)
        entry |= {"pairs": explored.pairs.tolist(), "walk_shape": shape, "walks": walks}
    return entry


def placed(
    candidates: Sequence[tuple[Run, Callable[[], dict[str, Any]]]], most: int = MOST_BYTES
) -> tuple[dict[Run, dict[str, Any]], dict[str, str]]:
    """Entries of `candidates` (a run and a function that gives its entry) for the page.

    The first ones that fit into `most` bytes are whole. Of the others the page holds what a list
    needs, and the name of a script beside it that has the rest. Returns {run: entry} and the
    scripts as {name: text}.
    """
    inside: dict[Run, dict[str, Any]] = {}
    scripts: dict[str, str] = {}
    total = 0
    for run, make in candidates:
        entry = make()  # nearly all of its bytes are its pictures
        size = sum(len(value) for value in entry.values() if isinstance(value, str))
        if total + size <= most:
            total += size
            inside[run] = entry
            continue
        name = f"{run.name}.js"
        scripts[name] = f"explored({json.dumps(run.name)}, {json.dumps(entry)});\n"
        listed = {key: entry[key] for key in ("title", "dataset", "seed", "groups")}
        inside[run] = listed | {"file": f"explorer/{name}"}
    return inside, scripts
