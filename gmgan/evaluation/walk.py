"""Straight lines in latent space from one component (or class) to another."""

from itertools import combinations

import numpy as np
import torch

from gmgan.models.model import Model
from gmgan.pixels import to_stored_range


def pairs_of(model: Model, most: int) -> list[tuple[int, int]]:
    """Pairs (a, b), a < b, of the first `most` components, or classes of a conditional generator.

    Empty for a plain GAN, which has neither.
    """
    groups = model.n_classes if model.objective.conditional else model.prior.n_components
    return list(combinations(range(min(groups, most)), 2))


@torch.no_grad()
def walks(
    model: Model,
    pairs: list[tuple[int, int]],
    steps: int,
    rows: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> list[np.ndarray]:
    """Samples on the way from a to b for each of `pairs`: arrays of rows x steps x *shape.

    The generator's input goes in equal steps from that of a to that of b; a row keeps its noise, so
    its ends differ by their component alone.
    """
    stream = torch.Generator().manual_seed(seed)
    eps = torch.randn(rows, model.prior.dim, generator=stream).to(device)
    shares = torch.linspace(0, 1, steps, device=device).view(1, steps, 1)
    sheets = []
    for a, b in pairs:
        start, end = (_inputs(model, group, eps).unsqueeze(1) for group in (a, b))
        inputs = (start + shares * (end - start)).flatten(0, 1)
        with model.evaluating():
            samples = to_stored_range(model.decode(inputs))
        sheets.append(samples.reshape(rows, steps, *samples.shape[1:]))
    return sheets


def _inputs(model: Model, group: int, eps: torch.Tensor) -> torch.Tensor:
    """What the generator sees for one component or class: rows x (dim [+ n_classes])."""
    index = torch.full((len(eps),), group, device=eps.device)
    component = torch.zeros_like(index) if model.objective.conditional else index
    return model.latent(component, index, eps)
