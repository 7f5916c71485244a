"""Draw samples of your own choice from a trained run, into a folder of images or one file."""

import hashlib
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from gmgan.commands.trained import load_run
from gmgan.config.run import Run
from gmgan.errors import GmganError
from gmgan.exported import WEIGHTS, load
from gmgan.models.model import Model, sample
from gmgan.pipeline.files import atomic_folder, png, write_bytes
from gmgan.pipeline.provenance import provenance
from gmgan.pipeline.runner import Runner
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed

FORMATS = ("png", "npz", "safetensors")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is drawn.

    component: only this one, None for all; sigma_scale: factor on every Sigma_k; seed: sample i
    depends on it and i alone. kind: one of FORMATS, None for what the name of the output says.
    """

    count: int
    component: int | None
    sigma_scale: float
    seed: int
    kind: str | None


@dataclass(frozen=True)
class _Source:
    """What samples are drawn from."""

    model: Model
    run: Run
    weights_sha256: str
    is_points: bool


def draw(runner: Runner, name: str, choice: Choice, out: Path | None = None) -> Path:
    """Write samples with their components and classes; returns where they are.

    name: a run, or a folder that `gmgan export` wrote; out: None makes a name under results/drawn.
    Raises GmganError for a component that does not exist, a scale that is not a finite positive
    number, a run without usable weights, and points as png.
    """
    source = _exported(runner, Path(name)) if Path(name).is_dir() else _trained(runner, name)
    run = source.run
    component, count = choice.component, choice.count
    if component is not None and not 0 <= component < run.K:
        raise GmganError(f"{run} has components 0 to {run.K - 1}, got {component}")
    scale = choice.sigma_scale
    if not (math.isfinite(scale) and scale > 0):
        raise GmganError(f"--sigma-scale must be a finite positive number, got {scale:g}")
    if count < 1:
        raise GmganError(f"--n must be at least 1, got {count}")
    kind = choice.kind or _kind_of(out)
    if kind == "png" and out and out.suffix in (".png", ".jpg", ".jpeg"):
        raise GmganError(
            f"{out} would be a folder of PNGs; name a folder, or a file.npz for arrays"
        )
    if kind == "png" and source.is_points:
        raise GmganError("points are no images; choose --format npz or safetensors")
    out = out or runner.results / "drawn" / _name(run.name, choice, kind)
    if out.is_dir():
        raise GmganError(f"{out} exists already; remove it or choose another --out")
    with Progress(count, f"samples of {run}", "samples") as progress:
        samples, components, classes = sample(
            source.model,
            count,
            derive_seed("drawn", run.dataset, choice.seed),
            runner.device,
            component,
            choice.sigma_scale,
            on_block=progress.update,
        )
    arrays = {"samples": samples, "component": components, "class": classes}
    if kind == "png":
        with atomic_folder(out) as folder:
            for i, (image, k) in enumerate(zip(samples, components, strict=True)):
                write_bytes(folder / f"{i:06d}_k{k}.png", png(image))
    elif kind == "npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(out, buffer.getvalue())
    else:
        about = {
            "run": run.name,
            "component": component,
            "sigma_scale": choice.sigma_scale,
            "seed": choice.seed,
            "weights_sha256": source.weights_sha256,
            "provenance": provenance(),
        }
        write_bytes(out, save(arrays, metadata={"about": json.dumps(about)}))
    return out


def _exported(runner: Runner, folder: Path) -> _Source:
    exported = load(folder, runner.device)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    run, shape = exported.config["settings"]["run"], exported.config["sample_shape"]
    return _Source(exported.model, Run(**run), digest, len(shape) == 1)


def _trained(runner: Runner, name: str) -> _Source:
    run = runner.job("train", run=name).names["run"]
    trained = load_run(runner, run, "draw from")
    is_points = runner.params.datasets[run.dataset].is_points
    return _Source(trained.model, run, trained.record.weights_sha256, is_points)


def _kind_of(out: Path | None) -> str:
    suffix = out.suffix.removeprefix(".") if out else ""
    return suffix if suffix in FORMATS[1:] else "png"


def _name(run: str, choice: Choice, kind: str) -> str:
    which = "" if choice.component is None else f".k{choice.component}"
    scale = "" if choice.sigma_scale == 1 else f".x{choice.sigma_scale:g}"
    suffix = "" if kind == "png" else f".{kind}"
    return f"{run}{which}{scale}.n{choice.count}.seed{choice.seed}{suffix}"
