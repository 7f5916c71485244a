"""A trained run, read back for a task by hand."""

from dataclasses import dataclass

from gmgan.config.run import Run
from gmgan.errors import GmganError
from gmgan.models.model import Model
from gmgan.models.restore import restore_model
from gmgan.pipeline import grid
from gmgan.pipeline.runner import Runner
from gmgan.records import DataDescription, TrainingRecord


@dataclass(frozen=True)
class TrainedRun:
    """A model with its weights, and what is known of its training and its data."""

    model: Model
    record: TrainingRecord
    description: DataDescription


def load_run(runner: Runner, run: Run, purpose: str) -> TrainedRun:
    """The trained model of a run. Raises GmganError if it is missing, stale or failed.

    purpose: what there is nothing to do with if training failed, for the message.
    """
    record = runner.read("train", "record", run=run)
    if record.status != "ok":
        raise GmganError(f"{run} {record.status} in training: there is nothing to {purpose}")
    source = runner.params.source_names[run.dataset]
    description = runner.read("prepare", "description", source=source)
    weights = runner.read("train", "weights", run=run)
    settings = grid.settings(runner.params, run)
    model = restore_model(settings, weights, description, runner.device)
    return TrainedRun(model, record, description)
