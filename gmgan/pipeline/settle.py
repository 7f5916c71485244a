"""Tell Snakemake which results are valid after files came from elsewhere.

Snakemake decides by file times and by its own records. Files from `dvc pull`, `dvc checkout` or a
copy have other times and no records: Snakemake would make valid files again and keep invalid ones.
Here the fingerprint and the hashes in each file decide.
"""

import base64
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gmgan.errors import GmganError
from gmgan.pipeline.files import to_json, write_text
from gmgan.pipeline.graph import ACCEPTED, Job
from gmgan.pipeline.runner import OtherVersions, Runner
from gmgan.pipeline.targets import job_of

RECOVERING = "GMGAN_RECOVERING"  # set for the Snakemake that marks files


def settle(runner: Runner, suite: str, params_file: str | Path) -> tuple[int, int, int]:
    """Mark results that fit params and code as made; remove others that Snakemake would keep.

    Snakemake writes tables and page again, which takes seconds. Returns the number of results that
    fit, as do all results that they are made from, of removed ones, and of those that other
    versions of libraries made: these are kept. Raises GmganError if Snakemake cannot plan.
    """
    jobs = [job for job in runner.jobs(suite) if job.stage.carrier]
    files = {job: set(runner.outputs(job).values()) for job in jobs}
    if not any(path.exists() for job in jobs for path in files[job]):
        return 0, 0, 0
    options = ("--config", f"suite={suite}", f"params={params_file}", "--quiet", "all")
    pending = _pending(options)
    fitting, other = set(), set()
    for job in jobs:
        try:
            if runner.fits(job):
                fitting.add(job)
        except OtherVersions:
            other.add(job)
    wrong = [job for job in jobs if job not in fitting | other and not pending & files[job]]
    removed = [job for job in wrong if _remove(files[job])]
    sound: set[Job] = set()
    for job in jobs:
        if job in fitting and sound.issuperset(runner.before(job)):
            sound.add(job)
    if any(pending & files[job] for job in sound):
        read = {before for job in sound for before in runner.before(job)}
        targets = [str(min(files[job])) for job in sound if job not in read]
        _snakemake("--touch", "--forceall", *options, "--", *targets)
    return len(sound), len(removed), len(other)


def accept_versions(runner: Runner, suite: str) -> list[str]:
    """Accept, from now on, results that were made with the versions of libraries of this suite's.

    Returns the versions that were not accepted before, such as `torch 2.8.0`.
    """
    accepted: dict[str, None] = {}
    for job in runner.jobs(suite):
        stamp = runner.raw_stamp(job)
        for name, version in runner.versions(job).items():
            before, known = stamp.get("versions", {}).get(name), runner.accepted.get(name, [])
            if before is not None and before != version and before not in known:
                runner.accepted.setdefault(name, []).append(before)
                accepted[f"{name} {before}"] = None
    if accepted:
        write_text(runner.results / ACCEPTED, to_json(runner.accepted))
    return list(accepted)


def recover(runner: Runner, suite: str, params_file: str | Path) -> list[Job]:
    """Mark results as made that an interrupted Snakemake did not record, though they are whole.

    A job whose Snakemake was interrupted may run to its end; its files fit params and code then,
    and need not be made again. Returns the jobs. Raises GmganError if Snakemake cannot mark them.
    """
    if os.environ.get(RECOVERING) or any(Path(".snakemake/locks").glob("*")):
        return []  # another Snakemake is at work
    jobs: dict[Job, None] = {}
    for path in _unrecorded():
        with suppress(GmganError, ValueError):  # no file of ours
            jobs[job_of(runner, path, suite)] = None
    whole = []
    for job in jobs:
        with suppress(OtherVersions):
            if job.stage.carrier and runner.fits(job):
                whole.append(job)
    if whole:
        files = [str(path) for job in whole for path in runner.outputs(job).values()]
        options = ("--config", f"suite={suite}", f"params={params_file}", "--quiet", "all")
        with _environment(RECOVERING, "1"):
            _snakemake("--touch", "--nolock", "--rerun-incomplete", *options, "--", *files)
    return whole


def remove_dead_locks() -> None:
    """Remove the locks that killed Snakemakes have left on this folder.

    Every Snakemake of this project shares a lock of the system until it ends, however that ends:
    where nobody else shares it, all locks of Snakemake are left-overs.
    """
    with suppress(OSError):  # read-only, or a file system without locks: Snakemake decides
        Path(".snakemake").mkdir(exist_ok=True)
        shared = os.open(".snakemake/gmgan-running", os.O_RDWR | os.O_CREAT)  # until this ends
        with suppress(BlockingIOError):
            fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in Path(".snakemake/locks").glob("*.lock"):
                left.unlink()
        fcntl.flock(shared, fcntl.LOCK_SH)


def _unrecorded() -> list[Path]:
    """The files that Snakemake takes for incomplete: names of its markers, in base64."""
    folder = Path(".snakemake/incomplete")
    marked = []
    for marker in folder.rglob("*"):
        if marker.is_file():
            name = "".join(part.removeprefix("@") for part in marker.relative_to(folder).parts)
            with suppress(ValueError):
                marked.append(Path(base64.urlsafe_b64decode(name).decode()))
    return [path for path in marked if path.exists()]


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def _remove(paths: Iterable[Path]) -> bool:
    """Remove those of `paths` that exist; True if there were any."""
    there = [path for path in paths if path.exists()]
    for path in there:
        path.unlink()
    return bool(there)


def _pending(options: tuple[str, ...]) -> set[Path]:
    """The files that Snakemake would make (again) for the whole suite."""
    lines = _snakemake("--summary", *options, "--", "all").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return {Path(row[0]) for row in rows if row[-1] == "update pending"}


def _snakemake(*arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise GmganError(f"settle: snakemake cannot plan: {words[-1].strip()}")
    return done.stdout
