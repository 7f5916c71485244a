"""What the report's explorer shows of a run: every component at every sigma_scale, walks between
components, and the training images nearest to generated ones."""

import numpy as np

from gmgan.config import Run
from gmgan.evaluation.neighbours import nearest_neighbours
from gmgan.evaluation.walk import pairs_of, walks
from gmgan.models.model import sample_rows
from gmgan.pipeline.artifacts import read_arrays, write_arrays
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context
from gmgan.stages.trained import trained_model

COLUMNS = 10  # images per component
POINTS = 1200  # over all components
WALKED = 10  # pairs are of the first so many components
STEPS = 7
WALK_ROWS = {"images": 2, "points": 20}
SHOWN = 10  # generated images beside their neighbours
NEIGHBOURS = 4
CHECKED = 500  # samples on each side of the memorisation check


def run(context: Context, cell: Run):
    """Write the explorer's samples of a run; no arrays if its training failed."""
    status, arrays, found = context.status_of(cell), {}, {}
    if status == "ok":
        device = context.device()
        model = trained_model(context, cell, device)
        points = context.params.datasets[cell.dataset].is_points
        arrays = {
            "sweep": _sweep(context, cell, model, device, points),
            **_walks(cell, model, device, points),
        }
        if not points:
            neighbours, found = _neighbours(context, cell)
            arrays |= neighbours
    write_arrays(
        context.paths.explore(cell),
        arrays,
        {"fingerprint": context.expected.explore(cell), "status": status, **found},
    )


def _sweep(context, cell, model, device, points):
    """Samples of every component (or class) from the same noise at every scale of the sweep.

    Array: scales x groups x samples of a group x *shape. A plain GAN has one group.
    """
    scales = context.params.datasets[cell.dataset].evaluation.sweep.sigma_scales
    groups = model.n_classes if model.objective.conditional else model.prior.n_components
    columns = POINTS // groups if points else COLUMNS
    if points and groups == 1:  # sample_rows then has as many rows as columns
        columns = int(POINTS**0.5)
    found = []
    with Progress(len(scales), f"explorer of {cell.name}", "scales") as progress:
        for scale in scales:
            samples, _ = sample_rows(model, columns, cell.seed, device, scale)
            found.append(samples.reshape(groups, -1, *samples.shape[1:]))
            progress.update(1)
    return np.stack(found)


def _walks(cell, model, device, points):
    """Walks between pairs of components: pairs (P x 2), samples (P x rows x steps x *shape)."""
    pairs = pairs_of(model, WALKED)
    if not pairs:
        return {}
    rows = WALK_ROWS["points" if points else "images"]
    seed = derive_seed("walk", cell.dataset, cell.seed)
    return {
        "pairs": np.array(pairs),
        "walks": np.stack(walks(model, pairs, STEPS, rows, seed, device)),
    }


def _neighbours(context, cell):
    """The first scored samples beside their nearest training images, by pixels.

    Also the median distance to the nearest training image, of generated and of held-out images, in
    grey levels (root of the mean square over pixels).
    """
    path = context.paths.samples(cell)
    samples, about = read_arrays(path, ["samples"])
    context.refuse_stale(path, about, context.expected.sample(cell))
    data = context.data(cell.dataset, ["train", "test"])
    generated, held_out = samples["samples"][:CHECKED], data["test"][:CHECKED]
    index, distances = nearest_neighbours(generated, data["train"], NEIGHBOURS)
    _, real = nearest_neighbours(held_out, data["train"], 1)
    unit = np.sqrt(np.prod(generated.shape[1:]))
    arrays = {
        "generated": generated[:SHOWN],
        "neighbours": data["train"][index[:SHOWN]],
        "neighbour_index": index[:SHOWN],
        "neighbour_distance": distances[:SHOWN] / unit,
    }
    return arrays, {
        "memorisation": {
            "generated": float(np.median(distances[:, 0]) / unit),
            "held_out": float(np.median(real) / unit),
            "n_generated": len(generated),
            "n_held_out": len(held_out),
        }
    }
