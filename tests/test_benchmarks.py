"""What the benchmarks time is the same training."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks.cases import CASES, TRAINING, our_trainer
from benchmarks.seeds import SeedsTogether


@pytest.mark.parametrize("case", CASES)
def test_seeds_together_train_as_they_do_alone(case):
    network, shape, *_ = CASES[case]
    images = np.random.default_rng(0).integers(0, 256, (200, *shape), np.uint8)
    small = {"generator_widths": [16, 32], "discriminator_widths": [32, 16], "base_channels": 4}
    change = {name: value for name, value in small.items() if hasattr(network, name)}
    network = network.model_copy(update=change)
    alone, alike = ([our_trainer(network, images, seed=seed) for seed in (3, 5)] for _ in range(2))
    together = SeedsTogether(alike, TRAINING)
    for _ in range(5):
        expected = torch.stack([trainer.step()[:2] for trainer in alone])
        assert torch.allclose(together.step(), expected, atol=1e-3)
    assert not torch.allclose(expected[0], expected[1], atol=1e-2)


BLOCKED = """
import sys
for name in ("torchvision", "PIL", "pandas", "matplotlib", "snakemake", "dvc", "torch_fidelity",
             "yaml", "sklearn"):
    sys.modules[name] = None
import benchmarks.gpu
"""


def test_the_gpu_script_needs_torch_pydantic_and_the_package_only():
    subprocess.run([sys.executable, "-c", BLOCKED], check=True)
