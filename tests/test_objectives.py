"""Losses on hand-made outputs, written out a second time with plain logarithms."""

import math

import pytest
import torch

from gmgan.errors import GmganError
from gmgan.models.objectives import acgan, gan, supervised
from gmgan.models.objectives.supervised import component_class


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def log_softmax(row, i):
    return row[i] - math.log(sum(math.exp(x) for x in row))


REAL = [[0.3, -1.2, 2.0], [-0.7, 0.4, 0.1]]
FAKE = [[1.1, 0.2, -0.5], [-2.0, 0.9, 0.6]]


def test_gan_losses():
    objective = gan.Objective(0, 1)
    real, fake = torch.tensor([[0.3], [-0.7]]), torch.tensor([[1.1], [-2.0]])
    d = -(math.log(sigmoid(0.3)) + math.log(sigmoid(-0.7))) / 2
    d -= (math.log(1 - sigmoid(1.1)) + math.log(1 - sigmoid(-2.0))) / 2
    g = -(math.log(sigmoid(1.1)) + math.log(sigmoid(-2.0))) / 2
    assert objective.discriminator_loss(real, fake, None, None).item() == pytest.approx(d, abs=1e-6)
    assert objective.generator_loss(fake, None).item() == pytest.approx(g, abs=1e-6)


def test_supervised_losses():
    objective = supervised.Objective(3, 6)
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
    got_d = objective.discriminator_loss(real, fake, torch.tensor(y), torch.tensor(f)).item()
    assert got_d == pytest.approx(d, abs=1e-6)
    assert objective.generator_loss(fake, torch.tensor(f)).item() == pytest.approx(g, abs=1e-6)


def test_supervised_outputs_are_sigmoids_not_a_softmax():
    """Raising one logit does not change the loss terms of the other classes."""
    objective = supervised.Objective(3, 3)
    base = torch.tensor([[0.0, 0.0, 0.0]])
    raised = torch.tensor([[0.0, 0.0, 4.0]])
    target = torch.tensor([0])
    change = objective.generator_loss(raised, target) - objective.generator_loss(base, target)
    exact = math.log(1 - sigmoid(0.0)) - math.log(1 - sigmoid(4.0))
    assert change.item() == pytest.approx(exact, abs=1e-5)


def test_acgan_losses():
    objective = acgan.Objective(2, 1)
    y_real, y_fake = [1, 0], [0, 0]
    d = g = 0.0
    for row, label in zip(REAL, y_real, strict=True):
        d -= (math.log(sigmoid(row[0])) + log_softmax(row[1:], label)) / 2
    for row, label in zip(FAKE, y_fake, strict=True):
        d -= (math.log(1 - sigmoid(row[0])) + log_softmax(row[1:], label)) / 2
        g -= (math.log(sigmoid(row[0])) + log_softmax(row[1:], label)) / 2
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    got = objective.discriminator_loss(real, fake, torch.tensor(y_real), torch.tensor(y_fake))
    assert got.item() == pytest.approx(d, abs=1e-6)
    assert objective.generator_loss(fake, torch.tensor(y_fake)).item() == pytest.approx(g, abs=1e-6)


def test_acgan_head_gives_logits():
    """A widely copied AC-GAN applies softmax twice: at uniform logits the loss is log N + log 2."""
    objective = acgan.Objective(10, 1)
    uniform = torch.zeros(4, 11)
    loss = objective.generator_loss(uniform, torch.arange(4)).item()
    assert loss == pytest.approx(math.log(10) + math.log(2), abs=1e-6)
    confident = torch.zeros(1, 11)
    confident[0, 4] = 50.0
    loss = objective.generator_loss(confident, torch.tensor([3])).item()
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
    assert supervised.Objective(3, 6).fake_classes(k, y).tolist() == [1, 2, 0]
    assert acgan.Objective(3, 1).fake_classes(k, y).tolist() == [2, 1, 0]
    assert gan.Objective(3, 6).fake_classes(k, y) is None


def test_too_few_components_are_refused():
    with pytest.raises(GmganError, match="K = 2 is below the number of classes 3"):
        supervised.Objective(3, 2)


def test_realness_is_a_probability_of_being_real():
    outputs = torch.tensor([[0.0, 3.0, -1.0]])
    assert gan.Objective(0, 1).realness(outputs[:, :1]).item() == pytest.approx(0.5)
    assert acgan.Objective(2, 1).realness(outputs).item() == pytest.approx(0.5)
    assert supervised.Objective(3, 3).realness(outputs).item() == pytest.approx(sigmoid(3.0))
