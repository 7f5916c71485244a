"""The whole of params.yaml: data sets, networks, models, extractors and suites."""

import re
from functools import cached_property
from math import prod
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    NonNegativeInt,
    ValidationInfo,
    model_validator,
)

from gmgan.config.base import (
    AtMost,
    Distinct,
    Groups,
    Location,
    Neutral,
    Strict,
    Title,
    Whole,
    mistakes,
    one_of,
    section_of,
)
from gmgan.config.data import Source
from gmgan.config.evaluation import Evaluation, Extractor
from gmgan.config.models import Latent, Model, Network, PluginEntry, Training
from gmgan.errors import GmganError, shortened, unknown_name

_Settings = TypeVar("_Settings", Latent, Training)
Many = Field(min_length=1)
MOST_RUNS = 5000  # (ours) of all suites together; to plan so many takes Snakemake minutes
# A suite has a folder of its own beside these.
RESULT_FOLDERS = (
    *("archives", "changes", "checkpoints", "compare", "data", "drawn", "explorer", "extractors"),
    *("figures", "locks", "logs", "manifests", "real", "reference", "runs", "tables"),
)


class Dataset(Strict):
    """A data set with the budgets that belong to it. `extends` copies another entry first.

    `class_shares`: of each class that it names, the share of its samples that both splits keep; a
    class is named as the data set names it, for example '8' of digits. `recipes`: values of
    parameters on this data set for each model that it names (gmgan/config/vary.py).
    """

    title: Title
    extends: str | None = None
    source: Source
    class_shares: Annotated[
        dict[Annotated[str, BeforeValidator(str)], Annotated[float, Field(gt=0, le=1)]],
        Neutral({}),
    ] = {}
    network: Annotated[str, one_of("networks")] | None = None
    latent: Latent
    training: Training
    evaluation: Evaluation
    recipes: Annotated[
        dict[Annotated[str, one_of("models")], dict[str, JsonValue]], Neutral({})
    ] = {}

    @property
    def is_points(self) -> bool:
        """True for 2-D toy data, False for images."""
        return len(self.source.sample_shape) == 1

    @property
    def default_network(self) -> str:
        """The network for the shape of the data when neither data set nor model names one."""
        if self.is_points:
            return "mlp-points"
        return "mlp-small" if max(self.source.sample_shape[:2]) <= 16 else "dcgan"

    @model_validator(mode="after")
    def _extractors_fit_the_data(self, info: ValidationInfo) -> Self:
        """Images are scored through extractors, points in data space."""
        names, classifier = self.evaluation.extractors, self.evaluation.clustering.classifier
        lines: dict[Location, str] = {}
        if self.is_points == bool(names):
            lines["evaluation", "extractors"] = (
                "images need at least one extractor, points are scored in data space and take none "
                f"(got {names})"
            )
        entry = section_of(section_of(info.context, "extractors"), classifier)
        if (
            self.is_points != (classifier is None)
            or entry.get("kind", "classifier") != "classifier"
        ):
            lines["evaluation", "clustering", "classifier"] = (
                "images need an extractor of kind classifier, points take null "
                f"(got {classifier!r})"
            )
        if lines:
            raise mistakes(lines.items())
        return self


Seed = Annotated[NonNegativeInt, Field(strict=True), AtMost(4_294_967_295, "a seed has 32 bits")]


def _expand_ranges(seeds: Any) -> Any:
    """[3, "5-7"] -> [3, 5, 6, 7]. Raises ValueError for a range that is too long or falls."""
    if not isinstance(seeds, list):
        return seeds
    expanded: list[Any] = []
    for seed in seeds:
        match = re.fullmatch(r"(\d{1,10})-(\d{1,10})", seed) if isinstance(seed, str) else None
        numbers = range(int(match[1]), int(match[2]) + 1) if match else [seed]
        if isinstance(seed, str) and not 2 <= len(numbers) <= MOST_RUNS:
            raise ValueError(
                f"a seed is a number or a range such as 0-4, of at most {MOST_RUNS:,} "
                f"(got {shortened(repr(seed), 50)})"
            )
        expanded += numbers
    return expanded


