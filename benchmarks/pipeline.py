"""What the pipeline costs besides training and scoring: wall time, start-up, job graphs, memory."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.result import Result
from gmgan.config.loader import load
from gmgan.pipeline.artifacts import Folder
from gmgan.pipeline.graph import Graph

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
GRAPHS = (500, 2000, 10_000)  # jobs
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


BARE = """
import json
TABLE = json.load(open("table.json"))

rule all:
    input: TABLE["all"]
"""
BARE_RULE = """
rule {stage}:
    input: lambda w: TABLE["{stage}"][".".join(w)]
    output: {outputs}
    shell: "true"
"""


def bare_project(folder, params, suite):
    """A Snakefile with the jobs and files of a suite and nothing else: paths come from a table."""
    graph = Graph(load(params))
    jobs = graph.jobs(suite)
    table, stages = {"all": []}, {}
    for job in jobs:
        stages[job.stage.name] = job.stage
        key = ".".join(map(str, job.key if job.stage.per != ("suite",) else ()))
        table.setdefault(job.stage.name, {})[key] = graph.input_files(job)
        if job.stage.name in ("score", "collect", "report"):
            table["all"] += [str(path) for path in graph.outputs(job).values()]
    text = BARE
    for name, stage in stages.items():
        folder_of = graph.folder_of(suite) if stage.per == ("suite",) else graph.results
        paths = [f"{folder_of}/{artifact.path}" for artifact in stage.writes.values()]
        outputs = ", ".join(
            f'directory("{path}")' if isinstance(artifact, Folder) else f'"{path}"'
            for path, artifact in zip(paths, stage.writes.values(), strict=True)
        )
        text += BARE_RULE.format(stage=name, outputs=outputs)
    text += 'wildcard_constraints:\n    run="[^/]+", extractor="[a-z0-9-]+", dataset="[a-z0-9-]+"\n'
    (folder / "Snakefile").write_text(text)
    (folder / "table.json").write_text(json.dumps(table))
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    return len(jobs)


def graphs():
    """Seconds of `snakemake -n` on suites of about this many jobs, and of a bare Snakefile."""
    for jobs in GRAPHS:
        seeds = f"0-{round(jobs / JOBS_OF_A_SEED) - 1}"
        suite = (
            "  benchmark:\n    extends: quick\n    title: benchmark\n"
            f"    cells:\n      datasets: digits\n      K: 10\n      seeds: {seeds}\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            folder = project(Path(folder), suite)
            (folder / "bare").mkdir()
            count = bare_project(folder / "bare", folder / "params.yaml", "benchmark")
            quiet = ("--quiet", "all", "--", "all")
            plan = ("snakemake", "--cores", "2", "-n")
            times = [
                (
                    timed(folder, *plan, "--config", "suite=benchmark", *quiet),
                    timed(folder / "bare", *plan, *quiet),
                )
                for _ in range(2)
            ]
        ours, bare = (min(side) for side in zip(*times, strict=True))
        yield Result(f"snakemake -n, {count:,} jobs", ours, bare, "s", goal=1 / 1.5)


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
