"""What a suite costs before it runs: jobs, files, core-hours and GPU-hours, by measured speeds."""

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydantic import ValidationError

from gmgan.config.run import Run, RunSettings
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import Damaged, Json
from gmgan.pipeline.graph import Graph, Job
from gmgan.pipeline.runner import Runner
from gmgan.pipeline.stages import STAGES
from gmgan.records import TrainingRecord
from gmgan.runtime import gpu

_SECONDS = re.compile(r"^gmgan (?:\S+): ([\d.]+) s, peak memory", re.MULTILINE)
Pairs = Iterable[tuple[float | None, int]]  # hours per run, number of runs


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


@dataclass(frozen=True)
class Measured:
    """What earlier runs took.

    speeds: images per second by kind of training; seconds: by (data set, stage).
    """

    speeds: dict[str, list[float]]
    seconds: dict[tuple[str, str], list[float]]


def costs_of(
    runner: Runner, suite: str, device: str | None, measure_seconds: float | None
) -> tuple[list[Cost], str]:
    """The costs of a suite, a row per data set and model, and the device they hold for.

    Speeds of training are medians over the runs in the results folder that trained equal networks
    on data of the same shape on the same kind of device; where there is none, over a training of
    `measure_seconds` here and now. Times of the other stages are medians over logs of the same
    data set.
    """
    default = default_device(runner)
    device = device or default
    if measure_seconds is not None and device != default:
        raise GmganError(
            f"--measure times trainings on this machine's {default}, not on {device}; leave one of "
            "--measure and --device out"
        )
    runs = grid.suite_runs(runner.params, suite)
    measured = measured_by(runner, device)
    if measure_seconds is not None:
        for run in runs:
            kind = kind_of_training(runner, run)
            if kind not in measured.speeds:
                measured.speeds[kind] = [measure(runner, run, measure_seconds)]
    groups: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        groups.setdefault(run.dataset, {}).setdefault(run.model, []).append(run)
    own_jobs = jobs_of_runs(runner, suite)
    return [
        _cost(runner, group, own_jobs[group[-1]], measured)
        for by_model in groups.values()
        for group in by_model.values()
    ], device


def default_device(graph: Graph) -> str:
    """`cpu` or `cuda`: what execution.device in params.yaml means on this machine."""
    chosen = graph.params.execution.device
    if chosen != "auto":
        return chosen
    return "cuda" if gpu.devices() else "cpu"


def jobs_of_runs(graph: Graph, suite: str) -> dict[Run, list[Job]]:
    """The jobs of each run; the training of a parent is listed under the parent."""
    jobs: dict[Run, list[Job]] = {}
    for job in graph.jobs(suite):
        if "run" in job.names:
            jobs.setdefault(job.names["run"], []).append(job)
    return jobs


def kind_of_training(graph: Graph, run: Run) -> str:
    """What decides the speed of a run's training; K, seed and learning rate do not."""
    shape = graph.params.datasets[run.dataset].source.sample_shape
    return _kind(grid.settings(graph.params, run), shape)


def _kind(settings: RunSettings, sample_shape: tuple[int, ...]) -> str:
    parts = (
        sample_shape,
        settings.network.model_dump(),
        settings.latent.dim,
        settings.training.batch_size,
        settings.training.precision,
        settings.objective,
        settings.prior.model_dump(),
    )
    return json.dumps(parts, sort_keys=True)


def measured_by(graph: Graph, device: str) -> Measured:
    """Speeds and times of the finished runs in the results folder that ran on `device`.

    On a CPU only runs with the number of threads in params.yaml count.
    """
    measured = Measured({}, {})
    params = graph.params
    for path in sorted(graph.results.glob("runs/*/train.json")):
        record = _training_record(path)
        if record is None or record.status != "ok" or record.device != device:
            continue
        if device == "cpu" and record.threads != params.execution.threads:
            continue
        try:
            settings = RunSettings.model_validate(record.settings)
            run = settings.run
            grid.check_run(params, run)
        except (ValidationError, GmganError):  # of other params
            continue
        kind = _kind(settings, params.datasets[run.dataset].source.sample_shape)
        measured.speeds.setdefault(kind, []).append(record.images_per_second)
        for stage in (stage for stage in STAGES.values() if "run" in stage.per):
            for log in (graph.results / "logs" / stage.name).glob(f"{run}.*"):
                seconds = _SECONDS.findall(log.read_text(errors="replace"))
                if seconds:
                    place = run.dataset, stage.name
                    measured.seconds.setdefault(place, []).append(float(seconds[-1]))
    return measured


def _training_record(path: Path) -> TrainingRecord | None:
    artifact = STAGES["train"].writes["record"]
    assert isinstance(artifact, Json)
    try:
        return artifact.read_stamped(path)[0]
    except (Damaged, OSError):
        return None


