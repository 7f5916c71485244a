"""Losses on hand-made outputs, written out a second time with plain logarithms."""

import math
from contextlib import nullcontext

import pytest
import torch

from gmgan.errors import GmganError
from gmgan.models.objectives import (
    acgan,
    gan,
    hinge,
    least_squares,
    relativistic,
    supervised,
    wasserstein,
)
from gmgan.models.objectives.supervised import component_class
from gmgan.models.step import Batch, StepDiscriminator


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def log_softmax(row, i):
    return row[i] - math.log(sum(math.exp(x) for x in row))


class Identity(torch.nn.Module):
    """A discriminator whose outputs are its inputs, so that a test chooses the logits."""

    batch_statistics = True

    def forward(self, outputs):
        return outputs


def losses(objective, real, fake, real_classes=None, fake_classes=None):
    """(D loss, mean G loss) at these outputs of D, computed in one step each."""
    batch = Batch(real, real_classes, fake, fake_classes, None, None, None, None, None)
    values = []
    for loss in (objective.discriminator_loss, objective.generator_loss):
        D = StepDiscriminator(Identity(), objective.source, nullcontext())
        values.append(loss(batch, D).mean().item())
    return values


REAL = [[0.3, -1.2, 2.0], [-0.7, 0.4, 0.1]]
FAKE = [[1.1, 0.2, -0.5], [-2.0, 0.9, 0.6]]


def test_gan_losses():
    objective = gan.Objective({}, 0, 1)
    real, fake = torch.tensor([[0.3], [-0.7]]), torch.tensor([[1.1], [-2.0]])
    d = -(math.log(sigmoid(0.3)) + math.log(sigmoid(-0.7))) / 2
    d -= (math.log(1 - sigmoid(1.1)) + math.log(1 - sigmoid(-2.0))) / 2
    g = -(math.log(sigmoid(1.1)) + math.log(sigmoid(-2.0))) / 2
    assert losses(objective, real, fake) == pytest.approx([d, g], abs=1e-6)


def test_supervised_losses():
    objective = supervised.Objective({}, 3, 6)
    y, f = [2, 0], [1, 1]
    d = 0.0
    for row, label in zip(REAL, y, strict=True):
        for m, logit in enumerate(row):
            d -= math.log(sigmoid(logit) if m == label else 1 - sigmoid(logit)) / 2
    for row in FAKE:
        d -= sum(math.log(1 - sigmoid(logit)) for logit in row) / 2
    g = 0.0
    for row, target in zip(FAKE, f, strict=True):
        for m, logit in enumerate(row):
            g -= math.log(sigmoid(logit) if m == target else 1 - sigmoid(logit)) / 2
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    got = losses(objective, real, fake, torch.tensor(y), torch.tensor(f))
    assert got == pytest.approx([d, g], abs=1e-6)


def test_supervised_outputs_are_sigmoids_not_a_softmax():
    """Raising one logit does not change the loss terms of the other classes."""
    objective = supervised.Objective({}, 3, 3)
    base = torch.tensor([[0.0, 0.0, 0.0]])
    raised = torch.tensor([[0.0, 0.0, 4.0]])
    target = torch.tensor([0])
    before, after = (losses(objective, x, x, target, target)[1] for x in (base, raised))
    exact = math.log(1 - sigmoid(0.0)) - math.log(1 - sigmoid(4.0))
    assert after - before == pytest.approx(exact, abs=1e-5)


def test_acgan_losses():
    objective = acgan.Objective({}, 2, 1)
    y_real, y_fake = [1, 0], [0, 0]
    d = g = 0.0
    for row, label in zip(REAL, y_real, strict=True):
        d -= (math.log(sigmoid(row[0])) + log_softmax(row[1:], label)) / 2
    for row, label in zip(FAKE, y_fake, strict=True):
        d -= (math.log(1 - sigmoid(row[0])) + log_softmax(row[1:], label)) / 2
        g -= (math.log(sigmoid(row[0])) + log_softmax(row[1:], label)) / 2
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    got = losses(objective, real, fake, torch.tensor(y_real), torch.tensor(y_fake))
    assert got == pytest.approx([d, g], abs=1e-6)


def test_acgan_head_gives_logits():
    """A widely copied AC-GAN applies softmax twice: at uniform logits the loss is log N + log 2."""
    objective = acgan.Objective({}, 10, 1)
    uniform = torch.zeros(4, 11)
    loss = losses(objective, uniform, uniform, torch.arange(4), torch.arange(4))[1]
    assert loss == pytest.approx(math.log(10) + math.log(2), abs=1e-6)
    confident = torch.zeros(1, 11)
    confident[0, 4] = 50.0
    loss = losses(objective, confident, confident, torch.tensor([3]), torch.tensor([3]))[1]
    assert loss == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("K", [3, 6, 7])
def test_component_map(K):
    k = torch.arange(K)
    mapped = component_class(k, 3).tolist()
    assert set(mapped) == {0, 1, 2}
    assert mapped == [i - 3 * (i // 3) for i in range(K)]
    if K == 3:
        assert mapped == [0, 1, 2]


def test_fake_classes():
    k, y = torch.tensor([4, 5, 0]), torch.tensor([2, 1, 0])
    assert supervised.Objective({}, 3, 6).fake_classes(k, y).tolist() == [1, 2, 0]
    assert acgan.Objective({}, 3, 1).fake_classes(k, y).tolist() == [2, 1, 0]
    assert gan.Objective({}, 3, 6).fake_classes(k, y) is None


def test_too_few_components_are_refused():
    with pytest.raises(GmganError, match="K = 2 is below the number of classes 3"):
        supervised.Objective({}, 3, 2)


def test_realness_is_a_probability_of_being_real():
    outputs = torch.tensor([[0.0, 3.0, -1.0]])
    assert gan.Objective({}, 0, 1).realness(outputs[:, :1]).item() == pytest.approx(0.5)
    assert acgan.Objective({}, 2, 1).realness(outputs).item() == pytest.approx(0.5)
    assert supervised.Objective({}, 3, 3).realness(outputs).item() == pytest.approx(sigmoid(3.0))
    for objective in (hinge, least_squares, relativistic, wasserstein):
        assert objective.Objective({}, 0, 1).realness(outputs).tolist() == [0.0]


def softplus(x):
    return math.log(1 + math.exp(x))


X, Z = [0.3, -1.7], [1.1, -2.0]  # outputs of D for two real and two generated samples


@pytest.mark.parametrize(
    ("module", "d", "g"),
    [
        (hinge, lambda x, z: max(0, 1 - x) + max(0, 1 + z), lambda x, z: -z),
        (least_squares, lambda x, z: ((x - 1) ** 2 + z**2) / 2, lambda x, z: (z - 1) ** 2 / 2),
        (wasserstein, lambda x, z: z - x, lambda x, z: -z),
        (relativistic, lambda x, z: softplus(z - x), lambda x, z: softplus(x - z)),
    ],
)
def test_losses_of_one_output(module, d, g):
    expected = [sum(loss(x, z) for x, z in zip(X, Z, strict=True)) / 2 for loss in (d, g)]
    real, fake = torch.tensor(X)[:, None], torch.tensor(Z)[:, None]
    assert losses(module.Objective({}, 0, 1), real, fake) == pytest.approx(expected, abs=1e-6)
