"""Score a run's samples, and real samples against each other (the floor)."""

from gmgan.config.run import Run
from gmgan.evaluation.score import floor, score
from gmgan.pipeline.artifacts import read_arrays, write_json
from gmgan.records import Features, Generated, Snapshots
from gmgan.stages.context import Context
from gmgan.stages.scoring import as_content, inputs, settings_of


def run(context: Context, cell: Run):
    """Write the scores of a run; a run without samples gets a status and no numbers."""
    path = context.paths.samples(cell)
    arrays, about = read_arrays(path)
    context.refuse_stale(path, about, context.expected.sample(cell))
    samples = Generated(
        samples=arrays["samples"],
        components=arrays["component"],
        classes=arrays["class"],
        status=about["status"],
    )
    path = context.paths.snapshots(cell)
    snapshots, about = read_arrays(path)
    context.refuse_stale(path, about, context.expected.train(cell))
    features = {}
    for name in context.params.datasets[cell.dataset].evaluation.extractors:
        path = context.paths.features(cell, name)
        seen, about = read_arrays(path)
        context.refuse_stale(path, about, context.expected.features(cell, name))
        if seen:
            features[name] = Features(**seen, status=about["status"])
    data, real, extractors = inputs(context, cell.dataset)
    settings = settings_of(context, cell.dataset, cell)
    scores = score(samples, Snapshots(**snapshots), data, features, real, extractors, settings)
    stamp = context.stamp(context.expected.scores(cell))
    write_json(context.paths.scores(cell), stamp | as_content(scores))


def run_floor(context: Context, dataset: str):
    """Write the scores of real samples against disjoint real samples of the same split."""
    scores = floor(*inputs(context, dataset), settings_of(context, dataset))
    stamp = context.stamp(context.expected.floor(dataset))
    write_json(context.paths.floor(dataset), stamp | as_content(scores))
