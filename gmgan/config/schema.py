"""The typed, immutable objects that params.yaml becomes.

Every field is described where it is declared; gmgan/config/params.py reads the file.
"""

import re
from functools import cached_property
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from gmgan.errors import GmganError, unknown_name
from gmgan.plugins import is_plugin


class Strict(BaseModel):
    """Unknown keys are errors and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_kind(kind, known):
    """Give back a kind that is known or a plug-in's name; raises ValueError for any other."""
    if kind not in known and not is_plugin(kind):
        raise ValueError(
            f"{unknown_name('kind', kind, known)}, or module:attribute for one of your own"
        )
    return kind


PluginName = Annotated[str, AfterValidator(lambda kind: _check_kind(kind, ()))]


def _kind_of(entry):
    return entry.get("kind") if isinstance(entry, dict) else getattr(entry, "kind", None)


class _ByKind:
    """How one of several entries, tagged by their classes' names, is chosen by `kind`.

    module:attribute chooses `plugin`.
    """

    def __init__(self, *built_in, plugin):
        self.plugin = plugin
        self.entries = {
            kind: e for e in built_in for kind in get_args(e.model_fields["kind"].annotation)
        }

    def choose(self, entry):
        return self.entries.get(_kind_of(entry), self.plugin).__name__

    def check(self, entry):
        _check_kind(str(_kind_of(entry)), self.entries)
        return entry


# --- data ------------------------------------------------------------------------------------


class PointSource(Strict):
    """2-D points from equal, isotropic Gaussians, labelled by mode."""

    std: PositiveFloat
    n_train: PositiveInt
    n_test: PositiveInt

    @property
    def sample_shape(self):
        return (2,)

    @property
    def centres(self) -> list[tuple[float, float]]:
        """The modes' centres; given by each kind of point source."""
        raise TypeError("a point source declares its centres")

    @property
    def n_classes(self):
        return len(self.centres)


class RingSource(PointSource):
    """`modes` Gaussians at equal angles on a circle."""

    kind: Literal["ring"]
    modes: PositiveInt
    radius: PositiveFloat

    @property
    def centres(self):
        from math import cos, pi, sin

        angles = [2 * pi * i / self.modes for i in range(self.modes)]
        return [(self.radius * cos(a), self.radius * sin(a)) for a in angles]


class GridSource(PointSource):
    """`side` x `side` Gaussians, `spacing` apart, centred on the origin."""

    kind: Literal["grid"]
    side: PositiveInt
    spacing: PositiveFloat

    @property
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


class PluginSource(Strict):
    """A data set of the user's own: `kind` names a function (source, archives) -> Splits.

    `sample_shape` is [S, S, 1] or [S, S, 3] for images and [2] for points; `classes` null:
    unlabelled. Points are scored by distance to their modes: class i lies around `centres[i]` with
    standard deviation `std`.
    """

    kind: PluginName
    sample_shape: tuple[PositiveInt, ...]
    classes: PositiveInt | None = None
    centres: list[tuple[float, float]] | None = None
    std: PositiveFloat | None = None
    options: dict[str, JsonValue] = {}

    @property
    def n_classes(self):
        return self.classes

    @model_validator(mode="after")
    def _points_or_square_images(self):
        shape = self.sample_shape
        points = shape == (2,)
        if not points and (
            len(shape) != 3 or shape[0] != shape[1] or shape[0] < 8 or shape[2] not in (1, 3)
        ):
            raise ValueError(
                "sample_shape is [S, S, 1] or [S, S, 3] for square images of at least 8 pixels, "
                f"or [2] for points (got {list(shape)})"
            )
        if points != (self.centres is not None) or points != (self.std is not None):
            raise ValueError("points need centres and std, images take neither")
        if points and self.classes != len(self.centres):
            raise ValueError(
                f"points are labelled by mode: classes must be {len(self.centres)}, the number of "
                f"centres (got {self.classes})"
            )
        return self


