"""What the pipeline costs besides training and scoring: wall time, start-up, job graphs, memory."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.result import Result

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (  # each is refused after its libraries are loaded: this run was never trained
    ("sample", "digits.gan.K1.s999"),
    ("score", "digits.gan.K1.s999"),
    ("tradeoff", "digits.gan.K1.s999"),
    ("cluster", "digits.gmgan-static.K10.s999"),
    ("explore", "digits.gan.K1.s999"),
    ("collect",),
    ("report",),
    ("list",),
)
WORK = ("train", "extractor", "real_features", "floor", "sample", "features", "score", "tradeoff")
WORK += ("cluster", "explore")
LAST_LINE = re.compile(r"^gmgan \S+: ([\d.]+) s, peak memory (\d+) MiB$", re.MULTILINE)
GRAPHS = {500: None, 2000: 10.0, 10_000: None}  # jobs: goal in seconds
JOBS_OF_A_SEED = 6 + 6 + 7 + 7 + 6  # of the five models on digits


def project(folder, suites=""):
    """A copy of the project without results; `suites` is appended to params.yaml."""
    for name in ("Snakefile", "params.yaml"):
        shutil.copy2(ROOT / name, folder / name)
    for name in ("workflow", "profiles", "gmgan"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with open(folder / "params.yaml", "a") as file:
        file.write(suites)
    return folder


def timed(folder, *arguments, check=True):
    """Wall seconds of `python -m ARGUMENTS` in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.decode()[-2000:]}")
    return time.perf_counter() - started


def start_up(folder):
    """Seconds until a sub-command gets to work, beside those of `import torch`."""
    torch = min(timed(folder, "timeit", "-n1", "-r1", "import torch") for _ in range(3))
    yield Result("start-up, import torch", torch, None, "s")
    for command in COMMANDS:
        seconds = min(timed(folder, "gmgan", *command, check=False) for _ in range(3))
        yield Result(f"start-up, gmgan {command[0]}", seconds, None, "s")


def graphs():
    """Seconds of `snakemake -n` on suites of about this many jobs."""
    for jobs, goal in GRAPHS.items():
        seeds = f"0-{round(jobs / JOBS_OF_A_SEED) - 1}"
        suite = (
            "  benchmark:\n    extends: quick\n    title: benchmark\n"
            f"    cells:\n      datasets: digits\n      K: 10\n      seeds: {seeds}\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            folder = project(Path(folder), suite)
            seconds = timed(
                folder,
                *("snakemake", "--cores", "2", "-n", "--config", "suite=benchmark"),
                *("--quiet", "all", "--", "all"),
            )
        yield Result(f"snakemake -n, {jobs:,} jobs", seconds, None, "s", goal=goal)


def quick(folder):
    """The suite `quick` from nothing on two cores: wall time, share of overhead, memory."""
    wall = timed(folder, "snakemake", "--cores", "2", "--quiet", "all", "--", "all")
    work, peaks = 0.0, {}
    for log in (folder / "results" / "logs").glob("*/*.log"):
        for seconds, peak in LAST_LINE.findall(log.read_text()):
            stage = log.parent.name
            peaks[stage] = max(peaks.get(stage, 0), int(peak))
            if stage in WORK:
                work += float(seconds)
    yield Result("quick on 2 cores, wall time", wall, None, "s", goal=300)
    share = 1 - work / (2 * wall)
    yield Result("quick, share that is not training or scoring", share, None, "", goal=0.2)
    for stage, peak in sorted(peaks.items()):
        yield Result(f"quick, peak memory of {stage}", peak, None, "MiB")


def run():
    """All results, `quick` last."""
    with tempfile.TemporaryDirectory() as folder:
        folder = project(Path(folder))
        yield from start_up(folder)
        yield from graphs()
        yield from quick(folder)
