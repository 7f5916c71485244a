"""Score images that any other model made, against a data set of this project."""

from gmgan.data.loose import read_loose
from gmgan.errors import GmganError
from gmgan.evaluation.extractors import extract
from gmgan.runtime.progress import Progress
from gmgan.stages.context import Context
from gmgan.stages.features import load_extractor
from gmgan.stages.scoring import ImageScorer

GROUPS = ({"inception"}, {"frechet"}, {"kid"}, {"quality", "diversity"}, {"precision"}, {"density"})


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
    scorer = ImageScorer(context, dataset, name)
    net = load_extractor(context, dataset, name)
    with Progress(len(images), f"{name} features of {path}", "images") as progress:
        features, logits = extract(net, images, context.device(), on_batch=progress.update)
    real = scorer.reference.reference(scorer.real["features"])
    rows, left_out = [], []
    for wanted in GROUPS:
        try:
            rows += scorer.rows(images, features, logits, real, wanted=wanted).rows
        except GmganError as error:
            left_out.append(str(error))
    return rows, left_out
