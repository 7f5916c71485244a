"""Scores of generated samples, and of real samples against each other (the floor)."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gmgan import records
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation.clustering import contingency
from gmgan.evaluation.frechet import FID
from gmgan.evaluation.metric import Metric, options_of, plugin_metric
from gmgan.evaluation.metrics import METRICS
from gmgan.evaluation.modes import convergence, first_reach
from gmgan.evaluation.reference import real_sides, reference_of
from gmgan.evaluation.samples import Real, Samples
from gmgan.evaluation.settings import ScoringSettings
from gmgan.records import ExtractorDescription, Generated, RealFeatures, Score


def score(
    samples: Generated,
    snapshots: records.Snapshots,
    data: Splits,
    features: dict[str, records.Features],
    real: dict[str, RealFeatures],
    extractors: dict[str, ExtractorDescription],
    settings: ScoringSettings,
) -> records.Scores:
    """The scores of a run; a run without samples gets its status and no numbers.

    features, real, extractors: by the name of the extractor; empty for points. Raises GmganError
    for too few samples for a metric.
    """
    run = settings.run
    if run is None:
        raise TypeError("these are the settings of real samples")
    rows: list[Score] = []
    groups: dict[str, list[list[int]]] = {}
    curve: list[records.ConvergencePoint] = []
    reached, own = None, _own_metrics(settings)
    sides = real_sides(data, real, extractors, settings) if len(samples.samples) else []
    for everything in sides:
        reference = reference_of(data, settings).reference(everything)
        name = reference.extractor
        if reference.modes is not None:
            fake = Samples(samples.samples, samples.samples, snapshots=snapshots)
            curve = convergence(snapshots, reference.modes)
            reached = first_reach(curve, len(reference.modes.centres)) is not None
        else:
            fake = Samples(samples.samples, features[name].features, features[name].logits)
        if reference.modes is not None or extractors[name].kind == "classifier":
            fake = _with_classes(fake, samples, run.K)
            groups[name] = _groups(fake, reference, run.K)
        rows += score_samples(fake, reference, settings, METRICS)
        if reference.modes is None:
            for count in settings.fid_also_at:
                rows += _computed(FID, fake[:count], reference, settings, singular=True)
        rows += score_samples(fake, reference, settings, own)
    return records.Scores(
        run=run.name,
        status=samples.status,
        scores=rows,
        groups=groups,
        convergence=curve,
        reached_95_modes=reached,
    )


def floor(
    data: Splits,
    real: dict[str, RealFeatures],
    extractors: dict[str, ExtractorDescription],
    settings: ScoringSettings,
) -> records.Floor:
    """The scores of real samples against disjoint real samples of the same split."""
    metrics, scores = [*METRICS, *_own_metrics(settings)], []
    for everything in real_sides(data, real, extractors, settings):
        fake, reference = reference_of(data, settings).floor(everything)
        scores += score_samples(fake, reference, settings, metrics)
    return records.Floor(dataset=settings.dataset, status="ok", scores=scores)


def _own_metrics(settings: ScoringSettings) -> list[Metric]:
    return [plugin_metric(name, m.kind, m.options) for name, m in settings.metrics.items()]


def score_samples(
    fake: Samples,
    real: Real,
    settings: ScoringSettings,
    metrics: Iterable[Metric],
    on_error: Callable[[GmganError], None] | None = None,
) -> list[Score]:
    """The `metrics` of one set of samples that can be computed of it, by one extractor.

    A metric that needs more samples raises GmganError; with `on_error` it is left out and the error
    passed to this function. Raises GmganError for features that are not finite.
    """
    seen = () if fake.logits is None else (fake.features, fake.logits)
    if not all(np.isfinite(values).all() for values in seen):
        raise GmganError(
            f"{settings.dataset}: extractor {real.extractor} gave features that are not finite"
        )
    by_function = {metric.score: metric for metric in metrics if metric.fits(fake, real)}
    scores = []
    for metric in by_function.values():
        try:
            scores += _computed(metric, fake, real, settings)
        except GmganError as error:
            if on_error is None:
                raise
            on_error(error)
    return scores


def _computed(
    metric: Metric, fake: Samples, real: Real, settings: ScoringSettings, **more: Any
) -> list[Score]:
    """What the function of a metric gives, with all that makes it comparable and its time."""
    assert metric.score is not None
    started = time.monotonic()
    result = metric.score(fake, real, **options_of(metric.score, settings), **more)
    values = result if isinstance(result, Mapping) else {metric.name: result}
    seconds = (time.monotonic() - started) / len(values)
    n_fake = len(fake)
    if metric.needs == "snapshots" and fake.snapshots is not None:
        n_fake = fake.snapshots.samples.shape[1]
    pairs = ((name, v if isinstance(v, tuple) else (v, None)) for name, v in values.items())
    return [
        Score(
            metric=name,
            value=value,
            spread=spread,
            n_real=len(real),
            n_fake=n_fake,
            extractor=real.extractor,
            extractor_hash=real.extractor_hash,
            split=settings.split,
            seconds=seconds,
        )
        for name, (value, spread) in pairs
    ]


def _with_classes(fake: Samples, samples: Generated, K: int) -> Samples:
    """`fake` with the classes and components of its samples, where the model gives them."""
    return replace(
        fake,
        targets=samples.classes if (samples.classes >= 0).all() else None,
        components=samples.components if K > 1 else None,
    )


def _groups(fake: Samples, real: Real, K: int) -> list[list[int]]:
    """Counts of predicted classes, a row per component or requested class; one for a plain GAN."""
    classes, n_classes = real.classes_of(fake)
    if fake.components is not None:
        return contingency(classes, fake.components, n_classes, K).tolist()
    if fake.targets is not None:
        return contingency(classes, fake.targets, n_classes, n_classes).tolist()
    return contingency(classes, np.zeros_like(classes), n_classes, 1).tolist()
