"""Sweep sigma_scale over a trained run, without training again, and score every point."""

from gmgan.config.run import Run
from gmgan.evaluation.extractors import extract
from gmgan.evaluation.sweep import sweep
from gmgan.pipeline.artifacts import write_json
from gmgan.stages.context import Context
from gmgan.stages.features import load_extractor
from gmgan.stages.scoring import as_content, inputs, settings_of
from gmgan.stages.trained import trained_model


def run(context: Context, cell: Run):
    """Write scores of samples z | k ~ N(mu_k, s Sigma_k) for every s of evaluation.sweep."""
    evaluation = context.params.datasets[cell.dataset].evaluation
    status, device = context.status_of(cell), context.device()
    nets = {name: load_extractor(context, cell.dataset, name) for name in evaluation.extractors}
    data, real, extractors = inputs(context, cell.dataset)
    tradeoff = sweep(
        trained_model(context, cell, device),
        status,
        data,
        real,
        extractors,
        lambda name, images: extract(nets[name], images, device),
        settings_of(context, cell.dataset, cell),
        evaluation.sweep,
        device,
    )
    stamp = context.stamp(context.expected.tradeoff(cell))
    write_json(context.paths.tradeoff(cell), stamp | as_content(tradeoff))
