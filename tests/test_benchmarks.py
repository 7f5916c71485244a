"""What the benchmarks time is the same training."""

import importlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT

from benchmarks import pipeline, scoring, strict
from benchmarks.__main__ import PARTS, line
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


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py")])
def test_every_module_loads(name):
    module = importlib.import_module(f"benchmarks.{name}")
    assert name not in PARTS or callable(module.run)


def test_both_sides_of_scoring_agree(monkeypatch):
    """The benchmark itself raises if FID is another one on the two sides."""
    for name, small in (("N", 1000), ("KID_SUBSETS", 2)):
        monkeypatch.setattr(scoring, name, small)
    lines = [line(result) for result in scoring.run()]
    assert [each.split(",")[0] for each in lines] == ["scoring"] * 2


def test_strict_mode_is_the_one_of_the_documentation():
    (shown,) = re.findall("^export (ATEN.*)$", (ROOT / "docs/reliability.md").read_text(), re.M)
    assert dict(each.split("=") for each in shown.split()) == strict.STRICT


def test_the_bare_snakefile_has_the_jobs_of_the_suite(tmp_path):
    count = pipeline.bare_project(tmp_path, ROOT / "params.yaml", "ci")
    plan = [sys.executable, "-m", "snakemake", "--cores", "1", "-n", "--", "all"]
    done = subprocess.run(plan, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert re.search(rf"^total +{count + 1}$", done.stdout, re.M), done.stdout  # and `all`
