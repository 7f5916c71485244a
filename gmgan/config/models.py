"""Networks, priors, and what a training depends on besides data."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from gmgan.config.base import (
    ByKind,
    Location,
    PluginName,
    Strict,
    check_kind,
    mistakes,
    one_of,
    section_of,
)


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


Network = Annotated[MlpNetwork | DcganNetwork | PluginEntry, ByKind()]


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


class Latent(Strict):
    """Latent space: dimension d, means in [-c, c]^d, sigma as `std` or as `variance`."""

    dim: PositiveInt
    c: PositiveFloat
    sigma: PositiveFloat
    sigma_is: Literal["std", "variance"] = "std"


class FixedPrior(Strict):
    """A prior with nothing to learn: one standard normal, or a static mixture."""

    kind: Literal["normal", "static"]


class DynamicPrior(Strict):
    """A learned mixture; `covariance` is its learned form."""

    kind: Literal["dynamic"]
    covariance: Literal["full", "diagonal", "scalar"]


Prior = Annotated[FixedPrior | DynamicPrior | PluginEntry, ByKind()]

USES_LABELS = {"gan": False, "acgan": True, "supervised": True}


class Model(Strict):
    """Prior x objective, and what it changes in its data set's settings.

    `latent` and `training` hold any fields of `Latent` and `Training`. `uses_labels` is for
    objectives of the user's own, and true for those that need class labels.
    """

    title: str
    prior: Prior
    objective: Annotated[str, AfterValidator(lambda kind: check_kind(kind, USES_LABELS))]
    uses_labels: bool | None = None
    baseline: Annotated[str, one_of("models")] | None = None
    network: Annotated[str, one_of("networks")] | None = None
    latent: dict[str, JsonValue] = {}
    training: dict[str, JsonValue] = {}
    init_from: Annotated[str, one_of("models")] | None = None

    @property
    def needs_labels(self) -> bool:
        """True if the losses use class labels."""
        return USES_LABELS.get(self.objective, bool(self.uses_labels))

    @model_validator(mode="after")
    def _labels_of_built_in_objectives_are_known(self) -> Self:
        if self.uses_labels is not None and self.objective in USES_LABELS:
            raise ValueError("uses_labels is for objectives of your own; remove it")
        return self

    @model_validator(mode="after")
    def _changes_fit_every_data_set(self, info: ValidationInfo) -> Self:
        """Validate the changes together with each data set of the file, as far as it is known."""
        lines: dict[tuple[Location, str], None] = {}
        for dataset in section_of(info.context, "datasets").values():
            for section, settings in (("latent", Latent), ("training", Training)):
                base, change = section_of(dataset, section), getattr(self, section)
                try:
                    if base and change:
                        settings.model_validate({**base, **change})
                except ValidationError as error:
                    for e in error.errors():
                        if not e["loc"] or e["loc"][0] in change:  # else the data set's mistake
                            lines[(section, *e["loc"]), e["msg"]] = None
        if lines:
            raise mistakes(lines)
        return self
