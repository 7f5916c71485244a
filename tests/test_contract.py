"""What the training contract promises: draws, steps, learning rates, averages, weights."""

import math
from types import SimpleNamespace

import pytest
import torch
from test_training import resolved, trainer_of
from torch import nn

from gmgan.config.models import Encoder, Training
from gmgan.errors import GmganError
from gmgan.models.auxiliary import encoder
from gmgan.models.auxiliary.base import Parts
from gmgan.models.average import Average
from gmgan.models.networks import mlp
from gmgan.models.objectives import base, gan
from gmgan.models.priors import StaticMixture, Weights
from gmgan.training.optimizer import adam, decay

RING = "toy-ring.gmgan-static.K8.s0"


class Spy(gan.Objective):
    """Keeps the batches of every step."""

    def __init__(self, fresh=False):
        self.fresh_fakes, self.seen = fresh, {"d": [], "g": []}

    def discriminator_loss(self, batch, D):
        self.seen["d"].append(batch)
        return super().discriminator_loss(batch, D)

    def generator_loss(self, batch, D):
        self.seen["g"].append(batch)
        return super().generator_loss(batch, D)


def spied(params, fresh=False, penalties=(), **change):
    trainer = trainer_of(params, RING, (2,), **change)
    trainer.penalties = penalties
    trainer.model.objective = Spy(fresh)
    return trainer, trainer.model.objective.seen


@pytest.mark.parametrize("fresh", [False, True])
def test_the_draws_of_each_step(params, fresh):
    trainer, seen = spied(params, fresh, critic_steps=3, batch_size=50)
    trainer.step()
    assert [len(seen["d"]), len(seen["g"])] == [3, 1]
    last, own = seen["d"][-1], seen["g"][0]
    assert torch.equal(last.fake, own.fake) is not fresh
    assert own.fake.requires_grad
    for a, b in zip(seen["d"], seen["d"][1:], strict=False):
        assert not torch.equal(a.fake, b.fake)
        assert not torch.equal(a.real, b.real)
    for batch in seen["d"]:
        assert not batch.fake.requires_grad
        assert torch.equal(batch.z, trainer.model.prior(batch.k, batch.eps))


def test_kimg_counts_the_real_images_of_all_discriminator_steps(params):
    trainer, _ = spied(params, critic_steps=5, batch_size=100, kimg=1.6)
    assert trainer.total_iterations == math.ceil(1600 / 500)
    trainer.step()
    assert (trainer.kimg, trainer.iteration, trainer.batches) == (0.5, 1, 5)


def test_a_lazy_penalty_is_computed_in_every_nth_step_and_multiplied(params):
    values = []

    def penalty(batch, D):
        assert batch.real.requires_grad and batch.fake.requires_grad
        values.append(D.source(batch.real).mean())
        return values[-1]

    trainer, _ = spied(params, penalties=[(penalty, 3)])
    plain, _ = spied(params)
    losses = [trainer.step()[0] for _ in range(4)]
    assert len(values) == 2
    assert losses[0].item() == pytest.approx((plain.step()[0] + 3 * values[0]).item(), rel=1e-6)


def test_networks_see_a_batch_once_per_step(params):
    trainer, _ = spied(params, penalties=[(lambda b, D: D.source(b.real).sum() * 0, 1)])
    calls = []
    trainer.model.discriminator.register_forward_hook(lambda *_: calls.append(1))
    passes = trainer.model.discriminator[1].register_forward_hook(lambda *_: calls.append(1))
    trainer.step()
    passes.remove()
    assert len(calls) == 2  # real and generated together, then generated in the generator's step


