"""What a suite will cost: counts against Snakemake's own plan, hours against measured speeds."""

import json
import re

import pytest

from gmgan.errors import GmganError
from gmgan.pipeline import costs as cost
from gmgan.pipeline import grid
from gmgan.pipeline.grid import Paths
from gmgan.stages.context import Context

pytestmark = pytest.mark.pipeline


@pytest.fixture
def context(params, tmp_path):
    return Context(params, Paths(tmp_path / "results"))


def finished_run(context, name, speed, device="cpu", status="ok", seconds=None):
    """Leave what a run of this speed leaves; `seconds` is what each other stage took."""
    run = grid.parse_run(context.params, name)
    about = context.paths.train_about(run)
    about.parent.mkdir(parents=True)
    found = {
        "settings": grid.settings(context.params, run).model_dump(mode="json"),
        "status": status,
        "device": device,
        "threads": 1,
        "images_per_second": speed,
    }
    about.write_text(json.dumps(found))
    for stage, log in grid.evaluation_jobs(context.params, run) if seconds else []:
        path = context.paths.log(stage, log)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"a line\ngmgan {stage}: {seconds} s, peak memory 97 MiB\n")


def costs_of(context, suite, device="cpu"):
    costs, _ = cost.run(context, suite, device, None)
    return {(each.dataset, each.model): each for each in costs}


def printed(context, suite, device="cpu"):
    costs, device = cost.run(context, suite, device, None)
    return "\n".join(cost.lines(context, suite, costs, device))


@pytest.mark.pipeline
@pytest.mark.parametrize("suite", ["ci", "paper", "mnist-finetune"])
def test_counts_are_those_of_snakemakes_plan(project, context, suite):
    plan = project.snakemake("-n", "all", "--config", f"suite={suite}").stdout
    total = int(re.search(r"^total +(\d+)$", plan, re.MULTILINE)[1]) - 1  # `all` does nothing
    outputs = [
        path
        for line in plan.splitlines()
        if line.strip().startswith("output:")
        for path in line.split(":", 1)[1].split(", ")
        if path.strip().startswith("results/runs/")
    ]
    logs = [line for line in plan.splitlines() if line.strip().startswith("log: results/logs/")]
    text = printed(context, suite)
    runs = len(grid.suite_runs(context.params, suite))
    assert f"{runs} runs; {total} jobs" in text
    assert f"{len(outputs)} files of runs" in text
    shared = grid.count_dataset_jobs(context.params, grid.suite_runs(context.params, suite))
    assert f"{len(logs) - shared - 2} logs" in text


def test_speed_is_the_median_over_equal_networks_whatever_k_and_seed(context):
    for seed, speed in enumerate((1000.0, 4000.0, 2000.0)):
        finished_run(context, f"mnist.gmgan-static.K10.s{seed}", speed)
    costs = costs_of(context, "paper")
    for dataset in ("mnist", "fashion-mnist"):  # same shape, same network
        found = costs[dataset, "gmgan-static"]
        assert (found.runs, found.images_per_second) == (15, 2000.0)
        assert found.training_hours == pytest.approx(3000e3 / 2000 / 3600)
    for other in (("mnist", "gan"), ("mnist", "gmgan-dynamic"), ("cifar10", "gmgan-static")):
        assert costs[other].images_per_second is None
        assert costs[other].training_hours is None


def test_speeds_of_another_device_or_of_failures_do_not_count(context):
    finished_run(context, "mnist.gan.K1.s0", 9e4, device="cuda")
    finished_run(context, "mnist.gan.K1.s1", 1.0, status="diverged")
    assert costs_of(context, "mnist")["mnist", "gan"].images_per_second is None
    assert costs_of(context, "mnist", "cuda")["mnist", "gan"].images_per_second == 9e4


def test_totals_say_what_is_unknown(context):
    text = printed(context, "mnist-short")
    assert "at least 0 core-hours" in text
    assert "no speed was measured for 6 runs" in text
    assert "no time was measured for 6 runs" in text
    finished_run(context, "mnist-short.gan.K1.s0", 500.0, seconds=36.0)
    finished_run(context, "mnist-short.gmgan-static.K10.s0", 250.0, seconds=36.0)
    # 3 x (600,000 / 500 + 600,000 / 250) s; sample, features, score, tradeoff, explore, cluster
    hours = 3 * (1200 + 2400) / 3600 + 3 * (5 + 6) * 36 / 3600
    assert f"expected on cpu, 1 thread a job: {hours:.3g} core-hours" in printed(
        context, "mnist-short"
    )


def test_gpu_hours_leave_out_the_stages_on_the_cpu(context):
    finished_run(context, "mnist-short.gan.K1.s0", 5000.0, "cuda", seconds=360.0)
    finished_run(context, "mnist-short.gmgan-static.K10.s0", 5000.0, "cuda", seconds=360.0)
    text = printed(context, "mnist-short", "cuda")
    training, scoring = 6 * 600e3 / 5000 / 3600, 0.1
    gpu_hours = training + 3 * (4 + 5) * scoring  # all but score
    assert f"{training + 3 * (5 + 6) * scoring:.3g} core-hours, {gpu_hours:.3g} GPU-hours" in text


def test_measuring_trains_only_what_was_not_timed(context, monkeypatch):
    finished_run(context, "toy-ring-ci.gan.K1.s0", 1234.0)
    asked = []
    real = cost.measure
    monkeypatch.setattr(cost, "measure", lambda *all: (asked.append(all[1].name), real(*all))[1])
    costs, device = cost.run(context, "ci", None, 0.05)
    assert device == "cpu"
    assert all(each.images_per_second > 0 for each in costs)
    assert costs[0].images_per_second == 1234.0
    assert asked == [
        "toy-ring-ci.gmgan-dynamic.K8.s0",
        "digits-ci.acgan.K1.s0",
        "digits-ci.gmgan-supervised.K10.s0",
    ]
    assert not list(context.paths.results.glob("checkpoints/*"))


def test_measuring_is_for_the_device_at_hand(context):
    with pytest.raises(GmganError, match="not on cuda"):
        cost.run(context, "ci", "cuda", 1.0)


def test_grid_is_a_command_and_refuses_nonsense(project):
    done = project.gmgan("grid", "--suite", "ci")
    assert "suite ci: every stage in seconds" in done.stdout
    assert done.stderr == ""
    assert "unknown suite 'nope'" in project.gmgan("grid", "--suite", "nope", check=False).stderr
    wrong = project.gmgan("grid", "--measure", "0", check=False)
    assert wrong.returncode == 2
    assert "expected a positive number of seconds, got '0'" in wrong.stderr
