"""A model: generator, discriminator, prior and objective put together; and how it samples."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gmgan import models, plugins
from gmgan.config.run import RunSettings
from gmgan.pixels import to_stored_range
from gmgan.seeds import derive_seed

SAMPLE_BLOCK = 500


class Model(nn.Module):
    """The parts of a GAN; its `state_dict()` holds all weights, as `generator.0.weight`.

    prior: a module with n_components, dim and forward(k, eps, sigma_scale); objective: the losses
    of both networks (gmgan/models/objectives); n_classes: 0 for unlabelled data.
    """

    prior: Any  # nn.Module, whose own attributes nn.Module types as Tensor or Module

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        prior: nn.Module,
        objective: Any,
        n_classes: int,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.objective, self.n_classes = objective, n_classes

    def generate(self, k: Tensor, y: Tensor, eps: Tensor, sigma_scale: float = 1.0) -> Tensor:
        """Samples (N x *shape, in the networks' range).

        k, y (LongTensor): N components and classes; eps: N x dim, standard normal.
        """
        z = self.prior(k, eps, sigma_scale)
        if self.objective.conditional:
            z = torch.cat([z, one_hot(y, self.n_classes).to(z.dtype)], 1)
        return self.generator(z)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode inside the block; afterwards every module has its own mode again."""
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            yield
        finally:
            for module, training in modes.items():
                module.training = training


def build_model(
    settings: RunSettings,
    sample_shape: tuple[int, ...],
    n_classes: int,
    device: torch.device | str = "cpu",
) -> Model:
    """The untrained model of a run; equal seeds give equal weights.

    sample_shape: (2,) or (C, H, W). Raises GmganError if the objective cannot have this K or the
    network this shape.
    """
    run = settings.run
    objective = plugins.load(settings.objective, models.OBJECTIVES)(n_classes, run.K)
    prior = plugins.load(settings.prior.kind, models.PRIORS)(
        plugins.options(settings.prior),
        settings.latent,
        run.K,
        derive_seed("prior", run.dataset, run.K, run.seed),
    )
    in_dim = settings.latent.dim + (n_classes if objective.conditional else 0)
    networks = plugins.load(settings.network.kind, models.NETWORKS)
    options = plugins.options(settings.network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("generator", run.dataset, run.seed))
        generator = networks.generator(options, in_dim, sample_shape)
        torch.manual_seed(derive_seed("discriminator", run.dataset, run.seed))
        discriminator = networks.discriminator(options, sample_shape, objective.n_outputs)
    model = Model(generator, discriminator, prior, objective, n_classes)
    # Convolutions are 1.3 times faster in this memory format, which torch's stub does not know.
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


@torch.no_grad()
def sample(
    model: Model,
    count: int,
    seed: int,
    device: torch.device | str = "cpu",
    component: int | None = None,
    sigma_scale: float = 1.0,
    on_block: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`count` samples of a trained model, with batch norm on its running statistics.

    Sample i depends on `seed` and i alone: noise is drawn in fixed blocks, each from its own
    generator, and every forward pass takes one block. Components (and, for a conditional generator,
    classes) are drawn uniformly unless `component` fixes one. `on_block` is called with the number
    of samples of each finished block.

    Returns samples (uint8 N x H x W x C, or float32 N x 2), components and classes (int64 N; class
    -1 where the model gives none).
    """
    samples, components, classes = [], [], []
    for block in range(-(-count // SAMPLE_BLOCK)):
        stream = torch.Generator().manual_seed(derive_seed("sample", seed, block))
        eps = torch.randn(SAMPLE_BLOCK, model.prior.dim, generator=stream)
        k = torch.randint(model.prior.n_components, (SAMPLE_BLOCK,), generator=stream)
        y = torch.randint(max(model.n_classes, 1), (SAMPLE_BLOCK,), generator=stream)
        if component is not None:
            k = torch.full_like(k, component)
        with model.evaluating():
            outputs = model.generate(k.to(device), y.to(device), eps.to(device), sigma_scale)
        target = model.objective.fake_classes(k, y)
        samples.append(to_stored_range(outputs))
        components.append(k)
        classes.append(torch.full_like(k, -1) if target is None else target)
        if on_block:
            on_block(min(SAMPLE_BLOCK, count - block * SAMPLE_BLOCK))
    return (
        np.concatenate(samples)[:count],
        torch.cat(components)[:count].numpy(),
        torch.cat(classes)[:count].numpy(),
    )


@torch.no_grad()
def sample_rows(
    model: Model,
    columns: int,
    seed: int,
    device: torch.device | str = "cpu",
    sigma_scale: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Samples in rows: one component a row, or one class a row for a conditional generator.

    A model with neither has as many rows as columns. Every row uses the same noise, so rows differ
    only in their component. Returns samples (rows * columns) and the row of each.
    """
    by_class = model.objective.conditional
    groups = model.n_classes if by_class else model.prior.n_components
    rows = columns if groups == 1 else groups
    stream = torch.Generator().manual_seed(derive_seed("grid", seed))
    eps = torch.randn(columns, model.prior.dim, generator=stream).repeat(rows, 1)
    row = torch.arange(rows).repeat_interleave(columns)
    if groups == 1:
        eps = torch.randn(rows * columns, model.prior.dim, generator=stream)
    none = torch.zeros_like(row)
    k = none if by_class or groups == 1 else row
    y = row if by_class else none
    with model.evaluating():
        outputs = model.generate(k.to(device), y.to(device), eps.to(device), sigma_scale)
    return to_stored_range(outputs), row.numpy()
