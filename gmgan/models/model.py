"""A model: generator, discriminator, prior and objective put together; and how it samples."""

from dataclasses import dataclass
from importlib import import_module

import numpy as np
import torch
from torch import nn
from torch.nn.functional import one_hot

from gmgan import models
from gmgan.models.prior import build_prior
from gmgan.pixels import to_stored_range
from gmgan.seeds import derive_seed

SAMPLE_BLOCK = 500


@dataclass
class Model:
    """The parts of a GAN. n_classes (int): 0 for unlabelled data."""

    generator: nn.Module
    discriminator: nn.Module
    prior: nn.Module
    objective: object
    n_classes: int

    def generate(self, k, y, eps, sigma_scale=1.0):
        """Samples (N x *shape, in the networks' range).

        k, y (LongTensor): N components and classes; eps (Tensor): N x dim, standard normal.
        """
        z = self.prior(k, eps, sigma_scale)
        if self.objective.conditional:
            z = torch.cat([z, one_hot(y, self.n_classes).to(z.dtype)], 1)
        return self.generator(z)

    def modules(self):
        """Named parts with weights."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "prior": self.prior,
        }

    def state(self):
        """All weights and buffers as one flat dict of tensors."""
        return {
            f"{part}.{name}": tensor
            for part, module in self.modules().items()
            for name, tensor in module.state_dict().items()
        }

    def load_state(self, state, parts=("generator", "discriminator", "prior")):
        """Load tensors of `state`; raises KeyError or RuntimeError when they do not fit."""
        for part in parts:
            self.modules()[part].load_state_dict(
                {
                    name.removeprefix(f"{part}."): tensor
                    for name, tensor in state.items()
                    if name.startswith(f"{part}.")
                }
            )


def build_model(settings, sample_shape, n_classes, device="cpu"):
    """The untrained model of a run, equal weights for equal seeds.

    settings (dict): resolved settings of the run; sample_shape (tuple): (2,) or (C, H, W).
    """
    run, latent = settings["run"], settings["latent"]
    network = settings["network"]
    objective = import_module(models.OBJECTIVES[settings["objective"]]).Objective(
        n_classes, run["K"]
    )
    prior = build_prior(
        settings["prior"],
        latent,
        run["K"],
        derive_seed("prior", run["dataset"], run["K"], run["seed"]),
    )
    in_dim = latent["dim"] + (n_classes if objective.conditional else 0)
    networks = import_module(models.NETWORKS[network["kind"]])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("generator", run["dataset"], run["seed"]))
        generator = networks.generator(network, in_dim, sample_shape)
        torch.manual_seed(derive_seed("discriminator", run["dataset"], run["seed"]))
        discriminator = networks.discriminator(network, sample_shape, objective.n_outputs)
    model = Model(generator, discriminator, prior, objective, n_classes)
    for module in model.modules().values():
        module.to(device, memory_format=torch.channels_last)  # 1.3 times faster convolutions
    return model


@torch.no_grad()
def sample(model, count, seed, device="cpu", component=None, sigma_scale=1.0, on_block=None):
    """`count` samples of a trained model, with batch norm on its running statistics.

    Sample i depends on `seed` and i alone: noise comes in fixed blocks, each with its own stream,
    and every forward pass has the size of a block. Components (and, for a conditional generator,
    classes) are drawn uniformly unless `component` fixes one.

    Returns samples (uint8 N x H x W x C, or float32 N x 2), components and classes (int64 N; class
    -1 where the model gives none), as numpy arrays.
    """
    model.generator.eval()
    samples, components, classes = [], [], []
    for block in range(-(-count // SAMPLE_BLOCK)):
        stream = torch.Generator().manual_seed(derive_seed("sample", seed, block))
        eps = torch.randn(SAMPLE_BLOCK, model.prior.dim, generator=stream)
        k = torch.randint(model.prior.n_components, (SAMPLE_BLOCK,), generator=stream)
        y = torch.randint(max(model.n_classes, 1), (SAMPLE_BLOCK,), generator=stream)
        if component is not None:
            k = torch.full_like(k, component)
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
def sample_rows(model, columns, seed, device="cpu", sigma_scale=1.0):
    """A grid of samples: one component a row, or one class a row for a conditional generator.

    A model with neither has as many rows as columns. Every row uses the same noise, so rows differ
    by their component alone. Returns samples (rows * columns) and the row of each.
    """
    model.generator.eval()
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
    outputs = model.generate(k.to(device), y.to(device), eps.to(device), sigma_scale)
    return to_stored_range(outputs), row.numpy()
