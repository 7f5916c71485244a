"""The list of all built-in metrics, in the order of display: a new one is added here."""

from collections.abc import Iterable, Mapping

from gmgan.config.evaluation import PluginMetric
from gmgan.evaluation import clustering, fidelity, frechet, modes, neighbours, quality, variety
from gmgan.evaluation.metric import Metric

METRICS = (
    modes.MODES_CAPTURED,
    modes.HIGH_QUALITY_SHARE,
    frechet.FRECHET_DISTANCE,
    frechet.FID,
    frechet.FID_OTHER_SPLIT,
    neighbours.RECALL,
    neighbours.COVERAGE,
    variety.WITHIN_CLASS_RATIO,
    fidelity.INCEPTION_SCORE,
    neighbours.PRECISION,
    neighbours.DENSITY,
    fidelity.KID,
    variety.VENDI,
    quality.QUALITY,
    quality.DIVERSITY,
    quality.QUALITY_DIVERSITY,
    quality.DIVERSITY_INTRA,
    quality.DIVERSITY_INTER,
    variety.WITHIN_CLASS,
    fidelity.CLASS_ACCURACY,
    clustering.COMPONENT_PURITY,
    clustering.COMPONENT_ACC,
    clustering.COMPONENT_ACC_CHANCE,
    modes.KIMG_TO_95_MODES,
    modes.HIGH_QUALITY_OVER_TRAINING,
    clustering.CLUSTER_ACC,
    clustering.CLUSTER_PURITY,
    clustering.CLUSTER_NMI,
    clustering.CLUSTER_ARI,
    clustering.CLUSTER_ACC_ALL,
    clustering.CLUSTER_NMI_ALL,
    clustering.ENCODER_ACC,
    clustering.ENCODER_NMI,
)
SWEPT = tuple(metric for metric in METRICS if metric.swept)


def built_in(name: str) -> Metric | None:
    """The built-in metric of a score called `name`, or None; families match any parameter."""
    members = (metric.member(name) for metric in METRICS)
    return next((member for member in members if member), None)


def metric_of(name: str, own: Iterable[Metric] = ()) -> Metric:
    """The built-in or `own` metric of a score; an unknown one is shown under its own name."""
    mine = next((metric for metric in own if metric.name == name), None)
    return mine or built_in(name) or Metric(name=name, label=name.replace("_", " "))


def shown_metrics(entries: Mapping[str, PluginMetric]) -> list[Metric]:
    """The records, without code, of the user's own metrics: the entries of evaluation.metrics."""
    return [
        Metric(name=name, label=entry.title, better=entry.better, data="all")
        for name, entry in entries.items()
    ]


def in_order(names: Iterable[str], own: Iterable[Metric] = ()) -> list[Metric]:
    """The built-in and then the `own` metrics that scores called `names` belong to."""
    names, own = list(dict.fromkeys(names)), list(own)
    members = [metric.member(name) for metric in METRICS for name in names]
    return [member for member in members if member] + [m for m in own if m.name in names]


def as_markdown() -> str:
    """The table of built-in metrics that docs/metrics.md shows."""
    lines = [("name", "label", "better", "data", "source", "version"), ("---",) * 6]
    lines += [
        (f"`{m.name}`", m.label, m.better or "", m.data, m.source, str(m.version)) for m in METRICS
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
