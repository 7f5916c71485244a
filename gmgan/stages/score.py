"""Score a run's samples, and real samples against each other (the floor)."""

import numpy as np

from gmgan.config import Run
from gmgan.evaluation.clustering import contingency, matched_accuracy, purity
from gmgan.evaluation.modes import first_reach, mean_over_time, mode_scores, nearest_modes
from gmgan.evaluation.samples import Samples
from gmgan.pipeline.artifacts import read_arrays, write_json
from gmgan.stages.context import Context
from gmgan.stages.scoring import ImageScorer, PointScorer, reference

MODES_SHARE = 0.95


def run(context: Context, cell: Run):
    """Write the scores of a run; a run without samples gets a status and no numbers.

    Beside the rows of the score table stand `groups`, per extractor the predicted classes of each
    component (of each requested class for a conditional generator), and for points `convergence`,
    the modes captured during training.
    """
    path = context.paths.samples(cell)
    arrays, about = read_arrays(path)
    context.refuse_stale(path, about, context.expected.sample(cell))
    dataset = context.params.datasets[cell.dataset]
    found = {"scores": []}  # type: dict[str, list]
    if len(arrays["samples"]) and dataset.is_points:
        found = _score_points(context, cell, arrays)
    elif len(arrays["samples"]):
        found = _score_images(context, cell, arrays)
    write_json(
        context.paths.scores(cell),
        context.stamp(
            context.expected.scores(cell), run=cell.name, status=about["status"], **found
        ),
    )


def run_floor(context: Context, dataset: str):
    """Write the scores of real samples against disjoint real samples of the same split."""
    entry, rows = context.params.lookup("datasets", dataset), []
    metrics = entry.evaluation.metrics
    if entry.is_points:
        scorer = PointScorer(context, dataset)
        fake, real = scorer.reference.floor(scorer.real)
        found = scorer.rows(fake, real)
        found.add_own(metrics, Samples(fake, fake, None), Samples(real, real, None))
        rows = found.rows
    for name in entry.evaluation.extractors:
        scorer = ImageScorer(context, dataset, name)
        arrays = (_real_images(context, dataset), scorer.real["features"], scorer.real["logits"])
        fake, real = map(Samples, *(scorer.reference.floor(array) for array in arrays))
        found = scorer.rows(fake.samples, fake.features, fake.logits, real.features)
        found.add_own(metrics, fake, real)
        rows += found.rows
    write_json(
        context.paths.floor(dataset),
        context.stamp(context.expected.floor(dataset), dataset=dataset, status="ok", scores=rows),
    )


def _real_images(context, dataset):
    """The real images whose features are stored, in their order."""
    split = context.params.datasets[dataset].evaluation.split
    return context.data(dataset, [split])[split][reference(context, dataset).order]


def _score_images(context, cell, arrays):
    found, groups = [], {}
    evaluation = context.params.datasets[cell.dataset].evaluation
    for name in evaluation.extractors:
        path = context.paths.features(cell, name)
        fake, about = read_arrays(path)
        context.refuse_stale(path, about, context.expected.features(cell, name))
        scorer = ImageScorer(context, cell.dataset, name)
        real = scorer.reference.reference(scorer.real["features"])
        features, logits = fake["features"], fake["logits"]
        rows = scorer.rows(arrays["samples"], features, logits, real, _targets(arrays))
        for count in evaluation.fid_also_at:
            rows.add("frechet", lambda: _fid_of(features[:count], real), n_fake=count)  # noqa: B023
        if evaluation.metrics:
            images = scorer.reference.reference(_real_images(context, cell.dataset))
            real_logits = scorer.reference.reference(scorer.real["logits"])
            rows.add_own(
                evaluation.metrics,
                Samples(arrays["samples"], features, logits),
                Samples(images, real, real_logits),
            )
        if scorer.knows_classes:
            groups[name] = _add_groups(rows, arrays, cell, logits.argmax(1), logits.shape[1])
        found += rows.rows
    return {"scores": found, "groups": groups}


def _fid_of(features, real):
    from gmgan.evaluation.fidelity import fid

    return fid(features, real, singular=True)


def _score_points(context, cell, arrays):
    scorer = PointScorer(context, cell.dataset)
    real = scorer.reference.reference(scorer.real)
    points = arrays["samples"]
    rows = scorer.rows(points, real, _targets(arrays))
    metrics = scorer.evaluation.metrics
    rows.add_own(metrics, Samples(points, points, None), Samples(real, real, None))
    nearest, _ = nearest_modes(points, scorer.centres)
    groups = _add_groups(rows, arrays, cell, nearest, len(scorer.centres))
    path = context.paths.snapshots(cell)
    snapshots, about = read_arrays(path)
    context.refuse_stale(path, about, context.expected.train(cell))
    kimg = snapshots["kimg"]
    curve = [mode_scores(points, scorer.centres, scorer.std) for points in snapshots["samples"]]
    captured, share = ([point[name] for point in curve] for name in curve[0])
    reached = first_reach(kimg, captured, MODES_SHARE * len(scorer.centres))
    n_fake = snapshots["samples"].shape[1]
    rows.add(
        "modes",
        lambda: {
            "kimg_to_95_modes": float(kimg[-1]) if reached is None else reached,
            "high_quality_over_training": mean_over_time(kimg, share),
        },
        n_fake=n_fake,
    )
    series = [
        {"kimg": time, "modes_captured": modes, "high_quality_share": good}
        for time, modes, good in zip(kimg.tolist(), captured, share, strict=True)
    ]
    return {
        "scores": rows.rows,
        "groups": {"data-space": groups},
        "convergence": series,
        "reached_95_modes": reached is not None,
    }


def _targets(arrays):
    """The class that each sample is meant to have, or None where the model gives none."""
    return arrays["class"] if (arrays["class"] >= 0).all() else None


def _add_groups(rows, arrays, cell, predicted, n_classes):
    """Counts of predicted classes, a row per component or requested class; their scores added.

    A plain GAN has one row and no score.
    """
    if cell.K > 1:
        group, count = arrays["component"], cell.K
    elif _targets(arrays) is not None:
        group, count = arrays["class"], n_classes
    else:
        group, count = np.zeros(len(predicted), np.int64), 1
    table = contingency(predicted, group, n_classes, count)
    if cell.K > 1:
        rows.add(
            "class",
            lambda: {
                "component_purity": purity(table),
                "component_acc": matched_accuracy(table),
            },
        )
    return table.tolist()