def test_learning_rates_apart_and_linear_decay(params):
    rates = dict(learning_rate=1e-3, discriminator_learning_rate=4e-3, decay_from=0.5)
    trainer = trainer_of(params, RING, (2,), kimg=1.28 * 1, batch_size=128, **rates)
    assert trainer.total_iterations == 10
    seen = []
    for _ in range(10):
        trainer.step()
        seen.append([trainer.optimizers[side].param_groups[0]["lr"] for side in "gd"])
    expected = [1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert [g for g, _ in seen] == pytest.approx([1e-3 * share for share in expected])
    assert [d for _, d in seen] == pytest.approx([4e-3 * share for share in expected])


def test_decay_is_from_the_first_rate_whatever_was_set_since():
    optimizer = adam([nn.Parameter(torch.zeros(1))], Training(kimg=1, learning_rate=0.5))
    for factor in (0.5, 0.1, 1.0):
        decay(optimizer, factor)
        assert optimizer.param_groups[0]["lr"] == 0.5 * factor


def test_the_average_follows_its_formula_and_samples_come_from_it(params):
    trainer = trainer_of(params, RING, (2,), average_half_life_kimg=0.2, average_warm_up=0.05)
    expected, kimg = None, 0.0
    for _ in range(60):
        trainer.step()
        kimg += 0.128
        weight = trainer.model.generator[0].weight.detach().double()
        share = 1 - 0.5 ** (0.128 / min(0.2, 0.05 * kimg))
        expected = weight.clone() if expected is None else expected.lerp(weight, share)
    averaged = trainer.model.average.module["generator"][0].weight
    assert torch.allclose(averaged.double(), expected, atol=1e-5)
    k, eps = torch.arange(8), torch.randn(8, 16)
    with trainer.model.evaluating():
        samples = trainer.model.generate(k, k, eps)
        own = trainer.model.average.module["generator"](trainer.model.prior(k, eps))
        last = trainer.model.generator(trainer.model.prior(k, eps))
    assert torch.equal(samples, own)
    assert not torch.equal(samples, last)


def test_batch_norm_of_the_average_has_the_last_statistics(params):
    trainer = trainer_of(params, "digits.gan.K1.s0", (1, 8, 8), average_half_life_kimg=1)
    for _ in range(3):
        trainer.step()
    buffers = dict(trainer.model.average.module["generator"].named_buffers())
    for name, buffer in trainer.model.generator.named_buffers():
        assert torch.equal(buffers[name], buffer)


def test_score_function_gradient_is_that_of_the_expected_loss():
    """Over all components with their probability, its mean is the exact gradient."""
    logits = torch.tensor([0.3, -0.4, 1.0])
    weights = Weights(logits.softmax(0), learning_rate=0.1)
    losses = torch.tensor([2.0, -1.0, 0.5])
    exact = nn.Parameter(weights.logits.detach().clone())
    (exact.softmax(0) * losses).sum().backward()
    stream = torch.Generator().manual_seed(0)
    k = weights.draw(400_000, stream)
    weights.loss(k, losses[k]).backward()
    assert torch.allclose(weights.logits.grad, exact.grad, atol=5e-3)


def test_weights_are_drawn_as_given_and_learned_ones_leave_crowded_components():
    given = StaticMixture(torch.zeros(3, 2), 1.0, Weights(torch.tensor([0.7, 0.2, 0.1]), None))
    k = given.weights.draw(100_000, torch.Generator().manual_seed(0))
    shares = torch.bincount(k) / len(k)
    assert torch.allclose(shares, torch.tensor([0.7, 0.2, 0.1]), atol=0.01)
    assert not list(given.parameters())
    learned = Weights(torch.ones(2) / 2, learning_rate=0.1)
    optimizer = torch.optim.Adam(learned.parameters(), 0.1)
    stream = torch.Generator().manual_seed(0)
    for _ in range(30):  # component 1 has the larger loss
        k = learned.draw(64, stream)
        optimizer.zero_grad()
        learned.loss(k, k.float()).backward()
        optimizer.step()
    assert learned.logits.softmax(0)[0] > 0.8


def test_learned_weights_need_a_loss_for_each_sample():
    weights = Weights(torch.ones(2) / 2, learning_rate=0.1)
    with pytest.raises(GmganError, match="return N numbers, not their mean"):
        weights.loss(torch.tensor([0, 1]), torch.tensor(1.0))


def test_spectral_norm_bounds_the_slope_of_the_discriminator(params):
    settings = resolved(params, "digits.gan.K1.s0")
    switches = settings.network.discriminator.model_copy(update={"spectral_norm": True})
    network = settings.network.model_copy(update={"discriminator": switches})
    net = mlp.discriminator(network, (1, 8, 8), 1)
    for parameter in net.parameters():
        parameter.data.mul_(10)
    for _ in range(30):  # power iterations
        net.train()(torch.randn(4, 1, 8, 8))
    a, b = torch.randn(200, 1, 8, 8), torch.randn(200, 1, 8, 8)
    with torch.no_grad():
        slopes = (net.eval()(a) - net(b)).norm(dim=1) / (a - b).flatten(1).norm(dim=1)
    assert slopes.max() <= 1.05


def test_average_and_rule_are_the_libraries(params):
    module = nn.Linear(2, 1)
    average = Average(half_life_kimg=10, warm_up=1e9).of(module)
    first = module.weight.detach().clone()
    Average(10, 1e9).update(average, module, 1, 10)
    module.weight.data += 1
    Average(10, 1e9).update(average, module, 2, 10)
    assert torch.allclose(average.module.weight, first + 0.5)


def test_the_encoder_learns_component_and_noise(params):
    torch.manual_seed(0)
    parts = Parts(
        3, 2, 2, 0, None, lambda n: nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, n))
    )
    own = encoder.Auxiliary(
        Encoder(kind="encoder", information=1, reconstruction=1, network="own"), parts
    )
    with pytest.raises(GmganError, match="set the encoder's network to own"):
        encoder.Auxiliary(Encoder(kind="encoder"), parts)
    D = SimpleNamespace(run=lambda network, images: network(images))
    optimizer = torch.optim.Adam(own.parameters(), 1e-2)
    for _ in range(300):  # samples that show component and noise as they are
        k, eps = torch.randint(3, (64,)), torch.randn(64, 2)
        fake = torch.cat([nn.functional.one_hot(k, 3).float(), eps], 1)
        optimizer.zero_grad()
        own.generator_loss(SimpleNamespace(fake=fake, k=k, eps=eps), D).backward()
        optimizer.step()
    logits, noise = own.encode(fake, D)
    assert (logits.argmax(1) == k).all()
    assert (noise - eps).square().mean() < 0.05


def test_an_objective_of_ones_own_needs_two_methods():
    class Mine(base.Objective):
        def discriminator_loss(self, batch, D):
            real, fake = D.pair(batch)
            return fake.mean() - real.mean()

        def generator_loss(self, batch, D):
            return -D(batch.fake)[:, 0]

    made = Mine({}, 0, 1)
    assert (made.n_outputs, made.conditional, made.fake_classes(None, None)) == (1, False, None)
