"""The training step on a GPU: right, and how fast in each variant. Needs torch and this package.

    python -m benchmarks.gpu                 prints a table; non-zero exit if a check fails
    python -m benchmarks.gpu --device cpu    the same on a CPU, to try the script

Checks first that a few float32 steps on the device give the losses that the CPU gives. Then times,
per network: float32, bfloat16, both with compiled networks (CUDA graphs where torch uses them), and
several trainings that share the device as processes.
"""

import argparse
import subprocess
import sys
import time

import numpy as np
import torch

from benchmarks.training import BATCH, CASES, flops_per_image, our_trainer, peak_flops

STEPS = 200
PROCESSES = (2, 4, 8)
TOLERANCE = 2e-2


def images_of(shape, count=4000):
    """Random uint8 images, N x C x H x W."""
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def largest_difference(network, shape, device):
    """Largest difference of the losses of five steps between the device and the CPU.

    The two draw other noise, so the device is given the CPU's.
    """
    trainers = [our_trainer(network, images_of(shape), where) for where in ("cpu", device)]
    on_cpu, on_device = trainers
    draw = on_cpu._latent
    drawn = [draw() for _ in range(5)]
    on_cpu._latent = iter(drawn).__next__
    on_device._latent = iter([[t.to(device) for t in latent] for latent in drawn]).__next__
    losses = [torch.stack([trainer.step().cpu() for _ in range(5)]) for trainer in trainers]
    return (losses[0] - losses[1]).abs().max().item()


def images_per_second(network, shape, device, precision="float32", compiled=False, seconds=5.0):
    """Speed of one training, after warming up."""
    trainer = our_trainer(network, images_of(shape), device, precision=precision)
    if compiled:
        trainer.model.generator.compile(mode="reduce-overhead")
        trainer.model.discriminator.compile(mode="reduce-overhead")
    for _ in range(10):
        trainer.step()
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(10):
            last = trainer.step()
        last.tolist()  # waits for the device
        steps += 10
    return steps * BATCH / (time.perf_counter() - started)


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


def variants(case, network, shape, device):
    """(name, function that gives images per second) of everything that is compared."""
    for precision in ("float32", "bfloat16"):
        yield precision, lambda p=precision: images_per_second(network, shape, device, p)
        yield (
            f"{precision}, compiled",
            lambda p=precision: images_per_second(network, shape, device, p, compiled=True),
        )
        for count in PROCESSES:
            yield (
                f"{precision}, {count} processes",
                lambda p=precision, n=count: shared(case, device, n, p),
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--one", metavar="CASE", choices=CASES, help="time one training and stop")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("benchmarks.gpu: torch sees no GPU; --device cpu tries the script on a CPU")
    torch.set_num_threads(1)
    if options.one:
        network, shape, *_ = CASES[options.one]
        print(images_per_second(network, shape, options.device, options.precision))
        return
    name = torch.cuda.get_device_name() if options.device == "cuda" else "CPU, one thread"
    print(f"{name}, torch {torch.__version__}")
    wrong = False
    for case, (network, shape, *_) in CASES.items():
        difference = largest_difference(network, shape, options.device)
        wrong |= difference > TOLERANCE
        verdict = "as on the CPU" if difference <= TOLERANCE else "NOT as on the CPU"
        print(f"{case}: losses differ by at most {difference:.1e}, {verdict}")
        flops = flops_per_image(our_trainer(network, images_of(shape), options.device))
        limit = peak_flops(torch.float32, options.device, 4096) / flops
        print(f"  {'a matrix product would allow (float32)':40} {limit:12,.0f} images/s")
        for variant, measure in variants(case, network, shape, options.device):
            try:
                print(f"  {variant:40} {measure():12,.0f} images/s", flush=True)
            except Exception as error:  # one variant that torch cannot do must not hide the others
                print(f"  {variant:40} failed: {type(error).__name__}: {error}".split("\n")[0])
    sys.exit(wrong)


if __name__ == "__main__":
    main()
