"""Signals at random moments to every kind of process, then a plain re-run."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from gmgan.runtime.progress import Progress
from torture.outcome import Outcome
from torture.project import RUNS, Project

KILL, TERM, INT = (signal.SIGKILL,), (signal.SIGTERM,), (signal.SIGINT,)
CTRL_C_TWICE = (signal.SIGINT, signal.SIGINT)
WHOM = ("snakemake", "group", "job", "worker", "client")
KINDS = [(whom, signals) for signals in (KILL, TERM, INT) for whom in WHOM]
KINDS.remove(("worker", INT))  # it is in no terminal's group
KINDS += [("group", CTRL_C_TWICE), ("snakemake", CTRL_C_TWICE)]
ORPHAN = 3.0  # seconds after which no process may be left
HANG = 300.0  # seconds after which a call counts as one that never ends


def kills(folder: Path, count: int, seed: int = 0) -> list[Outcome]:
    """`count` signals to a project in `folder`, spread over KINDS."""
    rng = random.Random(seed)
    project = Project.create(folder / "kills")
    began = time.monotonic()
    assert project.run() == 0, project.words
    duration = (time.monotonic() - began) / len(RUNS)
    undisturbed = project.contents()
    outcomes = {kind: Outcome(f"{names(kind[1])} to {TITLES[kind[0]]}") for kind in KINDS}
    with Progress(count, "kills", "tried") as progress:
        for number in range(count):
            kind = KINDS[number % len(KINDS)]
            prepare(project, number)
            moment = rng.uniform(0.1, 0.9) * duration
            outcomes[kind].add(*disturb(project, *kind, moment, undisturbed))
            progress.update(1, f"{sum(each.wrong.total() for each in outcomes.values())} wrong")
    return [outcome for outcome in outcomes.values() if outcome.tried]


TITLES = {
    "group": "the whole group (a closed session)",
    "snakemake": "Snakemake alone",
    "job": "one job",
    "client": "the command of a rule",
    "worker": "the worker that runs the jobs",
}


def names(signals: tuple[signal.Signals, ...]) -> str:
    """SIGINT, or two of it."""
    return f"{signals[0].name}{' twice' if len(signals) > 1 else ''}"


def prepare(project: Project, number: int) -> None:
    """Take a run's results away: there is something to do again."""
    shutil.rmtree(project.results / "runs" / RUNS[number % len(RUNS)])


def disturb(
    project: Project,
    whom: str,
    signals: tuple[signal.Signals, ...],
    moment: float,
    undisturbed: dict[str, bytes],
) -> list[str]:
    """What went wrong after the signals, `moment` seconds after the start of Snakemake."""
    wrong = []
    snakemake = project.start()
    time.sleep(moment)
    victim = victim_of(project, snakemake, whom)
    for each in signals:
        with suppress(ProcessLookupError, psutil.Error):
            os.killpg(snakemake.pid, each) if whom == "group" else victim.send_signal(each)
        time.sleep(0.3)
    try:
        snakemake.wait(HANG)
    except subprocess.TimeoutExpired:
        wrong.append("hung")
    if left := project.orphans(ORPHAN):
        wrong.append(f"{left} orphans after {ORPHAN:g} s")
    if error := traceback_in(project.words, whom in ("snakemake", "group")):
        wrong.append(f"traceback: {error}")
    finished = finished_files(project)
    if project.run() != 0:
        wrong.append(f"the re-run failed: {project.words.strip().splitlines()[-1]}")
    now = project.contents()
    if differing := {name for name in now | undisturbed if now.get(name) != undisturbed.get(name)}:
        first = min(differing)
        where = difference(undisturbed.get(first, b""), now.get(first, b""))
        wrong.append(f"{len(differing)} files differ ({first}{where})")
    if lost := [path for path, inode in finished.items() if inode_of(path) != inode]:
        wrong.append(f"{len(lost)} finished files were made again ({lost[0].name})")
    if litter := project.litter():
        wrong.append(f"left in the temporary folder: {', '.join(litter)}")
    return wrong


def traceback_in(words: str, snakemake_was_hit: bool) -> str:
    """The error of the first traceback; empty if there is none.

    If the signal was sent to Snakemake too, Snakemake's own tracebacks do not count: it prints one
    if it is interrupted while it starts or cleans up.
    """
    for text in words.split("Traceback (most recent call last):\n")[1:]:
        lines = text.splitlines()
        frames = list(itertools.takewhile(lambda line: line.startswith(" ") or not line, lines))
        ours = any("gmgan/" in f for f in frames) and not any("/snakemake/" in f for f in frames)
        if ours or not snakemake_was_hit:
            return [*lines, "cut short"][len(frames)]
    return ""


def difference(before: bytes, after: bytes) -> str:
    """The fields of a JSON object that are not the same, with both values cut short."""
    with suppress(ValueError):
        a, b = json.loads(before), json.loads(after)
        if isinstance(a, dict) and isinstance(b, dict):
            differing = [name for name in sorted(a | b) if a.get(name) != b.get(name)]
            return "".join(f"; {k}: {a.get(k)!s:.200} != {b.get(k)!s:.200}" for k in differing)
    return ""


def victim_of(project: Project, snakemake: subprocess.Popen, whom: str) -> psutil.Process:
    """A process of the kind `whom`; Snakemake itself where there is none at this moment."""
    head = psutil.Process(snakemake.pid)
    until = time.monotonic() + 5
    while whom not in ("group", "snakemake") and time.monotonic() < until:
        processes = project.processes()
        words = {}
        for process in processes:
            with suppress(psutil.Error):
                words[process] = (process.cmdline(), process.ppid())
        workers = [p for p, (line, _) in words.items() if "gmgan.runtime.worker" in line]
        known = {
            "worker": [p for p in workers if words[p][1] == head.pid],
            "job": [p for p in workers if words[p][1] != head.pid],
            "client": [p for p, (line, _) in words.items() if "-S" in line and "gmgan" in line],
        }
        if known[whom]:
            return known[whom][0]
        time.sleep(0.02)
    return head


def finished_files(project: Project) -> dict[Path, int]:
    """{file: its number in the file system} of all whole, up-to-date results."""
    runner = project.runner()
    whole = [job for job in runner.jobs("torture") if job.stage.carrier and runner.fits(job)]
    files = (path for job in whole for path in runner.outputs(job).values())
    return {path: inode_of(path) for path in files}


def inode_of(path: Path) -> int:
    """The number of a file in the file system: another one once it is written again."""
    return path.stat().st_ino if path.exists() else 0
