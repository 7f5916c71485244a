"""Jobs through schedulers: a real SLURM of one node, and cluster-generic without any scheduler."""

import csv
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import make_project, read_arrays
from one_node_slurm import OneNodeSlurm

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]

GAN, MIXTURE = "toy-ring-ci.gan.K1.s0", "toy-ring-ci.gmgan-dynamic.K8.s0"
TABLES = ("scores", "tradeoff")
SOON = ("--latency-wait", "10", "--seconds-between-status-checks", "2")


def need(extra):
    """Skip where a plugin of Snakemake is not installed."""
    if importlib.util.find_spec(f"snakemake_executor_plugin_{extra.replace('-', '_')}") is None:
        pytest.skip(f"needs Snakemake's plugin for {extra}: make test-cluster")


def small_project(folder):
    """A project whose toy runs take some seconds and leave a checkpoint many times."""
    folder.mkdir()
    project = make_project(folder)
    project.edit("params.yaml", "seconds\n    training:\n      kimg: 60", SLOWER)
    project.edit("params.yaml", "checkpoint_seconds: 60", "checkpoint_seconds: 0")
    project.gmgan("prepare", "toy-ring")
    return project


SLOWER = "seconds\n    training:\n      kimg: 100"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """{run: (weights, snapshots)} of trainings that nothing interrupted."""
    project = small_project(tmp_path_factory.mktemp("undisturbed") / "p")
    for run in (GAN, MIXTURE):
        project.gmgan("train", run)
    return {run: trained(project, run) for run in (GAN, MIXTURE)}


def trained(project, run):
    folder = project.folder / "results" / "runs" / run
    return [(folder / f"{name}.safetensors").read_bytes() for name in ("weights", "snapshots")]