def measure(runner: Runner, run: Run, seconds: float) -> float:
    """Images per second of a training of `seconds`, on random data of the right shape."""
    import torch

    from gmgan.models.model import build_model
    from gmgan.models.restore import channels_first
    from gmgan.training.trainer import Trainer

    settings = grid.settings(runner.params, run)
    source = runner.params.datasets[run.dataset].source
    shape, n_classes = channels_first(list(source.sample_shape)), source.n_classes or 1
    count = 4 * settings.training.batch_size
    samples = torch.randint(256, (count, *shape), dtype=torch.uint8)
    trainer = Trainer(
        build_model(settings, shape, n_classes, runner.device),
        settings.training,
        (torch.randn(count, *shape) if len(shape) == 1 else samples).to(runner.device),
        torch.randint(n_classes, (count,)).to(runner.device),
        order_seed=0,
        noise_seed=0,
    )
    for _ in range(3):  # the first steps choose kernels and allocate memory
        trainer.step().tolist()
    started, first = time.monotonic(), trainer.kimg
    while time.monotonic() - started < seconds:
        trainer.step().tolist()  # waits for the GPU
    return 1000 * (trainer.kimg - first) / (time.monotonic() - started)


def _cost(runner: Runner, group: list[Run], jobs: list[Job], measured: Measured) -> Cost:
    """The cost of runs of one data set and model; jobs: those of one of them."""
    dataset, model = group[0].dataset, group[0].model
    kimg = grid.settings(runner.params, group[0]).training.kimg
    speeds = measured.speeds.get(kind_of_training(runner, group[0]))
    speed = median(speeds) if speeds else None
    stages = [job.stage for job in jobs if job.stage.name != "train"]
    known = all((dataset, stage.name) in measured.seconds for stage in stages)
    hours = [
        (stage, median(measured.seconds[dataset, stage.name]) / 3600)
        for stage in (stages if known else [])
    ]
    return Cost(
        dataset=dataset,
        model=model,
        runs=len(group),
        kimg=kimg,
        images_per_second=speed,
        training_hours=1000 * kimg / speed / 3600 if speed else None,
        scoring_hours=sum(each for _, each in hours) if known else None,
        scoring_gpu_hours=sum(each for stage, each in hours if stage.needs.gpu) if known else None,
    )


def describe(runner: Runner, suite: str, costs: list[Cost], device: str) -> list[str]:
    """The printed table and totals."""
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
        f"suite {suite}: {runner.params.suites[suite].title}",
        "",
        *(_aligned(row, widths) for row in [head, *rows]),
        "",
        *_counts(runner, suite),
        *_totals(runner.params.execution.threads, costs, device, suite),
    ]


def _counts(runner: Runner, suite: str) -> list[str]:
    jobs = runner.jobs(suite)
    runs = grid.suite_runs(runner.params, suite)
    own = [job for job in jobs if "run" in job.names]
    trainings = [job for job in own if job.stage.name == "train"]
    shared = len(jobs) - len(own) - 2  # without collect and report
    outputs = sum(len(job.stage.writes) for job in own if job.names["run"] in runs)
    return [
        f"{len(runs)} runs; {len(jobs)} jobs, which profiles/slurm and profiles/cluster-generic "
        f"submit as {len(trainings) + len(runs) + shared} and 2 local ones",
        f"{outputs} files of runs ({outputs / len(runs):.1f} per run), {len(own)} logs, "
        f"{outputs} entries of Snakemake's own in .snakemake/metadata",
    ]


def _totals(threads: int, costs: list[Cost], device: str, suite: str) -> list[str]:
    training = [(cost.training_hours, cost.runs) for cost in costs]
    scoring = [(cost.scoring_hours, cost.runs) for cost in costs]
    on_gpu = [(cost.scoring_gpu_hours, cost.runs) for cost in costs]
    core_hours = threads * (_sum(training) + _sum(scoring))
    where = f"on {device}, {threads} thread{'s' if threads > 1 else ''} a job"
    expected = f"{core_hours:.3g} core-hours"
    if device == "cuda":
        expected += f", {_sum(training) + _sum(on_gpu):.3g} GPU-hours"
    untrained, unscored = _unknown(training), _unknown(scoring)
    least = "at least " if untrained or unscored else ""
    lines = [f"expected {where}: {least}{expected}, without the jobs of the data sets"]
    if untrained:
        lines.append(
            f"training: no speed was measured for {untrained} runs; time it here with "
            f"gmgan cost --suite {suite} --measure 10"
        )
    if unscored:
        lines.append(f"scoring: no time was measured for {unscored} runs; score one of each")
    return lines


def _sum(pairs: Pairs) -> float:
    return sum(hours * runs for hours, runs in pairs if hours is not None)


def _unknown(pairs: Pairs) -> int:
    return sum(runs for hours, runs in pairs if hours is None)


def _times(hours: float | None, runs: int) -> float | None:
    return None if hours is None else hours * runs


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    left = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
    right = [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join([*left, *right])
