"""Score images that any other model made, against a data set of this project."""

from dataclasses import asdict

from gmgan.data.loose import read_loose
from gmgan.errors import GmganError
from gmgan.evaluation.extractors import extract
from gmgan.evaluation.metrics import METRICS
from gmgan.evaluation.reference import real_images, reference_of
from gmgan.evaluation.samples import Samples
from gmgan.evaluation.score import score_samples
from gmgan.runtime.progress import Progress
from gmgan.stages.context import Context
from gmgan.stages.features import load_extractor
from gmgan.stages.scoring import inputs, settings_of


def run(context: Context, dataset: str, path, extractor=None):
    """(rows of scores, reasons of those that were left out) of the images in `path`.

    They are compared with the same real samples as the runs of `dataset`. extractor (str or None):
    one of the data set's; None: its first. Raises GmganError for points, images of another size, or
    a data set that is not prepared.
    """
    entry = context.params.lookup("datasets", dataset)
    if entry.is_points:
        raise GmganError(f"data set '{dataset}' holds points; choose one of images")
    name = extractor or entry.evaluation.extractors[0]
    if name not in entry.evaluation.extractors:
        known = ", ".join(entry.evaluation.extractors)
        raise GmganError(f"data set '{dataset}' is not scored by '{name}', only by {known}")
    _, images = read_loose(path, tuple(context.data_about(dataset)["sample_shape"]))
    data, real, extractors = inputs(context, dataset)
    settings = settings_of(context, dataset)
    everything = real_images(name, data, real[name], extractors[name], settings)
    net = load_extractor(context, dataset, name)
    with Progress(len(images), f"{name} features of {path}", "images") as progress:
        seen = extract(net, images, context.device(), on_batch=progress.update)
    left_out: list[GmganError] = []
    scores = score_samples(
        Samples(images, *seen),
        reference_of(data, settings).reference(everything),
        settings,
        METRICS,
        left_out.append,
    )
    return [asdict(score) for score in scores], [str(error) for error in left_out]
