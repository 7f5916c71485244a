"""The trainings that are timed, and what the machine would allow; needs torch and pydantic only."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from gmgan.config.models import DcganNetwork, MlpNetwork, Training
from gmgan.config.run import Run, RunSettings
from gmgan.models.model import build_model
from gmgan.seeds import derive_seed
from gmgan.training.trainer import Trainer

BATCH = 64
TRAINING = Training(kimg=1e6, batch_size=BATCH)
MLP = MlpNetwork(
    kind="mlp",
    generator_widths=[256, 512, 1024],
    discriminator_widths=[1024, 512, 256],
    activation="leaky-relu",
)
DCGAN = DcganNetwork(kind="dcgan", base_channels=64)
CASES = {  # name: network, shape of the images, goal in float32, goal in bfloat16
    "MLP, 28 x 28": (MLP, (1, 28, 28), 1.6, 2.5),
    "DCGAN, 28 x 28": (DCGAN, (1, 28, 28), 1.25, 2.0),
    "DCGAN, 32 x 32 x 3": (DCGAN, (3, 32, 32), 1.25, 2.0),
}


def settings(network: MlpNetwork | DcganNetwork, seed: int = 0) -> RunSettings:
    """A static GM-GAN with K = 10 on a latent space of 100 dimensions."""
    return RunSettings(
        run=Run("benchmark", "gmgan-static", 10, seed),
        prior={"kind": "static"},
        objective="gan",
        latent={"dim": 100, "c": 0.1, "sigma": 0.1},
        network=network,
        training=TRAINING,
        init_from=None,
    )


def our_trainer(
    network: MlpNetwork | DcganNetwork,
    images: np.ndarray,
    device: str = "cpu",
    seed: int = 0,
    precision: str = "float32",
) -> Trainer:
    """Our trainer on uint8 images (N x C x H x W)."""
    model = build_model(settings(network, seed), images.shape[1:], 10, device)
    samples, labels = torch.from_numpy(images), torch.zeros(len(images), dtype=torch.int64)
    return Trainer(
        model,
        TRAINING.model_copy(update={"precision": precision}),
        samples.to(device),
        labels.to(device),
        seed,
        derive_seed(seed),
    )


def flops_per_image(trainer: Trainer) -> float:
    """Multiplications and additions of one of our steps, per real image."""
    with FlopCounterMode(display=False) as counter:
        trainer.step()
    return counter.get_total_flops() / BATCH


def product(
    dtype: torch.dtype, device: str = "cpu", size: int = 1024
) -> tuple[Callable[[], Tensor], int]:
    """A function that does one large matrix product, and its number of operations."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return lambda: a @ b, 2 * size**3
