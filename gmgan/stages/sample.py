"""Draw samples from a trained run, stored with their component and class."""

import numpy as np

from gmgan.config import Run
from gmgan.models.model import sample
from gmgan.pipeline.artifacts import write_arrays
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context
from gmgan.stages.trained import trained_model

COLLAPSED_BELOW = {"images": 1.0, "points": 1e-3}  # grey levels of 255, units of the plane


def run(context: Context, cell: Run):
    """Write the samples that the run's scores are computed from; none if training failed.

    The stored status is the training's, or `collapsed` if all samples are practically equal.
    """
    count = context.params.datasets[cell.dataset].evaluation.n_fake
    status = context.status_of(cell)
    arrays = {  # type: dict[str, np.ndarray]
        "samples": np.empty((0,), np.uint8),
        "component": np.empty(0, np.int64),
        "class": np.empty(0, np.int64),
    }
    if status == "ok":
        device = context.device()
        model = trained_model(context, cell, device)
        with Progress(count, f"samples of {cell.name}", "samples") as progress:
            arrays = dict(
                zip(
                    ("samples", "component", "class"),
                    sample(
                        model,
                        count,
                        derive_seed("samples", cell.dataset, cell.seed),
                        device,
                        on_block=progress.update,
                    ),
                    strict=True,
                )
            )
        kind = "images" if arrays["samples"].ndim == 4 else "points"
        spread = arrays["samples"].std(axis=0, dtype=np.float64).mean()
        status = "collapsed" if spread < COLLAPSED_BELOW[kind] else "ok"
    write_arrays(
        context.paths.samples(cell),
        arrays,
        {"fingerprint": context.expected.sample(cell), "status": status},
    )
