"""Check that a plug-in does what its kind requires: one function for its author's tests.

from gmgan.conformance import check_plugin
check_plugin("prior", "lattice:build", options={"c": 0.5})
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from math import sqrt
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from gmgan import plugins
from gmgan.config.data import PluginSource
from gmgan.config.models import Latent, MlpNetwork, Training
from gmgan.data.archives import Archives
from gmgan.data.splits import Splits, check_splits
from gmgan.errors import GmganError, unknown_name
from gmgan.evaluation.metric import plugin_score
from gmgan.evaluation.samples import Samples
from gmgan.models.model import Model, sample
from gmgan.models.networks import mlp
from gmgan.models.objectives import gan
from gmgan.models.priors import NormalPrior
from gmgan.models.restore import channels_first
from gmgan.training.trainer import Trainer

LATENT = Latent(dim=8, c=0.5, sigma=0.2)
MLP = MlpNetwork(kind="mlp", generator_widths=[16], discriminator_widths=[16], batch_norm=True)
TRAINING = Training(kimg=1, batch_size=16, learning_rate=1e-3)
IMAGE = (16, 16, 1)
N = 12
_others = count(1000)  # seeds of torch's own generator: nothing may depend on them


def check_plugin(kind: str, plugin: Any, **entry: Any) -> None:
    """Raise GmganError with one line that says what a plug-in does wrong; None if nothing.

    kind (str): data-set, network, prior, objective or metric. plugin: `module:attribute`, or the
    object itself. `entry` says what params.yaml would say: `options` (dict) for all but objectives;
    a data set's `sample_shape`, `classes`, `centres` and `std`; an objective's `uses_labels`. For
    networks and metrics `sample_shape` (default [16, 16, 1]) is the shape of the test samples, for
    priors `K` (4) and `latent` (changes of dim 8, c 0.5, sigma 0.2), for objectives `K` (3).
    """
    checks: dict[str, Callable[..., None]] = {
        "data-set": _check_data_set,
        "network": _check_network,
        "prior": _check_prior,
        "objective": _check_objective,
        "metric": _check_metric,
    }
    if kind not in checks:
        raise GmganError(unknown_name("kind of plug-in", kind, checks))
    name = plugin if isinstance(plugin, str) else getattr(plugin, "__name__", repr(plugin))
    code = plugins.load(plugin) if isinstance(plugin, str) else plugin
    try:
        with torch.random.fork_rng(devices=[]):
            checks[kind](code, **entry)
    except GmganError as error:
        raise GmganError(f"{name}: {error}") from error
    except Exception as error:
        text = " ".join(str(error).split())
        raise GmganError(f"{name}: raised {type(error).__name__}: {text}") from error


def _require(condition: Any, message: str) -> None:
    if not condition:
        raise GmganError(message)


def _check_data_set(read: Callable[..., Splits], **fields: Any) -> None:
    try:
        source = PluginSource(kind="checked:plugin", **fields)
    except ValidationError as error:
        mistake = error.errors()[0]
        place = ".".join(map(str, ("source", *mistake["loc"])))
        raise GmganError(f"{place}: {mistake['msg']}") from error
    first, second = (read(source, Archives("results/archives")) for _ in range(2))
    for splits in (first, second):
        check_splits(splits, source.sample_shape, source.n_classes or 0)
    for name, array in vars(first).items():
        equal = np.array_equal(array, getattr(second, name))
        _require(equal, f"reading twice gave other {name}; draw from a generator of a fixed seed")


def _check_prior(
    build: Callable[..., Any], options: Any = None, K: int = 4, latent: dict | None = None
) -> None:
    space = LATENT.model_copy(update=latent or {})

    def built(seed: int) -> Any:
        torch.manual_seed(next(_others))
        return build(options or {}, space, K, seed)

    prior, same, other = built(1), built(1), built(2)
    _require(isinstance(prior, nn.Module), "the prior is no torch.nn.Module")
    for name, expected in (("n_components", K), ("dim", space.dim)):
        given = getattr(prior, name)
        _require(given == expected, f"{name} is {given}, expected {expected}")
    k, eps = torch.arange(K).repeat_interleave(N), torch.randn(N, prior.dim).repeat(K, 1)
    z = prior(k, eps)
    _check_tensor("z", z, (K * N, prior.dim))
    _require(torch.equal(z, same(k, eps)), "equal seeds gave other z; draw from a seeded generator")
    different = len(torch.unique(z.detach().view(K, -1), dim=0)) == K
    _require(different, "equal noise gave equal z for different components")
    for scale in (0.25, 4.0):
        mean = (prior(k, eps, scale) - sqrt(scale) * z) / (1 - sqrt(scale))
        right = mean.view(K, N, -1).std(1).max() < 1e-4  # the same mean from all noise
        _require(right, "deviations from the mean do not scale with the root of sigma_scale")
    for name, parameter in prior.named_parameters():
        reached = _gradient(z.square().sum(), parameter)
        _require(reached, f"no gradient of z reaches the parameter {name}")
    _check_round_trip("prior", prior, other, k, eps)
    _check_training((2,), make_prior=lambda: built(1))


def _check_network(networks: Any, options: Any = None, sample_shape: Sequence[int] = IMAGE) -> None:
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
        _require(isinstance(net, nn.Module), f"the {name} is no torch.nn.Module")
        outputs = _outputs(net, inputs)
        _check_tensor(f"the output of the {name}", outputs, expected)
        differ = f"equal seeds gave other outputs of the {name}"
        equal = torch.equal(outputs, _outputs(same, inputs))
        _require(equal, f"{differ}; only its initial weights may be random")
        _check_round_trip(name, net.eval(), other.eval(), inputs)
    if len(shape) == 3:
        generator = built("generator")
        for parameter in generator.parameters():
            parameter.data.mul_(100)
        largest = _outputs(generator, z).abs().max().item()
        _require(largest <= 1, "images can leave [-1, 1]; end the generator with tanh")
    discriminator = built("discriminator")
    flag = getattr(discriminator, "batch_statistics", None)
    _require(isinstance(flag, bool), "the discriminator has no batch_statistics, True or False")
    few, all_of_them = (_outputs(discriminator, each)[:4] for each in (samples[:4], samples))
    apart = torch.allclose(few, all_of_them, atol=1e-4)
    _require(flag or apart, "batch_statistics is False, but an output depends on its whole batch")
    _check_training(shape, networks=networks, options=options)


def _check_objective(make: Callable[..., Any], uses_labels: bool = False, K: int = 3) -> None:
    for n_classes in (3,) if uses_labels else (3, 0):
        objective = make(n_classes, K)
        _check_promises(objective, n_classes, K, uses_labels)
        _check_training((2,), make_objective=partial(make, n_classes, K), n_classes=n_classes)


def _check_promises(objective: Any, n_classes: int, K: int, uses_labels: bool) -> None:
    n_outputs, conditional = objective.n_outputs, objective.conditional
    positive, flag = isinstance(n_outputs, int) and n_outputs > 0, isinstance(conditional, bool)
    _require(positive, f"n_outputs is {n_outputs!r}, expected a positive integer")
    _require(flag, f"conditional is {conditional!r}, expected True or False")
    k, y = torch.arange(N) % K, torch.arange(N) % max(n_classes, 1)
    fake_classes = objective.fake_classes(k, y)
    without = fake_classes is None and not conditional
    _require(uses_labels or without, "its losses use class labels: set uses_labels to true")
    if fake_classes is not None:
        _check_tensor("fake_classes", fake_classes, (N,), torch.int64)
        inside = fake_classes.min() >= 0 and fake_classes.max() < n_classes
        _require(inside, f"fake_classes leave 0 to {n_classes - 1}")
    real, fake = (torch.randn(N, n_outputs, requires_grad=True) for _ in range(2))
    real_classes = y if n_classes else torch.full_like(y, -1)
    d_loss = objective.discriminator_loss(real, fake, real_classes, fake_classes)
    g_loss = objective.generator_loss(fake, fake_classes)
    for name, loss, side, outputs in (
        ("discriminator_loss", d_loss, "real", real),
        ("discriminator_loss", d_loss, "generated", fake),
        ("generator_loss", g_loss, "generated", fake),
    ):
        _check_tensor(name, loss, ())
        reached = _gradient(loss, outputs)
        _require(reached, f"no gradient of {name} reaches the outputs for {side} samples")
    realness = objective.realness(10 * real.detach())
    _check_tensor("realness", realness, (N,))
    _require(realness.min() >= 0 and realness.max() <= 1, "realness leaves [0, 1]")


def _check_metric(
    score: Callable[..., Any], options: Any = None, sample_shape: Sequence[int] = IMAGE
) -> None:
    rng = np.random.default_rng(1)

    def drawn(count: int) -> Samples:
        if len(sample_shape) == 1:
            points = rng.standard_normal((count, 2), np.float32)
            return Samples(points, points)
        images = rng.integers(0, 256, (count, *sample_shape), np.uint8)
        features, logits = (rng.standard_normal((count, d), np.float32) for d in (32, 10))
        return Samples(images, features, logits)

    sides = drawn(200), drawn(300)
    before, values = copy.deepcopy(sides), []
    for seed in (1, 2):
        np.random.seed(seed)
        torch.manual_seed(seed)
        values.append(plugin_score("it", score, options or {}, *sides))
    text = f"equal samples gave {values[0]} and {values[1]}; fix its seed"
    _require(values[0] == values[1], text)
    for side, kept in zip(sides, before, strict=True):
        for name, array in vars(kept).items():
            _require(np.array_equal(getattr(side, name), array), f"it changes {name} in place")


def _check_tensor(
    name: str, given: Any, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> None:
    _require(torch.is_tensor(given), f"{name} is of type {type(given).__name__}, expected a tensor")
    text = f"{name} is {given.dtype} {list(given.shape)}, expected {dtype} {list(shape)}"
    _require(given.dtype == dtype and given.shape == shape, text)
    _require(given.isfinite().all(), f"{name} is not finite")


def _check_round_trip(name: str, module: nn.Module, other: nn.Module, *inputs: Tensor) -> None:
    """Weights of one seed make a module of another seed the same."""
    with torch.no_grad():
        expected = module(*inputs)
        other.load_state_dict(module.state_dict())
        same = torch.equal(expected, other(*inputs))
    _require(same, f"the {name} loaded from its state_dict is another; register all it depends on")


def _check_training(
    shape: tuple[int, ...],
    make_prior: Callable[[], Any] = lambda: NormalPrior(LATENT.dim),
    networks: Any = mlp,
    options: Any = MLP,
    make_objective: Callable[[], Any] = lambda: gan.Objective(0, 1),
    n_classes: int = 0,
) -> None:
    """Train for some steps with built-in parts for the rest, at once and interrupted."""

    def trainer() -> Trainer:
        torch.manual_seed(1)
        prior, objective = make_prior(), make_objective()
        in_dim = prior.dim + (n_classes if objective.conditional else 0)
        torch.manual_seed(1)
        generator = networks.generator(options, in_dim, shape)
        discriminator = networks.discriminator(options, shape, objective.n_outputs)
        model = Model(generator, discriminator, prior, objective, n_classes)
        labels = torch.arange(64) % n_classes if n_classes else torch.full((64,), -1)
        noise = torch.Generator().manual_seed(2)
        real = torch.randn(64, *shape, generator=noise)
        if len(shape) == 3:
            real = real.mul(50).add(127).clamp(0, 255).byte()
        return Trainer(model, TRAINING, real, labels, 1, 2)

    whole, first, second = trainer(), trainer(), trainer()
    for _ in range(4):
        _require(whole.step().isfinite().all(), "losses in training are not finite")
    samples, _, _ = sample(whole.model, 10, 1)
    _require(np.isfinite(samples).all(), "samples after training are not finite")
    for part in (first, second):
        torch.manual_seed(next(_others))
        if part is second:
            part.load_state(first.state())
        for _ in range(2):
            part.step()
    resumed = second.state()
    equal = all(torch.equal(tensor, resumed[name]) for name, tensor in whole.state().items())
    _require(equal, "training that was interrupted ended otherwise; register all it depends on")


def _outputs(net: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs of a copy of `net` in training mode; torch's generator has a new state every time."""
    torch.manual_seed(next(_others))
    with torch.no_grad():
        return copy.deepcopy(net).train()(inputs)


def _gradient(loss: Tensor, tensor: Tensor) -> bool:
    """True if a gradient of `loss` other than zero reaches `tensor`."""
    if not loss.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(loss, tensor, retain_graph=True, allow_unused=True)
    return gradient is not None and bool(gradient.any())
