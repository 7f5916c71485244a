"""Score a run's samples, and real samples against each other (the floor)."""

import time

import numpy as np

from gmgan.artifacts import read_arrays, read_json, write_json
from gmgan.errors import GmganError
from gmgan.grid import Run, extractor_id
from gmgan.metrics.frechet import frechet_distance, moments
from gmgan.metrics.modes import mode_scores, nearest_modes
from gmgan.metrics.reference import choose_reference
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context

DATA_SPACE = "data-space"


def run(context: Context, cell: Run):
    """Write the scores of a run; a run without samples gets a status and no numbers."""
    dataset = context.params.datasets[cell.dataset]
    path = context.paths.samples(cell)
    arrays, about = read_arrays(path)
    context.refuse_stale(path, about, context.expected.sample(cell))
    rows = []
    if len(arrays["samples"]):
        for name in dataset.evaluation.extractors:
            fake = _features(
                context, context.paths.features(cell, name), context.expected.features(cell, name)
            )
            real, reference = _real(context, cell.dataset, name)
            rows += _image_rows(
                context,
                cell.dataset,
                name,
                fake,
                {key: reference.reference(real[key]) for key in real},
                arrays["class"],
            )
        if dataset.is_points:
            real, reference = _real_points(context, cell.dataset)
            rows += _point_rows(
                context, cell.dataset, arrays["samples"], reference.reference(real), arrays["class"]
            )
    write_json(
        context.paths.scores(cell),
        context.stamp(
            context.expected.scores(cell), run=cell.name, status=about["status"], scores=rows
        ),
    )


def run_floor(context: Context, dataset: str):
    """Write the scores of real samples against disjoint real samples of the same split."""
    rows = []
    entry = context.params.lookup("datasets", dataset)
    for name in entry.evaluation.extractors:
        real, reference = _real(context, dataset, name)
        halves = {key: reference.floor(real[key]) for key in real}
        rows += _image_rows(
            context,
            dataset,
            name,
            {key: pair[0] for key, pair in halves.items()},
            {key: pair[1] for key, pair in halves.items()},
            None,
        )
    if entry.is_points:
        real, reference = _real_points(context, dataset)
        rows += _point_rows(context, dataset, *reference.floor(real), None)
    write_json(
        context.paths.floor(dataset),
        context.stamp(context.expected.floor(dataset), dataset=dataset, status="ok", scores=rows),
    )


def _features(context, path, expected):
    arrays, about = read_arrays(path)
    context.refuse_stale(path, about, expected)
    return arrays


def _reference(context, dataset, total):
    evaluation = context.params.datasets[dataset].evaluation
    return choose_reference(
        total,
        evaluation.n_real,
        evaluation.n_fake,
        derive_seed("reference", dataset, evaluation.split),
    )


def _real(context, dataset, name):
    split = context.params.datasets[dataset].evaluation.split
    arrays = _features(
        context,
        context.paths.real_features(dataset, name),
        context.expected.real_features(dataset, name),
    )
    total = context.data_about(dataset)[split]["count"]
    return arrays, _reference(context, dataset, total)


def _real_points(context, dataset):
    split = context.params.datasets[dataset].evaluation.split
    points = context.data(dataset, [split])[split]
    reference = _reference(context, dataset, len(points))
    return points[reference.order], reference


def _image_rows(context, dataset, name, fake, real, targets):
    from gmgan.metrics import fidelity

    evaluation = context.params.datasets[dataset].evaluation
    about = read_json(context.paths.extractor_about(extractor_id(context.params, dataset, name)))
    rows = _Rows(
        name, about["hash"], evaluation.split, len(real["features"]), len(fake["features"])
    )
    if not all(np.isfinite(fake[key]).all() for key in ("features", "logits")):
        raise GmganError(f"{dataset}: extractor {name} gave features that are not finite")
    rows.add(lambda: fidelity.inception_score(fake["logits"], evaluation.is_splits))
    rows.add(lambda: fidelity.fid(fake["features"], real["features"]))
    rows.add(
        lambda: fidelity.kid(
            fake["features"], real["features"], evaluation.kid_subsets, evaluation.kid_subset_size
        )
    )
    rows.add(
        lambda: fidelity.precision_recall(fake["features"], real["features"], evaluation.neighbours)
    )
    if about["kind"] == "classifier" and targets is not None and (targets >= 0).all():
        rows.add(lambda: fidelity.class_accuracy(fake["logits"], targets))
    return rows.rows


def _point_rows(context, dataset, fake, real, targets):
    entry = context.params.datasets[dataset]
    centres = np.array(entry.source.centres())
    rows = _Rows(DATA_SPACE, DATA_SPACE, entry.evaluation.split, len(real), len(fake))
    rows.add(lambda: mode_scores(fake, centres, entry.source.std))
    rows.add(lambda: {"frechet_distance": frechet_distance(*moments(fake), *moments(real))})
    if targets is not None and (targets >= 0).all():
        rows.add(
            lambda: {"class_accuracy": float(np.mean(nearest_modes(fake, centres)[0] == targets))}
        )
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
