"""Draw the samples that a run is scored on, with their components and classes."""

import numpy as np
import torch

from gmgan.config.settings import SampleSettings
from gmgan.models.model import sample
from gmgan.models.restore import restore_model
from gmgan.records import DataDescription, Generated, TrainingRecord
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed

COLLAPSED_BELOW = {"images": 1.0, "points": 1e-3}  # grey levels of 255, units of the plane


def generate(
    weights: dict[str, np.ndarray],
    record: TrainingRecord,
    description: DataDescription,
    settings: SampleSettings,
    device: torch.device,
) -> Generated:
    """The samples of a run; none if its training failed.

    The status is the training's, or `collapsed` if all samples are practically equal: if their
    standard deviation, averaged over pixels or coordinates, is below COLLAPSED_BELOW.
    """
    if record.status != "ok":
        none, ids = np.empty(0, np.uint8), np.empty(0, np.int64)
        return Generated(samples=none, components=ids, classes=ids, status=record.status)
    model, run = restore_model(settings.run, weights, description, device), settings.run.run
    with Progress(settings.n_fake, f"samples of {run}", "samples") as progress:
        seed, shown = derive_seed("samples", run.dataset, run.seed), progress.update
        samples, ids, classes = sample(model, settings.n_fake, seed, device, on_block=shown)
    spread = samples.std(axis=0, dtype=np.float64).mean()
    collapsed = spread < COLLAPSED_BELOW["images" if samples.ndim == 4 else "points"]
    status = "collapsed" if collapsed else "ok"
    return Generated(samples=samples, components=ids, classes=classes, status=status)
