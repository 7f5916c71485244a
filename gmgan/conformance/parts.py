"""Checks of the parts of a model."""

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from gmgan.config.models import PluginPenalty, StaticPrior
from gmgan.conformance.require import (
    check_round_trip,
    check_tensor,
    entry_of,
    gradient,
    other_seeds,
    require,
)
from gmgan.conformance.training import (
    LATENT,
    MLP,
    Recipe,
    check_learning,
    check_training,
    plain_objective,
)
from gmgan.models.auxiliary.base import Parts
from gmgan.models.networks import mlp
from gmgan.models.priors import build_prior
from gmgan.models.restore import channels_first
from gmgan.models.step import Batch, StepDiscriminator

IMAGE = (16, 16, 1)
N = 12


def check_prior(
    build: Callable[..., Any], options: Any = None, K: int = 4, latent: dict | None = None
) -> None:
    """z: its shape, equal for equal seeds, other for other components, scaled by sigma_scale."""
    space = LATENT.model_copy(update=latent or {})

    def built(seed: int) -> Any:
        torch.manual_seed(next(other_seeds))
        return build(options or {}, space, K, seed)

    prior, same, other = built(1), built(1), built(2)
    require(isinstance(prior, nn.Module), "the prior is no torch.nn.Module")
    for name, expected in (("n_components", K), ("dim", space.dim)):
        given = getattr(prior, name)
        require(given == expected, f"{name} is {given}, expected {expected}")
    k, eps = torch.arange(K).repeat_interleave(N), torch.randn(N, prior.dim).repeat(K, 1)
    z = prior(k, eps)
    check_tensor("z", z, (K * N, prior.dim))
    require(torch.equal(z, same(k, eps)), "equal seeds gave other z; draw from a seeded generator")
    different = len(torch.unique(z.detach().view(K, -1), dim=0)) == K
    require(different, "equal noise gave equal z for different components")
    for scale in (0.25, 4.0):
        mean = (prior(k, eps, scale) - sqrt(scale) * z) / (1 - sqrt(scale))
        right = mean.view(K, N, -1).std(1).max() < 1e-4  # the same mean from all noise
        require(right, "deviations from the mean do not scale with the root of sigma_scale")
    for name, parameter in prior.named_parameters():
        if name.startswith("weights."):
            continue  # they have an estimator of their own (gmgan/models/priors.py)
        reached = gradient(z.square().sum(), parameter)
        require(reached, f"no gradient of z reaches the parameter {name}")
    check_round_trip("prior", prior, other, k, eps)
    check_training(Recipe(make_prior=lambda: built(1)))


def check_network(networks: Any, options: Any = None, sample_shape: Sequence[int] = IMAGE) -> None:
    """Shapes, ranges, seeds, `batch_statistics` and what features it says to have."""
    options, shape = options or {}, channels_first(list(sample_shape))

    def built(name: str, seed: int = 1) -> Any:
        torch.manual_seed(seed)
        sizes = (5, shape) if name == "generator" else (shape, 3)
        return getattr(networks, name)(options, *sizes)

    z, samples = torch.randn(N, 5), torch.rand(N, *shape) * 2 - 1
    for name, inputs, expected in (
        ("generator", z, (N, *shape)),
        ("discriminator", samples, (N, 3)),
    ):
        net, same, other = built(name), built(name), built(name, seed=2)
        require(isinstance(net, nn.Module), f"the {name} is no torch.nn.Module")
        outputs = _outputs(net, inputs)
        check_tensor(f"the output of the {name}", outputs, expected)
        differ = f"equal seeds gave other outputs of the {name}"
        equal = torch.equal(outputs, _outputs(same, inputs))
        require(equal, f"{differ}; only its initial weights may be random")
        check_round_trip(name, net.eval(), other.eval(), inputs)
    if len(shape) == 3:
        generator = built("generator")
        for parameter in generator.parameters():
            parameter.data.mul_(100)
        largest = _outputs(generator, z).abs().max().item()
        require(largest <= 1, "images can leave [-1, 1]; end the generator with tanh")
    discriminator = built("discriminator")
    flag = getattr(discriminator, "batch_statistics", None)
    require(isinstance(flag, bool), "the discriminator has no batch_statistics, True or False")
    few, all_of_them = (_outputs(discriminator, each)[:4] for each in (samples[:4], samples))
    apart = torch.allclose(few, all_of_them, atol=1e-4)
    require(flag or apart, "batch_statistics is False, but an output depends on its whole batch")
    check_training(Recipe(shape=shape, networks=networks, options=options))


def check_objective(
    make: Callable[..., Any], options: Any = None, uses_labels: bool = False, K: int = 3
) -> None:
    """Shapes; gradients reach G and D; it trains toy-ring (training.check_learning)."""
    for n_classes in (3,) if uses_labels else (3, 0):
        built = partial(make, options or {}, n_classes, K)
        _check_promises(built(), n_classes, K, uses_labels)
        check_training(Recipe(make_objective=built, n_classes=n_classes))
    n_classes = 8 if uses_labels else 0
    built = partial(make, options or {}, n_classes, 8)
    recipe = Recipe(make_objective=built, n_classes=n_classes)
    if uses_labels:
        recipe.make_prior = partial(_mixture, 8)  # a component for each class
    check_learning(recipe)


