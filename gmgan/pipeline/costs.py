"""What a suite costs before it runs: jobs, files, core-hours and GPU-hours, by measured speeds."""

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydantic import ValidationError

from gmgan.config.params import Params
from gmgan.config.run import Run, RunSettings
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import Damaged, Stamped
from gmgan.pipeline.graph import Graph, Job
from gmgan.pipeline.runner import Runner
from gmgan.pipeline.stage import Stage
from gmgan.pipeline.stages import STAGES
from gmgan.runtime import gpu

_SECONDS = re.compile(r"^gmgan (?:\S+): ([\d.]+) s, peak memory", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """The runs of one data set and model with the same varied values.

    Hours are per run, None where nothing was measured; jobs, untimed: its jobs, and those of them
    that were never timed.
    """

    dataset: str
    model: str
    varied: str
    runs: int
    kimg: float
    images_per_second: float | None
    training_hours: float | None
    scoring_hours: float | None
    scoring_gpu_hours: float | None
    jobs: int
    untimed: int


@dataclass(frozen=True)
class Measured:
    """What earlier runs took.

    speeds: images per second by kind of training; seconds: by (data set, stage).
    """

    speeds: dict[str, list[float]]
    seconds: dict[tuple[str, str], list[float]]

    def hours(self, dataset: str, stages: Iterable[Stage]) -> float | None:
        """Hours of one job of each of `stages`; None if one of them was never timed."""
        seconds = [self.seconds.get((dataset, stage.name)) for stage in stages]
        return sum(median(each) for each in seconds if each) / 3600 if all(seconds) else None


def costs_of(
    runner: Runner, suite: str, device: str | None, measure_seconds: float | None
) -> tuple[list[Cost], str]:
    """The costs of a suite, a row per data set, model and varied values, and for which device.

    Speeds of training are medians over the runs in the results folder that trained equal networks
    on data of the same shape on the same kind of device; where there is none, over a training of
    `measure_seconds` here and now. Times of the other stages are medians over logs of the same
    data set.
    """
    if measure_seconds is not None and not 0 < measure_seconds < float("inf"):
        text = f"expected a positive number of seconds, got {measure_seconds:g}"
        raise GmganError(f"--measure: {text}")
    chosen = runner.params.execution.device
    default = chosen if chosen != "auto" else "cuda" if gpu.devices() else "cpu"
    device = device or default
    if measure_seconds is not None and device != default:
        raise GmganError(
            f"--measure times trainings on this machine's {default}, not on {device}; leave one of "
            "--measure and --device out"
        )
    measured = measured_by(runner, device)
    groups: dict[tuple[str, str, str], list[RunSettings]] = defaultdict(list)
    for run in grid.suite_runs(runner.params, suite):
        settings = grid.settings(runner.params, run)
        groups[run.dataset, run.model, run.varied].append(settings)
        if measure_seconds is not None and _kind(runner.params, settings) not in measured.speeds:
            speed = measure(runner, run, measure_seconds)
            measured.speeds[_kind(runner.params, settings)] = [speed]
    jobs = defaultdict(list)
    for job in runner.jobs(suite):
        jobs[job.names.get("run")].append(job)
    in_order = sorted(groups, key=lambda key: [dataset for dataset, *_ in groups].index(key[0]))
    return [_cost(runner.params, groups[key], jobs, measured) for key in in_order], device


DECIDES_SPEED = {"batch_size", "critic_steps", "precision", "average_half_life_kimg"}


def _kind(params: Params, settings: RunSettings) -> str:
    """What decides the speed of a run's training; K, seed and learning rate do not."""
    parts = (
        params.datasets[settings.run.dataset].source.sample_shape,
        settings.network.model_dump(),
        settings.latent.dim,
        settings.training.model_dump(include=DECIDES_SPEED),
        settings.objective.kind,
        [each.model_dump() for each in (*settings.penalties, *settings.auxiliary)],
        settings.prior.model_dump(),
    )
    return json.dumps(parts, sort_keys=True)


def measured_by(graph: Graph, device: str) -> Measured:
    """Speeds and times of the finished runs in the results folder that ran on `device`.

    On a CPU only runs with the number of threads in params.yaml count.
    """
    measured = Measured(defaultdict(list), defaultdict(list))
    params, artifact = graph.params, STAGES["train"].writes["record"]
    assert isinstance(artifact, Stamped)
    for path in sorted(graph.results.glob("runs/*/train.json")):
        try:
            record, _ = artifact.read_stamped(path)
            settings = RunSettings.model_validate(record.settings)
            grid.parse_run(params, settings.run.name)
        except (Damaged, OSError, ValidationError, GmganError):  # not whole, or of other params
            continue
        other_threads = device == "cpu" and record.threads != params.execution.threads
        if record.status != "ok" or record.device != device or other_threads:
            continue
        measured.speeds[_kind(params, settings)].append(record.images_per_second)
        for stage in (stage for stage in STAGES.values() if "run" in stage.per):
            for log in (graph.results / "logs" / stage.name).glob(f"{settings.run}.*"):
                if seconds := _seconds_in(log):
                    measured.seconds[settings.run.dataset, stage.name].append(seconds[-1])
    return measured


def expected_seconds(graph: Graph, suite: str) -> Callable[[str, Mapping[str, str]], float | None]:
    """A function that gives the seconds of a job of a rule, by its wildcards.

    By measured speeds and times; None where nothing was measured, 0 for rules without a stage.
    """
    chosen = graph.params.execution.device
    device = chosen if chosen != "auto" else "cuda" if gpu.devices() else "cpu"
    measured = measured_by(graph, device)

    def expected(rule: str, wildcards: Mapping[str, str]) -> float | None:
        if rule not in STAGES:
            return 0.0
        job = graph.job(rule, suite=suite, **wildcards)
        at = graph.scope(job)
        if rule == "train":
            speeds = measured.speeds.get(_kind(graph.params, at.run_settings))
            return 1000 * at.run_settings.training.kimg / median(speeds) if speeds else None
        if "run" in job.names:
            seconds = measured.seconds.get((at.dataset, rule))
        else:
            seconds = _seconds_in(graph.log(job))
        return median(seconds) if seconds else None

    return expected


def _seconds_in(log: Path) -> list[float]:
    """The times that a log gives, in order; empty if there is none."""
    try:
        return [float(each) for each in _SECONDS.findall(log.read_text(errors="replace"))]
    except OSError:
        return []


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


def _cost(
    params: Params,
    group: list[RunSettings],
    jobs: Mapping[Run | None, list[Job]],
    measured: Measured,
) -> Cost:
    """The cost of the runs of a group; jobs: those of each run."""
    settings, run = group[0], group[0].run
    kimg, speeds = settings.training.kimg, measured.speeds.get(_kind(params, settings))
    speed = median(speeds) if speeds else None
    stages = [job.stage for job in jobs[group[-1].run] if job.stage.name != "train"]
    untimed = sum((run.dataset, stage.name) not in measured.seconds for stage in stages)
    scoring = measured.hours(run.dataset, stages)
    on_gpu = measured.hours(run.dataset, [stage for stage in stages if stage.needs.gpu])
    return Cost(
        dataset=run.dataset,
        model=run.model,
        varied=run.varied,
        runs=len(group),
        kimg=kimg,
        images_per_second=speed,
        training_hours=1000 * kimg / speed / 3600 if speed else None,
        scoring_hours=scoring,
        scoring_gpu_hours=None if scoring is None else on_gpu,
        jobs=len(stages) + 1,
        untimed=untimed + (speed is None),
    )


def describe(runner: Runner, suite: str, costs: list[Cost], device: str) -> list[str]:
    """The printed table and totals."""
    head = ("data set", "model", "varied", "runs", "kimg", "images/s", "training h", "scoring h")
    rows: list[tuple[str, ...]] = [head]
    for cost in costs:
        hours = (_number(each, cost.runs) for each in (cost.training_hours, cost.scoring_hours))
        name = cost.dataset, cost.model, cost.varied, str(cost.runs), f"{cost.kimg:g}"
        rows.append((*name, _number(cost.images_per_second), *hours))
    if not any(cost.varied for cost in costs):
        rows = [(*row[:2], *row[3:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"suite {suite}: {runner.params.suites[suite].title}",
        "",
        *(_aligned(row, widths) for row in rows),
        "",
        *_counts(runner, suite),
        *_totals(runner.params.execution.threads, costs, device, suite),
    ]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """One line of the table: names to the left, five numbers to the right."""
    sides = "<" * (len(row) - 5) + ">" * 5
    return "  ".join(f"{text:{s}{w}}" for text, s, w in zip(row, sides, widths, strict=True))


def _number(value: float | None, factor: int = 1) -> str:
    if value is None:
        return "unknown"
    return f"{value * factor:.3g}" if value * factor < 1000 else f"{value * factor:.0f}"


def _counts(runner: Runner, suite: str) -> list[str]:
    jobs, runs = runner.jobs(suite), grid.suite_runs(runner.params, suite)
    own = [job for job in jobs if "run" in job.names]
    trainings = sum(job.stage.name == "train" for job in own)
    shared = len(jobs) - len(own) - 2  # without collect and report
    outputs = sum(len(job.stage.writes) for job in own if job.names["run"] in runs)
    return [
        f"{len(runs)} runs; {len(jobs)} jobs, which profiles/slurm and profiles/cluster-generic "
        f"submit as {trainings + len(runs) + shared} and 2 local ones",
        f"{outputs} files of runs ({outputs / len(runs):.1f} per run), {len(own) + 2} logs, "
        f"{outputs} entries of Snakemake's own in .snakemake/metadata",
    ]


def _totals(threads: int, costs: list[Cost], device: str, suite: str) -> list[str]:
    training, untrained = _total((cost.training_hours, cost.runs) for cost in costs)
    scoring, unscored = _total((cost.scoring_hours, cost.runs) for cost in costs)
    on_gpu, _ = _total((cost.scoring_gpu_hours, cost.runs) for cost in costs)
    expected = f"{threads * (training + scoring):.3g} core-hours"
    if device == "cuda":
        expected += f", {training + on_gpu:.3g} GPU-hours"
    where = f"on {device}, {threads} thread{'s' if threads > 1 else ''} a job"
    jobs = sum(cost.jobs * cost.runs for cost in costs)
    untimed = sum(cost.untimed * cost.runs for cost in costs)
    least = "at least " if untimed else ""
    lines = [f"never timed here: {untimed:,} of {jobs:,} jobs of runs"] if untimed else []
    known = f"{least}{expected}, without the jobs of the data sets"
    lines.append(f"expected {where}: {known if training + scoring else 'unknown'}")
    if untrained:
        lines.append(
            f"training: no speed was measured for {untrained} runs; time it here with "
            f"gmgan cost --suite {suite} --measure 10"
        )
    if unscored:
        lines.append(f"scoring: no time was measured for {unscored} runs; score one of each")
    return lines


def _total(pairs: Iterable[tuple[float | None, int]]) -> tuple[float, int]:
    """Hours of all runs with known hours per run, and the number of the other runs."""
    hours, unknown = 0.0, 0
    for per_run, runs in pairs:
        hours += (per_run or 0) * runs
        unknown += runs if per_run is None else 0
    return hours, unknown
