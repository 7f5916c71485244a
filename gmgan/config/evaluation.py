"""How samples are scored, and which networks give the features for it."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, PositiveFloat, PositiveInt, model_validator

from gmgan.config.base import ByKind, PluginName, Strict, one_of
from gmgan.plugins import load as load_code


class ClassifierExtractor(Strict):
    """Small convolutional classifiers, trained on the training split of the set they score.

    `members` differ by their seed. Each gives its score: the mean is reported, with its spread.
    """

    kind: Literal["classifier"]
    channels: Annotated[list[PositiveInt], Field(min_length=1)]
    feature_dim: PositiveInt
    kimg: PositiveFloat
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 1e-3
    shift: Annotated[int, Field(ge=0)] = 1
    members: PositiveInt = 1


class InceptionExtractor(Strict):
    """torch-fidelity's inception-v3-compat, the one that published scores use.

    `weights` is a local .pth file; null downloads the official one. `sha256` is the start of the
    hash that the file must have.
    """

    kind: Literal["inception"]
    weights: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] = "6726825d"


Extractor = Annotated[ClassifierExtractor | InceptionExtractor, ByKind()]
ExtractorName = Annotated[str, one_of("extractors")]
AtLeastTwo = Annotated[int, Field(ge=2)]
Scales = Annotated[list[PositiveFloat], Field(min_length=2)]


class Sweep(Strict):
    """The sweep of sigma_scale: `n` generated samples against `n` real ones at every scale."""

    sigma_scales: Scales = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0]
    n: AtLeastTwo

    @model_validator(mode="after")
    def _ascending_with_the_trained_scale(self) -> Self:
        if self.sigma_scales != sorted(set(self.sigma_scales)) or 1.0 not in self.sigma_scales:
            raise ValueError("sigma_scales must ascend and contain 1.0, the scale of training")
        return self


class Clustering(Strict):
    """How components cluster held-out samples, and how the k-means baselines do.

    A K-way classifier with the settings of the extractor `classifier` (null for points: a vote of
    the nearest 25) is trained on `n_generated` samples, for `kimg` (null: as long as the
    extractor). k-means takes the best of `kmeans_starts`, each fit on at most `kmeans_n` samples.
    """

    classifier: ExtractorName | None = None
    n_generated: PositiveInt
    kimg: PositiveFloat | None = None
    kmeans_starts: PositiveInt = 5
    kmeans_n: PositiveInt = 10_000
    pca_dim: PositiveInt = 50


class PluginMetric(Strict):
    """A score of the user's own: `kind` names a function (fake, real, **options) -> number."""

    kind: PluginName
    title: str
    better: Literal["higher", "lower"] | None = None
    options: dict[str, JsonValue] = {}


class Scoring(Strict):
    """How samples are scored: how many, against what, seen by whom.

    `fid_also_at`: FID once more with only so many of the generated samples, to show how the number
    moves with the count.
    `neighbours` is k of precision and recall, `density_neighbours` that of density and coverage.
    The quality score is calibrated so that the median real held-out sample scores
    `held_out_quality` and the median of noise 1 - `held_out_quality`. `ms_ssim_scales` null: as
    many as the images allow. `is_splits` null: parts of at least 1,000 samples, at most 10.
    `vendi_samples`: the Vendi score is of so many samples.
    """

    extractors: list[ExtractorName] = []
    split: Literal["train", "test"] = "train"
    n_real: AtLeastTwo
    n_fake: AtLeastTwo
    fid_also_at: list[AtLeastTwo] = []
    is_splits: PositiveInt | None = None
    kid_subsets: PositiveInt = 100
    kid_subset_size: AtLeastTwo = 1000
    neighbours: PositiveInt = 3
    density_neighbours: PositiveInt = 5
    held_out_quality: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    ms_ssim_pairs: PositiveInt = 2000
    ms_ssim_scales: PositiveInt | None = None
    vendi_samples: AtLeastTwo = 1000


class Evaluation(Scoring):
    """How a data set's runs are scored, swept and clustered.

    `metrics`: scores of the user's own, by name.
    """

    metrics: dict[str, PluginMetric] = {}
    sweep: Sweep
    clustering: Clustering

    @model_validator(mode="after")
    def _names_of_metrics_are_free(self) -> Self:
        for name in self.metrics:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                rule = "names are lower-case letters, digits and underscores"
                raise ValueError(f"metrics.{name}: {rule}")
            if load_code("gmgan.evaluation.metrics:built_in")(name):
                raise ValueError(f"metrics.{name} has the name of a built-in score; choose another")
        return self
