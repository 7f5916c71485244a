"""How samples are scored, and which networks give the features for it."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from gmgan.config.base import (
    AtMost,
    Batch,
    ByKind,
    Distinct,
    Groups,
    Kimg,
    PluginName,
    Rate,
    Samples,
    Scale,
    Strict,
    Times,
    Title,
    Whole,
    Width,
    one_of,
)
from gmgan.plugins import load as load_code


class ClassifierExtractor(Strict):
    """Small convolutional classifiers, trained on the training split of the set they score.

    `members` differ by their seed. Each gives its score: the mean is reported, with its spread.
    """

    kind: Literal["classifier"]
    channels: Annotated[list[Width], Field(min_length=1, max_length=20)]
    feature_dim: Width
    kimg: Kimg
    batch_size: Batch = 128
    learning_rate: Rate = 1e-3
    shift: Annotated[int, Field(ge=0, strict=True), AtMost(512, "images are small")] = 1
    members: Annotated[Whole, AtMost(100, "each is trained")] = 1


class InceptionExtractor(Strict):
    """torch-fidelity's inception-v3-compat, the one that published scores use.

    `weights` is a local .pth file; null downloads the official one. `sha256` is the start of the
    hash that the file must have.
    """

    kind: Literal["inception"]
    weights: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] = "6726825d"


class StoredExtractor(Strict):
    """Classifiers that this pipeline trained before, so that all machines score by the same ones.

    `weights` is a .safetensors file of results/extractors, or a copy of it; its description, the
    .json file of that name, stands beside it. `sha256` is the start of the hash that the weights
    must have, `feature_dim` the number of features of one of them.
    """

    kind: Literal["stored"]
    weights: str
    feature_dim: Width
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]


Extractor = Annotated[ClassifierExtractor | InceptionExtractor | StoredExtractor, ByKind()]
ExtractorName = Annotated[str, one_of("extractors")]
AtLeastTwo = Annotated[Samples, Field(ge=2)]
Scales = Annotated[list[Scale], Field(min_length=2, max_length=100)]


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
    n_generated: Samples
    kimg: Kimg | None = None
    kmeans_starts: Times = 5
    kmeans_n: Samples = 10_000
    pca_dim: Width = 50


class PluginMetric(Strict):
    """A score of the user's own: `kind` names a function (fake, real, **options) -> number."""

    kind: PluginName
    title: Title
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

    extractors: Annotated[list[ExtractorName], Distinct] = []
    split: Literal["train", "test"] = "train"
    n_real: AtLeastTwo
    n_fake: AtLeastTwo
    fid_also_at: Annotated[list[AtLeastTwo], Distinct] = []
    is_splits: Times | None = None
    kid_subsets: Times = 100
    kid_subset_size: AtLeastTwo = 1000
    neighbours: Groups = 3
    density_neighbours: Groups = 5
    held_out_quality: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    ms_ssim_pairs: Samples = 2000
    ms_ssim_scales: Annotated[Whole, AtMost(10, "each halves the image")] | None = None
    vendi_samples: Annotated[AtLeastTwo, AtMost(10_000, "it takes a matrix of N x N")] = 1000


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
