"""Images per second of our training step, of the usual loop, and of the arithmetic alone.

The limit is what a large matrix product would do with the operations of a step (no memory traffic,
no normalisation, no Adam); where a step spends its time stands below each network.

The usual loop is written after the pattern of public GAN tutorials: a DataLoader that makes a
tensor of each PIL image, one pass of the discriminator for real and one for generated images, two
backward passes, default Adam, losses printed as numbers. Networks, batch size and images are the
same.
"""

import itertools
import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.result import Result, in_turns
from gmgan.models.model import build_model
from gmgan.models.trainer import Trainer
from gmgan.torch_runtime import allow_torchvision_without_ops

allow_torchvision_without_ops()

from torchvision import transforms  # noqa: E402

BATCH = 64
STEPS = 20
ROUNDS = 9
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


class PilImages(torch.utils.data.Dataset):
    """Images as torchvision's data sets give them: a PIL image, transformed one by one."""

    def __init__(self, images):
        self.images = images.transpose(0, 2, 3, 1)
        steps = [transforms.ToTensor(), transforms.Normalize(0.5, 0.5)]
        self.transform = transforms.Compose(steps)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        image = self.images[i]
        return self.transform(Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image))


def settings(network):
    """A static GM-GAN with K = 10 on a latent space of 100 dimensions."""
    return {
        "run": {"dataset": "benchmark", "model": "gmgan-static", "K": 10, "seed": 0},
        "prior": {"kind": "static"},
        "objective": "gan",
        "latent": {"dim": 100, "c": 0.1, "sigma": 0.1, "sigma_is": "std"},
        "network": network,
    }


def our_trainer(network, images, device="cpu", **change):
    """Our trainer on uint8 images (N x C x H x W, array)."""
    model = build_model(settings(network), images.shape[1:], 10, device)
    samples, labels = torch.from_numpy(images), torch.zeros(len(images), dtype=torch.int64)
    return Trainer(model, TRAINING | change, samples.to(device), labels.to(device), 1, 2)


def usual_step(network, images):
    """A function that does one step of the usual loop."""
    model = build_model(settings(network), images.shape[1:], 10)
    generator, discriminator = (
        net.to(memory_format=torch.contiguous_format)
        for net in (model.generator, model.discriminator)
    )
    loader = torch.utils.data.DataLoader(PilImages(images), BATCH, shuffle=True, drop_last=True)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    rates = {"lr": TRAINING["learning_rate"], "betas": (0.5, 0.999)}
    d_adam = torch.optim.Adam(discriminator.parameters(), **rates)
    g_adam = torch.optim.Adam(generator.parameters(), **rates)
    criterion = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def step():
        real = next(batches)
        d_adam.zero_grad()
        real_loss = criterion(discriminator(real), ones)
        real_loss.backward()
        k = torch.randint(10, (BATCH,))
        fake = generator(model.prior(k, torch.randn(BATCH, 100)))
        fake_loss = criterion(discriminator(fake.detach()), zeros)
        fake_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        g_loss = criterion(discriminator(fake), ones)
        g_loss.backward()
        g_adam.step()
        return (real_loss + fake_loss).item(), g_loss.item()

    return step


def flops_per_image(trainer):
    """Multiplications and additions of one of our steps, per real image."""
    with FlopCounterMode(display=False) as counter:
        trainer.step()
    return counter.get_total_flops() / BATCH


def peak_flops(dtype, device="cpu", size=1024):
    """Operations per second of a matrix product, the best of several."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(12):
        seconds += in_turns([lambda: a @ b], 1)
    return 2 * size**3 / min(seconds)


KINDS = {  # of kernels, by the start of their names
    "products and convolutions": (
        *("aten::mm", "aten::addmm", "aten::bmm"),
        *("aten::convolution_b", "aten::_convolution", "aten::mkldnn_convolution"),
    ),
    "Adam": ("aten::_fused_adam_",),
}
OTHER = "normalisation, activations, losses, copies"


def where_time_goes(trainer, steps=10):
    """{kind of kernel: share of the time of a step}, by torch's profiler.

    What is left to 1 is Python, dispatch and memory management.
    """
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        started = time.perf_counter()
        for _ in range(steps):
            trainer.step()
        wall = 1e6 * (time.perf_counter() - started)
    shares = dict.fromkeys([*KINDS, OTHER], 0.0)
    for event in profiler.key_averages():
        if not event.key.startswith("aten::"):
            continue
        kinds = (kind for kind, names in KINDS.items() if event.key.startswith(names))
        shares[next(kinds, OTHER)] += event.self_cpu_time_total / wall
    return shares


def run():
    """Results of all networks, in float32 and bfloat16, on one core."""
    torch.set_num_threads(1)
    images = np.random.default_rng(0).integers(0, 256, (4000, 3, 32, 32), np.uint8)
    peaks = {dtype: peak_flops(dtype) for dtype in (torch.float32, torch.bfloat16)}
    for name, (network, (channels, size, _), *goals) in CASES.items():
        shown = np.ascontiguousarray(images[:, :channels, :size, :size])
        trainers = [our_trainer(network, shown), our_trainer(network, shown, precision="bfloat16")]
        usual = usual_step(network, shown)
        steps = [*(trainer.step for trainer in trainers), usual]

        def repeated(step):
            return lambda: [step() for _ in range(STEPS)]

        *ours, theirs = (
            STEPS * BATCH / seconds for seconds in in_turns(map(repeated, steps), ROUNDS)
        )
        flops = flops_per_image(trainers[0])
        for speed, (dtype, peak), goal in zip(ours, peaks.items(), goals, strict=True):
            kind = str(dtype).removeprefix("torch.")
            yield Result(f"training, {name}, {kind}", speed, theirs, "images/s", peak / flops, goal)
        for trainer, kind in zip(trainers, ("float32", "bfloat16"), strict=True):
            for part, share in where_time_goes(trainer).items():
                yield Result(f"training, {name}, {kind}, share of {part}", share, None, "")
