"""Sweep sigma_scale over a trained run, without training again, and score every point."""

from gmgan.config import Run
from gmgan.evaluation.extractors import extract
from gmgan.models.model import sample
from gmgan.pipeline.artifacts import write_json
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context
from gmgan.stages.features import load_extractor
from gmgan.stages.scoring import SWEPT, ImageScorer, PointScorer
from gmgan.stages.trained import trained_model


def run(context: Context, cell: Run):
    """Write scores of samples z | k ~ N(mu_k, s Sigma_k) for every s of evaluation.sweep.

    All points use the same noise and components, and the same n on both sides. A run without
    usable weights gets no points.
    """
    dataset = context.params.datasets[cell.dataset]
    sweep, points = dataset.evaluation.sweep, []
    status = context.status_of(cell)
    if status == "ok":
        device = context.device()
        model = trained_model(context, cell, device)
        score = _point_scores(context, cell) if dataset.is_points else _image_scores(context, cell)
        with Progress(len(sweep.sigma_scales), f"sweep of {cell.name}", "scales") as progress:
            for scale in sweep.sigma_scales:
                samples, _, _ = sample(
                    model,
                    sweep.n,
                    derive_seed("sweep", cell.dataset, cell.seed),
                    device,
                    sigma_scale=scale,
                )
                points += [{"sigma_scale": scale, **row} for row in score(samples)]
                progress.update(1)
    write_json(
        context.paths.tradeoff(cell),
        context.stamp(context.expected.tradeoff(cell), run=cell.name, status=status, points=points),
    )


def _image_scores(context, cell):
    evaluation = context.params.datasets[cell.dataset].evaluation
    device = context.device()
    seen_by = [
        (ImageScorer(context, cell.dataset, name), load_extractor(context, cell.dataset, name))
        for name in evaluation.extractors
    ]

    def score(images):
        rows = []
        for scorer, net in seen_by:
            features, logits = extract(net, images, device)
            real = scorer.reference.reference(scorer.real["features"])[: len(images)]
            rows += scorer.rows(images, features, logits, real, wanted=SWEPT).rows
        return rows

    return score


def _point_scores(context, cell):
    scorer = PointScorer(context, cell.dataset)

    def score(points):
        real = scorer.reference.reference(scorer.real)[: len(points)]
        return scorer.rows(points, real, wanted=SWEPT).rows

    return score
