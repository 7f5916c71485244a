"""The jobs of a project: the page of stages applied to the params."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from gmgan.config.base import derived, hashed
from gmgan.config.params import Params
from gmgan.config.run import Run
from gmgan.data.archives import Archives
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import Damaged, Stamped
from gmgan.pipeline.fingerprints import code_hash, digest, library_versions
from gmgan.pipeline.stage import Key, Ref, Refs, Scope, Stage
from gmgan.pipeline.stages import STAGES

ACCEPTED = "accepted-versions.json"  # below the results folder


@dataclass(frozen=True)
class Job:
    """One stage for one key."""

    stage: Stage
    key: Key

    @property
    def names(self) -> dict[str, Any]:
        """The parts of the key by name: the wildcards of the stage's rule."""
        return dict(zip(self.stage.per, self.key, strict=True))

    def __str__(self) -> str:
        return f"{self.stage.name} {' '.join(map(str, self.key))}"


class Graph:
    """Which jobs exist, what each reads, and the fingerprint of each."""

    def __init__(self, params: Params, results: str | Path = "results"):
        self.params, self.results = params, Path(results)
        self._fingerprints: dict[Job, str] = {}
        self._scopes: dict[tuple[tuple[str, ...], Key], Scope] = {}
        self._reads: dict[Job, dict[str, Refs]] = {}
        self._runs: dict[str, Run] = {}
        self._sources: dict[Job, dict[str, str]] = {}

    def job(self, stage: str, **names: Any) -> Job:
        """The job of a stage, its key given by name (a run by its name or as a Run).

        Raises GmganError for a name that does not exist.
        """
        declared = STAGES[stage]
        if isinstance(names.get("run"), str):
            names["run"] = self._run(names["run"])
        job = Job(declared, tuple(names[name] for name in declared.per))
        if not declared.applies(self.scope(job)):
            raise GmganError(f"{job}: {declared.otherwise}")
        return job

    def scope(self, job: Job) -> Scope:
        """The names that a job's key implies."""
        place = job.stage.per, job.key
        if place not in self._scopes:
            self._scopes[place] = Scope.of(self.params, job.names)
        return self._scopes[place]

    def reads(self, job: Job) -> dict[str, Refs]:
        """What a job reads, by the name under which its function gets it."""
        if job not in self._reads:
            at = self.scope(job)
            self._reads[job] = {name: read(at) for name, read in job.stage.reads.items()}
        return self._reads[job]

    def settings(self, job: Job) -> BaseModel:
        """The typed settings that a job's function gets."""
        return job.stage.settings(self.scope(job))

    def fingerprint(self, job: Job) -> str:
        """A hash of everything that a job's result depends on.

        That is its key, its settings without options at their neutral value, the code that computes
        it, the content of the user's own files, the fingerprints of the jobs whose files it reads,
        and, where torch computes, the number of threads if it is not one: sums are split by it.
        """
        if job not in self._fingerprints:
            settings, sources = self.settings(job), self.sources(job)
            threads = self.params.execution.threads if "device" in job.stage.handles else 1
            self._fingerprints[job] = digest(
                job.stage.name,
                [str(part) for part in job.key],
                _without(hashed(settings), job.stage.unhashed),
                derived(settings),
                code_hash(*_modules(job, settings), shown=job.stage.folder is not None),
                file_hashes(job.stage.folder) if job.stage.folder else None,
                [(name, self._read_fingerprints(refs)) for name, refs in self.reads(job).items()],
                *([sources] if sources else []),
                *([{"threads": threads}] if threads > 1 else []),
            )
        return self._fingerprints[job]

    def versions(self, job: Job) -> dict[str, str | None]:
        """The versions of the libraries that compute a job's result, as they are installed."""
        return library_versions(*_modules(job, self.settings(job)))

    @cached_property
    def accepted(self) -> dict[str, list[str]]:
        """Other versions of libraries whose results are accepted, by library.

        Raises GmganError if the file that lists them is damaged.
        """
        path = self.results / ACCEPTED
        try:
            return TypeAdapter(dict[str, list[str]]).validate_json(path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError as error:
            cure = "remove it, and accept versions again: gmgan settle --accept-versions"
            raise GmganError(f"{path} holds no lists of versions; {cure}") from error

    def sources(self, job: Job) -> dict[str, str]:
        """Hashes of the user's own files that a job reads, by their names in params.yaml.

        Where they are not at hand, those from which the stored result was made.
        """
        if job not in self._sources:
            names = job.stage.sources(self.scope(job))
            self._sources[job] = {name: self._hash(job, name) for name in names}
        return self._sources[job]

    def raw_stamp(self, job: Job) -> dict[str, Any]:
        """The stamp of a job's outputs, whatever they were made from; empty if there is none."""
        carrier = job.stage.writes.get(job.stage.carrier)
        if not isinstance(carrier, Stamped):
            return {}
        try:
            return carrier.read_stamp(self.outputs(job)[job.stage.carrier])
        except (OSError, Damaged):
            return {}

    def archives(self) -> Archives:
        """The places that are searched for raw files; downloads are kept in the results folder."""
        return Archives(self.results / "archives")

    def path(self, ref: Ref) -> Path:
        """The path of a file of a job."""
        job = Job(ref.stage, ref.key)
        folder = self.folder_of(*ref.key) if ref.stage.per == ("suite",) else self.results
        return folder / ref.stage.writes[ref.output].path.format(**job.names)

    def folder_of(self, suite: Any) -> Path:
        """Where page and tables of a suite are: the results folder for the one of params.yaml."""
        return self.results if suite == self.params.suite else self.results / suite

    def outputs(self, job: Job) -> dict[str, Path]:
        """The files of a job by name."""
        return {name: self.path(Ref(job.stage, name, job.key)) for name in job.stage.writes}

    def log(self, job: Job) -> Path:
        """The file to which the rule writes the log of a job."""
        return self.results / "logs" / job.stage.name / f"{'.'.join(map(str, job.key))}.log"

    def input_files(self, job: Job) -> list[str]:
        """The files that a job reads, and the files that carry their stamps."""
        files: dict[str, None] = {}
        for ref in flat(self.reads(job).values()):
            names = dict(zip(ref.stage.per, ref.key, strict=True))
            for output in (ref.output, ref.stage.carrier):
                files[f"{self.results}/{ref.stage.writes[output].path.format(**names)}"] = None
        own = job.stage.local_files(self.scope(job))
        return [*files, *(path for path in own if path and Path(path).exists())]

    def jobs(self, suite: str) -> list[Job]:
        """All jobs of a suite, each once and after those that it reads from."""
        jobs: dict[Job, None] = {}

        def add(job: Job) -> None:
            if job not in jobs:
                for other in self.before(job):
                    add(other)
                jobs[job] = None

        add(self.job("collect", suite=suite))
        add(self.job("report", suite=suite))
        return list(jobs)

    def before(self, job: Job) -> Iterator[Job]:
        """The jobs that a job reads from, each once."""
        yield from dict.fromkeys(Job(ref.stage, ref.key) for ref in flat(self.reads(job).values()))

    def _read_fingerprints(self, refs: Refs) -> list[str]:
        jobs = dict.fromkeys(Job(ref.stage, ref.key) for ref in flat([refs]))
        return [self.fingerprint(job) for job in jobs]

    def _hash(self, job: Job, name: str) -> str:
        if path := self.archives()(name):
            from gmgan.pipeline.manifests import content_hash  # loads Pillow

            return content_hash(path, self.results / "manifests")
        return str(self.raw_stamp(job).get("sources", {}).get(name, ""))

    def _run(self, name: str) -> Run:
        if name not in self._runs:
            self._runs[name] = grid.parse_run(self.params, name)
        return self._runs[name]


def flat(refs: Iterable[Refs]) -> Iterator[Ref]:
    """All files in nested references."""
    for each in refs:
        if isinstance(each, dict):
            yield from flat(each.values())
        elif each is not None:
            yield each


def _modules(job: Job, settings: Any) -> tuple[str, ...]:
    """The modules that compute a job's result, without those that they import."""
    return job.stage.compute.partition(":")[0], *job.stage.code(settings)


@cache
def file_hashes(package: str) -> list[str]:
    """Hashes of the files beside a package's modules, such as templates."""
    folder = Path(__file__).parents[2].joinpath(*package.split("."))
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.suffix not in (".py", ".pyc")
    ]


def _without(value: Any, names: frozenset[str]) -> Any:
    """Nested dicts and lists without the entries called `names`."""
    if not names:
        return value
    if isinstance(value, dict):
        return {name: _without(item, names) for name, item in value.items() if name not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value
