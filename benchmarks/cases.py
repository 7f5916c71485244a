"""The trainings that are timed, and what the machine would allow. Needs torch and this package."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from gmgan.models.model import build_model
from gmgan.seeds import derive_seed
from gmgan.training.trainer import Trainer

BATCH = 64
TRAINING = {"kimg": 1e6, "batch_size": BATCH, "learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999}
MLP = {
    "kind": "mlp",
    "generator_widths": [256, 512, 1024],
    "discriminator_widths": [1024, 512, 256],
    "activation": "leaky-relu",
    "batch_norm": False,
}
DCGAN = {"kind": "dcgan", "base_channels": 64, "max_channels": 512, "batch_norm": True}
CASES = {  # name: network, shape of the images, goal in float32, goal in bfloat16
    "MLP, 28 x 28": (MLP, (1, 28, 28), 1.6, 2.5),
    "DCGAN, 28 x 28": (DCGAN, (1, 28, 28), 1.25, 2.0),
    "DCGAN, 32 x 32 x 3": (DCGAN, (3, 32, 32), 1.25, 2.0),
}


def settings(network, seed=0):
    """A static GM-GAN with K = 10 on a latent space of 100 dimensions."""
    return {
        "run": {"dataset": "benchmark", "model": "gmgan-static", "K": 10, "seed": seed},
        "prior": {"kind": "static"},
        "objective": "gan",
        "latent": {"dim": 100, "c": 0.1, "sigma": 0.1, "sigma_is": "std"},
        "network": network,
    }


def our_trainer(network, images, device="cpu", seed=0, **change):
    """Our trainer on uint8 images (N x C x H x W, array)."""
    model = build_model(settings(network, seed), images.shape[1:], 10, device)
    samples, labels = torch.from_numpy(images), torch.zeros(len(images), dtype=torch.int64)
    return Trainer(
        model, TRAINING | change, samples.to(device), labels.to(device), seed, derive_seed(seed)
    )


def flops_per_image(trainer):
    """Multiplications and additions of one of our steps, per real image."""
    with FlopCounterMode(display=False) as counter:
        trainer.step()
    return counter.get_total_flops() / BATCH


def product(dtype, device="cpu", size=1024):
    """A function that does one large matrix product, and its number of operations."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return lambda: a @ b, 2 * size**3
