"""Shares of a GPU, with plain processes: the locks know nothing of CUDA."""

import os
import re
import subprocess
import sys
from threading import Timer

import pytest

from gmgan.runtime import gpu

HOLD = (
    "import sys; from gmgan.runtime import gpu; "
    "print(gpu.take_share(int(sys.argv[1]), 0.05), flush=True); sys.stdin.read()"
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of two GPUs, by a driver that only lists them; returns its environment."""
    driver = tmp_path / "bin" / "nvidia-smi"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\nprintf '0, GPU-aaaa\\n1, GPU-bbbb\\n'\n")
    driver.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{driver.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return dict(os.environ)


@pytest.fixture
def hold(machine):
    """Starts processes that take a share and keep it; all end with the test."""
    processes, timers = [], []

    def start(shares, **more):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", HOLD, str(shares)],
                env={**machine, **more},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        timers.append(Timer(60, processes[-1].kill))  # no test waits for ever
        timers[-1].start()
        return processes[-1]

    yield start
    for process, timer in zip(processes, timers, strict=True):
        timer.cancel()
        process.kill()
        process.communicate()


def test_devices_have_names_that_no_other_job_uses(machine, monkeypatch):
    assert gpu.devices() == ["GPU-aaaa", "GPU-bbbb"]
    for visible, expected in (
        ("1", ["GPU-bbbb"]),
        ("GPU-bbbb, 0", ["GPU-bbbb", "GPU-aaaa"]),
        ("MIG-cccc", ["MIG-cccc"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert gpu.devices() == expected


def test_a_machine_without_gpus_needs_no_share(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu.devices() == []
    assert gpu.take_share(1) is None


def test_processes_spread_over_the_gpus_before_they_share(hold):
    first, second = (hold(2).stdout.readline().strip() for _ in range(2))
    assert {first, second} == {"GPU-aaaa", "GPU-bbbb"}
    third, fourth = (hold(2).stdout.readline().strip() for _ in range(2))
    assert {third, fourth} == {"GPU-aaaa", "GPU-bbbb"}


def test_who_comes_late_waits_for_a_share_and_says_so(hold):
    holders = [hold(2) for _ in range(4)]
    for holder in holders:
        holder.stdout.readline()
    late = hold(2)
    assert "all shares of the GPU are taken (2 x 2)" in late.stderr.readline()
    assert late.poll() is None
    holders[2].kill()  # even a killed process gives its share back
    assert late.stdout.readline().strip() in ("GPU-aaaa", "GPU-bbbb")


def test_a_process_sees_its_gpu_alone_and_takes_one_share(machine):
    code = (
        "import os; from gmgan.runtime import gpu; "
        "print({gpu.take_share(1) for _ in range(3)} == {os.environ['CUDA_VISIBLE_DEVICES']})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=machine, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True\n"


@pytest.mark.pipeline
@pytest.mark.parametrize(("more", "limit"), [((), 6), (("--resources", "gpu=5"), 5)])
def test_local_jobs_are_limited_to_gpus_times_slots(project, machine, more, limit):
    project.edit("params.yaml", "gpu_slots: 1", "gpu_slots: 3")
    done = project.snakemake("-p", "results/data/toy-ring.json", *more, PATH=machine["PATH"])
    assert re.search(rf"Provided resources: .*gpu=\D*{limit}\b", done.stdout + done.stderr)
    plan = project.snakemake("-n", "-p", "all", "--config", "suite=ci", PATH=machine["PATH"]).stdout
    asked = [line for line in plan.splitlines() if "resources:" in line and "gpu=1" in line]
    assert len(asked) == 21  # all but prepare, floor, score, collect, report
