"""Score images that any other model made, against a data set of this project."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from gmgan.data.loose import read_classes, read_loose
from gmgan.errors import GmganError
from gmgan.evaluation.extractors import extract, load_extractor
from gmgan.evaluation.flags import flagged
from gmgan.evaluation.metrics import METRICS
from gmgan.evaluation.reference import real_images, reference_of
from gmgan.evaluation.samples import Samples, by_member
from gmgan.evaluation.score import score_samples, with_floor
from gmgan.evaluation.settings import scoring_settings
from gmgan.pipeline.runner import Missing, Runner
from gmgan.runtime.progress import Progress


def score_images(
    runner: Runner, dataset: str, path: Path, extractor: str | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of scores of the images in `path`, and what to know: reasons of those left out, and
    that there are fewer or more images than the runs are scored on.

    They are compared with the same real samples as the runs of `dataset`, and resized as these are.
    Where `path` holds the
    class that each is meant to have, class accuracy is among the scores. extractor: one of the
    data set's; None: its first. Raises GmganError for points, images of another size, or a data set
    that is not prepared.
    """
    entry = runner.params.lookup("datasets", dataset)
    if entry.is_points:
        raise GmganError(f"data set '{dataset}' holds points; choose one of images")
    name = extractor or entry.evaluation.extractors[0]
    if name not in entry.evaluation.extractors:
        known = ", ".join(entry.evaluation.extractors)
        raise GmganError(f"data set '{dataset}' is not scored by '{name}', only by {known}")
    job = runner.job("floor", dataset=dataset)  # it reads the same real samples
    try:
        inputs, settings = runner.inputs(job), scoring_settings(dataset, entry)
    except Missing as error:
        command = f"snakemake --cores 1 -- {runner.outputs(job)['floor']}"
        raise GmganError(
            f"'{dataset}' is not prepared for scores; prepare it: {command}"
        ) from error
    data, description = inputs["data"], inputs["extractors"][name]
    _, images = read_loose(path, data.train.shape[1:], getattr(entry.source, "resize", "none"))
    source = runner.scope(runner.job("real_features", dataset=dataset, extractor=name))
    weights = runner.read("extractor", "weights", extractor_id=source.extractor_id)
    net = load_extractor(description, weights)
    with Progress(len(images), f"{name} features of {path}", "images") as progress:
        seen = extract(net, images, runner.device, on_batch=progress.update)
    left_out: list[GmganError] = []
    members = real_images(name, data, inputs["real"][name], description, settings)
    targets = None
    if members[0].knows_classes:
        targets = read_classes(path, len(images), len(data.classes))
    scores = score_samples(
        by_member(Samples(images, *seen, targets=targets), len(members)),
        [reference_of(data, settings).reference(real) for real in members],
        settings,
        METRICS,
        left_out.append,
    )
    floor = runner.outputs(job)["floor"]
    beside = runner.read("floor", "floor", dataset=dataset).scores if floor.exists() else []
    scores = flagged(with_floor(scores, beside, settings))
    remarks = [f"left out: {error}" for error in left_out]
    if len(images) != settings.n_fake:
        count = settings.n_fake
        remarks.append(
            f"warning: {len(images)} images, the runs of {dataset} are scored on {count}: "
            f"FID falls with more images; give {count} to compare scores"
        )
    return [asdict(score) for score in scores], remarks