def _single_values(vary: Any) -> Any:
    """{a: 1, b: [2, 3]} -> {a: [1], b: [2, 3]}."""
    if not isinstance(vary, dict):
        return vary
    return {path: each if isinstance(each, list) else [each] for path, each in vary.items()}


class Cells(Strict):
    """One block of a suite: data sets x models x K x varied values x seeds.

    A range `0-2` is the seeds 0, 1, 2. `vary` gives values of parameters (gmgan/config/vary.py).
    """

    datasets: Annotated[list[Annotated[str, one_of("datasets")]], Many, Distinct]
    models: Annotated[list[Annotated[str, one_of("models")]], Many, Distinct]
    K: Annotated[list[Groups], Many, Distinct]
    seeds: Annotated[list[Seed], Many, BeforeValidator(_expand_ranges), Distinct]
    vary: Annotated[
        dict[str, Annotated[list[JsonValue], Many]], BeforeValidator(_single_values)
    ] = {}

    @property
    def count(self) -> int:
        """The number of combinations."""
        fixed = len(self.datasets) * len(self.models) * len(self.K) * len(self.seeds)
        return fixed * prod(len(values) for values in self.vary.values())


class Suite(Strict):
    """A named list of runs, in blocks. `extends` copies another suite first.

    The `datasets`, `models`, `K`, `seeds` and `vary` of the suite itself hold for every block of
    `cells` that does not give its own; without `cells` they are the only block.
    """

    title: Title
    extends: str | None = None
    cells: Annotated[list[Cells], Many]

    @classmethod
    def known_keys(cls) -> list[str]:
        return [*cls.model_fields, *Cells.model_fields]

    @model_validator(mode="before")
    @classmethod
    def _complete_the_blocks(cls, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        own = dict(entry)
        shared = {key: own.pop(key) for key in Cells.model_fields if key in own}
        blocks = own.get("cells", [{}])
        if isinstance(blocks, list):
            blocks = [{**shared, **b} if isinstance(b, dict) else b for b in blocks]
        return {**own, "cells": blocks}


class Execution(Strict):
    """Where and how fast; nothing here changes a result's meaning.

    `threads`: other than 1 it is part of the fingerprint where torch computes, since sums are split
    by it; the others are part of none. `gpu_slots`: so many jobs of one machine share one GPU.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[Whole, AtMost(1024, "no machine has so many cores")] = 1
    gpu_slots: Annotated[Whole, AtMost(64, "the jobs must fit into the memory of one GPU")] = 1
    checkpoint_seconds: Annotated[float, Field(ge=0), AtMost(86_400, "that is a day")] = 60


def _entry_name(name: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        return name
    raise ValueError(f"names are lower-case letters, digits and hyphens (got {name!r})")


def _suite_name(name: str) -> str:
    if name in RESULT_FOLDERS:
        raise ValueError(f"'{name}' is a folder of results; choose another name for the suite")
    return name


EntryName = Annotated[str, AfterValidator(_entry_name)]


class Params(Strict):
    """The whole of params.yaml."""

    suite: Annotated[str, one_of("suites")]
    execution: Execution = Execution()
    datasets: dict[EntryName, Dataset]
    networks: dict[EntryName, Network]
    models: dict[EntryName, Model]
    extractors: dict[EntryName, Extractor]
    suites: dict[Annotated[EntryName, AfterValidator(_suite_name)], Suite]

    @model_validator(mode="after")
    def _titles_differ(self) -> Self:
        """Tables and figures call models by their titles."""
        first: dict[str, str] = {}
        lines: dict[Location, str] = {}
        for name, model in sorted(self.models.items(), key=lambda item: bool(item[1].extends)):
            other = first.setdefault(model.title, name)
            if other != name:
                key = "extends" if model.extends else "title"
                text = f"its title is the one of '{other}', too; give it a title of its own"
                lines["models", name, key] = text
        if lines:
            raise mistakes(lines.items())
        return self

    @model_validator(mode="after")
    def _models_refer_to_others(self) -> Self:
        lines: dict[Location, str] = {
            ("models", name, key): f"it is the model itself; name another one or remove {key}"
            for name, model in self.models.items()
            for key in ("baseline", "init_from")
            if getattr(model, key) == name
        }
        if lines:
            raise mistakes(lines.items())
        return self

    @model_validator(mode="after")
    def _suites_can_be_planned(self) -> Self:
        total = 0
        for name, suite in self.suites.items():
            total += sum(cells.count for cells in suite.cells)
            if total > MOST_RUNS:
                text = f"up to here the suites have {total:,} runs, at most {MOST_RUNS:,} together"
                raise mistakes([(("suites", name), f"{text}; Snakemake cannot plan more")])
        return self

    @cached_property
    def source_names(self) -> dict[str, str]:
        """The entry whose prepared data each data set uses.

        An entry that extends another and keeps its source and its `class_shares` shares the other's
        files.
        """

        def owner(name: str) -> str:
            parent = self.datasets[name].extends
            if parent and all(
                getattr(self.datasets[parent], part) == getattr(self.datasets[name], part)
                for part in ("source", "class_shares")
            ):
                return owner(parent)
            return name

        return {name: owner(name) for name in self.datasets}

    def latent_of(self, dataset: str, model: str) -> Latent:
        """The latent space of a model on a data set: the data set's, changed by the model."""
        return _changed(self.datasets[dataset].latent, self.models[model].latent)

    def training_of(self, dataset: str, model: str) -> Training:
        """The training of a model on a data set: the data set's, changed by the model.

        A model that continues another one gets `kimg_continued` as its `kimg`; the result's own
        `kimg_continued` is null.
        """
        training = self.full_training_of(dataset, model)
        if training.kimg_continued is None:
            return training
        kimg = training.kimg_continued if self.models[model].init_from else training.kimg
        return training.model_copy(update={"kimg": kimg, "kimg_continued": None})

    def full_training_of(self, dataset: str, model: str) -> Training:
        """The same with both budgets."""
        return _changed(self.datasets[dataset].training, self.models[model].training)

    def network_name(self, dataset: str, model: str) -> str:
        """The model's choice of a network, else the data set's, else by the shape of the data."""
        entry = self.datasets[dataset]
        return self.models[model].network or entry.network or entry.default_network

    def network_of(self, dataset: str, model: str) -> Network:
        """The networks of a model on a data set.

        The model's normalisation replaces theirs. Raises GmganError if a network of the user's own
        is to change its normalisation.
        """
        change = self.models[model]
        network: Network = self.lookup("networks", self.network_name(dataset, model))
        for part in ("generator", "discriminator"):
            normalisation = getattr(change, part)
            if not normalisation:
                continue
            if isinstance(network, PluginEntry):
                raise GmganError(
                    f"models.{model}.{part}: {network.kind} chooses its normalisation itself; "
                    "give it an option for that"
                )
            changed = getattr(network, part).model_copy(update=normalisation)
            network = network.model_copy(update={part: changed})
        return network

    def lookup(self, section: str, name: str) -> Any:
        """The entry `name` of a section; raises GmganError that lists the names that exist."""
        entries = getattr(self, section)
        if name not in entries:
            raise GmganError(unknown_name(section.removesuffix("s"), name, entries))
        return entries[name]


def _changed(base: _Settings, change: dict[str, JsonValue]) -> _Settings:
    """`base` with the changed fields, validated together."""
    return type(base).model_validate({**base.model_dump(), **change}) if change else base
