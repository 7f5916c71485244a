"""Runs a job: loads its inputs, calls its function, writes the result.

Records are read from files and written to files only here. A file that is read must carry the
expected fingerprint, contain exactly what was written, and be made from files that are the same
now. Every file is written whole or not at all, the one with the stamp last.
"""

import os
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from gmgan.config.base import hashed
from gmgan.config.params import Params
from gmgan.config.run import Run
from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import Damaged, Json, Stamped, hash_file, with_hashes
from gmgan.pipeline.checkpoints import CheckpointFile
from gmgan.pipeline.files import (
    check_writable,
    locked,
    lower_times,
    remove_temporary,
    set_aside,
)
from gmgan.pipeline.graph import Graph, Job, flat
from gmgan.pipeline.provenance import keep_changes, provenance
from gmgan.pipeline.stage import Ref, Refs
from gmgan.records import Stored


class Missing(GmganError):
    """A file that is not there."""


class Unusable(GmganError):
    """A file that is there and must not be read: damaged, or made from something else."""

    def __init__(self, path: Path, reason: str, command: str):
        super().__init__(f"{path} {reason}; make it again: {command}")
        self.path, self.reason = path, reason


class OtherVersions(GmganError):
    """A file that other versions of libraries made, and that is not accepted."""


class Runner(Graph):
    """The jobs of a project, and how they are run.

    set_aside: whether jobs rename what they find unusable, so that Snakemake makes it again.
    """

    def __init__(
        self,
        params: Params,
        results: str | Path = "results",
        processes: int = 1,
        params_file: str | Path = "params.yaml",
        set_aside: bool = False,
    ):
        super().__init__(params, results)
        self.processes, self.params_file, self.set_aside = processes, params_file, set_aside
        self._stamps: dict[Job, dict[str, Any]] = {}

    def run(self, job: Job, resume: Path | None = None) -> None:
        """Run a job and write its outputs.

        resume: a checkpoint to go on from, for trainings. Raises GmganError if the results cannot
        be written, before any work, if an input is missing, made from something else, or damaged,
        or if another process runs the job.
        """
        for folder in {path.parent for path in self.outputs(job).values()}:
            check_writable(folder)
        name = f"{job.stage.name}.{'.'.join(map(str, job.key))}"
        with locked(self.results / "locks" / name, str(job)):
            written = [*self.outputs(job).values()]
            if "checkpoint" in job.stage.handles:
                written.append(self.checkpoint(job).path)
            remove_temporary(written)
            self._make(job, resume)

    def _make(self, job: Job, resume: Path | None) -> None:
        module, _, name = job.stage.compute.partition(":")
        compute = getattr(import_module(module), name)
        try:
            inputs = self.inputs(job)
            if job.stage.per != ("suite",):
                self._forget_checkpoints(self.before(job))
            handles = {name: self._handle(name, job, resume) for name in job.stage.handles}
            value = compute(**inputs, settings=self.settings(job), **handles)
        except Unusable as error:
            if self.set_aside:
                self._set_inputs_aside(job, error)
            raise
        self.write(job, value)
        now = time.time()
        if any(os.path.getmtime(path) > now for path in self.input_files(job)):
            lower_times(self.results, now)  # else Snakemake discards what was made

    def _forget_checkpoints(self, jobs: Iterable[Job]) -> None:
        """Remove checkpoints of jobs whose outputs were read: only now are they known complete."""
        for job in jobs:
            if "checkpoint" in job.stage.handles:
                self.checkpoint(job).remove()

    def inputs(self, job: Job) -> dict[str, Any]:
        """The inputs of a job, loaded and checked; those of a suite's stage are loaded on use."""
        lazy = job.stage.per == ("suite",)
        return {name: self._load(refs, lazy) for name, refs in self.reads(job).items()}

    def read(self, stage: str, output: str, **names: Any) -> Any:
        """One output of a stage, loaded and checked."""
        job = self.job(stage, **names)
        return self.load(Ref(job.stage, output, job.key))

    def load(self, ref: Ref) -> Any:
        """The content of a file. Raises Missing, or Unusable if it is out of date or damaged."""
        job, path = Job(ref.stage, ref.key), self.path(ref)
        artifact = ref.stage.writes[ref.output]
        with self._named(job, path):
            if isinstance(artifact, Stamped) and ref.output == ref.stage.carrier:
                value, stamp = artifact.read_stamped(path)
                self._check_stamp(job, path, stamp)
                return value
            if self.stamp(job)["files"].get(ref.output) != hash_file(path):
                raise Damaged("its content is not the one that was written")
            return artifact.read(path)

    def stamp(self, job: Job) -> dict[str, Any]:
        """The stamp of a job's outputs. Raises Missing or Unusable."""
        if job not in self._stamps:
            path, artifact = self.outputs(job)[job.stage.carrier], _carrier_of(job)
            with self._named(job, path):
                self._check_stamp(job, path, artifact.read_stamp(path))
        return self._stamps[job]

    def contents(self, job: Job) -> dict[str, str]:
        """Hashes of the files that a job reads, without those that do not exist.

        Records as JSON are left out: they hold times and machines, and the numbers in them come
        from files that count.
        """
        hashes = {}
        for ref in flat(self.reads(job).values()):
            if not isinstance(ref.stage.writes[ref.output], Json):
                with suppress(Missing):
                    stamp = self.stamp(Job(ref.stage, ref.key))
                    own = ref.output == ref.stage.carrier
                    place = self.path(ref).relative_to(self.results).as_posix()
                    hashes[place] = stamp["content"] if own else stamp["files"][ref.output]
        return hashes

    def fits(self, job: Job) -> bool:
        """True if all outputs of a job are there, up to date and undamaged.

        Raises OtherVersions if they are, but made with versions of libraries that are not accepted.
        """
        try:
            for name in job.stage.writes:
                self.load(Ref(job.stage, name, job.key))
        except (Missing, Unusable):
            return False
        return True

    def write(self, job: Job, value: Any) -> None:
        """Write the outputs of a job, the one that carries the stamp last."""
        paths, stage = self.outputs(job), job.stage
        several = len(stage.writes) > 1
        values = {name: getattr(value, name) if several else value for name in stage.writes}
        others = [name for name in stage.writes if name != stage.carrier]
        for name in others:
            stage.writes[name].write(paths[name], values[name])
        if stage.carrier:
            hashes = {name: hash_file(paths[name]) for name in others}
            artifact = _carrier_of(job)
            stamp = {**self._origin(job), "files": hashes}
            if isinstance(artifact, Json):  # 25 ms; records of arrays do not show it
                stamp["provenance"] = provenance()
                keep_changes(self.results)
            record = with_hashes(artifact, values[stage.carrier], hashes)
            artifact.write_stamped(paths[stage.carrier], record, stamp)

    @cached_property
    def device(self) -> Any:
        """The torch device that params.yaml chooses; makes torch deterministic."""
        from gmgan.runtime import gpu
        from gmgan.runtime.torch_setup import use

        execution = self.params.execution
        if execution.device != "cpu":
            gpu.take_share(execution.gpu_slots)
        return use(execution.device, execution.threads)

    def checkpoint(self, job: Job, resume: Path | None = None) -> CheckpointFile:
        """The file that holds the state of a training until it ends."""
        name = f"{'.'.join(map(str, job.key))}.{self.fingerprint(job)}.safetensors"
        return CheckpointFile(
            self.results / "checkpoints" / name,
            settings=hashed(self.settings(job)),
            origin=partial(self._origin, job),
            difference=lambda o: self._difference(job, o) or self._other_version(job, o),
            resume=resume,
        )

    def state_of(self, run: Run) -> str:
        """How far a run is: `scored`, `trained`, how its training failed, or `-` (untrained).

        Where a training was interrupted: `interrupted at ... kimg`; it goes on from there. Where a
        file is damaged or made from something else: `to be made again`.
        """
        job = self.job("train", run=run)
        try:
            status = self.read("train", "record", run=run).status
        except Missing:
            kimg = self.checkpoint(job).kimg()
            return "-" if kimg is None else f"interrupted at {kimg:.4g} kimg"
        except (Unusable, OtherVersions):
            return "to be made again"
        if status != "ok":
            return status
        try:
            self.stamp(self.job("score", run=run))
        except Missing:
            return "trained"
        except (Unusable, OtherVersions):
            return "trained, scores to be made again"
        return "scored"

    def _handle(self, name: str, job: Job, resume: Path | None) -> Any:
        execution = self.params.execution
        handles: dict[str, Callable[[], Any]] = {
            "archives": self.archives,
            "device": lambda: self.device,
            "checkpoint": lambda: self.checkpoint(job, resume),
            "checkpoint_seconds": lambda: execution.checkpoint_seconds,
            "threads": lambda: execution.threads,
            "processes": lambda: self.processes,
            "provenance": lambda: {**provenance(), "params_file": str(self.params_file)},
        }
        return handles[name]()

    @contextmanager
    def _named(self, job: Job, path: Path) -> Iterator[None]:
        """Turns a missing or damaged file into an error that names `path` and the remedy."""
        try:
            yield
        except FileNotFoundError as error:
            raise Missing(f"{path} is missing; make it: {self._command(job, path)}") from error
        except Damaged as error:
            raise Unusable(path, f"is damaged ({error})", self._command(job, path)) from error

    def _check_stamp(self, job: Job, path: Path, stamp: dict[str, Any]) -> None:
        if difference := self._difference(job, stamp):
            raise Unusable(path, difference, self._command(job, path))
        if difference := self._other_version(job, stamp):
            accept = "keep such results: gmgan settle --accept-versions"
            again = f"make it again: {self._command(job, path)}"
            raise OtherVersions(f"{path} {difference}; {again}; or {accept}")
        self._stamps[job] = stamp

    def _origin(self, job: Job) -> dict[str, Any]:
        """What a job's outputs are made from, for their stamp."""
        return {
            "fingerprint": self.fingerprint(job),
            "versions": self.versions(job),
            "sources": self.sources(job),
            "inputs": self.contents(job),
        }

    def _difference(self, job: Job, origin: dict[str, Any]) -> str:
        """From what else a file was made, in words; empty if it would be made from the same now."""
        if origin.get("fingerprint") != self.fingerprint(job):
            return "was made from other parameters or other code"
        before, now = origin.get("inputs", {}), self.contents(job)
        others = [place for place, content in now.items() if before.get(place) != content]
        return f"was made from another {others[0]}" if others else ""

    def _other_version(self, job: Job, origin: dict[str, Any]) -> str:
        """Which version that is not accepted made a file, in words; empty if none."""
        for name, version in self.versions(job).items():
            before = origin.get("versions", {}).get(name)
            if before != version and before not in self.accepted.get(name, []):
                return f"was made with {name} {before}, not {version}"
        return ""

    def _command(self, job: Job, path: Path) -> str:
        """The command that makes a file, also where Snakemake takes it for up to date."""
        file, params = shlex.quote(str(path)), shlex.quote(str(self.params_file))
        if self.results == Path("results"):
            other = f" --config params={params}" if params != "params.yaml" else ""
            return f"snakemake --cores 1 --force{other} -- {file}"
        at, results = self.scope(job), shlex.quote(str(self.results))
        names = " ".join(shlex.quote(str(getattr(at, name))) for name in job.stage.asks)
        command = f"{job.stage.name.replace('_', '-')} {names}"
        return f"gmgan --params {params} --results {results} {command}"

    def _set_inputs_aside(self, job: Job, found: Unusable) -> NoReturn:
        """Set aside all that a job cannot read; `found` is the first of it."""
        moved = {found.path: set_aside(found.path)}
        for ref in flat(self.reads(job).values()):
            try:
                self.load(ref)
            except (Missing, OtherVersions):
                continue
            except Unusable as error:
                moved[error.path] = set_aside(error.path)
        more = f" (and {len(moved) - 1} more)" if len(moved) > 1 else ""
        raise GmganError(
            f"{found.path} {found.reason}: set aside as {moved[found.path].name}{more}; "
            "run snakemake again"
        ) from found

    def _load(self, refs: Refs, lazy: bool) -> Any:
        if isinstance(refs, dict):
            if lazy:
                return StoredFiles(self, refs)
            return {name: self._load(each, lazy) for name, each in refs.items()}
        return None if refs is None else self.load(refs)


def _carrier_of(job: Job) -> Stamped:
    artifact = job.stage.writes[job.stage.carrier]
    assert isinstance(artifact, Stamped)
    return artifact


class StoredFiles(Stored[Any, Any]):
    """Records by run or data set, each loaded and checked when it is asked for."""

    def __init__(self, runner: Runner, refs: dict[Run | str, Any]):
        self._runner, self._refs = runner, refs

    def __getitem__(self, key: Run | str) -> Any:
        return self._runner._load(self._refs[key], lazy=False)

    def __iter__(self) -> Iterator[Run | str]:
        return iter(self._refs)

    def __len__(self) -> int:
        return len(self._refs)

    def place(self, key: Run | str) -> str:
        """The name of the file that holds the record."""
        return str(self._runner.path(self._refs[key]))
