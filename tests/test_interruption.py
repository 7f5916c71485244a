"""A signal to Snakemake alone: what its jobs finish afterwards is kept."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.pipeline
RUN = "toy-ring-ci.gan.K1.s0"


def test_the_lock_of_a_killed_snakemake_does_not_stop_the_next_one(project):
    target = "results/data/toy-ring.safetensors"
    locks = project.folder / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text(f"{target}\n")
    with (project.folder / ".snakemake" / "gmgan-running").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_SH)
        assert "cannot be locked" in project.snakemake(target, check=False).stderr
    project.snakemake(target)
    assert not locks.exists() or not list(locks.iterdir())


def test_a_clock_set_back_costs_nothing(project):
    target = f"results/runs/{RUN}/samples.safetensors"
    project.gmgan("prepare", "toy-ring-ci")
    later = time.time() + 3600
    for path in (project.folder / "results" / "data").iterdir():
        os.utime(path, (later, later))
    project.snakemake("--touch", "results/data/toy-ring.safetensors")
    for path in (project.folder / "results" / "data").iterdir():
        os.utime(path, (later, later))
    project.snakemake(target)
    assert project.plan(target) == {}


def test_a_training_whose_end_was_not_recorded_costs_seconds(project):
    """Snakemake removes outputs that it has not recorded; the last checkpoint holds the result."""
    project.gmgan("prepare", "toy-ring-ci")
    project.gmgan("train", RUN)
    folder = project.folder / "results" / "runs" / RUN
    names = ("weights.safetensors", "snapshots.safetensors", "history.csv")
    made = [(folder / name).read_bytes() for name in names]
    shutil.rmtree(folder)
    again = project.gmgan("train", RUN)
    assert "going on from 60.032 kimg" in again.stderr
    assert [(folder / name).read_bytes() for name in names] == made
    project.gmgan("sample", RUN)
    assert not list((project.folder / "results" / "checkpoints").iterdir())


def test_a_job_that_ends_after_its_snakemake_was_interrupted_is_not_run_again(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    budget = "seconds\n    training:\n      kimg: {}\n"  # of toy-ring-ci
    project.edit("params.yaml", budget.format(60), budget.format(480))  # takes some seconds
    target = f"results/runs/{RUN}/train.json"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", target]
    environment = {**os.environ, "PYTHONPATH": str(project.folder)}
    snakemake = subprocess.Popen(
        command, cwd=project.folder, env=environment, stderr=subprocess.PIPE, text=True
    )
    log = project.folder / "results" / "logs" / "train" / f"{RUN}.log"
    log.unlink(missing_ok=True)  # of the first training, where its worker left one
    incomplete = project.folder / ".snakemake" / "incomplete"  # written just after a job's start
    until = time.monotonic() + 120
    while not (log.exists() and any(incomplete.glob("*"))) and time.monotonic() < until:
        time.sleep(0.02)
    snakemake.send_signal(signal.SIGINT)
    _, words = snakemake.communicate(timeout=300)
    assert snakemake.returncode != 0
    assert "the same command goes on where it stopped" in words.splitlines()[-1]
    assert "failed" not in words
    record = project.folder / target
    assert record.exists(), "the training ended, unrecorded by Snakemake"
    made = record.stat().st_mtime_ns, record.read_bytes()
    done = project.snakemake(target)
    assert f"kept what an interrupted call made: train {RUN}" in done.stderr
    assert record.read_bytes() == made[1]
    assert project.plan(target) == {}
    project.edit(
        "params.yaml", budget.format(480), budget.format(490)
    )  # and its record is as good as any
    assert project.plan(target) == {"train": [RUN]}
