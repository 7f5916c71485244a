"""Train a run, resumably; write weights, history, samples on the way and what was done."""

import csv
import io
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from gmgan.config import Run
from gmgan.errors import GmganError
from gmgan.models.model import build_model, sample, sample_rows
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
from gmgan.pixels import plot_points, tile
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context
from gmgan.training.trainer import Trainer

HISTORY_POINTS = 200
GRID_COLUMNS = 10
SCATTER_COLUMNS = 200
SNAPSHOT_POINTS = 2000


@dataclass
class Record:
    """What is kept of a training on its way: losses, samples at fixed times, seconds spent."""

    history: list = field(default_factory=list)
    snapshots: list = field(default_factory=list)
    snapshot_kimg: list = field(default_factory=list)
    seconds: float = 0.0


def run(context: Context, cell: Run, resume: Path | None = None):
    """Train `cell`, going on from its checkpoint if there is one.

    `resume` names a checkpoint to go on from instead. Raises GmganError if that checkpoint was made
    with other parameters (the message lists them) or is damaged.
    """
    resolved = settings(context.params, cell).model_dump(mode="json")
    fingerprint = context.expected.train(cell)
    device = context.device()
    trainer = _build(context, cell, resolved, device)
    checkpoint = context.paths.checkpoint(cell, fingerprint)
    record = Record()
    if resume or checkpoint.exists():
        record = _restore(trainer, resume or checkpoint, resolved, fingerprint)
    elif resolved["init_from"]:
        _inherit(context, trainer, Run(**resolved["init_from"]))

    status = _loop(
        context,
        cell,
        trainer,
        record,
        resolved["training"]["snapshots"],
        lambda: _save(trainer, checkpoint, resolved, fingerprint, record),
    )
    state = {name: tensor.cpu().numpy() for name, tensor in trainer.model.state().items()}
    write_arrays(
        context.paths.weights(cell),
        state,
        {"fingerprint": fingerprint, "settings": resolved, "status": status},
    )
    write_text(context.paths.history(cell), _csv(record.history))
    write_arrays(
        context.paths.snapshots(cell),
        {"samples": np.stack(record.snapshots), "kimg": np.array(record.snapshot_kimg)},
        {"fingerprint": fingerprint},
    )
    write_png(context.paths.preview(cell), _preview(context, trainer, cell, device))
    write_json(
        context.paths.train_about(cell),
        context.stamp(
            fingerprint,
            run=cell.name,
            status=status,
            settings=resolved,
            kimg=trainer.kimg,
            iterations=trainer.iteration,
            seconds=record.seconds,
            images_per_second=1000 * trainer.kimg / max(record.seconds, 1e-9),
            device=str(device),
            threads=context.params.execution.threads,
            parameters=_count(trainer.model),
            data_sha256=context.data_about(cell.dataset)["sha256"],
            weights_sha256=sha256_file(context.paths.weights(cell)),
        ),
    )
    checkpoint.unlink(missing_ok=True)


def _build(context, cell, resolved, device):
    arrays = context.data(cell.dataset, ["train", "train_labels"])
    about = context.data_about(cell.dataset)
    samples = torch.from_numpy(arrays["train"])
    if samples.dim() == 4:
        samples = samples.permute(0, 3, 1, 2)
    model = build_model(resolved, tuple(samples.shape[1:]), len(about["classes"]), device)
    return Trainer(
        model,
        resolved["training"],
        samples.to(device),
        torch.from_numpy(arrays["train_labels"]).to(device),
        derive_seed("order", cell.dataset, cell.seed),
        derive_seed("noise", cell.dataset, cell.seed),
    )


