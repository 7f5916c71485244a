"""Hinge loss (Lim and Ye 2017; Miyato et al. 2018)."""

from torch.nn.functional import relu

from gmgan.models.objectives import base


class Objective(base.Objective):
    """D: E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))); G: -E D(G(z))."""

    def discriminator_loss(self, batch, D):
        real, fake = D.pair(batch)
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator_loss(self, batch, D):
        return -D(batch.fake)[:, 0]
