"""Sources of data sets: where the samples come from and which shape they have."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from gmgan.config.base import (
    AtMost,
    ByKind,
    Groups,
    Pixels,
    PluginName,
    Samples,
    Scale,
    Strict,
    Whole,
)


class PointSource(Strict):
    """2-D points from equal, isotropic Gaussians, labelled by mode."""

    std: Scale
    n_train: Samples
    n_test: Samples
    sample_shape: ClassVar[tuple[int, ...]] = (2,)


class RingSource(PointSource):
    """`modes` Gaussians at equal angles on a circle."""

    kind: Literal["ring"]
    modes: Groups
    radius: Scale

    @property
    def n_classes(self) -> int:
        return self.modes


class GridSource(PointSource):
    """`side` x `side` Gaussians, `spacing` apart, centred on the origin."""

    kind: Literal["grid"]
    side: Annotated[Whole, AtMost(100, "every mode needs samples of its own")]
    spacing: Scale

    @property
    def n_classes(self) -> int:
        return self.side * self.side


class DigitsSource(Strict):
    """The 1,797 handwritten 8 x 8 digits that ship with scikit-learn."""

    kind: Literal["digits"]
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    sample_shape: ClassVar[tuple[int, ...]] = (8, 8, 1)
    n_classes: ClassVar[int] = 10


OfficialName = Literal["mnist", "fashion-mnist", "cifar10", "stl10", "stl10-unlabelled"]


class TorchvisionSource(Strict):
    """An official data set, by torchvision's addresses and hashes.

    `size` resizes square images; null keeps the official size. `stl10-unlabelled` trains on the
    100,000 unlabelled images.
    """

    kind: OfficialName
    size: Pixels | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        official = {"mnist": 28, "fashion-mnist": 28, "cifar10": 32}.get(self.kind, 96)
        size = self.size or official
        return (size, size, 1 if official == 28 else 3)

    @property
    def n_classes(self) -> int | None:
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
    size: Annotated[Pixels, Field(ge=8)]
    colour: Literal["grey", "rgb"] = "rgb"
    resize: Literal["crop", "stretch", "none"] = "crop"
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    classes: Groups | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.size, self.size, 1 if self.colour == "grey" else 3)

    @property
    def n_classes(self) -> int | None:
        return self.classes


class PluginSource(Strict):
    """A data set of the user's own: `kind` names a function (source, archives) -> Splits.

    `sample_shape` is [S, S, 1] or [S, S, 3] for images and [2] for points; `classes` null:
    unlabelled. Points are scored by distance to their modes: class i lies around `centres[i]` with
    standard deviation `std`.
    """

    kind: PluginName
    sample_shape: tuple[Pixels, ...]
    classes: Groups | None = None
    centres: list[tuple[float, float]] | None = None
    std: Scale | None = None
    options: dict[str, JsonValue] = {}

    @property
    def n_classes(self) -> int | None:
        return self.classes

    @model_validator(mode="after")
    def _points_or_square_images(self) -> Self:
        shape = self.sample_shape
        points = shape == (2,)
        square = len(shape) == 3 and shape[0] == shape[1] >= 8 and shape[2] in (1, 3)
        if not points and not square:
            raise ValueError(
                "sample_shape is [S, S, 1] or [S, S, 3] for square images of at least 8 pixels, "
                f"or [2] for points (got {list(shape)})"
            )
        if points != (self.centres is not None) or points != (self.std is not None):
            raise ValueError("points need centres and std, images take neither")
        if self.centres is not None and self.classes != len(self.centres):
            raise ValueError(
                f"points are labelled by mode: classes must be {len(self.centres)}, the number of "
                f"centres (got {self.classes})"
            )
        return self


Source = Annotated[
    RingSource | GridSource | DigitsSource | TorchvisionSource | ImagesSource | PluginSource,
    ByKind(),
]
