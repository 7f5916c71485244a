"""Recovers component and noise of generated samples (InfoGAN, ClusterGAN)."""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from gmgan.config import models
from gmgan.errors import GmganError
from gmgan.models.auxiliary import base
from gmgan.models.step import Batch, StepDiscriminator


class Auxiliary(base.Auxiliary):
    """information * CE(component) + reconstruction * MSE(noise), added to the losses.

    The cross-entropy is the variational bound of the information between component and sample
    (InfoGAN, Chen et al. 2016, equation 5); both terms are those of ClusterGAN (Mukherjee et al.
    2019). On the discriminator's features they train the discriminator, too, as in
    InfoGAN; a network of its own is trained with the generator alone, as in ClusterGAN.
    """

    def __init__(self, options: models.Encoder, parts: base.Parts) -> None:
        super().__init__()
        if options.information and parts.n_components < 2:
            raise GmganError("encoder: there is one component, nothing to recover; set K above 1")
        self.information, self.reconstruction = options.information, options.reconstruction
        self.sizes = parts.n_components, parts.noise_dim
        self.on_features = options.network == "features"
        if not self.on_features:
            self.network = parts.network(sum(self.sizes))
        elif parts.feature_dim is None:
            raise GmganError(
                "encoder: this discriminator has no `features`; set the encoder's network to own"
            )
        else:
            self.network = nn.Linear(parts.feature_dim, sum(self.sizes))

    def encode(self, images: Tensor, D: StepDiscriminator) -> tuple[Tensor, Tensor]:
        """Logits of the component (N x K) and the noise (N x noise_dim) of samples."""
        if self.on_features:
            outputs = self.network(D.features(images))
        else:
            outputs = D.run(self.network, images)
        logits, noise = outputs.split(self.sizes, 1)
        return logits, noise

    def discriminator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor | None:
        return self.generator_loss(batch, D) if self.on_features else None

    def generator_loss(self, batch: Batch, D: StepDiscriminator) -> Tensor:
        logits, noise = self.encode(batch.fake, D)
        loss = self.information * cross_entropy(logits, batch.k)
        if self.reconstruction:
            target = batch.eps[:, : noise.shape[1]]
            loss = loss + self.reconstruction * mse_loss(noise, target)
        return loss
