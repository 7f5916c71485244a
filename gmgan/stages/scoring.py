"""Scores of one set of samples against the reference of its data set: rows of the score table.

Shared by the stages that score: a run's samples, real samples (the floor), a sweep of sigma_scale.
"""

import time
from functools import partial

import numpy as np

from gmgan import plugins
from gmgan.errors import GmganError
from gmgan.evaluation import quality
from gmgan.evaluation.frechet import frechet_distance, moments
from gmgan.evaluation.modes import HIGH_QUALITY_STDS, mode_scores, nearest_modes
from gmgan.evaluation.neighbours import density_coverage, nearest_distances, precision_recall
from gmgan.evaluation.reference import choose_reference
from gmgan.evaluation.samples import Samples
from gmgan.pipeline.artifacts import read_arrays, read_json
from gmgan.pipeline.grid import extractor_id
from gmgan.seeds import derive_seed

DATA_SPACE = "data-space"
NOISE_POINTS = 5000
SWEPT = frozenset({"frechet", "quality", "diversity", "precision", "modes"})
ALL = SWEPT | {"inception", "kid", "density", "class", "own"}


class Rows:
    """Collects scores, each with everything that makes it comparable, and the time it took.

    `wanted` names the groups of scores that are computed at all.
    """

    def __init__(self, extractor, extractor_hash, split, n_real, n_fake, wanted=ALL):
        self.common = {
            "n_real": n_real,
            "n_fake": n_fake,
            "extractor": extractor,
            "extractor_hash": extractor_hash[:16],
            "split": split,
        }
        self.wanted = wanted
        self.rows = []

    def add(self, group, compute, **change):
        """Add the scores {name: value or (value, spread)} that `compute` gives.

        `change` replaces what is stored beside them, such as n_fake.
        """
        if group not in self.wanted:
            return
        started = time.monotonic()
        scores = compute()
        seconds = (time.monotonic() - started) / len(scores)
        for metric, value in scores.items():
            value, spread = value if isinstance(value, tuple) else (value, None)
            self.rows.append(
                {
                    "metric": metric,
                    "value": value,
                    "spread": spread,
                    **self.common,
                    **change,
                    "seconds": seconds,
                }
            )

    def add_combined(self):
        """Add the geometric mean of quality and diversity."""
        found = {row["metric"]: row["value"] for row in self.rows}
        self.add(
            "quality",
            lambda: {"quality_diversity": float(np.sqrt(found["quality"] * found["diversity"]))},
        )

    def add_own(self, metrics, fake: Samples, real: Samples):
        """Add the scores of the user's own `metrics` (dict), the entries of evaluation.metrics."""
        for name, entry in metrics.items():
            score = partial(own_score, entry.kind, plugins.load(entry.kind), entry.options)
            self.add("own", lambda: {name: score(fake, real)})  # noqa: B023


def own_score(kind, score, options, fake: Samples, real: Samples):
    """value or (value, spread) of the user's function `score`, called `kind` in errors.

    Raises GmganError if it gives something else, or a value that is not finite.
    """
    found = score(fake, real, **options)
    numbers = found if isinstance(found, tuple) and len(found) == 2 else (found,)
    if not all(isinstance(number, (float, int, np.number)) for number in numbers):
        raise GmganError(f"{kind} gave {found!r}, expected a number or (value, spread)")
    if not np.isfinite(numbers).all():
        raise GmganError(f"{kind} gave {found!r}, which is not finite")
    return tuple(map(float, numbers)) if isinstance(found, tuple) else float(found)


