"""Adam against torch's own."""

import copy

import pytest
import torch
from torch import nn

from gmgan.models.adam import Adam


def networks():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(180, 7))
    return net.to(memory_format=torch.channels_last), copy.deepcopy(net)


def losses(net, step, count=10):
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        loss = net(torch.randn(4, 3, 8, 8, generator=generator)).square().sum()
        step(loss)
        yield loss.item()


def test_it_moves_as_torch_does():
    ours, theirs = networks()
    adam = Adam(list(ours.parameters()), 1e-2, 0.5, 0.999)
    reference = torch.optim.Adam(theirs.parameters(), lr=1e-2, betas=(0.5, 0.999))

    def our_step(loss):
        adam.zero_grad()
        loss.backward()
        adam.step()

    def their_step(loss):
        reference.zero_grad()
        loss.backward()
        reference.step()

    expected = list(losses(theirs, their_step))
    assert expected[-1] < 0.5 * expected[0]
    assert list(losses(ours, our_step)) == pytest.approx(expected, rel=1e-4)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert a.stride() == b.stride()
        assert torch.allclose(a, b, atol=1e-5)


def test_a_parameter_without_gradient_goes_on_by_its_momentum():
    ours, theirs = (nn.ParameterList([torch.ones(3), torch.ones(2)]) for _ in range(2))
    adam = Adam(list(ours), 0.1, 0.5, 0.9)
    reference = torch.optim.Adam(theirs, lr=0.1, betas=(0.5, 0.9))
    for parts in ((0, 1), (0,)):  # the second step knows nothing of the second parameter
        adam.zero_grad()
        sum(ours[i].square().sum() for i in parts).backward()
        adam.step()
        reference.zero_grad(set_to_none=False)
        sum(theirs[i].square().sum() for i in parts).backward()
        reference.step()
    assert torch.allclose(ours[0], theirs[0]) and torch.allclose(ours[1], theirs[1])
    assert not torch.allclose(ours[1], torch.full((2,), 0.9))


def test_gradients_may_lie_in_memory_in_another_order():
    ours, theirs = networks()
    adam = Adam(list(ours.parameters()), 1e-2, 0.5, 0.999)
    reference = torch.optim.Adam(theirs.parameters(), lr=1e-2, betas=(0.5, 0.999))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        a.grad = torch.randn_like(a, memory_format=torch.contiguous_format)
        b.grad = a.grad.clone(memory_format=torch.preserve_format)
    adam.step()
    reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_a_state_of_another_network_is_refused():
    ours, _ = networks()
    adam = Adam(list(ours.parameters()), 1e-2, 0.5, 0.999)
    other = Adam(list(nn.Linear(3, 4).parameters()), 1e-2, 0.5, 0.999)
    with pytest.raises(RuntimeError, match="mean is"):
        adam.load_state(other.state())
