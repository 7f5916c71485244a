"""Train a run, resumably; write weights, history, a grid of samples and what was done."""

import csv
import io
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from gmgan.artifacts import (
    atomic_path,
    read_arrays,
    sha256_file,
    write_arrays,
    write_json,
    write_png,
    write_text,
)
from gmgan.errors import GmganError
from gmgan.grid import Run, settings
from gmgan.models.model import build_model, sample_rows
from gmgan.models.trainer import Trainer
from gmgan.pixels import plot_points, tile
from gmgan.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context

HISTORY_POINTS = 200
GRID_COLUMNS = 10
SCATTER_COLUMNS = 200


def run(context: Context, cell: Run, resume: Path | None = None):
    """Train `cell`, going on from its checkpoint if there is one.

    `resume` names a checkpoint to go on from instead. Raises GmganError if that checkpoint was made
    with other parameters (the message lists them) or is damaged.
    """
    resolved = settings(context.params, cell).as_dict()
    fingerprint = context.expected.train(cell)
    device = context.device()
    trainer = _build(context, cell, resolved, device)
    checkpoint = context.paths.checkpoint(cell, fingerprint)
    history, seconds = [], 0.0
    if resume or checkpoint.exists():
        history, seconds = _restore(trainer, resume or checkpoint, resolved, fingerprint)
    elif resolved["init_from"]:
        _inherit(context, trainer, Run(**resolved["init_from"]))

    status, seconds = _loop(
        context,
        cell,
        trainer,
        history,
        seconds,
        device,
        lambda spent: _save(trainer, checkpoint, resolved, fingerprint, history, spent),
    )
    state = {name: tensor.cpu().numpy() for name, tensor in trainer.model.state().items()}
    write_arrays(
        context.paths.weights(cell),
        state,
        {"fingerprint": fingerprint, "settings": resolved, "status": status},
    )
    write_text(context.paths.history(cell), _csv(history))
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
            seconds=seconds,
            images_per_second=1000 * trainer.kimg / max(seconds, 1e-9),
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
        samples = samples.permute(0, 3, 1, 2).contiguous()
    model = build_model(resolved, tuple(samples.shape[1:]), len(about["classes"]), device)
    return Trainer(
        model,
        resolved["training"],
        samples.to(device),
        torch.from_numpy(arrays["train_labels"]).to(device),
        derive_seed("order", cell.dataset, cell.seed),
        derive_seed("noise", cell.dataset, cell.seed),
    )


def _loop(context, cell, trainer, history, seconds, device, save):
    """Train to the end or to divergence; returns (status, seconds of training)."""
    record_every = max(1, trainer.total_iterations // HISTORY_POINTS)
    total_kimg = trainer.total_iterations * trainer.batch_size / 1000
    started = last_saved = time.monotonic()
    window = torch.zeros(4, device=device)
    with Progress(total_kimg, cell.name, "kimg", start=trainer.kimg) as progress:
        while trainer.iteration < trainer.total_iterations:
            window += trainer.step()
            at_end = trainer.iteration == trainer.total_iterations
            if trainer.iteration % record_every and not at_end:
                continue
            since = trainer.iteration - (history[-1]["iteration"] if history else 0)
            d_loss, g_loss, d_real, d_fake = (window / since).tolist()
            window.zero_()
            spent = seconds + time.monotonic() - started
            history.append(
                {
                    "iteration": trainer.iteration,
                    "kimg": trainer.kimg,
                    "loss_d": d_loss,
                    "loss_g": g_loss,
                    "d_real": d_real,
                    "d_fake": d_fake,
                    "seconds": spent,
                }
            )
            progress.update(
                since * trainer.batch_size / 1000,
                f"D {d_loss:.3f}  G {g_loss:.3f}  {1000 * trainer.kimg / spent:.0f} images/s",
            )
            if not np.isfinite([d_loss, g_loss]).all():
                return "diverged", spent
            if time.monotonic() - last_saved >= context.params.execution.checkpoint_seconds:
                save(spent)
                last_saved = time.monotonic()
    return "ok", seconds + time.monotonic() - started


def _save(trainer, path, resolved, fingerprint, history, seconds):
    from safetensors.torch import save_file

    tensors = {name: tensor.contiguous() for name, tensor in trainer.state().items()}
    about = {
        "fingerprint": fingerprint,
        "settings": resolved,
        "history": history,
        "seconds": seconds,
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"about": json.dumps(about)})


def _restore(trainer, path, resolved, fingerprint):
    """Load a checkpoint into `trainer`; returns its history and the seconds spent so far."""
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
        trainer.load_state(load_file(path, device=str(trainer.samples.device)))
    except (KeyError, RuntimeError, ValueError) as error:
        raise GmganError(
            f"{path} does not fit this run ({str(error).splitlines()[0]}); delete it "
            "and train again"
        ) from error
    return about["history"], about["seconds"]


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
