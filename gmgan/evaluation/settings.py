"""Everything that the scores of one run, or of real samples, depend on besides data and code."""

from pydantic import JsonValue

from gmgan.config.base import Strict
from gmgan.config.data import PluginSource, PointSource
from gmgan.config.evaluation import Scoring, Sweep
from gmgan.config.params import Dataset
from gmgan.config.run import Run, RunSettings
from gmgan.data.points import centres


class MetricCode(Strict):
    """A metric of the user's own without its title: module:attribute and its options."""

    kind: str
    options: dict[str, JsonValue]


class ScoringSettings(Scoring):
    """How the samples of `run`, or real ones (None), are scored against a data set.

    The data set's name seeds the choice of real samples. modes: centres of the modes, and std of
    each, of points; None for images.
    """

    dataset: str
    run: Run | None
    modes: tuple[tuple[float, float], ...] | None
    std: float | None
    metrics: dict[str, MetricCode]


class SweepSettings(Strict):
    """How a run is swept, and how the samples of every sigma_scale are scored."""

    run: RunSettings
    scoring: ScoringSettings
    sweep: Sweep


def scoring_settings(name: str, entry: Dataset, run: Run | None = None) -> ScoringSettings:
    """The settings under which data set `name`, an entry of params.yaml, is scored."""
    evaluation, source = entry.evaluation, entry.source
    return ScoringSettings(
        **{field: getattr(evaluation, field) for field in Scoring.model_fields},
        dataset=name,
        run=run,
        modes=tuple(map(tuple, centres(source).tolist())) if entry.is_points else None,
        std=source.std if isinstance(source, PointSource | PluginSource) else None,
        metrics={
            own: MetricCode(kind=metric.kind, options=metric.options)
            for own, metric in evaluation.metrics.items()
        },
    )
