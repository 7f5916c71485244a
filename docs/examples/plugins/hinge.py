"""Hinge loss (Lim and Ye 2017; Miyato et al. 2018)."""

from torch.nn.functional import relu


class Objective:
    """D: E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))); G: -E D(G(z))."""

    n_outputs = 1
    conditional = False

    def __init__(self, n_classes, n_components):
        pass

    def fake_classes(self, k, y):
        return None

    def discriminator_loss(self, real, fake, real_classes, fake_classes):
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator_loss(self, fake, fake_classes):
        return -fake.mean()

    def realness(self, outputs):
        return outputs[:, 0].sigmoid()
