"""Train a run, resumably; write weights, history, samples on the way and what was done."""

import json
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors.torch import save_file

from gmgan.config.run import Run
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import (
    atomic_path,
    read_arrays,
    sha256_file,
    write_arrays,
    write_json,
    write_png,
    write_text,
)
from gmgan.pipeline.grid import settings
from gmgan.records import DataDescription
from gmgan.stages.context import Context
from gmgan.training.checkpoint import CheckpointState, refuse_other
from gmgan.training.train import train


class FileCheckpoint:
    """The checkpoint of a run in a file; `resume` names another one to continue from."""

    def __init__(self, path: Path, resume: Path | None, resolved: dict, fingerprint: str):
        self.path, self.source = path, resume or path
        self.must_exist = resume is not None
        self.resolved, self.fingerprint = resolved, fingerprint

    def load(self) -> CheckpointState | None:
        if not self.must_exist and not self.source.exists():
            return None
        arrays, about = read_arrays(self.source)
        refuse_other(about, self.resolved, self.fingerprint, str(self.source))
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return CheckpointState(tensors, about, str(self.source))

    def save(self, tensors: dict, about: dict) -> None:
        metadata = {"about": json.dumps({**about, "fingerprint": self.fingerprint})}
        with atomic_path(self.path) as temporary:
            save_file(tensors, temporary, metadata=metadata)


def run(context: Context, cell: Run, resume: Path | None = None):
    """Train `cell`, going on from its checkpoint if there is one.

    `resume` names a checkpoint to go on from instead. Raises GmganError if that checkpoint was made
    with other parameters (the message lists them) or is damaged.
    """
    resolved = settings(context.params, cell)
    fingerprint = context.expected.train(cell)
    path = context.paths.checkpoint(cell, fingerprint)
    about = context.data_about(cell.dataset)
    trained = train(
        Splits(**context.data(cell.dataset), classes=about["classes"]),
        DataDescription(**{field.name: about[field.name] for field in fields(DataDescription)}),
        _parent(context, resolved.init_from) if resolved.init_from else None,
        resolved,
        context.device(),
        FileCheckpoint(path, resume, resolved.model_dump(mode="json"), fingerprint),
        context.params.execution.checkpoint_seconds,
        context.params.execution.threads,
    )
    record = asdict(trained.record)
    del record["stamp"]
    known = {"fingerprint": fingerprint}
    weights = context.paths.weights(cell)
    more = {"settings": record["settings"], "status": record["status"]}
    write_arrays(weights, trained.weights, known | more)
    write_text(context.paths.history(cell), trained.history)
    write_arrays(context.paths.snapshots(cell), vars(trained.snapshots), known)
    write_png(context.paths.preview(cell), trained.preview)
    record["weights_sha256"] = sha256_file(weights)
    write_json(context.paths.train_about(cell), context.stamp(fingerprint, **record))
    path.unlink(missing_ok=True)


def _parent(context, parent):
    """The weights of the run that this one continues from."""
    if context.status_of(parent) != "ok":
        raise GmganError(f"init_from: {parent.name} did not end well, nothing to continue from")
    return read_arrays(context.paths.weights(parent))[0]
