"""A model: networks, prior and objective put together; and how it samples."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gmgan import models, plugins
from gmgan.config.run import RunSettings
from gmgan.models.auxiliary.base import Parts
from gmgan.models.average import Average
from gmgan.models.objectives.base import Objective
from gmgan.models.priors import draw_components
from gmgan.pixels import to_stored_range
from gmgan.seeds import derive_seed

SAMPLE_BLOCK = 500


class Model(nn.Module):
    """The parts of a GAN; its `state_dict()` holds all weights, as `generator.0.weight`.

    prior: see gmgan/models/priors.py; objective: the losses of both networks; n_classes: 0 for
    unlabelled data; auxiliary: networks trained beside them; average: the moving average of
    generator and prior that samples come from, None: their last weights.
    """

    prior: Any  # nn.Module, whose own attributes nn.Module types as Tensor or Module

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        prior: nn.Module,
        objective: Objective,
        n_classes: int,
        auxiliary: Iterable[nn.Module] = (),
        average: Average | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.objective, self.n_classes = objective, n_classes
        self.auxiliary = nn.ModuleList(auxiliary)
        self.average = average.of(self.sampled) if average else None

    @property
    def sampled(self) -> nn.ModuleDict:
        """The parts that samples depend on."""
        return nn.ModuleDict({"generator": self.generator, "prior": self.prior})

    def generate(self, k: Tensor, y: Tensor, eps: Tensor, sigma_scale: float = 1.0) -> Tensor:
        """Samples (N x *shape, in the networks' range), of the average if the model has one.

        k, y (LongTensor): N components and classes; eps: N x dim, standard normal.
        """
        return self.decode(self.latent(k, y, eps, sigma_scale))

    def latent(self, k: Tensor, y: Tensor, eps: Tensor, sigma_scale: float = 1.0) -> Tensor:
        """What the generator gets: z, and for a conditional generator a one-hot class beside it."""
        return self.condition(self._sampled("prior")(k, eps, sigma_scale), y)

    def decode(self, latent: Tensor) -> Tensor:
        """Samples (N x *shape) for what `latent` gives."""
        return self._sampled("generator")(latent)

    def condition(self, z: Tensor, y: Tensor) -> Tensor:
        """z, and for a conditional generator a one-hot class beside it."""
        if not self.objective.conditional:
            return z
        return torch.cat([z, one_hot(y, self.n_classes).to(z.dtype)], 1)

    def _sampled(self, part: str) -> Any:
        return self.average.module.get_submodule(part) if self.average else getattr(self, part)

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
    objective = plugins.build(settings.objective, models.OBJECTIVES, n_classes, run.K)
    seed = derive_seed("prior", run.dataset, run.K, run.seed)
    prior: Any = plugins.build(settings.prior, models.PRIORS, settings.latent, run.K, seed)
    in_dim = prior.dim + (n_classes if objective.conditional else 0)
    networks = plugins.load(settings.network.kind, models.NETWORKS)
    options = plugins.options(settings.network, networks)
    make_discriminator = partial(networks.discriminator, options, sample_shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("generator", run.dataset, run.seed))
        generator = networks.generator(options, in_dim, sample_shape)
        torch.manual_seed(derive_seed("discriminator", run.dataset, run.seed))
        discriminator = make_discriminator(objective.n_outputs)
        parts = Parts.of(prior, discriminator, n_classes, make_discriminator)
        torch.manual_seed(derive_seed("auxiliary", run.dataset, run.seed))
        auxiliary = [plugins.build(e, models.AUXILIARY, parts) for e in settings.auxiliary]
    training = settings.training
    average = None
    if training.average_half_life_kimg:
        average = Average(training.average_half_life_kimg, training.average_warm_up)
    model = Model(generator, discriminator, prior, objective, n_classes, auxiliary, average)
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
    generator, and every forward pass takes one block. Components are drawn by
    their weights unless `component` fixes one, classes for a conditional generator uniformly.
    `on_block` is called with the number of samples of each finished block.

    Returns samples (uint8 N x H x W x C, or float32 N x 2), components and classes (int64 N; class
    -1 where the model gives none).
    """
    samples, components, classes = [], [], []
    for block in range(-(-count // SAMPLE_BLOCK)):
        stream = torch.Generator().manual_seed(derive_seed("sample", seed, block))
        eps = torch.randn(SAMPLE_BLOCK, model.prior.dim, generator=stream)
        k = draw_components(model.prior, SAMPLE_BLOCK, stream)
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
