"""Trains a part of a model for some steps, with built-in parts for the rest."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from gmgan.config.data import RingSource
from gmgan.config.models import (
    BuiltInObjective,
    Latent,
    MlpNetwork,
    Normalisation,
    SquaredGradientPenalty,
    Training,
)
from gmgan.conformance.require import other_seeds, require
from gmgan.data import points
from gmgan.evaluation.modes import mode_scores
from gmgan.evaluation.samples import Modes
from gmgan.models.auxiliary.base import Parts
from gmgan.models.model import Model, sample
from gmgan.models.networks import mlp
from gmgan.models.objectives import gan
from gmgan.models.penalties import squared_gradient
from gmgan.models.priors import Normal
from gmgan.training.trainer import Penalty, Trainer

LATENT = Latent(dim=8, c=0.5, sigma=0.2)
MLP = MlpNetwork(
    kind="mlp",
    generator_widths=[16],
    discriminator_widths=[16],
    generator=Normalisation(batch_norm=True),
)
TRAINING = Training(kimg=1, batch_size=16, learning_rate=1e-3)
RING = RingSource(kind="ring", modes=8, radius=1.0, std=0.05, n_train=20000, n_test=1)
RING_MLP = MlpNetwork(kind="mlp", generator_widths=[64, 64], discriminator_widths=[64, 64])
RING_TRAINING = Training(kimg=25.6, batch_size=128, learning_rate=2e-3, beta1=0.0)
RING_MODES, RING_QUALITY = 6, 0.1  # the mark: captured modes of 8, share of high quality


def plain_objective() -> Any:
    return gan.Objective(BuiltInObjective(kind="gan"), 0, 1)


@dataclass
class Recipe:
    """A model on random data; `make_...` give untrained parts. Equal recipes train equally."""

    shape: tuple[int, ...] = (2,)
    make_prior: Callable[[], Any] = lambda: Normal(LATENT.dim)
    networks: Any = mlp
    options: Any = MLP
    make_objective: Callable[[], Any] = plain_objective
    make_auxiliary: Callable[[Parts], Any] | None = None
    penalties: list[Penalty] = field(default_factory=list)
    n_classes: int = 0
    training: Training = TRAINING

    def trainer(self, real: torch.Tensor, labels: torch.Tensor) -> Trainer:
        """A trainer of the model on `real`, N x *shape, with classes `labels`."""
        torch.manual_seed(1)
        prior, objective = self.make_prior(), self.make_objective()
        in_dim = prior.dim + (self.n_classes if objective.conditional else 0)

        def discriminator(n_outputs: int) -> Any:
            return self.networks.discriminator(self.options, self.shape, n_outputs)

        torch.manual_seed(1)
        generator = self.networks.generator(self.options, in_dim, self.shape)
        judge = discriminator(objective.n_outputs)
        parts = Parts.of(prior, judge, self.n_classes, discriminator)
        auxiliary = [self.make_auxiliary(parts)] if self.make_auxiliary else []
        model = Model(generator, judge, prior, objective, self.n_classes, auxiliary)
        return Trainer(model, self.training, real, labels, 1, 2, self.penalties)

    def started(self, precision: str = "float32") -> Trainer:
        """A trainer on 64 random samples."""
        stream = torch.Generator().manual_seed(2)
        real = torch.randn(64, *self.shape, generator=stream)
        if len(self.shape) == 3:
            real = real.mul(50).add(127).clamp(0, 255).byte()
        labels = torch.arange(64) % self.n_classes if self.n_classes else torch.full((64,), -1)
        training = self.training.model_copy(update={"precision": precision})
        return replace(self, training=training).trainer(real, labels)


def check_training(recipe: Recipe) -> None:
    """Losses and samples are finite; an interrupted training ends with the same weights.

    Nothing depends on torch's own generator. With precision bfloat16 weights stay float32 and the
    losses are near those of float32.
    """
    whole, first, second = recipe.started(), recipe.started(), recipe.started()
    losses = [whole.step() for _ in range(4)]
    require(torch.stack(losses).isfinite().all(), "losses in training are not finite")
    samples, _, _ = sample(whole.model, 10, 1)
    require(np.isfinite(samples).all(), "samples after training are not finite")
    for part in (first, second):
        torch.manual_seed(next(other_seeds))
        if part is second:
            part.load_state(first.state())
        for _ in range(2):
            part.step()
    resumed = second.state()
    equal = all(torch.equal(tensor, resumed[name]) for name, tensor in whole.state().items())
    require(equal, "training that was interrupted ended otherwise; register all it depends on")
    mixed = recipe.started("bfloat16")
    near = torch.allclose(mixed.step()[:2], losses[0][:2], rtol=0.1, atol=0.1)
    require(near, "the first losses with precision bfloat16 are far from those with float32")
    kinds = {weight.dtype for weight in mixed.model.parameters()}
    require(kinds == {torch.float32}, "weights are not float32 with precision bfloat16")


def check_learning(recipe: Recipe) -> None:
    """A loss trains the 8 modes of toy-ring to a mark: 200 steps of 128 samples, with R1, gamma 1.

    At least 6 modes are captured and a tenth of the samples is of high quality.
    """
    data = points.read(RING)
    penalty = squared_gradient.Penalty(SquaredGradientPenalty(kind="r1", gamma=1.0))
    recipe = replace(recipe, options=RING_MLP, penalties=[(penalty, 1)], training=RING_TRAINING)
    labels = torch.from_numpy(data.train_labels)
    trainer = recipe.trainer(torch.from_numpy(data.train), labels)
    for _ in range(trainer.total_iterations):
        trainer.step()
    samples, _, _ = sample(trainer.model, 2000, 1)
    scores = mode_scores(samples, Modes(points.centres(RING), RING.std))
    captured, good = scores["modes_captured"], scores["high_quality_share"]
    require(
        captured >= RING_MODES and good >= RING_QUALITY,
        f"it does not learn: after {RING_TRAINING.kimg:g} kimg of toy-ring {captured:.0f} of 8 "
        f"modes are captured (at least {RING_MODES}) and the high-quality share is {good:.2f} "
        f"(at least {RING_QUALITY})",
    )
