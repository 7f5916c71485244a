"""The types with which stages.py declares stages: what a stage is, and what it can read.

A stage runs once per key: a data set, a run, a run and an extractor, or a suite. `per` names the
parts of the key; the same names stand in braces in the paths of the stage's files, and are the
wildcards of its Snakemake rule.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from gmgan.config.params import Dataset, Params
from gmgan.config.run import Run, RunSettings
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import Artifact, Stamped

Key = tuple[str | Run, ...]


@dataclass(frozen=True)
class Scope:
    """The names that a key implies: a run its data set, a data set its source. Others are empty.

    source: the data set that owns the prepared data; extractor: the data set's name for its
    extractor, extractor_id: the name of that extractor's weights.
    """

    params: Params
    suite: str = ""
    run: Run | None = None
    dataset: str = ""
    source: str = ""
    extractor: str = ""
    extractor_id: str = ""

    @classmethod
    def of(cls, params: Params, names: Mapping[str, Any]) -> "Scope":
        """The scope of a key, given as {name: part}. Raises GmganError for unknown names."""
        names = dict(names)
        if "suite" in names:
            params.lookup("suites", names["suite"])
        if "extractor_id" in names:
            owner = grid.extractor_owner(params, names["extractor_id"])
            names["dataset"], names["extractor"] = owner
        if "run" in names:
            names["dataset"] = names["run"].dataset
        dataset = names.setdefault("dataset", names.get("source", ""))
        if dataset:
            params.lookup("datasets", dataset)
            names["source"] = params.source_names[dataset]
        if "extractor" in names:
            names["extractor_id"] = grid.extractor_id(params, dataset, names["extractor"])
        return cls(params, **names)

    def seen_by(self, extractor: str) -> "Scope":
        """The same with one of the data set's extractors."""
        identifier = grid.extractor_id(self.params, self.dataset, extractor)
        return replace(self, extractor=extractor, extractor_id=identifier)

    def within(self, **names: Any) -> "Scope":
        """The scope of another key under the same params."""
        return Scope.of(self.params, names)

    @property
    def entry(self) -> Dataset:
        """The data set's entry in params.yaml."""
        return self.params.datasets[self.dataset]

    @property
    def the_run(self) -> Run:
        """The run; only for stages per run."""
        assert self.run is not None
        return self.run

    @cached_property
    def runs(self) -> list[Run]:
        """The runs of the suite; only for stages per suite."""
        return grid.suite_runs(self.params, self.suite)

    @cached_property
    def run_settings(self) -> RunSettings:
        """The resolved settings of the run; only for stages per run."""
        return grid.settings(self.params, self.the_run)


@dataclass(frozen=True)
class Needs:
    """What a job asks of the scheduler; minutes may depend on the job."""

    memory_mb: int
    minutes: int | Callable[[Scope], int]
    gpu: bool = False


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of the pipeline.

    title: what its command does. per: names of the parts of its key.
    reads: its inputs by name; the compute function gets them loaded, under these names.
    writes: its outputs by name. The last one that can carry the stamp carries it.
    settings: the typed settings that the function gets; they are part of the fingerprint, except
    the fields in `unhashed`, which say where a file lies and not what it contains.
    compute: `module:function`; its code, with all that it imports, is part of the fingerprint.
    code: further modules that compute, chosen by the settings (readers, networks, plug-ins).
    folder: a package whose other files (templates, tables) count like code.
    handles: what else the function gets from the runner (runner.py lists them).
    applies: whether the stage exists for a key; otherwise: why not, for the error.
    local_files: files of the user that it reads. sources: those, or folders, that count by content
    in the fingerprint; they lie in the project or in GMGAN_MIRROR.
    """

    name: str
    title: str
    per: tuple[str, ...]
    writes: Mapping[str, Artifact]
    compute: str
    needs: Needs
    settings: Callable[[Scope], BaseModel]
    reads: "Reads" = field(default_factory=dict)
    unhashed: frozenset[str] = frozenset()
    code: Callable[[Any], Iterable[str]] = lambda settings: ()
    folder: str | None = None
    handles: tuple[str, ...] = ()
    applies: Callable[[Scope], bool] = lambda at: True
    otherwise: str = ""
    local_files: Callable[[Scope], Iterable[str | None]] = lambda at: ()
    sources: Callable[[Scope], Iterable[str]] = lambda at: ()

    def __getitem__(self, name: str) -> "Output":
        """One of the stage's outputs, as another stage reads it."""
        return Output(self, name)

    @cached_property
    def carrier(self) -> str:
        """The output that carries the stamp; empty for outputs that no stage reads."""
        carriers = [name for name, output in self.writes.items() if isinstance(output, Stamped)]
        return carriers[-1] if carriers else ""

    @cached_property
    def asks(self) -> list[str]:
        """What its command asks for: names of Scope that imply the key."""
        implied = {"source": ["dataset"], "extractor_id": ["dataset", "extractor"]}
        return [name for part in self.per for name in implied.get(part, [part])]

    def key(self, at: Scope) -> Key:
        """The key of the stage's job in a scope."""
        return tuple(getattr(at, name) for name in self.per)


@dataclass(frozen=True)
class Ref:
    """One file of one job."""

    stage: Stage
    output: str
    key: Key


Refs = Ref | dict[Any, Any] | None  # one, many by name (nested for several names), or none


@dataclass(frozen=True)
class Output:
    """Reads the output of a stage whose key the reader's key implies."""

    stage: Stage
    name: str

    def __call__(self, at: Scope) -> Ref:
        return Ref(self.stage, self.name, self.stage.key(at))


Read = Callable[[Scope], Refs]
Reads = Mapping[str, Read]


def each_extractor(read: Read) -> Read:
    """Reads an output for every extractor of the data set: {extractor: ...}; empty for points."""
    return lambda at: {name: read(at.seen_by(name)) for name in at.entry.evaluation.extractors}


def each_run(read: Output) -> Read:
    """Reads an output for every run of the suite to which the stage applies: {run: ...}."""

    def refs(at: Scope) -> Refs:
        scopes = [at.within(run=run) for run in at.runs]
        return {each.run: read(each) for each in scopes if read.stage.applies(each)}

    return refs


def each_dataset(read: Read) -> Read:
    """Reads an output for every data set of the suite: {data set: ...}."""
    return lambda at: {
        name: read(at.within(dataset=name)) for name in dict.fromkeys(r.dataset for r in at.runs)
    }


def of_parent(read: Output, at: Scope) -> Ref | None:
    """An output of the parent, the run that a run continues from; None without a parent."""
    parent = at.run_settings.init_from
    return read(at.within(run=parent)) if parent else None
