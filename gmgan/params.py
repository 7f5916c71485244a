"""params.yaml as typed, validated, immutable objects.

`load` is the only way in. A mistake raises GmganError with file, line, key, value and what is
allowed. Every field is described where it is declared.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from gmgan.errors import GmganError, unknown_name

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


class Strict(BaseModel):
    """Unknown keys are errors and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- data ------------------------------------------------------------------------------------


class PointSource(Strict):
    """2-D points from equal, isotropic Gaussians, labelled by mode."""

    std: PositiveFloat
    n_train: PositiveInt
    n_test: PositiveInt

    @property
    def sample_shape(self):
        return (2,)

    def centres(self) -> list[tuple[float, float]]:
        """The modes' centres; given by each kind of point source."""
        raise TypeError("a point source declares its centres")

    @property
    def n_classes(self):
        return len(self.centres())


class RingSource(PointSource):
    """`modes` Gaussians at equal angles on a circle."""

    kind: Literal["ring"]
    modes: PositiveInt
    radius: PositiveFloat

    def centres(self):
        from math import cos, pi, sin

        angles = [2 * pi * i / self.modes for i in range(self.modes)]
        return [(self.radius * cos(a), self.radius * sin(a)) for a in angles]


class GridSource(PointSource):
    """`side` x `side` Gaussians, `spacing` apart, centred on the origin."""

    kind: Literal["grid"]
    side: PositiveInt
    spacing: PositiveFloat

    def centres(self):
        offsets = [(i - (self.side - 1) / 2) * self.spacing for i in range(self.side)]
        return [(x, y) for y in offsets for x in offsets]


class DigitsSource(Strict):
    """The 1,797 handwritten 8 x 8 digits that ship with scikit-learn."""

    kind: Literal["digits"]
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2

    @property
    def sample_shape(self):
        return (8, 8, 1)

    @property
    def n_classes(self):
        return 10


_TORCHVISION_SHAPES = {
    "mnist": (28, 28, 1),
    "fashion-mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "stl10": (96, 96, 3),
    "stl10-unlabelled": (96, 96, 3),
}


class TorchvisionSource(Strict):
    """An official data set, by torchvision's addresses and hashes.

    `size` resizes square images; null keeps the official size. `stl10-unlabelled` trains on the
    100,000 unlabelled images.
    """

    kind: Literal["mnist", "fashion-mnist", "cifar10", "stl10", "stl10-unlabelled"]
    size: PositiveInt | None = None

    @property
    def sample_shape(self):
        height, width, channels = _TORCHVISION_SHAPES[self.kind]
        return (self.size or height, self.size or width, channels)

    @property
    def n_classes(self):
        return None if self.kind == "stl10-unlabelled" else 10


class ImagesSource(Strict):
    """Any folder or zip of images sorted by class.

    Layout `train/CLASS/image` and `test/CLASS/image`, or `CLASS/image` with `test_fraction` of
    each class held out by a hash of the file's name. `path` is relative to the project or to
    GMGAN_MIRROR. `resize`: `crop` scales the short side to `size` and crops the centre;
    `stretch` ignores the aspect ratio; `none` demands images of exactly size x size.
    """

    kind: Literal["images"]
    path: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    size: Annotated[int, Field(ge=8)]
    colour: Literal["grey", "rgb"] = "rgb"
    resize: Literal["crop", "stretch", "none"] = "crop"
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    classes: PositiveInt | None = None

    @property
    def sample_shape(self):
        return (self.size, self.size, 1 if self.colour == "grey" else 3)

    @property
    def n_classes(self):
        return self.classes


Source = Annotated[
    RingSource | GridSource | DigitsSource | TorchvisionSource | ImagesSource,
    Field(discriminator="kind"),
]


# --- networks, training, priors -----------------------------------------------------------------


class MlpNetwork(Strict):
    """Fully connected generator and discriminator; hidden widths in order of computation."""

    kind: Literal["mlp"]
    generator_widths: Annotated[list[PositiveInt], Field(min_length=1)]
    discriminator_widths: Annotated[list[PositiveInt], Field(min_length=1)]
    activation: Literal["relu", "leaky-relu"] = "relu"
    batch_norm: bool = False


class DcganNetwork(Strict):
    """Transposed convolutions up, strided convolutions down (Radford et al. 2016).

    Sizes that are 4, 5, 6 or 7 times a power of two: 28, 32, 48, 64, 96, 128, ...
    """

    kind: Literal["dcgan"]
    base_channels: PositiveInt
    max_channels: PositiveInt = 512
    batch_norm: bool = True


Network = Annotated[MlpNetwork | DcganNetwork, Field(discriminator="kind")]


class Training(Strict):
    """Adam on both networks, one discriminator step and one generator step per batch."""

    kimg: PositiveFloat
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 2e-4
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999


