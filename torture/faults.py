"""Damage done to finished results: it is refused or mended, and no wrong number comes of it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gmgan.errors import GmganError
from gmgan.pipeline.graph import Job
from gmgan.pipeline.runner import Runner
from torture.kills import prepare
from torture.outcome import Outcome
from torture.project import RUNS, TARGET, Project

HOUR = 3600.0
REFUSED = "refused in one line, or the same results"
LINE = 300  # characters of a message
CAUSES = ("cannot write", "Read-only file system", "No space left", "Write-protected")


def faults(folder: Path, seed: int = 0) -> list[Outcome]:
    """Every fault once or once per file, in a finished project in `folder`."""
    project = Project.create(folder / "faults")
    assert project.run() == 0, project.words
    outcomes = []
    for title, damage in DAMAGES.items():
        outcomes.append(damaged_files(project, title, damage))
    outcomes.append(foreign_runs(project))
    for fault in (clock_back, two_at_once, moved, linked, read_only, full):
        outcome = fault(project.copy(folder / fault.__name__))
        outcomes.append(outcome)
    return outcomes


# --- files ----------------------------------------------------------------------------------------


def flipped(content: bytes) -> bytes:
    """One bit in the middle is another one."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit in every file that a stage reads": flipped,
    "every file that a stage reads cut in half": lambda content: content[: len(content) // 2],
    "every file that a stage reads emptied": lambda content: b"",
}


def damaged_files(project: Project, title: str, damage: Callable[[bytes], bytes]) -> Outcome:
    """Damage each file that is read, and run each kind of stage that reads it."""
    outcome = Outcome(title, REFUSED)
    for path, readers in read_files(project.runner()).items():
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
        for reader in readers:
            outcome.add(*wrong_results(project, reader))
        path.write_bytes(whole)
    return outcome


def read_files(runner: Runner) -> dict[Path, list[Job]]:
    """{file: the jobs that read it, one of each stage} of one run with its data."""
    readers: dict[Path, dict[str, Job]] = {}
    for job in runner.jobs("torture"):
        if job.stage.name == "report" or RUNS[0] in str(job):
            continue
        for name in runner.input_files(job):
            if Path(name).is_relative_to(runner.results) and RUNS[0] not in name:
                readers.setdefault(Path(name), {})[job.stage.name] = job
    return {path: list(jobs.values()) for path, jobs in readers.items()}


def wrong_results(project: Project, job: Job) -> Iterator[str]:
    """Run a job on damaged input; what is wrong with the outcome. Its outputs are put back."""
    runner = project.runner()
    paths = [path for path in runner.outputs(job).values() if path.is_file()]
    before = {path: path.read_bytes() for path in paths}
    expected = project.contents()
    try:
        runner.run(job)
        now = project.contents()
        names = [str(path.relative_to(project.results)) for path in paths]
        if differing := [name for name in names if now[name] != expected[name]]:
            yield f"wrong numbers in {differing[0]}"
    except GmganError as error:
        if len(str(error)) > LINE or "\n" in str(error):
            yield f"{job.stage.name}: a message of {len(str(error))} characters"
    except Exception as error:
        yield f"{job.stage.name}: {type(error).__name__}"
    for path, content in before.items():
        path.write_bytes(content)


def foreign_runs(project: Project) -> Outcome:
    """Files of another run of the same name in place of each of a run's own."""
    outcome = Outcome("a file of another run copied in", REFUSED)
    runner = project.runner()
    for path, readers in read_files(runner).items():
        other = project.results / "runs" / RUNS[0] / path.name
        if path.parent.name == RUNS[1] and other.exists():
            whole = path.read_bytes()
            shutil.copyfile(other, path)
            for reader in readers:
                outcome.add(*wrong_results(project, reader))
            path.write_bytes(whole)
    return outcome


# --- the surroundings -----------------------------------------------------------------------------


def clock_back(project: Project) -> Outcome:
    """All results are from the future, as after a clock was set back; a run is made again."""
    outcome = Outcome("the clock set back by an hour before a run is made")
    expected = project.contents()
    later = time.time() + HOUR
    prepare(project, 0)
    for path in project.results.rglob("*"):
        os.utime(path, (later, later))
    outcome.add(*differences(project, expected))
    return outcome


def two_at_once(project: Project) -> Outcome:
    """Two Snakemakes make the same run at the same time, the second one without its lock."""
    outcome = Outcome("two Snakemakes at once, with and without --nolock")
    for option in ("--lock", "--nolock"):
        expected = project.contents()
        prepare(project, 0)
        first = project.start()
        time.sleep(1)
        second = project.start(*([option] if option == "--nolock" else []))
        statuses = first.wait(), second.wait()
        wrong = [] if 0 in statuses else ["neither came to its end"]
        outcome.add(*wrong, *differences(project, expected))
    return outcome


def moved(project: Project) -> Outcome:
    """The project's folder gets another name: nothing is made again."""
    outcome = Outcome("the project's folder moved")
    other = Path(f"{project.folder}-elsewhere")
    project.folder.rename(other)
    outcome.add(*unchanged(Project(other)))
    return outcome


def linked(project: Project) -> Outcome:
    """The results lie elsewhere, behind a link: nothing is made again."""
    outcome = Outcome("the folder of results moved and linked")
    elsewhere = project.results.rename(Path(f"{project.folder}-results"))
    project.results.symlink_to(elsewhere)
    outcome.add(*unchanged(project))
    return outcome


def read_only(project: Project) -> Outcome:
    """Results that cannot be written: one line before any work."""
    bind = f"mount --bind {project.results} {project.results}"
    again = f"mount -o remount,ro,bind {project.results}"
    return unwritable(project, "results read-only", f"{bind} && {again}")


def full(project: Project) -> Outcome:
    """No space is left on the disk of the results: one line, nothing half-written."""
    mount = f"mount -t tmpfs -o size=16k none {project.results / 'runs'}"
    return unwritable(project, "no space left for the runs", mount)


def unwritable(project: Project, what: str, mount: str) -> Outcome:
    """Make a run again after the command `mount`, in a name space of its own (Linux, root)."""
    outcome = Outcome(what, "one line, and all is made once there is room again")
    expected = project.contents()
    prepare(project, 0)
    command = f"{mount} && exec {sys.executable} -m snakemake --cores 2 -- {TARGET}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        outcome.good = "not tried: needs the right to mount"
        return outcome
    wrong = [] if done.returncode else ["exit status 0"]
    if "Traceback" in done.stderr:
        wrong.append("traceback")
    if not any(cause in done.stderr for cause in CAUSES):
        wrong.append("no line that names the cause")
    outcome.add(*wrong, *differences(project, expected))
    return outcome


def differences(project: Project, expected: dict[str, bytes]) -> Iterator[str]:
    """What a plain re-run leaves different, or cannot do."""
    if project.run() != 0:
        yield f"the re-run failed: {project.words.strip().splitlines()[-1]}"
    now = project.contents()
    if differing := {name for name in now | expected if now.get(name) != expected.get(name)}:
        yield f"{len(differing)} files differ ({min(differing)})"


def unchanged(project: Project) -> Iterator[str]:
    """What a plain re-run makes again or cannot do."""
    times = {path: path.stat().st_mtime_ns for path in project.results.rglob("*.safetensors")}
    yield from differences(project, project.contents())
    if again := [path.name for path, old in times.items() if path.stat().st_mtime_ns != old]:
        yield f"{len(again)} files were made again ({again[0]})"