_sources = _ByKind(
    RingSource, GridSource, DigitsSource, TorchvisionSource, ImagesSource, plugin=PluginSource
)
Source = Annotated[
    Annotated[RingSource, Tag("RingSource")]
    | Annotated[GridSource, Tag("GridSource")]
    | Annotated[DigitsSource, Tag("DigitsSource")]
    | Annotated[TorchvisionSource, Tag("TorchvisionSource")]
    | Annotated[ImagesSource, Tag("ImagesSource")]
    | Annotated[PluginSource, Tag("PluginSource")],
    Discriminator(_sources.choose),
    BeforeValidator(_sources.check),
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


class PluginEntry(Strict):
    """A network or a prior of the user's own; its code is given `options`."""

    kind: PluginName
    options: dict[str, JsonValue] = {}


_networks = _ByKind(MlpNetwork, DcganNetwork, plugin=PluginEntry)
Network = Annotated[
    Annotated[MlpNetwork, Tag("MlpNetwork")]
    | Annotated[DcganNetwork, Tag("DcganNetwork")]
    | Annotated[PluginEntry, Tag("PluginEntry")],
    Discriminator(_networks.choose),
    BeforeValidator(_networks.check),
]


class Training(Strict):
    """Adam on both networks, one discriminator step and one generator step per batch.

    `kimg_continued`: budget of a model that continues another one (`init_from`); null: `kimg`.
    `snapshots`: at so many evenly spaced times, and at the start, samples are kept. `precision`:
    bfloat16 runs the networks in mixed precision; weights, losses and Adam stay float32.
    """

    kimg: PositiveFloat
    kimg_continued: PositiveFloat | None = None
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 2e-4
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    snapshots: PositiveInt = 10
    precision: Literal["float32", "bfloat16"] = "float32"


class TrainingChange(Strict):
    """What a model changes in its data set's training."""

    kimg: PositiveFloat | None = None
    batch_size: PositiveInt | None = None
    learning_rate: PositiveFloat | None = None
    beta1: Annotated[float, Field(ge=0, lt=1)] | None = None
    beta2: Annotated[float, Field(ge=0, lt=1)] | None = None
    precision: Literal["float32", "bfloat16"] | None = None


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


class FixedPrior(Strict):
    """A prior with nothing to learn: one standard normal, or a static mixture."""

    kind: Literal["normal", "static"]


class DynamicPrior(Strict):
    """A learned mixture; `covariance` is its learned form."""

    kind: Literal["dynamic"]
    covariance: Literal["full", "diagonal", "scalar"]


_priors = _ByKind(FixedPrior, DynamicPrior, plugin=PluginEntry)
Prior = Annotated[
    Annotated[FixedPrior, Tag("FixedPrior")]
    | Annotated[DynamicPrior, Tag("DynamicPrior")]
    | Annotated[PluginEntry, Tag("PluginEntry")],
    Discriminator(_priors.choose),
    BeforeValidator(_priors.check),
]

USES_LABELS = {"gan": False, "acgan": True, "supervised": True}


class Model(Strict):
    """Prior x objective, and what it changes in its data set's settings.

    `uses_labels` is for objectives of the user's own, and true for those that need class labels.
    """

    title: str
    prior: Prior
    objective: Annotated[str, AfterValidator(lambda kind: _check_kind(kind, USES_LABELS))]
    uses_labels: bool | None = None
    baseline: str | None = None
    network: str | None = None
    latent: LatentChange = LatentChange()
    training: TrainingChange = TrainingChange()
    init_from: str | None = None

    @property
    def needs_labels(self) -> bool:
        """True if the losses use class labels."""
        return USES_LABELS.get(self.objective, bool(self.uses_labels))

    @model_validator(mode="after")
    def _labels_of_built_in_objectives_are_known(self):
        if self.uses_labels is not None and self.objective in USES_LABELS:
            raise ValueError("uses_labels is for objectives of your own; remove it")
        return self


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


class Sweep(Strict):
    """The sweep of sigma_scale: `n` generated samples against `n` real ones at every scale."""

    sigma_scales: Annotated[list[PositiveFloat], Field(min_length=2)] = [
        0.1,
        0.25,
        0.5,
        1.0,
        2.0,
        4.0,
    ]
    n: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _ascending_with_the_trained_scale(self):
        if self.sigma_scales != sorted(set(self.sigma_scales)) or 1.0 not in self.sigma_scales:
            raise ValueError("sigma_scales must ascend and contain 1.0, the scale of training")
        return self


class Clustering(Strict):
    """How components cluster held-out samples, and how the k-means baselines do.

    A K-way classifier with the settings of the extractor `classifier` (null for points: a vote of
    the nearest 25) is trained on `n_generated` samples, for `kimg` (null: as long as the
    extractor). k-means takes the best of `kmeans_starts`.
    """

    classifier: str | None = None
    n_generated: PositiveInt
    kimg: PositiveFloat | None = None
    kmeans_starts: PositiveInt = 5
    pca_dim: PositiveInt = 50


class PluginMetric(Strict):
    """A score of the user's own: `kind` names a function (fake, real, **options) -> number."""

    kind: PluginName
    title: str
    better: Literal["higher", "lower"] | None = None
    options: dict[str, JsonValue] = {}


_BUILT_IN_METRIC = re.compile(
    r"modes_captured|high_quality_\w+|kimg_to_95_modes|frechet_distance|inception_score|fid|kid|"
    r"quality|diversity|quality_diversity|diversity_(intra|inter)|class_accuracy|"
    r"(precision|recall|density|coverage)_k\d+|component_(purity|acc)|cluster_(acc|purity|nmi|ari)"
)


class Evaluation(Strict):
    """How samples are scored: how many, against what, seen by whom.

    `fid_also_at`: FID once more with only so many of the generated samples, to show how the number
    moves with the count.
    `neighbours` is k of precision and recall, `density_neighbours` that of density and coverage.
    The quality score is calibrated so that a typical real held-out sample has `held_out_quality`
    and typical noise what is left to 1. `ms_ssim_scales` null: as many as the size of the images
    allows. `metrics`: scores of the user's own, by name.
    """

    extractors: list[str] = []
    split: Literal["train", "test"] = "train"
    n_real: Annotated[int, Field(ge=2)]
    n_fake: Annotated[int, Field(ge=2)]
    fid_also_at: list[Annotated[int, Field(ge=2)]] = []
    is_splits: PositiveInt = 10
    kid_subsets: PositiveInt = 100
    kid_subset_size: Annotated[int, Field(ge=2)] = 1000
    neighbours: PositiveInt = 3
    density_neighbours: PositiveInt = 5
    held_out_quality: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    ms_ssim_pairs: PositiveInt = 2000
    ms_ssim_scales: PositiveInt | None = None
    metrics: dict[str, PluginMetric] = {}
    sweep: Sweep
    clustering: Clustering

    @model_validator(mode="after")
    def _names_of_metrics_are_free(self):
        for name in self.metrics:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(
                    f"metrics.{name}: names are lower-case letters, digits and underscores"
                )
            if _BUILT_IN_METRIC.fullmatch(name):
                raise ValueError(f"metrics.{name} has the name of a built-in score; choose another")
        return self

    @model_validator(mode="after")
    def _counts_fit(self):
        if self.sweep.n > min(self.n_real, self.n_fake):
            raise ValueError(
                f"sweep.n is {self.sweep.n}, more than n_real {self.n_real} or n_fake {self.n_fake}"
            )
        if any(count >= self.n_fake for count in self.fid_also_at):
            raise ValueError(f"fid_also_at must be below n_fake {self.n_fake}")
        return self


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
    """Where and how fast; nothing here changes a result's meaning or its fingerprint.

    `gpu_slots`: so many jobs of one machine share one GPU.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1
    gpu_slots: PositiveInt = 1
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

    @property
    def model_titles(self) -> dict[str, str]:
        """A model's name -> its title."""
        return {name: model.title for name, model in self.models.items()}

    @property
    def baselines(self) -> dict[str, str]:
        """A model's name -> the model that it is compared with, for those that have one."""
        return {name: model.baseline for name, model in self.models.items() if model.baseline}

    def lookup(self, section: str, name: str):
        """The entry `name` of a section; raises GmganError that lists the names that exist."""
        entries = getattr(self, section)
        if name not in entries:
            raise GmganError(unknown_name(section.removesuffix("s"), name, entries))
        return entries[name]
