"""What a suite costs before it runs: jobs, files, core-hours and GPU-hours, by measured speeds."""

import json
import re
import time
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from gmgan.config.run import Run
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import read_json
from gmgan.pipeline.grid import settings
from gmgan.runtime import gpu
from gmgan.stages.context import Context

ON_GPU = ("sample", "features", "tradeoff", "explore", "cluster")  # as the rules ask for it
_SECONDS = re.compile(r"^gmgan (?:\S+): ([\d.]+) s, peak memory", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """The runs of one data set and model; hours are per run, None where nothing was measured."""

    dataset: str
    model: str
    runs: int
    kimg: float
    images_per_second: float | None
    training_hours: float | None
    scoring_hours: float | None
    scoring_gpu_hours: float | None


def run(context: Context, suite: str, device: str | None, measure_seconds: float | None):
    """The costs of a suite, a row per data set and model, and the device they hold for.

    Speeds of training are medians over the runs in the results folder that trained equal networks
    on data of the same shape on the same kind of device; where there is none, over a training of
    `measure_seconds` here and now. Times of the other stages are medians over logs of the same
    data set.
    """
    device = device or default_device(context)
    if measure_seconds is not None and device != default_device(context):
        raise GmganError(
            f"--measure times trainings on this machine's {default_device(context)}, not on "
            f"{device}; leave one of --measure and --device out"
        )
    runs = grid.suite_runs(context.params, suite)
    speeds, timings = measured(context, device)
    if measure_seconds is not None:
        for one in runs:
            key = kind_of_training(context, one)
            if key not in speeds:
                speeds[key] = [measure(context, one, measure_seconds)]
    by_model = sorted(runs, key=lambda one: _order(runs, one))
    return [
        _cost(context, list(group), speeds, timings)
        for _, group in groupby(by_model, key=lambda one: (one.dataset, one.model))
    ], device


def _order(runs, one):
    datasets = list(dict.fromkeys(each.dataset for each in runs))
    models = list(dict.fromkeys(each.model for each in runs))
    return datasets.index(one.dataset), models.index(one.model)


def default_device(context) -> str:
    """`cpu` or `cuda`: what execution.device in params.yaml means on this machine."""
    chosen = context.params.execution.device
    if chosen != "auto":
        return chosen
    return "cuda" if gpu.devices() else "cpu"


def kind_of_training(context: Context, one: Run) -> str:
    """What decides the speed of a run's training; K, seed and learning rate do not."""
    resolved = settings(context.params, one).model_dump(mode="json")
    return _kind(resolved, context.params.datasets[one.dataset].source.sample_shape)


def _kind(resolved, sample_shape):
    parts = (
        sample_shape,
        resolved["network"],
        resolved["latent"]["dim"],
        resolved["training"]["batch_size"],
        resolved["objective"],
        resolved["prior"],
    )
    return json.dumps(parts, sort_keys=True)


def measured(context: Context, device: str) -> tuple[dict, dict]:
    """Speeds {kind of training: [images per second]}, times {(data set, stage): [seconds]}.

    From the finished runs in the results folder that ran on `device` (on a CPU: with as many
    threads as params.yaml sets).
    """
    speeds: dict[str, list[float]] = {}
    timings: dict[tuple[str, str], list[float]] = {}
    params = context.params
    for path in sorted(context.paths.results.glob("runs/*/train.json")):
        about = read_json(path)
        one = Run(**about["settings"]["run"])
        threads = device != "cpu" or about["threads"] == params.execution.threads
        known = one.dataset in params.datasets and one.model in params.models
        if about["status"] != "ok" or about["device"] != device or not threads or not known:
            continue
        shape = params.datasets[one.dataset].source.sample_shape
        kind = _kind(about["settings"], shape)
        speeds.setdefault(kind, []).append(about["images_per_second"])
        for stage, name in grid.evaluation_jobs(params, one):
            seconds = _logged_seconds(context.paths.log(stage, name))
            if seconds is not None:
                timings.setdefault((one.dataset, stage), []).append(seconds)
    return speeds, timings


def _logged_seconds(path):
    if not path.exists():
        return None
    found = _SECONDS.findall(path.read_text(errors="replace"))
    return float(found[-1]) if found else None


def measure(context: Context, one: Run, seconds: float) -> float:
    """Images per second of a training of `seconds`, on random data of the right shape."""
    import torch

    from gmgan.models.model import build_model
    from gmgan.training.trainer import Trainer

    device = context.device()
    resolved = settings(context.params, one)
    source = context.params.datasets[one.dataset].source
    shape, n_classes = source.sample_shape, source.n_classes or 1
    count = 4 * resolved.training.batch_size
    if len(shape) == 1:
        samples = torch.randn(count, *shape)
    else:
        height, width, channels = shape
        samples = torch.randint(256, (count, channels, height, width), dtype=torch.uint8)
        shape = (channels, height, width)
    trainer = Trainer(
        build_model(resolved, shape, n_classes, device),
        resolved.training,
        samples.to(device),
        torch.randint(n_classes, (count,)).to(device),
        order_seed=0,
        noise_seed=0,
    )
    for _ in range(3):  # the first steps choose kernels and allocate memory
        trainer.step().tolist()
    started, first = time.monotonic(), trainer.kimg
    while time.monotonic() - started < seconds:
        trainer.step().tolist()  # waits for the GPU
    return 1000 * (trainer.kimg - first) / (time.monotonic() - started)


def _cost(context, group, speeds, timings):
    one = group[0]
    kimg = settings(context.params, one).training.kimg
    found = speeds.get(kind_of_training(context, one))
    speed = median(found) if found else None
    stages = [stage for stage, _ in grid.evaluation_jobs(context.params, group[-1])]
    known = all((one.dataset, stage) in timings for stage in stages)
    hours = {
        stage: median(timings[one.dataset, stage]) / 3600 * stages.count(stage)
        for stage in (stages if known else [])
    }
    return Cost(
        dataset=one.dataset,
        model=one.model,
        runs=len(group),
        kimg=kimg,
        images_per_second=speed,
        training_hours=1000 * kimg / speed / 3600 if speed else None,
        scoring_hours=sum(hours.values()) if known else None,
        scoring_gpu_hours=sum(hours.get(stage, 0) for stage in ON_GPU) if known else None,
    )


def lines(context: Context, suite: str, costs: list[Cost], device: str) -> list[str]:
    """The printed table and totals."""
    params, runs = context.params, grid.suite_runs(context.params, suite)
    title = params.suites[suite].title
    head = ("data set", "model", "runs", "kimg", "images/s", "training h", "scoring h")
    rows = [
        (
            cost.dataset,
            cost.model,
            str(cost.runs),
            f"{cost.kimg:g}",
            _number(cost.images_per_second),
            _number(_times(cost.training_hours, cost.runs)),
            _number(_times(cost.scoring_hours, cost.runs)),
        )
        for cost in costs
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return [
        f"suite {suite}: {title}",
        "",
        *(_aligned(row, widths) for row in [head, *rows]),
        "",
        *_counts(context, runs),
        *_totals(params, costs, device, suite),
    ]


def _counts(context, runs):
    params, paths = context.params, context.paths
    jobs = [("train", run.name) for run in grid.trained_runs(params, runs)]
    jobs += [job for run in runs for job in grid.evaluation_jobs(params, run)]
    shared = grid.count_dataset_jobs(params, runs)
    submitted = len(grid.trained_runs(params, runs)) + len(runs) + shared
    outputs = sum(len(grid.run_outputs(paths, params, run)) for run in runs)
    return [
        f"{len(runs)} runs; {len(jobs) + shared + 2} jobs, which profiles/slurm and "
        f"profiles/cluster-generic submit as {submitted} and 2 local ones",
        f"{outputs} files of runs ({outputs / len(runs):.1f} per run), {len(jobs)} logs, "
        f"{outputs} entries of Snakemake's own in .snakemake/metadata",
    ]


def _totals(params, costs, device, suite):
    threads = params.execution.threads
    training = [(cost.training_hours, cost.runs) for cost in costs]
    scoring = [(cost.scoring_hours, cost.runs) for cost in costs]
    on_gpu = [(cost.scoring_gpu_hours, cost.runs) for cost in costs]
    core_hours = threads * (_sum(training) + _sum(scoring))
    where = f"on {device}, {threads} thread{'s' if threads > 1 else ''} a job"
    unknown = [_unknown(training), _unknown(scoring)]
    expected = f"{core_hours:.3g} core-hours"
    if device == "cuda":
        expected += f", {_sum(training) + _sum(on_gpu):.3g} GPU-hours"
    least = "at least " if any(unknown) else ""
    found = [f"expected {where}: {least}{expected}, without the jobs of the data sets"]
    if unknown[0]:
        found.append(
            f"training: no speed was measured for {unknown[0]} runs; time it here with "
            f"gmgan grid --suite {suite} --measure 10"
        )
    if unknown[1]:
        found.append(f"scoring: no time was measured for {unknown[1]} runs; score one of each")
    return found


def _sum(pairs):
    return sum(hours * runs for hours, runs in pairs if hours is not None)


def _unknown(pairs):
    return sum(runs for hours, runs in pairs if hours is None)


def _times(hours, runs):
    return None if hours is None else hours * runs


def _number(value):
    return "unknown" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _aligned(row, widths):
    left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join([*left, *right])
