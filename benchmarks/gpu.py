"""The training step on a GPU: right, and how fast in each variant. Needs torch and pydantic only.

    python -m benchmarks.gpu                 prints a table; non-zero exit if a check fails
    python -m benchmarks.gpu "MLP, 28 x 28"  one of its parts
    python -m benchmarks.gpu --device cpu    the same on a CPU, to try the script

Checks first that a few float32 steps on the device give the losses that the CPU gives, alone and
with several seeds together. Then times, per network, in float32 and bfloat16: one training, one
with compiled networks (CUDA graphs where torch uses them), several that share the device as
processes, and several seeds in one process as one model with more dimensions (`benchmarks.seeds`).
"""

import argparse
import subprocess
import sys
import time
from functools import partial

import numpy as np
import torch

from benchmarks.cases import BATCH, CASES, TRAINING, flops_per_image, our_trainer, product
from benchmarks.seeds import SeedsTogether
from gmgan.runtime.torch_setup import use

AT_ONCE = (2, 4, 8)
TOLERANCE = 2e-2


def images_of(shape, count=4000):
    """Random uint8 images, N x C x H x W."""
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def largest_difference(network, shape, device):
    """Largest difference of the losses of five steps between the device and the CPU.

    Two seeds, on the CPU one after the other and on the device together as well. The two draw other
    noise, so the device is given the CPU's.
    """
    images = images_of(shape)
    losses, drawn = [], []
    for seed in (0, 1):
        on_cpu = our_trainer(network, images, seed=seed)
        drawn.append([on_cpu._latent() for _ in range(5)])
        on_cpu, on_device = (
            given(our_trainer(network, images, where, seed), drawn[seed], where)
            for where in ("cpu", device)
        )
        losses.append([steps(trainer)[:, :2] for trainer in (on_cpu, on_device)])
    alike = [
        given(our_trainer(network, images, device, seed), drawn[seed], device) for seed in (0, 1)
    ]
    together = steps(SeedsTogether(alike, TRAINING)).unbind(1)
    return max(
        (actual - expected).abs().max().item()
        for (expected, alone), among in zip(losses, together, strict=True)
        for actual in (alone, among)
    )


def given(trainer, latents, device):
    """The trainer, made to use these instead of its own noise."""
    latents = iter([[tensor.to(device) for tensor in latent] for latent in latents])
    trainer._latent = latents.__next__
    return trainer


def steps(trainer):
    """The losses of five steps."""
    return torch.stack([trainer.step().cpu() for _ in range(5)])


def images_per_second(trainer, count=1, seconds=5.0):
    """Speed of a trainer that shows `count` batches a step, after warming up."""
    for _ in range(10):
        trainer.step()
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(10):
            last = trainer.step()
        last.tolist()  # waits for the device
        done += 10
    return count * done * BATCH / (time.perf_counter() - started)


def alone(network, shape, device, precision):
    """Images per second of one training."""
    return images_per_second(our_trainer(network, images_of(shape), device, precision=precision))


def compiled(network, shape, device, precision):
    """Images per second of one training with compiled networks."""
    trainer = our_trainer(network, images_of(shape), device, precision=precision)
    trainer.model.generator.compile(mode="reduce-overhead")
    trainer.model.discriminator.compile(mode="reduce-overhead")
    return images_per_second(trainer)


def together(network, shape, device, precision, count):
    """Images per second of so many seeds in one process, all of them counted."""
    trainers = [
        our_trainer(network, images_of(shape), device, seed, precision) for seed in range(count)
    ]
    training = TRAINING.model_copy(update={"precision": precision})
    return images_per_second(SeedsTogether(trainers, training), count)


def shared(case, device, processes, precision):
    """Images per second of so many trainings at once, each in its own process."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", device, "--one", case]
    running = [
        subprocess.Popen([*command, "--precision", precision], stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    outputs = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError("a process failed")
    return sum(float(output.split()[-1]) for output in outputs)


def peak_flops(device, count=20):
    """float32 operations per second of large matrix products."""
    once, operations = product(torch.float32, device, 4096 if device == "cuda" else 1024)
    for repeats in (2, count):  # the first ones warm up
        started = time.perf_counter()
        for _ in range(repeats):
            last = once()
        last[0, 0].item()  # waits for the device
    return count * operations / (time.perf_counter() - started)


def variants(case, network, shape, device):
    """(name, function that gives images per second) of everything that is compared."""
    for precision in ("float32", "bfloat16"):
        one = (network, shape, device, precision)
        yield precision, partial(alone, *one)
        yield f"{precision}, compiled", partial(compiled, *one)
        for count in AT_ONCE:
            yield f"{precision}, {count} processes", partial(shared, case, device, count, precision)
        for count in AT_ONCE:
            yield f"{precision}, {count} seeds together", partial(together, *one, count)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--one", metavar="CASE", choices=CASES, help="time one training and stop")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("benchmarks.gpu: torch sees no GPU; --device cpu tries the script on a CPU")
    unknown = sorted(set(options.cases) - set(CASES))
    if unknown:
        sys.exit(f"benchmarks.gpu: no case '{unknown[0]}'; choose of {', '.join(CASES)}")
    use(options.device, threads=1)  # deterministic, as the pipeline trains
    if options.one:
        network, shape, *_ = CASES[options.one]
        print(alone(network, shape, options.device, options.precision))
        return
    name = torch.cuda.get_device_name() if options.device == "cuda" else "CPU, one thread"
    print(f"{name}, torch {torch.__version__}")
    wrong = False
    for case in options.cases or CASES:
        network, shape, *_ = CASES[case]
        difference = largest_difference(network, shape, options.device)
        wrong |= difference > TOLERANCE
        verdict = "as on the CPU" if difference <= TOLERANCE else "NOT as on the CPU"
        print(f"{case}: losses differ by at most {difference:.1e}, {verdict}")
        flops = flops_per_image(our_trainer(network, images_of(shape), options.device))
        limit = peak_flops(options.device) / flops
        print(f"  {'a matrix product would allow (float32)':40} {limit:12,.0f} images/s")
        for variant, measure in variants(case, network, shape, options.device):
            try:
                print(f"  {variant:40} {measure():12,.0f} images/s", flush=True)
            except Exception as error:  # one variant that torch cannot do must not hide the others
                print(f"  {variant:40} failed: {type(error).__name__}: {error}".split("\n")[0])
    sys.exit(wrong)


if __name__ == "__main__":
    main()
