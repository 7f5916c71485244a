"""R1 (Mescheder et al. 2018): gamma / 2 times the squared gradient of D at real samples."""

import torch


class Penalty:
    """Options: `gamma`."""

    def __init__(self, options):
        self.gamma = options["gamma"]

    def __call__(self, batch, D):
        total = D.source(batch.real).sum()
        (gradient,) = torch.autograd.grad(total, batch.real, create_graph=True)
        return self.gamma / 2 * gradient.flatten(1).square().sum(1).mean()
