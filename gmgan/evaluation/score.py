"""Scores of generated samples, and of real samples against each other (the floor)."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gmgan import records
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation.clustering import contingency
from gmgan.evaluation.flags import flagged
from gmgan.evaluation.frechet import FID
from gmgan.evaluation.metric import Metric, Value, options_of, plugin_metric, unnamed_options
from gmgan.evaluation.metrics import METRICS, metric_of
from gmgan.evaluation.modes import convergence, first_reach
from gmgan.evaluation.quality import anchors
from gmgan.evaluation.reference import OTHER_SPLIT, real_sides, reference_of, without_itself
from gmgan.evaluation.samples import Real, Samples, by_member
from gmgan.evaluation.settings import ScoringSettings
from gmgan.evaluation.signature import floor_of, signed
from gmgan.records import ExtractorDescription, Generated, RealFeatures, Score


def score(
    samples: Generated,
    snapshots: records.Snapshots,
    data: Splits,
    features: dict[str, records.Features],
    real: dict[str, RealFeatures],
    extractors: dict[str, ExtractorDescription],
    floor: records.Floor,
    settings: ScoringSettings,
) -> records.Scores:
    """The scores of a run; a run without samples gets its status and no numbers.

    features, real, extractors: by the name of the extractor; empty for points. floor: the same
    scores of real samples, for the signatures. Raises GmganError
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
    for members in sides:
        references = [reference_of(data, settings).reference(member) for member in members]
        first = references[0]
        if first.modes is not None:
            fake = Samples(samples.samples, samples.samples, snapshots=snapshots)
            curve = convergence(snapshots, first.modes)
            reached = first_reach(curve, len(first.modes.centres)) is not None
        else:
            seen = features[first.extractor]
            fake = Samples(samples.samples, seen.features, seen.logits)
        if first.knows_classes:
            fake = _with_classes(fake, samples, run.K)
        fakes = by_member(fake, len(references))
        if first.knows_classes:
            groups[first.extractor] = _groups(fakes[0], first, run.K)
        scores = score_samples(fakes, references, settings, METRICS)
        if first.modes is None:
            for count in settings.fid_also_at:
                some = [member[:count] for member in fakes]
                scores += _computed(FID, some, references, settings, singular=True)
        scores += score_samples(fakes, references, settings, own)
        rows += flagged(with_floor(scores, floor.scores, settings))
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
    cut, qualities = reference_of(data, settings), {}
    for members in real_sides(data, real, extractors, settings):
        halves = [without_itself(*cut.floor(member), cut, settings.split) for member in members]
        fakes, references = (list(side) for side in zip(*halves, strict=True))
        scores += with_floor(score_samples(fakes, references, settings, metrics), [], settings)
        each = [anchors(member, settings.held_out_quality) for member in members]
        qualities[members[0].extractor] = {
            name: float(np.mean([one[name] for one in each])) for name in each[0]
        }
    return records.Floor(dataset=settings.dataset, status="ok", scores=scores, anchors=qualities)


def _own_metrics(settings: ScoringSettings) -> list[Metric]:
    return [plugin_metric(name, m.kind, m.options) for name, m in settings.metrics.items()]


def score_samples(
    fakes: Sequence[Samples],
    reals: Sequence[Real],
    settings: ScoringSettings,
    metrics: Iterable[Metric],
    on_error: Callable[[GmganError], None] | None = None,
) -> list[Score]:
    """The `metrics` of one set of samples that can be computed of it, by one extractor.

    fakes, reals: the two sides as each member of the extractor sees them. A metric that needs more
    samples raises GmganError; with `on_error` it is left out and the error passed to this function.
    Raises GmganError for features that are not finite.
    """
    fake, real = fakes[0], reals[0]
    seen = [
        values
        for side in fakes
        if side.logits is not None
        for values in (side.features, side.logits)
    ]
    if not all(np.isfinite(values).all() for values in seen):
        raise GmganError(
            f"{settings.dataset}: extractor {real.extractor} gave features that are not finite"
        )
    by_function = {(m.score, m.other_split): m for m in metrics if m.fits(fake, real)}
    scores = []
    for metric in by_function.values():
        try:
            scores += _computed(metric, fakes, reals, settings)
        except GmganError as error:
            if on_error is None:
                raise
            on_error(error)
    return scores


def _computed(
    metric: Metric,
    fakes: Sequence[Samples],
    reals: Sequence[Real],
    settings: ScoringSettings,
    **more: Any,
) -> list[Score]:
    """What the function of a metric gives, with all that makes it comparable and its time."""
    assert metric.score is not None
    reference: str = settings.split
    if metric.other_split:
        reference = OTHER_SPLIT[reference]
        reals = [real.other_split for real in reals if real.other_split is not None]
    started, options = time.monotonic(), options_of(metric.score, settings)
    results = [metric.score(*sides, **options, **more) for sides in zip(fakes, reals, strict=True)]
    values = [r if isinstance(r, Mapping) else {metric.name: r} for r in results]
    seconds = (time.monotonic() - started) / len(values[0])
    fake, real = fakes[0], reals[0]
    n_fake = len(fake)
    if metric.needs == "snapshots" and fake.snapshots is not None:
        n_fake = fake.snapshots.samples.shape[1]
    scores = []
    for name in values[0]:
        value, spread = _over_members([each[name] for each in values])
        scores.append(
            Score(
                metric=name,
                value=value,
                spread=spread,
                n_real=len(real),
                n_fake=n_fake,
                extractor=real.extractor,
                extractor_hash=real.extractor_hash,
                extractor_id=real.extractor_id,
                split=reference,
                version=metric_of(name).version,
                seconds=seconds,
            )
        )
    return scores


def _over_members(values: list[Value]) -> tuple[float, float | None]:
    """Mean and standard deviation over members; of a single one, its value and own spread."""
    pairs = [value if isinstance(value, tuple) else (value, None) for value in values]
    if len(pairs) == 1:
        return pairs[0]
    numbers = [value for value, _ in pairs]
    if len(set(numbers)) == 1:  # it does not use the extractor; np.std would leave rounding
        return numbers[0], 0.0
    return float(np.mean(numbers)), float(np.std(numbers, ddof=1))


def with_floor(scores: list[Score], floor: list[Score], settings: ScoringSettings) -> list[Score]:
    """The scores with their signatures; floor: the scores of real samples."""
    records_of = {s.metric: metric_of(s.metric) for s in scores}
    return [
        signed(
            score,
            settings.dataset,
            unnamed_options(records_of[score.metric], settings),
            floor_of(score, floor),
        )
        for score in scores
    ]


def _with_classes(fake: Samples, samples: Generated, K: int) -> Samples:
    """`fake` with the classes and components of its samples, where the model gives them."""
    return replace(
        fake,
        targets=samples.class_ if (samples.class_ >= 0).all() else None,
        components=samples.component if K > 1 else None,
    )


def _groups(fake: Samples, real: Real, K: int) -> list[list[int]]:
    """Counts of predicted classes, a row per component or requested class; one for a plain GAN."""
    classes, n_classes = real.classes_of(fake)
    if fake.components is not None:
        return contingency(classes, fake.components, n_classes, K).tolist()
    if fake.targets is not None:
        return contingency(classes, fake.targets, n_classes, n_classes).tolist()
    return contingency(classes, np.zeros_like(classes), n_classes, 1).tolist()
