"""Networks, priors, and what a training depends on besides data."""

from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    JsonValue,
    NonNegativeFloat,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from gmgan.config.base import (
    AtMost,
    Batch,
    ByKind,
    Kimg,
    Location,
    Neutral,
    PluginName,
    Rate,
    Scale,
    Strict,
    Times,
    Title,
    Whole,
    Width,
    mistakes,
    one_of,
    section_of,
)


class Normalisation(Strict):
    """Normalisation of the layers of one network; both switches are independent.

    `spectral_norm`: every weight is divided by its largest singular value (Miyato et al. 2018).
    """

    batch_norm: bool = False
    spectral_norm: Annotated[bool, Neutral(False)] = False


Switch = Literal["batch_norm", "spectral_norm"]
Widths = Annotated[list[Width], Field(min_length=1, max_length=100)]
Weight = Annotated[NonNegativeFloat, AtMost(1_000_000, "the other losses would not count")]


class BuiltInNetwork(Strict):
    """What the networks of this package have in common."""

    def misfit(self, sample_shape: tuple[int, ...]) -> str:
        """Why they cannot have a shape, (2,) or (S, S, channels), and a cure; empty if they can."""
        return ""


class MlpNetwork(BuiltInNetwork):
    """Fully connected generator and discriminator; hidden widths in order of computation."""

    kind: Literal["mlp"]
    generator_widths: Widths
    discriminator_widths: Widths
    activation: Literal["relu", "leaky-relu"] = "relu"
    generator: Normalisation = Normalisation()
    discriminator: Normalisation = Normalisation()


class DcganNetwork(BuiltInNetwork):
    """Transposed convolutions up, strided convolutions down (Radford et al. 2016).

    Sizes that are 4, 5, 6 or 7 times a power of two: 28, 32, 48, 64, 96, 128, ...
    `discriminator_channels`: base channels of the discriminator; null: `base_channels`.
    """

    kind: Literal["dcgan"]
    base_channels: Width
    discriminator_channels: Annotated[Width | None, Neutral(None)] = None
    max_channels: Width = 512
    generator: Normalisation = Normalisation(batch_norm=True)
    discriminator: Normalisation = Normalisation(batch_norm=True)

    def misfit(self, sample_shape: tuple[int, ...]) -> str:
        size, other = sample_shape[0], "choose a network of kind mlp"
        if len(sample_shape) == 1:
            return f"a dcgan makes square images, the data are points; {other}"
        if not any(size == start << n for start in (4, 5, 6, 7) for n in range(1, 10)):
            return (
                f"no dcgan for images of {size} pixels: the size must be 4, 5, 6 or 7 times a "
                f"power of two, such as 28, 32, 48, 64 or 96; set source.size, or {other}"
            )
        return ""


class PluginEntry(Strict):
    """A part of a model of the user's own; its code is given `options`."""

    kind: PluginName
    options: dict[str, JsonValue] = {}


Network = Annotated[MlpNetwork | DcganNetwork | PluginEntry, ByKind()]


class Training(Strict):
    """Adam on both networks, `critic_steps` discriminator steps for each generator step.

    `kimg`: real images shown to the discriminator, in thousands, all of its steps counted.
    `kimg_continued`: budget of a model that continues another one (`init_from`); null: `kimg`.
    `discriminator_learning_rate` null: `learning_rate`. Both rates fall linearly to zero from the
    fraction `decay_from` of the training on. `average_half_life_kimg`: samples come from a moving
    average of the generator's weights with this half-life, at the start from a shorter one
    (`average_warm_up` times the images shown so far); null: from the last weights.
    `snapshots`: at so many evenly spaced times, and at the start, samples are kept. `precision`:
    bfloat16 runs the networks in mixed precision; weights, losses, penalties and Adam stay float32.
    """

    kimg: Kimg
    kimg_continued: Kimg | None = None
    batch_size: Batch = 64
    critic_steps: Annotated[Whole, AtMost(1000, "G would hardly learn"), Neutral(1)] = 1
    learning_rate: Rate = 2e-4
    discriminator_learning_rate: Annotated[Rate | None, Neutral(None)] = None
    decay_from: Annotated[float, Field(ge=0, le=1), Neutral(1.0)] = 1.0
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    average_half_life_kimg: Annotated[Kimg | None, Neutral(None)] = None
    average_warm_up: Annotated[Scale, Neutral(0.05)] = 0.05
    snapshots: Annotated[Whole, AtMost(10_000, "each keeps samples in one file")] = 10
    precision: Literal["float32", "bfloat16"] = "float32"


class Latent(Strict):
    """Latent space: dimension d, means in [-c, c]^d, sigma as `std` or as `variance`."""

    dim: Width
    c: Scale
    sigma: Scale
    sigma_is: Literal["std", "variance"] = "std"


