"""Convolutions by products of matrices against torch's own."""

import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d

from gmgan.models import convolution
from gmgan.models.convolution import Doubling, Halving

LIBRARY = {Halving: conv2d, Doubling: conv_transpose2d}
GEOMETRIES = [  # channels of the fine and of the coarse image, height and width of the coarse one
    (3, 5, 4, 4),  # small, and few channels
    (1, 6, 7, 7),  # few channels
    (6, 5, 2, 3),  # small
    (5, 3, 6, 2),  # neither
]


def tried(layer, fine_channels, coarse_channels, height, width, last, dtype=torch.float32):
    """A layer, an input and a gradient of its output."""
    torch.manual_seed(0)
    fine = torch.randn(4, fine_channels, 2 * height, 2 * width, dtype=dtype)
    coarse = torch.randn(4, coarse_channels, height, width, dtype=dtype)
    if layer is Halving:
        net, x, gradient = Halving(fine_channels, coarse_channels), fine, coarse
    else:
        net, x, gradient = Doubling(coarse_channels, fine_channels), coarse, fine
    if last:
        net, x = (thing.to(memory_format=torch.channels_last) for thing in (net, x))
    return net.to(dtype), x, gradient


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("layer", [Halving, Doubling])
def test_outputs_and_gradients(layer, geometry, last):
    net, x, gradient = tried(layer, *geometry, last)
    found, expected = [], []
    for results, function in (
        (found, net),
        (expected, lambda x: LIBRARY[layer](x, net.weight, net.bias, 2, 1)),
    ):
        inputs = [x.clone().requires_grad_(), net.weight, net.bias]
        output = function(inputs[0])
        results += [output, *torch.autograd.grad(output, inputs, gradient)]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    if last:  # nothing after it has to move data
        images = [tensor for tensor in found if tensor.dim() == 4]
        assert all(image.is_contiguous(memory_format=torch.channels_last) for image in images)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("layer", [Halving, Doubling])
def test_an_activation_may_follow_in_place(layer, geometry):
    net, x, gradient = tried(layer, *geometry, True)
    found, expected = (
        torch.autograd.grad(torch.nn.LeakyReLU(0.2, inplace)(net(x)), net.weight, gradient)
        for inplace in (True, False)
    )
    assert torch.equal(*found, *expected)


@pytest.mark.parametrize("geometry", [(2, 2, 2, 2), (1, 2, 5, 1), (5, 2, 1, 2)])
@pytest.mark.parametrize("layer", [Halving, Doubling])
def test_gradients_of_gradients(layer, geometry):
    net, x, gradient = tried(layer, *geometry, False, torch.float64)
    weight, bias = net.weight.detach(), net.bias.detach()

    def function(x, weight, bias):
        return torch.func.functional_call(net, {"weight": weight, "bias": bias}, x)

    inputs = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs, gradient.requires_grad_())


@pytest.mark.parametrize("layer", [Halving, Doubling])
def test_bfloat16_is_left_to_the_library(layer, monkeypatch):
    net, x, _ = tried(layer, 1, 6, 4, 4, True)
    with torch.autocast("cpu", torch.bfloat16):
        expected = LIBRARY[layer](x, net.weight, net.bias, 2, 1)
        monkeypatch.setattr(convolution._Halve, "apply", None)
        monkeypatch.setattr(convolution._Double, "apply", None)
        assert torch.equal(net(x), expected)


def test_only_what_is_needed_is_computed(monkeypatch):
    net, x, gradient = tried(Halving, 3, 5, 4, 4, True)
    net.requires_grad_(False)
    monkeypatch.setattr(convolution, "to_kernel", None)
    x.requires_grad_()
    net(x).backward(gradient)
    assert x.grad.shape == x.shape and net.weight.grad is None