class TrainingChange(Strict):
    """What a model changes in its data set's training."""

    kimg: PositiveFloat | None = None
    batch_size: PositiveInt | None = None
    learning_rate: PositiveFloat | None = None
    beta1: Annotated[float, Field(ge=0, lt=1)] | None = None
    beta2: Annotated[float, Field(ge=0, lt=1)] | None = None


class Latent(Strict):
    """Latent space: dimension d, means in [-c, c]^d, sigma as `std` or as `variance`."""

    dim: PositiveInt
    c: PositiveFloat
    sigma: PositiveFloat
    sigma_is: Literal["std", "variance"] = "std"


class LatentChange(Strict):
    """What a model changes in its data set's latent space."""

    dim: PositiveInt | None = None
    c: PositiveFloat | None = None
    sigma: PositiveFloat | None = None
    sigma_is: Literal["std", "variance"] | None = None


class Prior(Strict):
    """The latent prior. `covariance` is the learned form of a dynamic mixture."""

    kind: Literal["normal", "static", "dynamic"]
    covariance: Literal["full", "diagonal", "scalar"] | None = None

    @model_validator(mode="after")
    def _covariance_of_dynamic_only(self):
        if (self.kind == "dynamic") != (self.covariance is not None):
            raise ValueError(
                "covariance (full, diagonal or scalar) belongs to the dynamic prior and to no other"
            )
        return self


class Model(Strict):
    """Prior x objective, and what it changes in its data set's settings."""

    title: str
    prior: Prior
    objective: Literal["gan", "acgan", "supervised"]
    baseline: str | None = None
    network: str | None = None
    latent: LatentChange = LatentChange()
    training: TrainingChange = TrainingChange()
    init_from: str | None = None


# --- evaluation ---------------------------------------------------------------------------------


class ClassifierExtractor(Strict):
    """A small convolutional classifier, trained on the training split of the set it scores."""

    kind: Literal["classifier"]
    channels: Annotated[list[PositiveInt], Field(min_length=1)]
    feature_dim: PositiveInt
    kimg: PositiveFloat
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 1e-3
    shift: Annotated[int, Field(ge=0)] = 1


class InceptionExtractor(Strict):
    """torch-fidelity's inception-v3-compat, the one that published scores use.

    `weights` is a local .pth file; null downloads the official one. `sha256` is the start of the
    hash that the file must have.
    """

    kind: Literal["inception"]
    weights: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] = "6726825d"


Extractor = Annotated[ClassifierExtractor | InceptionExtractor, Field(discriminator="kind")]


class Evaluation(Strict):
    """How samples are scored: how many, against what, seen by whom.

    `neighbours` is k of precision and recall, `density_neighbours` that of density and coverage.
    The constant a of the quality score is set so that real held-out samples have the mean quality
    `held_out_quality`. `ms_ssim_scales` null: as many as the size of the images allows.
    """

    extractors: list[str] = []
    split: Literal["train", "test"] = "train"
    n_real: Annotated[int, Field(ge=2)]
    n_fake: Annotated[int, Field(ge=2)]
    is_splits: PositiveInt = 10
    kid_subsets: PositiveInt = 100
    kid_subset_size: Annotated[int, Field(ge=2)] = 1000
    neighbours: PositiveInt = 3
    density_neighbours: PositiveInt = 5
    held_out_quality: Annotated[float, Field(gt=0, lt=1)] = 0.95
    ms_ssim_pairs: PositiveInt = 2000
    ms_ssim_scales: PositiveInt | None = None


class Dataset(Strict):
    """A data set with the budgets that belong to it. `extends` copies another entry first."""

    title: str
    extends: str | None = None
    source: Source
    network: str | None = None
    latent: Latent
    training: Training
    evaluation: Evaluation

    @property
    def is_points(self):
        """True for 2-D toy data, False for images."""
        return len(self.source.sample_shape) == 1


class Cells(Strict):
    """One block of the grid: data sets x models x K x seeds."""

    datasets: Annotated[list[str], Field(min_length=1)]
    models: Annotated[list[str], Field(min_length=1)]
    K: Annotated[list[PositiveInt], Field(min_length=1)]
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class Suite(Strict):
    """A named choice of cells."""

    title: str
    cells: Annotated[list[Cells], Field(min_length=1)]


