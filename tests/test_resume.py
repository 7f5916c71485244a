"""A training process that is killed, and goes on, ends with the weights of one that is not."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import read_arrays

pytestmark = pytest.mark.pipeline

MODEL = """
models:
  everything:
    title: every part that a training can have
    prior:
      kind: dynamic
      covariance: diagonal
      weights: learned
      sigma_penalty: 0.1
    objective: relativistic
    penalties:
    - kind: r1
      gamma: 1.0
      every: 3
    - kind: gradient-penalty
      every: 2
    auxiliary:
    - kind: encoder
      information: 1.0
      reconstruction: 0.5
    - kind: encoder
      network: own
    discriminator:
      batch_norm: false
      spectral_norm: true
    training:
      critic_steps: 2
      discriminator_learning_rate: 4.0e-4
      decay_from: 0.3
      average_half_life_kimg: 2.0
"""
RUNS = ["digits-ci.everything.K10.s0", "digits-ci.clustergan.K10.s0", "toy-ring-ci.wgan-gp.K1.s0"]


def start(project, run):
    return subprocess.Popen(
        [sys.executable, "-m", "gmgan", "train", run],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(project.folder)},
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("run", RUNS)
def test_a_killed_training_goes_on_bit_for_bit(project, run):
    project.edit("params.yaml", "\nmodels:\n", MODEL)
    project.edit("params.yaml", "checkpoint_seconds: 60", "checkpoint_seconds: 0")
    project.gmgan("prepare", run.partition(".")[0].removesuffix("-ci"))
    folder = project.folder / "results" / "runs" / run
    names = ("weights.safetensors", "snapshots.safetensors")
    project.gmgan("train", run)
    undisturbed = [(folder / name).read_bytes() for name in names]
    shutil.rmtree(folder)
    checkpoints = project.folder / "results" / "checkpoints"
    kills = 0
    for wanted in (0.2, 0.5):  # of the training is in the checkpoint when it is killed
        training = start(project, run)
        until = time.monotonic() + 120
        while time.monotonic() < until and training.poll() is None:
            time.sleep(0.01)
            if share(checkpoints, run) >= wanted:
                break
        training.send_signal(signal.SIGKILL)
        kills += training.wait() == -signal.SIGKILL
    assert kills == 2
    assert not folder.joinpath(names[0]).exists()
    project.gmgan("train", run)
    assert [(folder / name).read_bytes() for name in names] == undisturbed


def share(checkpoints, run):
    """The share of the training that the checkpoint of a run holds; 0 without one."""
    for path in checkpoints.glob(f"{run}.*.safetensors"):
        _, about = read_arrays(path, names=[])
        total = about["settings"]["training"]["kimg"]
        history = about["state"]["history"]
        return history[-1]["kimg"] / total if history else 0
    return 0