class Pipeline:
    """A running snakemake that writes its output to a file; killed at the end of a `with`."""

    def __init__(self, project, *arguments, environment=()):
        self.log = project.folder / "snakemake.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", "-p", *arguments],  # -p: Snakemake's own lines
                cwd=project.folder,
                env={**os.environ, **dict(environment), "PYTHONPATH": str(project.folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # cancels its jobs
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def words(self):
        return self.log.read_text()

    def end(self, seconds=280):
        """Its exit status."""
        return self.process.wait(seconds)

    def until(self, condition, seconds=100):
        """Wait until `condition()` is true and return it; fail if the pipeline ends before."""
        until = time.monotonic() + seconds
        while not (result := condition()):
            assert self.process.poll() is None and time.monotonic() < until, self.words
            time.sleep(0.05)
        return result


def progress(project, run):
    """The history so far in the checkpoint of a run, once it has some."""
    for path in (project.folder / "results" / "checkpoints").glob(f"{run}.*.safetensors"):
        return read_arrays(path, names=[])[1]["state"]["history"]
    return []


def training_process(project, run):
    """The process number of a run that trains in this project; another test may train it too."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")[:-1]
            folder = (process / "cwd").resolve()
        except OSError:
            continue
        if (
            words[1:3] == [b"-m", b"gmgan"]
            and words[-2:] == [b"train", run.encode()]
            and folder == project.folder.resolve()
        ):
            return int(process.name)
    return None


def suspended(project, before):
    """Suspend each training that has a checkpoint, keep its history; whether all are suspended."""
    for run in (GAN, MIXTURE):
        if run not in before and (history := progress(project, run)):
            os.kill(training_process(project, run), signal.SIGSTOP)
            before[run] = history
    return len(before) == 2


def assert_went_on(project, run, before):
    """The rows that a killed training had stored, times included, begin the final history."""
    path = project.folder / "results" / "runs" / run / "history.csv"
    rows = list(csv.DictReader(path.open()))
    assert 0 < len(before) < len(rows)
    for row, stored in zip(rows, before, strict=False):
        assert (int(row["generator_steps"]), float(row["seconds"])) == (
            stored["generator_steps"],
            stored["seconds"],
        )


# --- cluster-generic ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "script", "status"),
    [("1", "exit 0", "success"), ("1", "exit 3", "failed"), ("0.01", "sleep 60", "failed")],
)
def test_a_background_job_ends_as_its_script_or_its_time(project, minutes, script, status):
    background = Background(project)
    job = background("submit", minutes, background.script(script))
    until = time.monotonic() + 20
    while (printed := background("status", job)) == "running" and time.monotonic() < until:
        time.sleep(0.1)
    assert printed == status
    kept = list((project.folder / ".snakemake" / "background").iterdir())
    assert bool(kept) == (status == "failed")
    if script == "sleep 60":
        assert "killed after 0.01 minutes" in background.log(job)


def test_a_background_job_is_cancelled_with_its_processes(project):
    background = Background(project)
    job = background("submit", "1", background.script("(sleep 3; touch late) & echo started; wait"))
    until = time.monotonic() + 20
    while "started" not in background.log(job) and time.monotonic() < until:
        time.sleep(0.05)
    assert background("status", job) == "running"
    background("cancel", job)
    while background("status", job) == "running" and time.monotonic() < until:
        time.sleep(0.05)
    assert background("status", job) == "failed"
    time.sleep(4)
    assert not (project.folder / "late").exists()


class Background:
    """profiles/cluster-generic/background.sh in a project."""

    def __init__(self, project):
        self.folder = project.folder

    def __call__(self, *words):
        command = ["sh", "profiles/cluster-generic/background.sh", *map(str, words)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def script(self, text):
        path = self.folder / "script.sh"
        path.write_text(text + "\n")
        return path

    def log(self, job):
        return (self.folder / ".snakemake" / "background" / f"{job}.log").read_text()


def test_cluster_generic_resumes_a_killed_job_and_groups_the_rest(tmp_path, undisturbed):
    need("cluster-generic")
    project = small_project(tmp_path / "p")
    run = project.folder / "results" / "runs" / GAN
    targets = [str(run.relative_to(project.folder) / f"{name}.json") for name in TABLES]
    with Pipeline(project, "--profile", "profiles/cluster-generic", *SOON, *targets) as pipeline:
        before = pipeline.until(lambda: progress(project, GAN))
        os.killpg(os.getpgid(training_process(project, GAN)), signal.SIGKILL)
        assert pipeline.end() == 0, pipeline.words
    assert "Trying to restart job" in pipeline.words
    assert pipeline.words.count("Submitted group job") == 1
    assert trained(project, GAN) == undisturbed[GAN]
    assert_went_on(project, GAN, before)
    assert (run / "scores.json").exists() and (run / "tradeoff.json").exists()


# --- SLURM -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A running SLURM."""
    need("slurm")
    slurm = OneNodeSlurm(tmp_path_factory.mktemp("slurm"))
    try:
        slurm.__enter__()
    except RuntimeError as error:
        pytest.skip(f"no SLURM on this machine: {error}")
    yield slurm
    slurm.__exit__()


def slurm_pipeline(slurm, project, *arguments):
    return Pipeline(
        project,
        *("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "2"),
        *(*SOON, *arguments),
        environment=slurm.environment,
    )


def jobs_about(slurm, project, text):
    """A project's jobs that mention a text in their comment, as {field: value}, oldest first."""
    blocks = slurm.client("scontrol", "show", "job").strip().split("\n\n")
    jobs = [
        dict(word.split("=", 1) for word in block.split() if "=" in word)
        for block in blocks
        if text in block and f"WorkDir={project.folder}\n" in block
    ]
    return sorted(jobs, key=lambda job: int(job["JobId"]))


def test_a_failing_gpu_job_asks_for_a_gpu_and_leaves_its_log(slurm, tmp_path):
    project = small_project(tmp_path / "p")
    project.edit("params.yaml", "device: auto", "device: cuda")
    target = f"results/runs/{GAN}/weights.safetensors"
    with slurm_pipeline(slurm, project, "--retries", "0", target) as pipeline:
        assert pipeline.end() == 1
    log = f"results/logs/train/{GAN}.log"
    assert f"log: {log} (check log file(s) for error details)" in pipeline.words
    assert "torch sees no GPU" in (project.folder / log).read_text()
    assert "torch sees no GPU" in pipeline.words  # shown where it happened as well
    (job,) = jobs_about(slurm, project, f"rule_train_wildcards_{GAN}")
    assert job["JobState"] == "FAILED"
    assert job["StdOut"] in pipeline.words
    assert Path(job["StdOut"]).exists()
    assert job["TresPerJob"] == "gres:gpu:1"
    assert job["TimeLimit"] == "00:30:00"
    assert job["MinMemoryNode"] == "4000M"
    assert job["CPUs/Task"] == "1"


def test_cancelled_and_timed_out_trainings_go_on(slurm, tmp_path, undisturbed):
    project = small_project(tmp_path / "p")
    targets = [f"results/runs/{GAN}/{name}.json" for name in TABLES]
    minutes = "train:runtime=1 if attempt == 1 else 30"
    with slurm_pipeline(
        slurm,
        project,
        *("--set-resources", minutes, "--"),
        *(f"results/runs/{MIXTURE}/weights.safetensors", *targets),
    ) as pipeline:
        before = {}
        pipeline.until(lambda: suspended(project, before))  # the mixture until its minute is over
        slurm.client("scancel", jobs_about(slurm, project, f"train_wildcards_{GAN}")[0]["JobId"])
        assert pipeline.end() == 0, pipeline.words
    for run, state in ((GAN, "CANCELLED"), (MIXTURE, "TIMEOUT")):
        first, second = jobs_about(slurm, project, f"train_wildcards_{run}")
        assert (first["JobState"], second["JobState"]) == (state, "COMPLETED")
        assert (first["TimeLimit"], second["TimeLimit"]) == ("00:01:00", "00:30:00")
        assert f"SLURM-job '{first['JobId']}' failed, SLURM status is: '{state}'" in pipeline.words
        assert_went_on(project, run, before[run])
        assert trained(project, run) == undisturbed[run]
    (group,) = jobs_about(slurm, project, f"evaluate.{GAN}")  # sample, score and tradeoff
    assert (group["NumCPUs"], group["MinMemoryNode"]) == ("1", "8000M")
    assert group["TimeLimit"] == "07:00:00"
    assert all((project.folder / target).exists() for target in targets)
