"""The stage `train`: train a run, resumably, and record losses and samples during training."""

import csv
import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gmgan import plugins
from gmgan.config.run import RunSettings
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.models import PENALTIES
from gmgan.models.model import Model, build_model, sample, sample_rows
from gmgan.pixels import plot_points, tile
from gmgan.records import DataDescription, Snapshots, TrainingRecord
from gmgan.runtime.progress import Progress
from gmgan.runtime.torch_setup import slow_precision
from gmgan.seeds import derive_seed
from gmgan.training.checkpoint import Checkpoint, CheckpointState
from gmgan.training.trainer import Trainer

HISTORY_POINTS = 200
GRID_COLUMNS = 10
SCATTER_COLUMNS = 200
SNAPSHOT_POINTS = 2000
NETWORKS = ("generator.", "discriminator.")  # weights that a continued model takes
COLUMNS = ("generator_steps", "kimg", "loss_d", "loss_g", "d_real", "d_fake", "seconds")


@dataclass(frozen=True)
class Trained:
    """The outputs of a training.

    weights: the state_dict of the model; history: CSV, a line per point in time; preview: uint8
    rows x columns x 3; record: without `weights_sha256`.
    """

    weights: dict[str, np.ndarray]
    history: str
    snapshots: Snapshots
    preview: np.ndarray
    record: TrainingRecord


@dataclass
class Journal:
    """What a training records: losses, samples at fixed times, seconds spent."""

    history: list[dict[str, float]] = field(default_factory=list)
    snapshots: list[np.ndarray] = field(default_factory=list)
    snapshot_kimg: list[float] = field(default_factory=list)
    seconds: float = 0.0


def train(
    data: Splits,
    description: DataDescription,
    parent: dict[str, np.ndarray] | None,
    parent_record: TrainingRecord | None,
    settings: RunSettings,
    device: torch.device,
    checkpoint: Checkpoint,
    checkpoint_seconds: float,
    threads: int,
) -> Trained:
    """Train a run to the end or to divergence, continuing from `checkpoint` if it holds a state.

    parent, parent_record: weights and record of the run that `init_from` names, None without one;
    checkpoint_seconds: shortest time between two checkpoints; threads: for the record. Raises
    GmganError if the parent's training failed, or the stored state or the networks of `parent` do
    not fit.
    """
    if parent_record and parent_record.status != "ok":
        raise GmganError(
            f"init_from: {parent_record.run} did not end well, nothing to continue from"
        )
    slow = slow_precision(settings.training.precision, device.type)
    if slow:
        print(f"gmgan: warning: {slow}", file=sys.stderr, flush=True)
    trainer = build_trainer(data, len(description.classes), settings, device)
    journal = Journal()
    stored = checkpoint.load()
    if stored is not None:
        journal = _restore(trainer, stored)
    elif parent is not None:
        _inherit(trainer.model, parent, settings)
    save = partial(_save, checkpoint, trainer, journal)
    status = _loop(trainer, settings, journal, save, checkpoint_seconds)
    record = TrainingRecord(
        run=settings.run.name,
        status=status,
        settings=settings.model_dump(mode="json"),
        kimg=trainer.kimg,
        iterations=trainer.iteration,
        seconds=journal.seconds,
        images_per_second=1000 * trainer.kimg / max(journal.seconds, 1e-9),
        device=str(device),
        threads=threads,
        parameters=_count(trainer.model),
        data_sha256=description.sha256,
        weights_sha256="",  # of the file, which the runner writes
    )
    return Trained(
        weights={name: value.cpu().numpy() for name, value in trainer.model.state_dict().items()},
        history=_csv(journal.history),
        snapshots=Snapshots(
            samples=np.stack(journal.snapshots), kimg=np.array(journal.snapshot_kimg)
        ),
        preview=_preview(trainer, settings, data),
        record=record,
    )


def build_trainer(
    data: Splits, n_classes: int, settings: RunSettings, device: torch.device
) -> Trainer:
    """A trainer of the untrained model on the training split; n_classes: 0 for unlabelled data."""
    run, samples = settings.run, torch.from_numpy(data.train)
    if samples.dim() == 4:
        samples = samples.permute(0, 3, 1, 2)
    model = build_model(settings, tuple(samples.shape[1:]), n_classes, device)
    penalties = [(plugins.build(each, PENALTIES), each.every) for each in settings.penalties]
    if penalties and model.discriminator.batch_statistics:
        raise GmganError(
            f"{run.name}: a penalty needs a discriminator whose outputs do not depend on the rest "
            "of the batch; set discriminator.batch_norm of the model to false"
        )
    return Trainer(
        model,
        settings.training,
        samples.to(device),
        torch.from_numpy(data.train_labels).to(device),
        derive_seed("order", run.dataset, run.seed),
        derive_seed("noise", run.dataset, run.seed),
        penalties,
    )


