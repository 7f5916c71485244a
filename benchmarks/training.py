"""Images per second of our training step, of the usual loop, and of the arithmetic alone.

The limit is what a large matrix product, timed in turns with the steps, would do with the
operations of a step (no memory traffic, no normalisation, no Adam); where a step spends its time
stands below each network.

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

from benchmarks.cases import (
    BATCH,
    CASES,
    TRAINING,
    flops_per_image,
    our_trainer,
    product,
    settings,
)
from benchmarks.result import Result, in_turns
from gmgan.models.model import build_model
from gmgan.runtime.torch_setup import allow_torchvision_without_ops, cpu_has_bfloat16

allow_torchvision_without_ops()

from torchvision import transforms  # noqa: E402

STEPS = 4
ROUNDS = 41
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


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


def usual_step(network, images):
    """A function that does one step of the usual loop."""
    model = build_model(settings(network), images.shape[1:], 10)
    generator, discriminator = (
        net.to(memory_format=torch.contiguous_format)
        for net in (model.generator, model.discriminator)
    )
    loader = torch.utils.data.DataLoader(PilImages(images), BATCH, shuffle=True, drop_last=True)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    rates = {"lr": TRAINING.learning_rate, "betas": (TRAINING.beta1, TRAINING.beta2)}
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
    """Results on one core: of all networks, in float32 and, where the CPU has it, bfloat16."""
    torch.set_num_threads(1)
    kinds = list(PRECISIONS)
    if cpu_has_bfloat16() is False:
        kinds = ["float32"]
        print("training: no lines of bfloat16, this processor has no instructions for it")
    images = np.random.default_rng(0).integers(0, 256, (4000, 3, 32, 32), np.uint8)
    products, operations = zip(*(product(PRECISIONS[kind]) for kind in kinds), strict=True)
    trainers, timed = {}, list(products)
    for name, (network, (channels, size, _), *_) in CASES.items():
        shown = np.ascontiguousarray(images[:, :channels, :size, :size])
        trainers[name] = [our_trainer(network, shown, precision=kind) for kind in kinds]
        timed += [*(trainer.step for trainer in trainers[name]), usual_step(network, shown)]
    seconds = in_turns(map(repeated, timed), ROUNDS, "training")
    at_best, seconds = seconds[: len(products)], seconds[len(products) :]
    peaks = [STEPS * count / best for count, best in zip(operations, at_best, strict=True)]
    for i, (name, (*_, goal, goal_bfloat16)) in enumerate(CASES.items()):
        sides = len(kinds) + 1
        *ours, theirs = seconds[sides * i : sides * (i + 1)]
        flops = flops_per_image(trainers[name][0])
        goals = {"float32": goal, "bfloat16": goal_bfloat16}
        for kind, ours_of_kind, peak in zip(kinds, ours, peaks, strict=True):
            yield Result(
                f"training, {name}, {kind}",
                STEPS * BATCH / ours_of_kind,
                STEPS * BATCH / theirs,
                "images/s",
                peak / flops,
                goals[kind],
            )
        for trainer, kind in zip(trainers[name], kinds, strict=True):
            for part, share in where_time_goes(trainer).items():
                yield Result(f"training, {name}, {kind}, share of {part}", share, None, "")


def repeated(step):
    """A function that does this many steps."""
    return lambda: [step() for _ in range(STEPS)]
