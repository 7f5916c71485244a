"""Make a run again from nothing, in a folder of its own, and compare it with the stored one."""

import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gmgan.pipeline.artifacts import hash_array
from gmgan.pipeline.files import finite
from gmgan.pipeline.graph import Job
from gmgan.pipeline.provenance import provenance
from gmgan.pipeline.runner import Runner
from gmgan.pipeline.stage import Ref

# What differs from one making to the next: times, and where it was made.
NOT_COMPARED = {"seconds", "images_per_second", "stamp", "device", "weights_sha256", "data_sha256"}


def verify(runner: Runner, run_name: str) -> Iterator[tuple[str, bool]]:
    """(file, whether it is equal) of everything that the scores of a run are made of.

    Every stage runs again in a temporary folder, downloads apart. Compared are hashes of arrays,
    pictures and records, without times. Raises GmganError if the stored results are missing, of
    other parameters or code, or damaged.
    """
    last = runner.job("score", run=run_name)
    jobs: dict[Job, None] = {}
    _with_inputs(runner, last, jobs)
    stored = {job: _hashes(runner, job) for job in jobs}  # refuses what does not fit, first
    with TemporaryDirectory(prefix=".verify-", dir=runner.results) as folder:
        again = Runner(runner.params, folder)
        (Path(folder) / "archives").symlink_to((runner.results / "archives").resolve())
        for job in jobs:
            print(f"gmgan: making {job} again", file=sys.stderr, flush=True)
            again.run(job)
            made = _hashes(again, job)
            for name, path in runner.outputs(job).items():
                yield str(path), made[name] == stored[job][name]


def other_machine(runner: Runner, run_name: str) -> str:
    """In what the machine and libraries of a stored run differ from these; empty if in nothing."""
    record = runner.read("train", "record", run=run_name)
    before, now = record.stamp.provenance, provenance()
    told = ("processor", "vector_units")
    pairs = {name: (before["host"].get(name), now["host"].get(name)) for name in told}
    pairs |= {
        name: (before["versions"].get(name), version) for name, version in now["versions"].items()
    }
    return "; ".join(f"{name}: {old} -> {new}" for name, (old, new) in pairs.items() if old != new)


def _with_inputs(runner: Runner, job: Job, jobs: dict[Job, None]) -> None:
    """Add a job to `jobs`, after all that it reads from."""
    for other in runner.before(job):
        if other not in jobs:
            _with_inputs(runner, other, jobs)
    jobs[job] = None


def _hashes(runner: Runner, job: Job) -> dict[str, str]:
    """A hash of each output of a job, without what differs from one making to the next."""
    names = job.stage.writes
    return {name: _hash(runner.load(Ref(job.stage, name, job.key))) for name in names}


def _hash(value: Any) -> str:
    if isinstance(value, str):  # a history: a line per time, with its seconds
        rows = csv.DictReader(io.StringIO(value))
        value = [{k: v for k, v in row.items() if k not in NOT_COMPARED} for row in rows]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    text = json.dumps(_plain(value), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Nested dicts, lists and numbers, arrays by their hashes."""
    if is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if k not in NOT_COMPARED}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return hash_array(value) if isinstance(value, np.ndarray) else finite(value)
