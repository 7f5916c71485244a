"""Penalties against closed forms: of a linear and of a quadratic discriminator."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from gmgan.config.models import InterpolatePenalty, SquaredGradientPenalty
from gmgan.models.objectives import gan
from gmgan.models.penalties import interpolates, squared_gradient
from gmgan.models.step import Batch, StepDiscriminator

SLOPE = torch.tensor([3.0, -4.0])


class Linear(nn.Module):
    """D(x) = slope . x, whose gradient is the slope everywhere, of norm 5."""

    batch_statistics = False

    def forward(self, x):
        return (x @ SLOPE)[:, None]


class Quadratic(nn.Module):
    """D(x) = |x|^2 / 2, whose gradient at x is x."""

    batch_statistics = False

    def forward(self, x):
        return x.square().sum(1, keepdim=True) / 2


def value(penalty, network, seed=0):
    stream = torch.Generator().manual_seed(seed)
    real, fake = (torch.randn(50, 2, generator=stream, requires_grad=True) for _ in range(2))
    none = torch.zeros(50)
    batch = Batch(real, none, fake, None, none, none, none, none, stream)
    D = StepDiscriminator(network(), gan.Objective({}, 0, 1).source, nullcontext())
    D.pair(batch)
    return penalty(batch, D), batch


def squared(kind, gamma):
    return squared_gradient.Penalty(SquaredGradientPenalty(kind=kind, gamma=gamma))


@pytest.mark.parametrize("kind", ["r1", "r2"])
def test_squared_gradients_of_known_functions(kind):
    assert value(squared(kind, 10), Linear)[0].item() == pytest.approx(10 / 2 * 25)
    penalty, batch = value(squared(kind, 10), Quadratic)
    samples = batch.real if kind == "r1" else batch.fake
    assert penalty.item() == pytest.approx(5 * samples.square().sum(1).mean().item())


def test_gradient_penalty_of_known_functions():
    penalty = interpolates.Penalty(InterpolatePenalty(kind="gradient-penalty", weight=10))
    assert value(penalty, Linear)[0].item() == pytest.approx(10 * (5 - 1) ** 2)
    got, _ = value(penalty, Quadratic)
    stream = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(50, 2, generator=stream) for _ in range(2))
    u = torch.rand(50, 1, generator=stream)
    norms = (u * real + (1 - u) * fake).norm(dim=1)
    assert got.item() == pytest.approx(10 * (norms - 1).square().mean().item(), rel=1e-5)


def test_a_penalty_trains_the_discriminator_through_second_derivatives():
    """R1 of D(x) = w . x is gamma / 2 |w|^2: its gradient for w is gamma w."""
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))

    class Learned(Linear):
        def forward(self, x):
            return (x @ weight)[:, None]

    penalty, _ = value(squared("r1", 3), Learned)
    (gradient,) = torch.autograd.grad(penalty, weight)
    assert gradient.tolist() == pytest.approx([3.0, 6.0])
