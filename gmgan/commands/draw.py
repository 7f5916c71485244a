"""Draw samples of one's own choice from a trained run, into a folder of images or one file."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from gmgan.config.run import Run
from gmgan.errors import GmganError
from gmgan.models.model import sample
from gmgan.pipeline.artifacts import atomic_folder, write_arrays, write_bytes, write_png
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context
from gmgan.stages.trained import trained_model

FORMATS = ("png", "npz", "safetensors")


def run(context: Context, cell: Run, count, component, sigma_scale, seed, kind, out) -> Path:
    """Write `count` samples with their components and classes; returns where they are.

    component (int or None): only this one; sigma_scale: factor on every Sigma_k; seed (int): sample
    i depends on it and i alone. kind: one of FORMATS. out (Path or None): None makes a name under
    results/drawn. Raises GmganError for a component that does not exist, a run without usable
    weights, and points as png.
    """
    if component is not None and not 0 <= component < cell.K:
        raise GmganError(f"{cell.name} has components 0 to {cell.K - 1}, got {component}")
    if sigma_scale <= 0:
        raise GmganError(f"--sigma-scale must be positive, got {sigma_scale:g}")
    if count < 1:
        raise GmganError(f"--n must be at least 1, got {count}")
    if kind == "png" and context.params.datasets[cell.dataset].is_points:
        raise GmganError("points are no images; choose --format npz or safetensors")
    status = context.status_of(cell)
    if status != "ok":
        raise GmganError(f"{cell.name} {status} in training: there is nothing to draw from")
    out = out or context.paths.drawn(_name(cell, count, component, sigma_scale, seed, kind))
    if out.exists() and out.is_dir():
        raise GmganError(f"{out} exists already; remove it or choose another --out")
    device = context.device()
    model = trained_model(context, cell, device)
    with Progress(count, f"samples of {cell.name}", "samples") as progress:
        samples, components, classes = sample(
            model,
            count,
            derive_seed("drawn", cell.dataset, seed),
            device,
            component,
            sigma_scale,
            on_block=progress.update,
        )
    arrays: dict[str, Any] = {"samples": samples, "component": components, "class": classes}
    about = context.stamp(
        context.expected.train(cell),
        run=cell.name,
        component=component,
        sigma_scale=sigma_scale,
        seed=seed,
    )
    if kind == "png":
        with atomic_folder(out) as folder:
            for i, (image, k) in enumerate(zip(samples, components, strict=True)):
                write_png(folder / f"{i:06d}_k{k}.png", image)
    elif kind == "npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_bytes(out, buffer.getvalue())
    else:
        write_arrays(out, arrays, about)
    return out


def _name(cell, count, component, sigma_scale, seed, kind):
    which = "" if component is None else f".k{component}"
    scale = "" if sigma_scale == 1 else f".x{sigma_scale:g}"
    suffix = "" if kind == "png" else f".{kind}"
    return f"{cell.name}{which}{scale}.n{count}.seed{seed}{suffix}"
