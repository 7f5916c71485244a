"""The training step, and a state from which training continues bit for bit."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from gmgan.config.models import Training
from gmgan.models.auxiliary.base import Auxiliary
from gmgan.models.average import Average
from gmgan.models.model import Model
from gmgan.models.priors import Weights, draw_components
from gmgan.models.step import Batch, StepDiscriminator
from gmgan.pixels import to_model_range
from gmgan.seeds import derive_seed
from gmgan.training.optimizer import adam, decay, load_state_of, state_of

Penalty = tuple[Callable[[Batch, StepDiscriminator], Tensor], int]  # and its interval in steps


class Trainer:
    """Trains a model on data in the memory of its device.

    An iteration is `critic_steps` Adam steps of the discriminator, each on a batch of real and of
    generated samples of its own, then one of the generator, of the prior if it is learned, and of
    the auxiliary networks, on the generated samples of the last of them (or on others, if the
    objective has `fresh_fakes`). A penalty with the interval n is computed in every n-th
    discriminator step and multiplied by n (lazy regularisation, Karras et al. 2020).

    samples: uint8 N x C x H x W or float32 N x 2; labels (LongTensor): N. The order of data depends
    on `order_seed` and the noise on `noise_seed` alone. With `training.precision` bfloat16 the
    networks compute under autocast; weights, losses, penalties and Adam stay float32.
    """

    def __init__(
        self,
        model: Model,
        training: Training,
        samples: Tensor,
        labels: Tensor,
        order_seed: int,
        noise_seed: int,
        penalties: Sequence[Penalty] = (),
    ) -> None:
        if samples.dim() == 4:
            samples = samples.contiguous(memory_format=torch.channels_last)
        self.model, self.samples, self.labels = model.train(), samples, labels
        self.training, self.penalties = training, penalties
        self.batch_size, self.critic_steps = training.batch_size, training.critic_steps
        per_iteration = self.batch_size * self.critic_steps
        self.total_iterations = max(1, math.ceil(training.kimg * 1000 / per_iteration))
        self.mixed = training.precision == "bfloat16"
        device = samples.device.type
        self.precision = torch.autocast(device, torch.bfloat16, enabled=self.mixed)
        self.order_seed = order_seed
        self.batches = 0  # discriminator steps so far
        self.epoch, self.order = -1, torch.empty(0, dtype=torch.int64)
        self.noise = torch.Generator(samples.device).manual_seed(noise_seed)
        self.auxiliary = cast(list[Auxiliary], list(model.auxiliary))
        self.discriminator_side = list(model.discriminator.parameters())
        self.optimizers = {
            "g": adam(_generator_side(model), training),
            "d": adam(self.discriminator_side, training, training.discriminator_learning_rate),
        }

    @property
    def iteration(self) -> int:
        """Generator steps so far."""
        return self.batches // self.critic_steps

    @property
    def kimg(self) -> float:
        """Thousands of real images shown to the discriminator so far."""
        return self.batches * self.batch_size / 1000

    def step(self) -> Tensor:
        """One iteration. Returns D loss, G loss, mean realness of real and of generated samples."""
        if self.training.decay_from < 1:
            self._decay()
        fresh = self.model.objective.fresh_fakes
        for remaining in reversed(range(self.critic_steps)):
            batch = self._draw(attached=not (remaining or fresh))
            d_loss, realness = self._discriminator_step(batch)
        if fresh:
            batch = replace(batch, **self._fakes())
        g_loss = self._generator_step(batch)
        self._average()
        return torch.stack([d_loss, g_loss, *realness])

    def state(self) -> dict[str, Tensor]:
        """Everything that the rest of the training depends on."""
        state = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            state |= {f"adam.{name}.{key}": value for key, value in state_of(optimizer).items()}
        state["noise"] = self.noise.get_state()
        state["batches"] = torch.tensor(self.batches)
        return state

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Continue from `state`; raises KeyError or RuntimeError when it does not fit the model."""
        self.model.load_state_dict(_below(state, "model."))
        for name, optimizer in self.optimizers.items():
            load_state_of(optimizer, _below(state, f"adam.{name}."))
        self.noise.set_state(state["noise"].cpu())
        self.batches = int(state["batches"])

    def _discriminator_step(self, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Returns the loss and the mean realness of real and of generated samples."""
        objective = self.model.objective
        due = [(penalty, n) for penalty, n in self.penalties if self.batches % n == 0]
        real, fake = batch.real, batch.fake.detach()
        if due:
            real, fake = real.requires_grad_(), fake.requires_grad_()
        seen = replace(batch, real=real, fake=fake, z=batch.z.detach())
        self._discriminator_learns(True)
        D = self._discriminator(self.precision)
        loss = objective.discriminator_loss(seen, D)
        for network in self.auxiliary:
            extra = network.discriminator_loss(seen, D)
            loss = loss if extra is None else loss + extra
        exact = self._discriminator(nullcontext()) if self.mixed and due else D
        for penalty, n in due:
            loss = loss + n * penalty(seen, exact)
        _descend(self.optimizers["d"], loss)
        self.batches += 1
        with torch.no_grad():
            outputs = [output.detach() for output in D.pair(seen)]
            return loss.detach(), [objective.realness(output).mean() for output in outputs]

    def _generator_step(self, batch: Batch) -> Tensor:
        """Returns the loss."""
        model = self.model
        self._discriminator_learns(False)
        D = self._discriminator(self.precision)
        batch = replace(batch, real=batch.real.detach())
        losses = model.objective.generator_loss(batch, D)
        loss = losses.mean()
        for network in self.auxiliary:
            loss = loss + network.generator_loss(batch, D)
        of_prior: Tensor | None = model.prior.loss() if hasattr(model.prior, "loss") else None
        descended = loss if of_prior is None else loss + of_prior
        weights = getattr(model.prior, "weights", None)
        if isinstance(weights, Weights) and weights.learning_rate is not None:
            descended = descended + weights.loss(batch.k, losses)
        _descend(self.optimizers["g"], descended)
        return loss.detach()

    def _draw(self, attached: bool) -> Batch:
        """The next real samples, and generated ones, with gradients or without."""
        index = self._next_indices()
        real, real_classes = to_model_range(self.samples[index]), self.labels[index]
        with torch.set_grad_enabled(attached):
            return Batch(real=real, real_classes=real_classes, rng=self.noise, **self._fakes())

    def _fakes(self) -> dict[str, Any]:
        """The fields of a `Batch` that belong to generated samples."""
        model = self.model
        k, y, eps = self._latent()
        with self.precision:
            z = model.prior(k, eps)
            fake = model.generator(model.condition(z, y)).float()
        fake_classes = model.objective.fake_classes(k, y)
        return dict(k=k, y=y, eps=eps, z=z, fake=fake, fake_classes=fake_classes)

    def _next_indices(self) -> Tensor:
        """The next batch of the endless sequence of shuffled epochs."""
        count, start = len(self.samples), self.batches * self.batch_size
        pieces, wanted = [], self.batch_size
        while wanted:
            epoch, offset = divmod(start, count)
            if epoch != self.epoch:
                stream = torch.Generator().manual_seed(derive_seed(self.order_seed, epoch))
                order = torch.randperm(count, generator=stream)
                self.epoch, self.order = epoch, order.to(self.samples.device)
            piece = self.order[offset : offset + wanted]
            pieces.append(piece)
            wanted -= len(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _latent(self) -> tuple[Tensor, Tensor, Tensor]:
        """Components, classes and noise of one batch."""
        prior, count, device = self.model.prior, self.batch_size, self.samples.device
        k = draw_components(prior, count, self.noise)
        y = torch.randint(
            max(self.model.n_classes, 1), (count,), generator=self.noise, device=device
        )
        eps = torch.randn(count, prior.dim, generator=self.noise, device=device)
        return k, y, eps

    def _discriminator(self, precision: Any) -> StepDiscriminator:
        model = self.model
        return StepDiscriminator(model.discriminator, model.objective.source, precision)

    def _discriminator_learns(self, flag: bool) -> None:
        """Whether backward passes compute gradients of the discriminator's weights."""
        for parameter in self.discriminator_side:
            parameter.requires_grad_(flag)

    def _decay(self) -> None:
        """Learning rates fall linearly to zero over the last part of the training."""
        start = self.training.decay_from
        left = (1 - self.iteration / self.total_iterations) / (1 - start)
        for optimizer in self.optimizers.values():
            decay(optimizer, min(1.0, left))

    def _average(self) -> None:
        training, average = self.training, self.model.average
        if average is not None and training.average_half_life_kimg:
            rule = Average(training.average_half_life_kimg, training.average_warm_up)
            shown = self.batch_size * self.critic_steps / 1000
            rule.update(average, self.model.sampled, self.kimg, shown)


def _generator_side(model: Model) -> list[dict[str, Any]]:
    """Adam's groups of all weights that the generator's loss trains."""
    weights = getattr(model.prior, "weights", None)
    apart = list(weights.parameters()) if isinstance(weights, Weights) else []
    parts = (model.generator, model.prior, model.auxiliary)
    parameters = [p for part in parts for p in part.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if not any(p is other for other in apart)]}
    ]
    if apart:
        assert weights is not None
        groups.append({"params": apart, "lr": weights.learning_rate})
    return groups


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
