"""Gradients of the discriminator at samples."""

import torch
from torch import Tensor

from gmgan.models.step import StepDiscriminator


def squared_gradients(D: StepDiscriminator, images: Tensor, classes: Tensor | None) -> Tensor:
    """The squared norm of the gradient of D's source at each of `images` (N)."""
    total = D.source(images, classes).sum()
    (gradients,) = torch.autograd.grad(total, images, create_graph=True)
    return gradients.flatten(1).square().sum(1)
