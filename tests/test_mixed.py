"""bfloat16 copies of weights against torch.autocast alone."""

import copy

import pytest
import torch
from torch import nn

from gmgan.models.mixed import BFloat16


def convolutional():
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(8, 4, 4, 2, 1),
        nn.Flatten(),
        nn.Linear(256, 2),
    )


def normalised():
    return nn.Sequential(
        nn.utils.spectral_norm(nn.Conv2d(3, 8, 4, 2, 1)),
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 4, 3)),
        nn.Flatten(),
        nn.Linear(16, 2),
    )


def tied():
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 192), nn.ReLU(), nn.Linear(192, 192))
    net[3].weight = net[1].weight
    return net


def without_layers():
    return nn.Sequential(nn.Flatten(), nn.LayerNorm(192))


@pytest.mark.parametrize("make", [convolutional, normalised, tied, without_layers])
def test_gradients_are_bit_for_bit_those_of_autocast(make):
    torch.manual_seed(0)
    plain = make()
    ours = copy.deepcopy(plain)
    mixed = BFloat16(ours, "cpu")
    adams = [torch.optim.SGD(net.parameters(), 0.1) for net in (plain, ours)]
    for _ in range(3):
        x = torch.randn(5, 3, 8, 8)
        for net, adam, context in zip(
            (plain, ours), adams, (torch.autocast("cpu", torch.bfloat16), mixed.used()), strict=True
        ):
            adam.zero_grad()
            with context:
                outputs = net(x), net(x + 1)  # gradients of two passes add up
            (outputs[0].float().square().mean() + outputs[1].float().mean()).backward()
        mixed.hand_over()
        for (name, a), b in zip(plain.named_parameters(), ours.parameters(), strict=True):
            assert torch.equal(a.grad, b.grad), name
        for adam in adams:
            adam.step()
        mixed.refresh()
    for (name, a), b in zip(plain.state_dict().items(), ours.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_the_weights_are_back_even_after_an_error():
    net = convolutional()
    before = list(net.parameters())
    with pytest.raises(ValueError, match="stop"), BFloat16(net, "cpu").used():
        assert net[0].weight.dtype == torch.bfloat16
        raise ValueError("stop")
    assert all(a is b for a, b in zip(net.parameters(), before, strict=True))


def test_a_network_that_does_not_learn_leaves_no_gradients():
    net = convolutional()
    mixed = BFloat16(net, "cpu")
    mixed.requires_grad_(False)
    x = torch.randn(5, 3, 8, 8, requires_grad=True)
    with mixed.used():
        net(x).float().sum().backward()
    mixed.hand_over()
    assert x.grad is not None
    assert [name for name, p in net.named_parameters() if p.grad is not None] == [
        "1.weight",
        "1.bias",
    ]