def _check_promises(objective: Any, n_classes: int, K: int, uses_labels: bool) -> None:
    n_outputs, conditional = objective.n_outputs, objective.conditional
    positive, flag = isinstance(n_outputs, int) and n_outputs > 0, isinstance(conditional, bool)
    require(positive, f"n_outputs is {n_outputs!r}, expected a positive integer")
    require(flag, f"conditional is {conditional!r}, expected True or False")
    k, y = torch.arange(N) % K, torch.arange(N) % max(n_classes, 1)
    fake_classes = objective.fake_classes(k, y)
    without = fake_classes is None and not conditional
    require(uses_labels or without, "its losses use class labels: set uses_labels to true")
    if fake_classes is not None:
        check_tensor("fake_classes", fake_classes, (N,), torch.int64)
        inside = fake_classes.min() >= 0 and fake_classes.max() < n_classes
        require(inside, f"fake_classes leave 0 to {n_classes - 1}")
    network: Any = mlp.discriminator(MLP, (2,), n_outputs)
    batch = _batch(k, y, fake_classes, n_classes)
    for name, sides in (
        ("discriminator_loss", ("real", "fake")),
        ("generator_loss", ("fake",)),
    ):
        D = StepDiscriminator(network, objective.source, nullcontext())
        loss = getattr(objective, name)(batch, D)
        one_each = name == "generator_loss" and getattr(loss, "shape", None) == (N,)
        check_tensor(name, loss, (N,) if one_each else ())
        for side in sides:
            reached = gradient(loss.mean(), getattr(batch, side))
            require(reached, f"no gradient of {name} reaches batch.{side}")
    reached = gradient(loss.mean(), network[1].weight)
    require(reached, "no gradient of the losses reaches the discriminator")
    for name in ("source", "realness"):
        check_tensor(name, getattr(objective, name)(torch.randn(N, n_outputs)), (N,))


def check_penalty(make: Callable[..., Any], options: Any = None, every: int = 1) -> None:
    """A finite scalar that changes the gradient of the discriminator's weights."""
    entry_of(PluginPenalty, every=every)
    penalty = make(options or {})
    network = mlp.discriminator(MLP, (2,), 1)
    D = StepDiscriminator(network, plain_objective().source, nullcontext())
    value = penalty(_batch(torch.arange(N) % 3, torch.zeros(N, dtype=torch.int64), None, 0), D)
    check_tensor("the penalty", value, ())
    weights = [each for each in network.parameters() if each.dim() > 1]
    changed = any(gradient(value, weight) for weight in weights)
    require(changed, "it does not change the gradient of the discriminator; use create_graph")
    for interval in sorted({1, 2, every}):
        check_training(Recipe(penalties=[(penalty, interval)]))


def check_auxiliary(make: Callable[..., Any], options: Any = None, K: int = 3) -> None:
    """Its loss is a finite scalar whose gradients reach the generator and its own weights."""
    network = mlp.discriminator(MLP, (2,), 1)
    parts = Parts(K, LATENT.dim, LATENT.dim, 0, 16, partial(mlp.discriminator, MLP, (2,)))
    auxiliary = make(options or {}, parts)
    require(isinstance(auxiliary, nn.Module), "the auxiliary network is no torch.nn.Module")
    batch = _batch(torch.arange(N) % K, torch.zeros(N, dtype=torch.int64), None, 0)
    D = StepDiscriminator(network, plain_objective().source, nullcontext())
    loss = auxiliary.generator_loss(batch, D)
    check_tensor("generator_loss", loss, ())
    require(gradient(loss, batch.fake), "no gradient of generator_loss reaches batch.fake")
    for name, parameter in auxiliary.named_parameters():
        reached = gradient(loss, parameter)
        require(reached, f"no gradient of generator_loss reaches its parameter {name}")
    extra = auxiliary.discriminator_loss(batch, D)
    if extra is not None:
        check_tensor("discriminator_loss", extra, ())
    mixture = partial(_mixture, K)
    check_training(Recipe(make_prior=mixture, make_auxiliary=partial(make, options or {})))


def _mixture(K: int) -> Any:
    prior = StaticPrior(kind="static")
    return build_prior(prior, LATENT, K, 1)


def _batch(k: Tensor, y: Tensor, fake_classes: Tensor | None, n_classes: int) -> Batch:
    """N random points whose `real` and `fake` require gradients."""
    stream = torch.Generator().manual_seed(3)
    real, fake = (torch.randn(N, 2, generator=stream, requires_grad=True) for _ in range(2))
    eps = torch.randn(N, LATENT.dim, generator=stream)
    real_classes = y if n_classes else torch.full_like(y, -1)
    return Batch(real, real_classes, fake, fake_classes, k, y, eps, eps, stream)


def _outputs(net: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs of a copy of `net` in training mode; torch's generator has a new state every time."""
    torch.manual_seed(next(other_seeds))
    with torch.no_grad():
        return copy.deepcopy(net).train()(inputs)