def _loop(context, cell, trainer, record, snapshots, save):
    """Train to the end or to divergence, filling `record`; returns the status."""
    total = trainer.total_iterations
    record_every = max(1, total // HISTORY_POINTS)
    snapshot_at = {round(i * total / snapshots) for i in range(snapshots + 1)}
    before = record.seconds
    started = last_saved = time.monotonic()
    window = torch.zeros(4, device=trainer.samples.device)
    if not record.snapshots:
        _take_snapshot(trainer, cell, record)
    total_kimg = total * trainer.batch_size / 1000
    with Progress(total_kimg, cell.name, "kimg", start=trainer.kimg) as progress:
        while trainer.iteration < total:
            window += trainer.step()
            if trainer.iteration in snapshot_at:
                _take_snapshot(trainer, cell, record)
            if trainer.iteration % record_every and trainer.iteration != total:
                continue
            history = record.history
            since = trainer.iteration - (history[-1]["iteration"] if history else 0)
            d_loss, g_loss, d_real, d_fake = (window / since).tolist()
            window.zero_()
            record.seconds = before + time.monotonic() - started
            history.append(
                {
                    "iteration": trainer.iteration,
                    "kimg": trainer.kimg,
                    "loss_d": d_loss,
                    "loss_g": g_loss,
                    "d_real": d_real,
                    "d_fake": d_fake,
                    "seconds": record.seconds,
                }
            )
            speed = 1000 * trainer.kimg / record.seconds
            progress.update(
                since * trainer.batch_size / 1000,
                f"D {d_loss:.3f}  G {g_loss:.3f}  {speed:.0f} images/s",
            )
            if not np.isfinite([d_loss, g_loss]).all():
                return "diverged"
            if time.monotonic() - last_saved >= context.params.execution.checkpoint_seconds:
                save()
                last_saved = time.monotonic()
    return "ok"


def _take_snapshot(trainer, cell, record):
    """Samples from one and the same noise every time: points, or a grid of images."""
    device = trainer.samples.device
    if trainer.samples.dim() == 4:
        samples, _ = sample_rows(trainer.model, GRID_COLUMNS, cell.seed, device)
    else:
        seed = derive_seed("snapshot", cell.dataset, cell.seed)
        samples, _, _ = sample(trainer.model, SNAPSHOT_POINTS, seed, device)
    record.snapshots.append(samples)
    record.snapshot_kimg.append(trainer.kimg)


def _save(trainer, path, resolved, fingerprint, record):
    from safetensors.torch import save_file

    tensors = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in trainer.state().items()
    }
    tensors["snapshots"] = torch.from_numpy(np.stack(record.snapshots))
    about = {
        "fingerprint": fingerprint,
        "settings": resolved,
        "history": record.history,
        "snapshot_kimg": record.snapshot_kimg,
        "seconds": record.seconds,
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"about": json.dumps(about)})


def _restore(trainer, path, resolved, fingerprint):
    """Load a checkpoint into `trainer`; returns the record of training so far."""
    _, about = read_arrays(path, names=[])
    changes = _differences(about.get("settings", {}), json.loads(json.dumps(resolved)))
    if changes:
        raise GmganError(
            f"{path} is a checkpoint of other parameters ({'; '.join(changes)}); "
            "change them back, or train without --resume"
        )
    if about.get("fingerprint") != fingerprint:
        raise GmganError(
            f"{path} is a checkpoint of other code or other data; train without --resume"
        )
    try:
        state = load_file(path, device=str(trainer.samples.device))
        snapshots = list(state.pop("snapshots").cpu().numpy())
        trainer.load_state(state)
    except (KeyError, RuntimeError, ValueError) as error:
        raise GmganError(
            f"{path} does not fit this run ({str(error).splitlines()[0]}); delete it "
            "and train again"
        ) from error
    return Record(about["history"], snapshots, about["snapshot_kimg"], about["seconds"])


def _differences(before, now, prefix=""):
    """`key: old -> new` for every setting that differs."""
    lines = []
    for key in sorted(set(before) | set(now)):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: {old} -> {new}")
    return lines


def _inherit(context, trainer, parent):
    """Start from the networks of another run, with a prior of one's own."""
    if context.status_of(parent) != "ok":
        raise GmganError(f"init_from: {parent.name} did not end well, nothing to continue from")
    arrays, _ = read_arrays(context.paths.weights(parent))
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    try:
        trainer.model.load_state(weights, parts=("generator", "discriminator"))
    except RuntimeError as error:
        raise GmganError(
            f"init_from: the networks of {parent.name} do not fit "
            f"({str(error).splitlines()[-1].strip()}); both models need the same "
            "network, latent dimension and objective"
        ) from error


def _preview(context, trainer, cell, device):
    if trainer.samples.dim() == 4:
        samples, _ = sample_rows(trainer.model, GRID_COLUMNS, cell.seed, device)
        return tile(samples, GRID_COLUMNS, scale=max(1, 32 // samples.shape[1]))
    samples, row = sample_rows(trainer.model, SCATTER_COLUMNS, cell.seed, device)
    if trainer.model.prior.n_components == 1 and not trainer.model.objective.conditional:
        row = np.zeros_like(row)
    extent = 1.25 * np.abs(context.data(cell.dataset, ["train"])["train"]).max()
    return plot_points(samples, row, extent)


def _csv(history):
    buffer = io.StringIO()
    writer = csv.DictWriter(
        buffer,
        ["iteration", "kimg", "loss_d", "loss_g", "d_real", "d_fake", "seconds"],
        lineterminator="\n",
    )
    writer.writeheader()
    writer.writerows(history)
    return buffer.getvalue()


def _count(model):
    return {
        part: sum(p.numel() for p in module.parameters())
        for part, module in model.modules().items()
    }
