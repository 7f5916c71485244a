"""Jobs through a warm process behave as jobs in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gmgan.runtime.client import submit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers fork on Linux only")


def processor_time(pid):
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


@pytest.fixture
def worker(project):
    """(project, environment that names a running worker)."""
    folder = Path(tempfile.mkdtemp(prefix="gmgan-"))
    process = subprocess.Popen(
        [sys.executable, "-m", "gmgan.runtime.worker", str(folder / "worker")],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(project.folder), "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 30
    while not (folder / "worker").exists() and time.monotonic() < until:
        time.sleep(0.02)
    before, used = -1, 0
    while before != used:  # still loading
        time.sleep(0.5)
        before, used = used, processor_time(process.pid)
    yield project, {"GMGAN_WORKER": str(folder / "worker")}
    process.terminate()
    process.wait()
    assert not folder.exists()


def test_output_status_and_errors_are_the_jobs_own(worker):
    project, environment = worker
    plain = project.gmgan("list", "--suite", "ci")
    warm = project.gmgan("list", "--suite", "ci", **environment)
    assert warm.stdout == plain.stdout
    wrong = project.gmgan("train", "nonsense", check=False, **environment)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'nonsense' is no run" in wrong.stderr
    usage = project.gmgan("no-such-stage", check=False, **environment)
    assert usage.returncode == 2
    assert "unknown command 'no-such-stage'" in usage.stderr


def test_results_are_bit_equal_to_those_of_a_plain_process(worker):
    project, environment = worker
    run = "toy-ring-ci.gmgan-dynamic.K8.s0"
    results = []
    for more in ({}, environment):
        project.gmgan("prepare", "toy-ring-ci", **more)
        project.gmgan("train", run, **more)
        folder = project.folder / "results" / "runs" / run
        names = ("weights.safetensors", "snapshots.safetensors")
        results.append([(folder / name).read_bytes() for name in names])
    assert results[0] == results[1]


def test_jobs_run_the_code_as_it_is_when_they_start(worker):
    project, environment = worker
    before = project.gmgan("list", "--suite", "ci", **environment).stdout
    project.edit("gmgan/cli.py", "kimg:g} kimg\\t", "kimg:g} thousand\\t")
    after = project.gmgan("list", "--suite", "ci", **environment).stdout
    assert after == before.replace(" kimg\t", " thousand\t") != before


def test_a_worker_declines_once_the_package_has_changed(worker, monkeypatch, capfd):
    project, environment = worker
    monkeypatch.chdir(project.folder)
    address, job = environment["GMGAN_WORKER"], ["list", "--suite", "ci"]
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert submit(address, job) == 0
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        signal.signal(number, handler)
    assert "toy-ring-ci" in capfd.readouterr().out
    (project.folder / "gmgan" / "seeds.py").touch()
    assert submit(address, job) is None
    assert capfd.readouterr().out == ""
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_fingerprints_are_those_of_the_code_as_it_is(worker):
    project, environment = worker

    def fingerprint(**more):
        project.gmgan("prepare", "toy-ring", **more)
        about = project.folder / "results" / "data" / "toy-ring.json"
        return json.loads(about.read_text())["fingerprint"]

    before = fingerprint(**environment)
    with (project.folder / "gmgan" / "data" / "points.py").open("a") as file:
        file.write("\nCHANGED = 1\n")
    after = fingerprint(**environment)
    assert before != after == fingerprint()


def test_the_whole_package_is_loaded():
    code = (
        "import sys\nfrom gmgan.runtime import worker\n"
        "for library in worker.LIBRARIES: worker._load(library)\n"
        "worker._load_package()\n"
        "print('gmgan.cli' in sys.modules, 'gmgan.training.train' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "True True\n"


def test_a_missing_worker_is_no_error(project):
    done = project.gmgan("list", "--suite", "ci", GMGAN_WORKER="/nonexistent/worker")
    assert "toy-ring-ci.gan.K1.s0" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_job_ends_with_its_client(worker, number):
    project, environment = worker
    project.gmgan("prepare", "toy-ring")
    run = "toy-ring.gan.K1.s0"
    client = subprocess.Popen(
        [sys.executable, "-m", "gmgan", "train", run],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(project.folder), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(2)  # a training takes longer
    assert client.poll() is None
    client.send_signal(number)
    output = client.stderr.read()  # ends when no process holds the pipe any more
    assert client.wait(30) in (143, -signal.SIGKILL)
    assert "Traceback" not in output
    assert not (project.folder / "results" / "runs" / run / "weights.safetensors").exists()
    leftovers = [name for name in project.files() if "/." in name or name.startswith(".")]
    assert not leftovers


def test_a_worker_ends_with_its_parent(project):
    """The parent starts a worker and dies; the worker and its folder are gone soon after."""
    folder = Path(tempfile.mkdtemp(prefix="gmgan-"))
    code = (
        "import subprocess, sys, time, os\n"
        f"subprocess.Popen([sys.executable, '-m', 'gmgan.runtime.worker', '{folder}/worker'])\n"
        f"while not os.path.exists('{folder}/worker'): time.sleep(0.02)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(project.folder)},
    )
    until = time.monotonic() + 60
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not folder.exists()


def test_a_module_that_ends_the_process_does_not_end_the_worker(project):
    project.edit("gmgan/evaluation/sweep.py", '"""Sweep', 'raise SystemExit("broken")\n"""Sweep')
    code = "from gmgan.runtime import worker; worker._load_package(); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(project.folder)},
        cwd=project.folder,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "alive\n", done.stderr
