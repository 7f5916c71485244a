"""Load what scores are computed from: until the runner of stages does it."""

from dataclasses import asdict, fields

from gmgan.config.run import Run
from gmgan.data.splits import Splits
from gmgan.evaluation.settings import ScoringSettings, scoring_settings
from gmgan.pipeline.artifacts import read_arrays, read_json
from gmgan.pipeline.grid import extractor_id
from gmgan.records import ExtractorDescription, RealFeatures
from gmgan.stages.context import Context


def settings_of(context: Context, dataset: str, run: Run | None = None) -> ScoringSettings:
    """The settings under which a run or the real samples of a data set are scored."""
    return scoring_settings(dataset, context.params.lookup("datasets", dataset), run)


def inputs(
    context: Context, dataset: str
) -> tuple[Splits, dict[str, RealFeatures], dict[str, ExtractorDescription]]:
    """Data, features of real images and descriptions of extractors, by name of the extractor."""
    data = Splits(**context.data(dataset), classes=context.data_about(dataset)["classes"])
    real, extractors = {}, {}
    for name in context.params.datasets[dataset].evaluation.extractors:
        path = context.paths.real_features(dataset, name)
        arrays, about = read_arrays(path)
        context.refuse_stale(path, about, context.expected.real_features(dataset, name))
        real[name] = RealFeatures(**arrays)
        about = read_json(
            context.paths.extractor_about(extractor_id(context.params, dataset, name))
        )
        known = {field.name for field in fields(ExtractorDescription)}
        extractors[name] = ExtractorDescription(
            **{key: value for key, value in about.items() if key in known}
        )
    return data, real, extractors


def as_content(record) -> dict:
    """The fields of a record that have something to say."""
    content = asdict(record)
    content.pop("stamp")
    for name in ("groups", "convergence"):
        if content.get(name) in ([], {}):
            del content[name]
    if content.get("reached_95_modes", True) is None:
        del content["reached_95_modes"]
    return content
