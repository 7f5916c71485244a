"""Score a run's samples, and real samples against each other (the floor)."""

import time

import numpy as np

from gmgan.artifacts import read_arrays, read_json, write_json
from gmgan.errors import GmganError
from gmgan.grid import Run, extractor_id
from gmgan.metrics import quality
from gmgan.metrics.frechet import frechet_distance, moments
from gmgan.metrics.modes import HIGH_QUALITY_STDS, mode_scores, nearest_modes
from gmgan.metrics.reference import choose_reference
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context

DATA_SPACE = "data-space"


def run(context: Context, cell: Run):
    """Write the scores of a run; a run without samples gets a status and no numbers."""
    path = context.paths.samples(cell)
    arrays, about = read_arrays(path)
    context.refuse_stale(path, about, context.expected.sample(cell))
    samples, targets, rows = arrays["samples"], arrays["class"], []
    targets = targets if (targets >= 0).all() else None
    dataset = context.params.datasets[cell.dataset]
    if len(samples) and dataset.is_points:
        reference, points = _real_points(context, cell.dataset)
        rows = _point_rows(context, cell.dataset, samples, reference.reference(points), targets)
    elif len(samples):
        for name in dataset.evaluation.extractors:
            fake = _read(
                context, context.paths.features(cell, name), context.expected.features(cell, name)
            )
            reference, real = _real_features(context, cell.dataset, name)
            rows += _image_rows(
                context,
                cell.dataset,
                name,
                samples,
                fake["features"],
                fake["logits"],
                reference.reference(real["features"]),
                targets,
            )
    write_json(
        context.paths.scores(cell),
        context.stamp(
            context.expected.scores(cell), run=cell.name, status=about["status"], scores=rows
        ),
    )


def run_floor(context: Context, dataset: str):
    """Write the scores of real samples against disjoint real samples of the same split."""
    entry, rows = context.params.lookup("datasets", dataset), []
    if entry.is_points:
        reference, points = _real_points(context, dataset)
        rows = _point_rows(context, dataset, *reference.floor(points), None)
    for name in entry.evaluation.extractors:
        reference, real = _real_features(context, dataset, name)
        split = entry.evaluation.split
        images = context.data(dataset, [split])[split][reference.order]
        fake, compared = reference.floor(real["features"])
        rows += _image_rows(
            context,
            dataset,
            name,
            reference.floor(images)[0],
            fake,
            reference.floor(real["logits"])[0],
            compared,
            None,
        )
    write_json(
        context.paths.floor(dataset),
        context.stamp(context.expected.floor(dataset), dataset=dataset, status="ok", scores=rows),
    )


def _read(context, path, expected):
    arrays, about = read_arrays(path)
    context.refuse_stale(path, about, expected)
    return arrays


def _reference(context, dataset):
    evaluation = context.params.datasets[dataset].evaluation
    total = context.data_about(dataset)[evaluation.split]["count"]
    return choose_reference(
        total,
        evaluation.n_real,
        evaluation.n_fake,
        derive_seed("reference", dataset, evaluation.split),
    )


def _real_features(context, dataset, name):
    arrays = _read(
        context,
        context.paths.real_features(dataset, name),
        context.expected.real_features(dataset, name),
    )
    return _reference(context, dataset), arrays


def _real_points(context, dataset):
    split = context.params.datasets[dataset].evaluation.split
    reference = _reference(context, dataset)
    return reference, context.data(dataset, [split])[split][reference.order]


def _image_rows(context, dataset, name, images, features, logits, real, targets):
    """Scores of images seen by one extractor against `real` (features of reference images)."""
    from gmgan.metrics import fidelity

    evaluation = context.params.datasets[dataset].evaluation
    about = read_json(context.paths.extractor_about(extractor_id(context.params, dataset, name)))
    if not (np.isfinite(features).all() and np.isfinite(logits).all()):
        raise GmganError(f"{dataset}: extractor {name} gave features that are not finite")
    training, log_a = _calibration(context, dataset, name)
    scales = evaluation.ms_ssim_scales or quality.ms_ssim_scales(min(images.shape[1:3]))
    rows = _Rows(name, about["hash"], evaluation.split, len(real), len(features))
    rows.add(lambda: fidelity.inception_score(logits, evaluation.is_splits))
    rows.add(lambda: fidelity.fid(features, real))
    rows.add(
        lambda: fidelity.kid(features, real, evaluation.kid_subsets, evaluation.kid_subset_size)
    )
    rows.add(
        lambda: {"quality": quality.quality(quality.nearest_distances(features, training), log_a)}
    )
    rows.add(
        lambda: quality.diversity_scores(
            images,
            logits.argmax(1),
            logits.shape[1],
            evaluation.ms_ssim_pairs,
            scales,
            derive_seed("pairs", dataset),
        )
    )
    rows.add_combined()
    rows.add(lambda: fidelity.precision_recall(features, real, evaluation.neighbours))
    rows.add(lambda: quality.density_coverage(features, real, evaluation.density_neighbours))
    if about["kind"] == "classifier" and targets is not None:
        rows.add(lambda: fidelity.class_accuracy(logits, targets))
    return rows.rows


def _calibration(context, dataset, name):
    """Features of real training images, and log a from real held-out ones."""
    evaluation = context.params.datasets[dataset].evaluation
    reference, real = _real_features(context, dataset, name)
    training, held_out = reference.reference(real["features"]), real["other_features"]
    if evaluation.split == "test":
        training, held_out = held_out, training
    distances = quality.nearest_distances(held_out, training)
    return training, quality.calibrate_log_a(distances, evaluation.held_out_quality)


def _point_rows(context, dataset, fake, real, targets):
    """Scores of points in data space; distances are in units of a mode's standard deviation."""
    entry = context.params.datasets[dataset]
    centres, std = np.array(entry.source.centres()), entry.source.std
    held_out = context.data(dataset, ["test"])["test"]
    log_a = quality.calibrate_log_a(
        nearest_modes(held_out, centres)[1] / std, entry.evaluation.held_out_quality
    )
    nearest, distances = nearest_modes(fake, centres)
    rows = _Rows(DATA_SPACE, DATA_SPACE, entry.evaluation.split, len(real), len(fake))
    rows.add(lambda: mode_scores(fake, centres, std))
    rows.add(lambda: {"frechet_distance": frechet_distance(*moments(fake), *moments(real))})
    rows.add(lambda: {"quality": quality.quality(distances / std, log_a)})
    rows.add(
        lambda: {
            "diversity": quality.point_diversity(
                nearest, distances <= HIGH_QUALITY_STDS * std, len(centres)
            )
        }
    )
    rows.add_combined()
    if targets is not None:
        rows.add(lambda: {"class_accuracy": float(np.mean(nearest == targets))})
    return rows.rows


class _Rows:
    """Collects scores, each with everything that makes it comparable, and the time it took."""

    def __init__(self, extractor, extractor_hash, split, n_real, n_fake):
        self.common = {
            "n_real": n_real,
            "n_fake": n_fake,
            "extractor": extractor,
            "extractor_hash": extractor_hash[:16],
            "split": split,
        }
        self.rows = []

    def add(self, compute):
        """Add the scores {name: value or (value, spread)} that `compute` gives."""
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
                    "seconds": seconds,
                }
            )

    def add_combined(self):
        """Add the geometric mean of quality and diversity."""
        found = {row["metric"]: row["value"] for row in self.rows}
        self.add(
            lambda: {"quality_diversity": float(np.sqrt(found["quality"] * found["diversity"]))}
        )
