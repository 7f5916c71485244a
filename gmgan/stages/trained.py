"""Read a trained model back."""

import torch

from gmgan.config.run import Run, RunSettings
from gmgan.models.model import build_model
from gmgan.pipeline.artifacts import read_arrays
from gmgan.stages.context import Context


def trained_model(context: Context, cell: Run, device):
    """The trained model of a run, from its weights; raises GmganError if they are stale."""
    arrays, about = read_arrays(context.paths.weights(cell))
    context.refuse_stale(context.paths.weights(cell), about, context.expected.train(cell))
    described = context.data_about(cell.dataset)
    shape = described["sample_shape"]
    shape = tuple(shape) if len(shape) == 1 else (shape[2], shape[0], shape[1])
    run_settings = RunSettings(**about["settings"])
    model = build_model(run_settings, shape, len(described["classes"]), device)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return model
