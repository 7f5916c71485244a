"""Mixed precision: a network computes in bfloat16, its weights stay float32."""

from contextlib import contextmanager

import torch
from torch import nn

LAYERS = (nn.Linear, nn.modules.conv._ConvNd)
NAMES = ("weight", "bias")


class BFloat16:
    """bfloat16 copies of the weights of a network's linear and convolutional layers.

    torch.autocast alone copies every weight for every pass, and every gradient back into new
    memory; here a weight is copied when it has changed, and the results are the same. What is no
    weight of such a layer (normalisation, weights that are computed) is left to autocast.
    """

    def __init__(self, network, device_type):
        self.device_type = device_type
        layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]
        self.places = [
            (layer._parameters, name, layer._parameters[name])
            for layer in layers
            for name in NAMES
            if layer._parameters.get(name) is not None
        ]
        weights = {weight for _, _, weight in self.places}
        self.copies = {weight: nn.Parameter(weight.detach().bfloat16()) for weight in weights}
        self.gradients = {weight: torch.empty_like(weight) for weight in weights}

    @contextmanager
    def used(self):
        """In here the network computes in bfloat16, with the copies in the place of the weights."""
        for parameters, name, weight in self.places:
            parameters[name] = self.copies[weight]
        try:
            with torch.autocast(self.device_type, torch.bfloat16):
                yield
        finally:
            for parameters, name, weight in self.places:
                parameters[name] = weight

    def requires_grad_(self, flag):
        """Whether passes from now on leave gradients."""
        for copy in self.copies.values():
            copy.requires_grad_(flag)

    def hand_over(self):
        """Move the gradients from the copies to the weights."""
        for weight, copy in self.copies.items():
            if copy.grad is not None:
                weight.grad = self.gradients[weight].copy_(copy.grad)
                copy.grad = None

    @torch.no_grad()
    def refresh(self):
        """Copy the weights, which have changed."""
        for weight, copy in self.copies.items():
            copy.copy_(weight)