class ImageScorer:
    """Scores images of one data set as one extractor sees them."""

    def __init__(self, context, dataset, extractor):
        self.dataset, self.extractor = dataset, extractor
        self.evaluation = context.params.datasets[dataset].evaluation
        identifier = extractor_id(context.params, dataset, extractor)
        self.about = read_json(context.paths.extractor_about(identifier))
        self.reference = reference(context, dataset)
        path = context.paths.real_features(dataset, extractor)
        self.real, about = read_arrays(path)
        context.refuse_stale(path, about, context.expected.real_features(dataset, extractor))
        training = self.reference.reference(self.real["features"])
        held_out = self.real["other_features"]
        if self.evaluation.split == "test":
            training, held_out = held_out, training
        self.training = training
        self.calibration = quality.calibrate(
            nearest_distances(held_out, training),
            nearest_distances(self.real["noise_features"], training),
            self.evaluation.held_out_quality,
        )

    @property
    def knows_classes(self):
        """True if the extractor's logits are of the data set's own classes."""
        return self.about["kind"] == "classifier"

    def rows(self, images, features, logits, real, targets=None, wanted=ALL):
        """Rows of scores of N images against features of reference images.

        images (array): N x H x W x C; features, logits (array): of these; real (array): M x d;
        targets (array or None): the N classes that the images are meant to have.
        """
        from gmgan.evaluation import fidelity

        evaluation = self.evaluation
        if not (np.isfinite(features).all() and np.isfinite(logits).all()):
            raise GmganError(
                f"{self.dataset}: extractor {self.extractor} gave features that are not finite"
            )
        scales = evaluation.ms_ssim_scales or quality.ms_ssim_scales(min(images.shape[1:3]))
        rows = Rows(
            self.extractor,
            self.about["hash"],
            evaluation.split,
            len(real),
            len(features),
            wanted,
        )
        rows.add("inception", lambda: fidelity.inception_score(logits, evaluation.is_splits))
        rows.add("frechet", lambda: fidelity.fid(features, real))
        rows.add(
            "kid",
            lambda: fidelity.kid(
                features, real, evaluation.kid_subsets, evaluation.kid_subset_size
            ),
        )
        rows.add(
            "quality",
            lambda: {
                "quality": quality.quality(
                    nearest_distances(features, self.training), self.calibration
                )
            },
        )
        rows.add(
            "diversity",
            lambda: quality.diversity_scores(
                images,
                logits.argmax(1),
                logits.shape[1],
                evaluation.ms_ssim_pairs,
                scales,
                derive_seed("pairs", self.dataset),
            ),
        )
        rows.add_combined()
        rows.add("precision", lambda: precision_recall(features, real, evaluation.neighbours))
        rows.add(
            "density",
            lambda: density_coverage(features, real, evaluation.density_neighbours),
        )
        if self.knows_classes and targets is not None:
            rows.add("class", lambda: fidelity.class_accuracy(logits, targets))
        return rows


class PointScorer:
    """Scores 2-D points of one data set by their distances to the modes."""

    def __init__(self, context, dataset):
        entry = context.params.datasets[dataset]
        self.evaluation = entry.evaluation
        self.centres, self.std = np.array(entry.source.centres), entry.source.std
        self.reference = reference(context, dataset)
        split = self.evaluation.split
        self.real = context.data(dataset, [split])[split][self.reference.order]
        held_out = context.data(dataset, ["test"])["test"]
        extent = np.abs(self.centres).max() + 3 * self.std
        rng = np.random.default_rng(derive_seed("noise points", dataset))
        noise = rng.uniform(-extent, extent, (NOISE_POINTS, 2))
        self.calibration = quality.calibrate(
            nearest_modes(held_out, self.centres)[1],
            nearest_modes(noise, self.centres)[1],
            self.evaluation.held_out_quality,
        )

    def rows(self, fake, real, targets=None, wanted=ALL):
        """Rows of scores of points (N x 2) against real ones (M x 2)."""
        nearest, distances = nearest_modes(fake, self.centres)
        rows = Rows(DATA_SPACE, DATA_SPACE, self.evaluation.split, len(real), len(fake), wanted)
        rows.add("modes", lambda: mode_scores(fake, self.centres, self.std))
        rows.add(
            "frechet",
            lambda: {"frechet_distance": frechet_distance(*moments(fake), *moments(real))},
        )
        rows.add("quality", lambda: {"quality": quality.quality(distances, self.calibration)})
        rows.add(
            "diversity",
            lambda: {
                "diversity": quality.point_diversity(
                    nearest, distances <= HIGH_QUALITY_STDS * self.std, len(self.centres)
                )
            },
        )
        rows.add_combined()
        if targets is not None:
            rows.add("class", lambda: {"class_accuracy": float(np.mean(nearest == targets))})
        return rows


def reference(context, dataset):
    """Which real samples the scores of a data set compare with."""
    evaluation = context.params.datasets[dataset].evaluation
    total = context.data_about(dataset)[evaluation.split]["count"]
    return choose_reference(
        total,
        evaluation.n_real,
        evaluation.n_fake,
        derive_seed("reference", dataset, evaluation.split),
    )