def _loop(
    trainer: Trainer,
    settings: RunSettings,
    journal: Journal,
    save: Callable[[], None],
    checkpoint_seconds: float,
) -> str:
    """Train to the end or to divergence, filling `journal`; returns the status."""
    total, count = trainer.total_iterations, settings.training.snapshots
    record_every = max(1, total // HISTORY_POINTS)
    snapshot_at = {round(i * total / count) for i in range(count + 1)}
    last_saved = time.monotonic()
    began = last_saved - journal.seconds
    window = torch.zeros(4, device=trainer.samples.device)
    if not journal.snapshots:
        _take_snapshot(trainer, settings, journal)
    total_kimg = total * trainer.batch_size * trainer.critic_steps / 1000
    with Progress(total_kimg, settings.run.name, "kimg", start=trainer.kimg) as progress:
        while trainer.iteration < total:
            window += trainer.step()
            if trainer.iteration in snapshot_at:
                _take_snapshot(trainer, settings, journal)
            if trainer.iteration % record_every and trainer.iteration != total:
                continue
            finite = _record(trainer, window, began, journal, progress)
            window.zero_()
            if not finite:
                return "diverged"
            if time.monotonic() - last_saved >= checkpoint_seconds or trainer.iteration == total:
                save()
                last_saved = time.monotonic()
    return "ok"


def _record(
    trainer: Trainer, window: Tensor, began: float, journal: Journal, progress: Progress
) -> bool:
    """Add means since the last row to the history; returns whether the losses are finite.

    window: sums of what `Trainer.step` returned since then.
    """
    history = journal.history
    since = trainer.iteration - int(history[-1]["generator_steps"] if history else 0)
    d_loss, g_loss, d_real, d_fake = (window / since).tolist()
    journal.seconds = time.monotonic() - began
    row = (trainer.iteration, trainer.kimg, d_loss, g_loss, d_real, d_fake, journal.seconds)
    history.append(dict(zip(COLUMNS, row, strict=True)))
    speed = 1000 * trainer.kimg / journal.seconds
    progress.update(
        since * trainer.batch_size * trainer.critic_steps / 1000,
        f"D {d_loss:.3f}  G {g_loss:.3f}  {speed:.0f} images/s",
    )
    return bool(np.isfinite([d_loss, g_loss]).all())


def _take_snapshot(trainer: Trainer, settings: RunSettings, journal: Journal) -> None:
    """Keep samples from the same noise every time: points, or rows of images."""
    device, run = trainer.samples.device, settings.run
    if trainer.samples.dim() == 4:
        samples, _ = sample_rows(trainer.model, GRID_COLUMNS, run.seed, device)
    else:
        seed = derive_seed("snapshot", run.dataset, run.seed)
        samples, _, _ = sample(trainer.model, SNAPSHOT_POINTS, seed, device)
    journal.snapshots.append(samples)
    journal.snapshot_kimg.append(trainer.kimg)


def _save(checkpoint: Checkpoint, trainer: Trainer, journal: Journal) -> None:
    tensors = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in trainer.state().items()
    }
    tensors["snapshots"] = torch.from_numpy(np.stack(journal.snapshots))
    about = {
        "history": journal.history,
        "snapshot_kimg": journal.snapshot_kimg,
        "seconds": journal.seconds,
    }
    checkpoint.save(tensors, about)


def _restore(trainer: Trainer, stored: CheckpointState) -> Journal:
    """Load a checkpoint into `trainer`; returns the journal of training so far."""
    tensors, about = dict(stored.tensors), stored.about
    try:
        snapshots = list(tensors.pop("snapshots").cpu().numpy())
        trainer.load_state(tensors)
        return Journal(about["history"], snapshots, about["snapshot_kimg"], about["seconds"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise GmganError(
            f"{stored.name} does not fit this run ({str(error).splitlines()[0]}); delete it "
            "and train again"
        ) from error


def _inherit(model: Model, parent: dict[str, np.ndarray], settings: RunSettings) -> None:
    """Start from generator and discriminator of another run, with all other parts the model's."""
    networks = {
        name: torch.from_numpy(array) for name, array in parent.items() if name.startswith(NETWORKS)
    }
    own = {name: t for name, t in model.state_dict().items() if not name.startswith(NETWORKS)}
    try:
        model.load_state_dict(networks | own)
    except RuntimeError as error:
        name = settings.init_from.name if settings.init_from else "the parent"
        raise GmganError(
            f"init_from: the networks of {name} do not fit "
            f"({str(error).splitlines()[-1].strip()}); both models need the same "
            "network, latent dimension and objective"
        ) from error


def _preview(trainer: Trainer, settings: RunSettings, data: Splits) -> np.ndarray:
    """A picture of samples in rows, or of points coloured by component."""
    model, device, seed = trainer.model, trainer.samples.device, settings.run.seed
    if trainer.samples.dim() == 4:
        samples, _ = sample_rows(model, GRID_COLUMNS, seed, device)
        return tile(samples, GRID_COLUMNS, scale=max(1, 32 // samples.shape[1]))
    samples, row = sample_rows(model, SCATTER_COLUMNS, seed, device)
    if model.prior.n_components == 1 and not model.objective.conditional:
        row = np.zeros_like(row)
    return plot_points(samples, row, 1.25 * np.abs(data.train).max())


def _csv(history: list[dict[str, float]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return buffer.getvalue()


def _count(model: Model) -> dict[str, int]:
    """The number of learned parameters of each part."""
    return {
        name: sum(parameter.numel() for parameter in part.parameters())
        for name, part in model.named_children()
        if name != "average"
    }
