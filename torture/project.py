"""A small project that is disturbed: its processes, its results, what they are compared with."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import psutil

from gmgan.config.loader import load
from gmgan.pipeline.runner import Runner

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("Snakefile", "params.yaml", "workflow", "profiles", "gmgan")
SUITE = """suites:
  torture:
    title: two runs with every stage
    seeds: 0
    cells:
    - datasets: toy-ring-ci
      models: gan
      K: 8
    - datasets: digits-ci
      models: gmgan-supervised
      K: 10
"""
RUNS = ("toy-ring-ci.gan.K1.s0", "digits-ci.gmgan-supervised.K10.s0")
TARGET = "benchmark"  # every stage but the page
# What differs between two undisturbed calls: times, and hashes of files that hold them.
TIMES = ("seconds", "train_seconds", "images_per_second")
HASHES = ("content", "history")
PASSING = ("logs", "locks", "checkpoints", "changes", "index.html")  # no results
TORCH_CACHE = "torchinductor_"  # a folder per user, not per process


class Project:
    """A project in `folder`, with a folder for temporary files beside it."""

    def __init__(self, folder: Path):
        self.folder, self.temporary = folder, Path(f"{folder}.tmp")
        self.temporary.mkdir(exist_ok=True)

    @classmethod
    def create(cls, folder: Path) -> "Project":
        """A copy of this checkout without results, whose suite is the one above."""
        ignored = shutil.ignore_patterns("__pycache__")
        folder.mkdir()
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=ignored)
            else:
                shutil.copy2(ROOT / part, folder / part)
        text = (folder / "params.yaml").read_text()
        text = text.replace("suite: quick", "suite: torture").replace("suites:\n", SUITE)
        (folder / "params.yaml").write_text(text.replace("_seconds: 60", "_seconds: 1"))
        return cls(folder)

    def copy(self, folder: Path) -> "Project":
        """The same project in another folder, its results and Snakemake's memory included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    @property
    def results(self) -> Path:
        """The folder of results."""
        return self.folder / "results"

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment of every process; GMGAN_TORTURE marks those of this project."""
        own = {"PYTHONPATH": str(self.folder), "TMPDIR": str(self.temporary)}
        return {**os.environ, **own, "GMGAN_TORTURE": str(self.folder)}

    def start(self, *arguments: str, target: str = TARGET) -> subprocess.Popen:
        """Start Snakemake, as the head of a group of processes; its words go into a file."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--", target]
        with open(f"{self.folder}.log", "w") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *arguments: str, target: str = TARGET) -> int:
        """Run Snakemake to its end; returns its status."""
        return self.start(*arguments, target=target).wait()

    @property
    def words(self) -> str:
        """What the last Snakemake said."""
        return Path(f"{self.folder}.log").read_text()

    def processes(self) -> list[psutil.Process]:
        """All processes of this project that run now."""
        mine = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                marked = process.environ().get("GMGAN_TORTURE") == str(self.folder)
                if marked and process.status() != psutil.STATUS_ZOMBIE:
                    mine.append(process)
        return mine

    def orphans(self, seconds: float) -> int:
        """How many processes are still there after some seconds; they are killed then."""
        until = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.05)
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        return len(left)

    def litter(self) -> list[str]:
        """What lies in the folder for temporary files; it is removed.

        Not counted is Snakemake's own folder, which a SIGKILL of Snakemake leaves.
        """
        names = [path.name for path in self.temporary.iterdir()]
        shutil.rmtree(self.temporary)
        self.temporary.mkdir()
        return [name for name in names if not name.startswith((TORCH_CACHE, "snakemake"))]

    def runner(self) -> Runner:
        """The runner of this project's results; call it in the project's folder."""
        return Runner(load(self.folder / "params.yaml"), self.results)

    def contents(self) -> dict[str, bytes]:
        """What every file of the results holds, without times: equal after each disturbance."""
        files = {p.relative_to(self.results): p for p in sorted(self.results.rglob("*"))}
        return {
            str(name): _without_times(path)
            for name, path in files.items()
            if path.is_file() and name.parts[0] not in PASSING
        }


def _without_times(path: Path) -> bytes:
    content = path.read_bytes()
    with suppress(ValueError):  # a damaged file counts as it is
        if path.suffix == ".json":
            return json.dumps(_stripped(json.loads(content))).encode()
        if path.suffix == ".csv":
            rows = list(csv.DictReader(content.decode().splitlines()))
            return json.dumps(_stripped(rows)).encode()
    return content


def _stripped(value: object) -> object:
    if isinstance(value, dict):
        left_out = (*TIMES, *HASHES)
        return {name: _stripped(item) for name, item in value.items() if name not in left_out}
    return [_stripped(item) for item in value] if isinstance(value, list) else value