class NormalPrior(Strict):
    """One standard normal; K is 1."""

    kind: Literal["normal"]


class Mixture(Strict):
    """A mixture of K Gaussians. `weights`: alpha_k, uniform, learned, or K positive numbers.

    Given weights are divided by their sum. Learned ones are trained with `weights_learning_rate`.
    """

    weights: Annotated[Literal["uniform", "learned"] | list[Scale], Neutral("uniform")] = "uniform"
    weights_learning_rate: Annotated[Rate, Neutral(0.001)] = 0.001


class StaticPrior(Mixture):
    """A mixture with fixed means and covariances.

    `static`: means drawn uniformly from [-c, c]^d, covariance std^2 I. `one-hot`: normal noise of
    dimension d and standard deviation std beside a one-hot vector of K, the component.
    """

    kind: Literal["static", "one-hot"]


class DynamicPrior(Mixture):
    """A learned mixture; `covariance` is its learned form.

    `sigma_penalty`: weight of (1 - std)^2, the mean over components and dimensions, which keeps
    standard deviations from shrinking to zero (DeLiGAN, Gurumurthy et al. 2017).
    """

    kind: Literal["dynamic"]
    covariance: Literal["full", "diagonal", "scalar"]
    sigma_penalty: Annotated[Weight, Neutral(0.0)] = 0.0

    @model_validator(mode="after")
    def _penalty_fits_the_covariance(self) -> Self:
        if self.sigma_penalty and self.covariance == "full":
            raise ValueError(
                "sigma_penalty needs standard deviations: set covariance to diagonal or scalar"
            )
        return self


Prior = Annotated[NormalPrior | StaticPrior | DynamicPrior | PluginEntry, ByKind()]


class BuiltInObjective(Strict):
    """The losses of both networks; gmgan/models/objectives has a file for each kind."""

    kind: Literal[
        "gan", "hinge", "least-squares", "wasserstein", "relativistic", "acgan", "supervised"
    ]


Objective = Annotated[BuiltInObjective | PluginEntry, ByKind()]


class SquaredGradientPenalty(Strict):
    """gamma / 2 times the squared gradient of D at real (r1) or generated (r2) samples.

    `every`: computed in every n-th discriminator step only, and then multiplied by n.
    """

    kind: Literal["r1", "r2"]
    gamma: Scale
    every: Times = 1


class InterpolatePenalty(Strict):
    """`weight` times (norm of D's gradient - 1)^2 between real and generated samples (WGAN-GP)."""

    kind: Literal["gradient-penalty"]
    weight: Scale = 10.0
    every: Times = 1


class PluginPenalty(PluginEntry):
    """A penalty of the user's own."""

    every: Times = 1


Penalty = Annotated[SquaredGradientPenalty | InterpolatePenalty | PluginPenalty, ByKind()]


class Encoder(Strict):
    """Recovers the component and the noise of a generated sample.

    `information` and `reconstruction` are the weights of the cross-entropy of the component and of
    the mean squared error of the noise. `network`: a linear layer on the discriminator's features,
    or a network of its `own` with the layers of a discriminator.
    """

    kind: Literal["encoder"]
    information: Weight = 1.0
    reconstruction: Weight = 0.0
    network: Literal["features", "own"] = "features"


Auxiliary = Annotated[Encoder | PluginEntry, ByKind()]

LABELLED = ("acgan", "supervised")  # built-in objectives that need class labels


class Model(Strict):
    """Prior x objective x penalties x auxiliary networks, and changes of its data set's settings.

    `latent` and `training` hold any fields of `Latent` and `Training`, `generator` and
    `discriminator` those of `Normalisation`. `uses_labels` is for objectives of the user's own, and
    true for those that need class labels. `extends` copies another entry first.
    """

    title: Title
    extends: str | None = None
    prior: Prior
    objective: Objective
    uses_labels: bool | None = None
    penalties: Annotated[list[Penalty], Neutral([])] = []
    auxiliary: Annotated[list[Auxiliary], Neutral([])] = []
    baseline: Annotated[str, one_of("models")] | None = None
    network: Annotated[str, one_of("networks")] | None = None
    generator: Annotated[dict[Switch, bool], Neutral({})] = {}
    discriminator: Annotated[dict[Switch, bool], Neutral({})] = {}
    latent: dict[str, JsonValue] = {}
    training: dict[str, JsonValue] = {}
    init_from: Annotated[str, one_of("models")] | None = None

    @property
    def needs_labels(self) -> bool:
        """True if the losses use class labels."""
        return self.objective.kind in LABELLED or bool(self.uses_labels)

    @model_validator(mode="after")
    def _labels_of_built_in_objectives_are_known(self) -> Self:
        if self.uses_labels is not None and isinstance(self.objective, BuiltInObjective):
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
