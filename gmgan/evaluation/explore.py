"""What the report's explorer shows of a run: every component at every sigma_scale, walks between
components, and the training images nearest to generated ones."""

from typing import Any

import numpy as np
import torch

from gmgan.config.settings import ExploreSettings
from gmgan.data.splits import Splits
from gmgan.evaluation.neighbours import nearest_neighbours
from gmgan.evaluation.walk import pairs_of, walks
from gmgan.models.model import Model, sample_rows
from gmgan.models.restore import restore_model
from gmgan.records import DataDescription, Explored, Generated, Memorisation, TrainingRecord
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed

COLUMNS = 10  # images per component
POINTS = 1200  # over all components
WALKED = 10  # pairs are of the first so many components
STEPS = 7
WALK_ROWS = {"images": 2, "points": 20}
SHOWN = 10  # generated images beside their neighbours
NEIGHBOURS = 4
CHECKED = 500  # samples on each side of the memorisation check


def explore(
    weights: dict[str, np.ndarray],
    record: TrainingRecord,
    samples: Generated,
    data: Splits,
    description: DataDescription,
    settings: ExploreSettings,
    device: torch.device,
) -> Explored:
    """The explorer's samples of a run; no arrays if its training failed."""
    if record.status != "ok":
        return Explored(status=record.status)
    model = restore_model(settings.run, weights, description, device)
    points = len(description.sample_shape) == 1
    content: dict[str, Any] = {"sweep": _sweep(model, settings, device, points)}
    pairs = pairs_of(model, WALKED)
    if pairs:
        rows = WALK_ROWS["points" if points else "images"]
        seed = derive_seed("walk", settings.run.run.dataset, settings.run.run.seed)
        content["pairs"] = np.array(pairs)
        content["walks"] = np.stack(walks(model, pairs, STEPS, rows, seed, device))
    beside = {} if points else _neighbours(samples, data)
    return Explored(status=record.status, **content, **beside)


def _sweep(
    model: Model, settings: ExploreSettings, device: torch.device, points: bool
) -> np.ndarray:
    """Samples of every component (or class) from the same noise at every scale of the sweep.

    Returns scales x groups x samples of a group x *shape. A plain GAN has one group.
    """
    run, scales = settings.run.run, settings.sigma_scales
    groups = model.n_classes if model.objective.conditional else model.prior.n_components
    columns = POINTS // groups if points else COLUMNS
    if points and groups == 1:  # sample_rows then has as many rows as columns
        columns = int(POINTS**0.5)
    sheets = []
    with Progress(len(scales), f"explorer of {run}", "scales") as progress:
        for scale in scales:
            samples, _ = sample_rows(model, columns, run.seed, device, scale)
            sheets.append(samples.reshape(groups, -1, *samples.shape[1:]))
            progress.update(1)
    return np.stack(sheets)


def _neighbours(samples: Generated, data: Splits) -> dict[str, Any]:
    """The first scored samples beside their nearest training images, by pixels.

    Also the median distance to the nearest training image, of generated and of held-out images.
    """
    generated, held_out = samples.samples[:CHECKED], data.test[:CHECKED]
    index, distances = nearest_neighbours(generated, data.train, NEIGHBOURS)
    _, real = nearest_neighbours(held_out, data.train, 1)
    unit = np.sqrt(np.prod(generated.shape[1:]))
    return {
        "generated": generated[:SHOWN],
        "neighbours": data.train[index[:SHOWN]],
        "neighbour_index": index[:SHOWN],
        "neighbour_distance": distances[:SHOWN] / unit,
        "memorisation": Memorisation(
            generated=float(np.median(distances[:, 0]) / unit),
            held_out=float(np.median(real) / unit),
            n_generated=len(generated),
            n_held_out=len(held_out),
        ),
    }
