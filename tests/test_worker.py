"""Jobs through a warm process behave as jobs in processes of their own."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from gmgan.runtime import client
from gmgan.runtime.client import DIED, address, submit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers fork on Linux only")


def processor_time(pid):
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def listens(name):
    return f"@{name}\n" in Path("/proc/net/unix").read_text()


@pytest.fixture
def worker(project):
    """(project, environment that names a running worker)."""
    name = f"gmgan-test-{os.getpid()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "gmgan.runtime.worker", name, str(os.getpid())],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(project.folder), "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 30
    while not listens(name) and time.monotonic() < until:
        time.sleep(0.02)
    before, used = -1, 0
    while before != used:  # still loading
        time.sleep(0.5)
        before, used = used, processor_time(process.pid)
    yield project, {"GMGAN_WORKER": name}
    process.terminate()
    process.wait()


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


@pytest.mark.parametrize("sent", [b"", bytes([1, 2, 3]), b"[" * 500])
def test_a_client_that_dies_while_it_sends_leaves_no_process(tmp_path, sent):
    """It has said that 1,000 bytes follow, if anything."""
    name = f"gmgan-test-{secrets.token_hex(8)}"
    log = tmp_path / "log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "gmgan.runtime.worker", name, str(os.getpid())]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    jobs = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not listens(name):
        time.sleep(0.02)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address(name))
    if len(sent) > 3:
        socket.send_fds(connection, [(1000).to_bytes(8, "big")], [0, 1, 2])
    connection.sendall(sent)
    until = time.monotonic() + 30
    while not jobs.read_text() and time.monotonic() < until:
        time.sleep(0.02)
    assert jobs.read_text()
    connection.close()
    until = time.monotonic() + 5
    while jobs.read_text() and time.monotonic() < until:
        time.sleep(0.02)
    left = jobs.read_text()
    process.kill()
    process.wait()
    assert not left
    assert log.read_text() == ""


@pytest.mark.parametrize("moment", ["before", "within"])
def test_without_a_worker_that_dies_while_it_is_sent_a_job_the_client_runs_it(monkeypatch, moment):
    name = f"gmgan-test-{secrets.token_hex(8)}"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address(name))
    listener.listen()
    closed = threading.Event()

    def die():
        connection, _ = listener.accept()
        if moment == "within":
            connection.recv(100)
        connection.close()
        closed.set()

    def is_own(connection):
        assert moment == "within" or closed.wait(10)
        return True

    monkeypatch.setattr(client, "is_own", is_own)
    thread = threading.Thread(target=die)
    thread.start()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert submit(name, ["x" * 10_000_000]) is None  # more than a socket's buffer holds
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    thread.join()
    listener.close()


def prepare_long_training(project):
    """Trainings of toy-ring take minutes, on any machine."""
    project.edit(
        "params.yaml", "kimg: 200\n      batch_size: 128", "kimg: 20000\n      batch_size: 128"
    )
    project.gmgan("prepare", "toy-ring")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_job_ends_with_its_client(worker, number):
    project, environment = worker
    prepare_long_training(project)
    run = "toy-ring.gan.K1.s0"
    client = subprocess.Popen(
        [sys.executable, "-m", "gmgan", "train", run],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(project.folder), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(2)
    assert client.poll() is None
    client.send_signal(number)
    output = client.stderr.read()  # ends when no process holds the pipe any more
    assert client.wait(30) in (143, -signal.SIGKILL)
    assert "Traceback" not in output
    assert not (project.folder / "results" / "runs" / run / "weights.safetensors").exists()
    leftovers = [name for name in project.files() if "/." in name or name.startswith(".")]
    assert not leftovers


@pytest.mark.parametrize("victim", ["parent", "worker"])
def test_worker_and_job_end_with_whom_they_work_for(project, victim):
    """A parent starts a worker, a client gives it a job; the parent or the worker is killed."""
    prepare_long_training(project)
    name = f"gmgan-test-{os.getpid()}"
    code = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, '-m', 'gmgan.runtime.worker', '{name}', str(os.getpid())]\n"
        "print(subprocess.Popen(command).pid, flush=True)\n"
        "time.sleep(100)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(project.folder)}
    popen = partial(subprocess.Popen, env=environment, text=True, cwd=project.folder)
    parent = popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    worker = int(parent.stdout.readline())
    until = time.monotonic() + 60
    while not listens(name) and time.monotonic() < until:
        time.sleep(0.02)
    environment["GMGAN_WORKER"] = name
    command = [sys.executable, "-m", "gmgan", "train", "toy-ring.gan.K1.s0"]
    client = popen(command, stderr=subprocess.PIPE)
    while not Path(f"/proc/{worker}/task/{worker}/children").read_text():
        time.sleep(0.02)
    time.sleep(1)
    os.kill(parent.pid if victim == "parent" else worker, signal.SIGKILL)
    killed = time.monotonic()
    client.stderr.read()  # ends when no process holds the pipe any more
    assert client.wait() in (143, DIED)
    assert time.monotonic() - killed < 5
    assert not listens(name)
    parent.kill()
    parent.wait()


def test_a_job_without_a_worker_ends_with_its_snakemake(project):
    prepare_long_training(project)
    snakemake = subprocess.Popen(["sleep", "100"])
    command = [sys.executable, "-m", "gmgan", "train", "toy-ring.gan.K1.s0"]
    pid = {"PYTHONPATH": str(project.folder), "GMGAN_SNAKEMAKE": str(snakemake.pid)}
    job = subprocess.Popen(
        command, cwd=project.folder, env={**os.environ, **pid}, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1)
    snakemake.kill()
    killed = time.monotonic()
    assert job.wait() == 143 and time.monotonic() - killed < 5
    snakemake.wait()


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
