"""Runs a job: loads its inputs, calls its function, writes the result.

Records are read from files and written to files only here. A file that is read must carry the
expected fingerprint and contain exactly what was written. Every file is written whole or not
at all, the one with the stamp last.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from gmgan.config.base import hashed
from gmgan.config.params import Params
from gmgan.config.run import Run
from gmgan.data.archives import Archives
from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import Damaged, Json, Stamped, hash_file, with_hashes
from gmgan.pipeline.checkpoints import CheckpointFile
from gmgan.pipeline.graph import Graph, Job
from gmgan.pipeline.provenance import keep_changes, provenance
from gmgan.pipeline.stage import Ref, Refs
from gmgan.records import Stored


class Runner(Graph):
    """The jobs of a project, and how they are run."""

    def __init__(
        self,
        params: Params,
        results: str | Path = "results",
        processes: int = 1,
        params_file: str | Path = "params.yaml",
    ):
        super().__init__(params, results)
        self.processes, self.params_file = processes, params_file
        self._stamps: dict[Job, dict[str, Any]] = {}

    def run(self, job: Job, resume: Path | None = None) -> None:
        """Run a job and write its outputs.

        resume: a checkpoint to go on from, for trainings. Raises GmganError if an input is missing,
        made from other parameters or code, or damaged.
        """
        module, _, name = job.stage.compute.partition(":")
        compute = getattr(import_module(module), name)
        handles = {name: self._handle(name, job, resume) for name in job.stage.handles}
        value = compute(**self.inputs(job), settings=self.settings(job), **handles)
        self.write(job, value)
        if "checkpoint" in handles:
            handles["checkpoint"].remove()

    def inputs(self, job: Job) -> dict[str, Any]:
        """The inputs of a job, loaded and checked; those of a suite's stage are loaded on use."""
        lazy = job.stage.per == ("suite",)
        return {name: self._load(refs, lazy) for name, refs in self.reads(job).items()}

    def read(self, stage: str, output: str, **names: Any) -> Any:
        """One output of a stage, loaded and checked."""
        job = self.job(stage, **names)
        return self.load(Ref(job.stage, output, job.key))

    def load(self, ref: Ref) -> Any:
        """The content of a file. Raises GmganError if it is missing, out of date or damaged."""
        job, path = Job(ref.stage, ref.key), self.path(ref)
        artifact = ref.stage.writes[ref.output]
        with _named(path):
            if isinstance(artifact, Stamped) and ref.output == ref.stage.carrier:
                value, stamp = artifact.read_stamped(path)
                self._check_stamp(job, path, stamp)
                return value
            if self.stamp(job)["files"].get(ref.output) != hash_file(path):
                raise Damaged("its content is not the one that was written")
            return artifact.read(path)

    def stamp(self, job: Job) -> dict[str, Any]:
        """The stamp of a job's outputs: `fingerprint`, `provenance`, `files`."""
        if job not in self._stamps:
            path, artifact = self.outputs(job)[job.stage.carrier], _carrier_of(job)
            with _named(path):
                self._check_stamp(job, path, artifact.read_stamp(path))
        return self._stamps[job]

    def fits(self, job: Job) -> bool:
        """True if all outputs of a job are there, up to date and undamaged."""
        try:
            for name in job.stage.writes:
                self.load(Ref(job.stage, name, job.key))
        except GmganError:
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
            stamp = {"fingerprint": self.fingerprint(job), "files": hashes}
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
        fingerprint = self.fingerprint(job)
        name = f"{'.'.join(map(str, job.key))}.{fingerprint}.safetensors"
        path = self.results / "checkpoints" / name
        return CheckpointFile(path, fingerprint, hashed(self.settings(job)), resume)

    def state_of(self, run: Run) -> str:
        """How far a run is: `scored`, `trained`, how its training failed, or `-` (untrained).

        Where a training was interrupted: `interrupted at ... kimg`; it goes on from there.
        """
        job = self.job("train", run=run)
        record = self.outputs(job)["record"]
        if not record.exists():
            kimg = self.checkpoint(job).kimg()
            return "-" if kimg is None else f"interrupted at {kimg:.4g} kimg"
        status = json.loads(record.read_text())["status"]
        if status != "ok":
            return status
        scored = self.outputs(self.job("score", run=run))["scores"].exists()
        return "scored" if scored else "trained"

    def archives(self) -> Archives:
        """The places that are searched for raw files; downloads are kept in the results folder."""
        return Archives(self.results / "archives")

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

    def _check_stamp(self, job: Job, path: Path, stamp: dict[str, Any]) -> None:
        if stamp.get("fingerprint") != self.fingerprint(job):
            raise GmganError(
                f"{path} was made from other parameters or other code; make it again "
                f"(snakemake --cores 1 {path})"
            )
        self._stamps[job] = stamp

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


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turns a missing or damaged file into a GmganError that names `path` and the remedy."""
    try:
        yield
    except FileNotFoundError as error:
        raise GmganError(
            f"{path} is missing; run the stage that makes it (snakemake --cores 1 {path})"
        ) from error
    except Damaged as error:
        raise GmganError(f"{path} is damaged ({error}); delete it and run again") from error


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