class Execution(Strict):
    """Where and how fast; nothing here changes a result's meaning or its fingerprint."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60


class Params(Strict):
    """The whole of params.yaml."""

    suite: str
    execution: Execution = Execution()
    datasets: dict[str, Dataset]
    networks: dict[str, Network]
    models: dict[str, Model]
    extractors: dict[str, Extractor]
    suites: dict[str, Suite]

    @cached_property
    def source_names(self) -> dict[str, str]:
        """For each data set, the entry whose prepared data it uses.

        An entry that extends another and keeps its source shares the other's files.
        """

        def owner(name):
            parent = self.datasets[name].extends
            same = parent and self.datasets[parent].source == self.datasets[name].source
            return owner(parent) if same else name

        return {name: owner(name) for name in self.datasets}

    def lookup(self, section: str, name: str):
        """The entry `name` of a section; raises GmganError that lists the names that exist."""
        entries = getattr(self, section)
        if name not in entries:
            raise GmganError(unknown_name(section.removesuffix("s"), name, entries))
        return entries[name]


# --- reading ------------------------------------------------------------------------------------


def load(path="params.yaml") -> Params:
    """Read and validate a params file.

    Raises GmganError naming the file, the line, the key and the value.
    """
    path = Path(path)
    try:
        text = path.read_text()
    except OSError as error:
        raise GmganError(
            f"cannot read {path}: {error.strerror}; run in the project's folder or "
            "name the file with --params"
        ) from error
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_duplicate_keys(path, tree)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise GmganError(
            f"{path}:{line}: not valid YAML: {getattr(error, 'problem', error)}"
        ) from error
    if not isinstance(raw, dict):
        raise GmganError(f"{path}:1: expected a mapping with the sections of params.yaml")
    _merge_extended_datasets(path, tree, raw)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        value = "" if isinstance(first["input"], dict) else f" (got {first['input']!r})"
        place = _describe(path, tree, first["loc"])
        more = error.error_count() - 1
        also = f"; {more} more mistake{'s' if more > 1 else ''} after it" if more else ""
        raise GmganError(f"{place}: {first['msg']}{value}{also}") from error
    _check_references(path, tree, params)
    return params


def _merge_extended_datasets(path, tree, raw):
    datasets = raw.get("datasets")
    if not isinstance(datasets, dict):
        return
    done = {}

    def resolve(name, chain):
        if name in done:
            return done[name]
        entry = datasets[name]
        parent = entry.get("extends") if isinstance(entry, dict) else None
        if parent is None:
            return entry
        place = _describe(path, tree, ("datasets", name, "extends"))
        if parent not in datasets:
            raise GmganError(f"{place}: {unknown_name('dataset', str(parent), datasets)}")
        if parent in chain:
            raise GmganError(f"{place}: data sets extend each other in a circle")
        done[name] = _deep_merge(resolve(parent, [*chain, name]), entry)
        return done[name]

    for name in datasets:
        datasets[name] = resolve(name, [name])


def _deep_merge(base, change):
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    if "kind" in change and change["kind"] != base.get("kind"):
        return change
    return {**base, **{key: _deep_merge(base.get(key), value) for key, value in change.items()}}


def _check_references(path, tree, params):
    def check(location, section, name):
        entries = getattr(params, section)
        if name is not None and name not in entries:
            place = _describe(path, tree, location)
            raise GmganError(f"{place}: {unknown_name(section.removesuffix('s'), name, entries)}")

    check(("suite",), "suites", params.suite)
    for section in ("datasets", "models", "suites"):
        for name in getattr(params, section):
            if not NAME.fullmatch(name):
                place = _describe(path, tree, (section, name))
                raise GmganError(
                    f"{place}: names are lower-case letters, digits and hyphens (got {name!r})"
                )
    for name, dataset in params.datasets.items():
        check(("datasets", name, "network"), "networks", dataset.network)
        for extractor in dataset.evaluation.extractors:
            check(("datasets", name, "evaluation", "extractors"), "extractors", extractor)
        if dataset.is_points == bool(dataset.evaluation.extractors):
            place = _describe(path, tree, ("datasets", name, "evaluation"))
            raise GmganError(
                f"{place}: images need at least one extractor, points are scored in "
                f"data space and take none (got {dataset.evaluation.extractors})"
            )
    for name, model in params.models.items():
        check(("models", name, "network"), "networks", model.network)
        check(("models", name, "init_from"), "models", model.init_from)
        check(("models", name, "baseline"), "models", model.baseline)
    for name, suite in params.suites.items():
        for i, cells in enumerate(suite.cells):
            for dataset in cells.datasets:
                check(("suites", name, "cells", i, "datasets"), "datasets", dataset)
            for model in cells.models:
                check(("suites", name, "cells", i, "models"), "models", model)


def _refuse_duplicate_keys(path, node):
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise GmganError(
                    f"{path}:{key.start_mark.line + 1}: key '{key.value}' is given twice; keep one"
                )
            seen.add(key.value)
            _refuse_duplicate_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_duplicate_keys(path, value)


def _describe(path, tree, location):
    """`file:line: dotted.key` for a location; the line of the deepest part that exists."""
    node, line, keys = tree, 1, []
    for part in location:
        child = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    child, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and part in range(len(node.value)):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is not None:
            node = child
            keys.append(str(part))
        elif part == location[-1]:
            keys.append(str(part))
    return f"{path}:{line}: {'.'.join(keys)}"
