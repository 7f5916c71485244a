"""What a suite will cost: counts against Snakemake's own plan, hours against measured speeds."""

import re

import pytest
from conftest import ROOT

from gmgan.errors import GmganError
from gmgan.pipeline import costs, grid
from gmgan.pipeline.runner import Runner
from gmgan.records import TrainingRecord

pytestmark = pytest.mark.pipeline


@pytest.fixture
def runner(params, tmp_path):
    return Runner(params, tmp_path / "results")


def finished_run(runner, name, speed, device="cpu", status="ok", seconds=None):
    """Write the files of a run of this speed; `seconds` is the time of each other stage."""
    job = runner.job("train", run=name)
    record = TrainingRecord(
        run=name,
        status=status,
        settings=runner.settings(job).model_dump(mode="json"),
        kimg=1.0,
        iterations=1,
        seconds=1.0,
        images_per_second=speed,
        device=device,
        threads=1,
        parameters={},
        data_sha256="0",
        weights_sha256="0",
    )
    stamp = {"fingerprint": "0", "provenance": {}, "files": {}}
    path = runner.outputs(job)["record"]
    job.stage.writes["record"].write_stamped(path, record, stamp)
    suite = {"toy-ring-ci": "ci", "mnist": "mnist"}.get(job.names["run"].dataset, "mnist-short")
    for other in runner.jobs(suite) if seconds else []:
        if other.names.get("run") == job.names["run"] and other.stage.name != "train":
            log = runner.log(other)
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(f"a line\ngmgan {other.stage.name}: {seconds} s, peak memory 97 MiB\n")


def costs_by_model(runner, suite, device="cpu"):
    rows, _ = costs.costs_of(runner, suite, device, None)
    return {(row.dataset, row.model): row for row in rows}


def printed(runner, suite, device="cpu"):
    rows, device = costs.costs_of(runner, suite, device, None)
    return "\n".join(costs.describe(runner, suite, rows, device))


@pytest.mark.parametrize("suite", ["ci", "paper", "mnist-finetune"])
def test_counts_are_those_of_snakemakes_plan(project, runner, suite):
    plan = project.snakemake("-n", "-p", "all", "--config", f"suite={suite}").stdout
    total = int(re.search(r"^total +(\d+)$", plan, re.MULTILINE)[1]) - 1  # `all` does nothing
    outputs = [
        path
        for line in plan.splitlines()
        if line.strip().startswith("output:")
        for path in line.split(":", 1)[1].split(", ")
        if path.strip().startswith("results/runs/")
    ]
    logs = re.findall(r"log: results/logs/(\w+)/", plan)
    text = printed(runner, suite)
    runs = len(grid.suite_runs(runner.params, suite))
    assert f"{runs} runs; {total} jobs" in text
    assert f"{len(outputs)} files of runs" in text
    of_data = ("prepare", "extractor", "real_features", "floor")
    assert f"{sum(stage not in of_data for stage in logs)} logs" in text


def test_the_page_about_clusters_shows_the_counts_that_are_printed(runner):
    page = (ROOT / "docs" / "cluster.md").read_text()
    counts = [line for line in printed(runner, "paper").splitlines() if " runs" in line[:30]]
    assert len(counts) == 2
    assert "".join(f"      {line}\n" for line in counts) in page
    jobs, sent = re.search(r"(\d+) jobs.* as (\d+) and 2 local", printed(runner, "ci")).groups()
    assert f"Its {jobs} jobs are {sent} for SLURM and 2 on the login node" in page


def test_speed_is_the_median_over_equal_networks_whatever_k_and_seed(runner):
    for seed, speed in enumerate((1000.0, 4000.0, 2000.0)):
        finished_run(runner, f"mnist.gmgan-static.K10.s{seed}", speed)
    rows = costs_by_model(runner, "paper")
    for dataset in ("mnist", "fashion-mnist"):  # same shape, same network
        row = rows[dataset, "gmgan-static"]
        assert (row.runs, row.images_per_second) == (15, 2000.0)
        assert row.training_hours == pytest.approx(3000e3 / 2000 / 3600)
    for other in (("mnist", "gan"), ("mnist", "gmgan-dynamic"), ("cifar10", "gmgan-static")):
        assert rows[other].images_per_second is None
        assert rows[other].training_hours is None


def test_speeds_of_another_precision_device_or_of_failures_do_not_count(runner):
    finished_run(runner, "mnist.gan.K1.s0", 9e4, device="cuda")
    finished_run(runner, "mnist.gan.K1.s1", 1.0, status="diverged")
    finished_run(runner, "mnist.gan-bfloat16.K1.s0", 5.0)
    assert costs_by_model(runner, "mnist")["mnist", "gan"].images_per_second is None
    assert costs_by_model(runner, "mnist", "cuda")["mnist", "gan"].images_per_second == 9e4


def test_totals_say_what_is_unknown(runner):
    text = printed(runner, "mnist-short")
    # without clustering for GAN: 3 x 6 + 3 x 7 jobs
    assert "never timed here: 39 of 39 jobs of runs\n" in text
    assert "expected on cpu, 1 thread a job: unknown\n" in text
    assert "no speed was measured for 6 runs" in text
    assert "no time was measured for 6 runs" in text
    finished_run(runner, "mnist-short.gan.K1.s0", 500.0, seconds=36.0)
    *_, never, expected, _, _ = printed(runner, "mnist-short").splitlines()
    # the mixture's clustering was not seen; its training has no speed
    assert never == "never timed here: 6 of 39 jobs of runs"
    hours = 3 * 1200 / 3600 + 3 * 5 * 36 / 3600
    assert f"at least {hours:.3g} core-hours" in expected
    finished_run(runner, "mnist-short.gmgan-static.K10.s0", 250.0, seconds=36.0)
    assert "never timed" not in printed(runner, "mnist-short")
    # 3 x (600,000 / 500 + 600,000 / 250) s; sample, features, score, tradeoff, explore, cluster
    hours = 3 * (1200 + 2400) / 3600 + 3 * (5 + 6) * 36 / 3600
    assert f"expected on cpu, 1 thread a job: {hours:.3g} core-hours" in printed(
        runner, "mnist-short"
    )


def test_gpu_hours_leave_out_the_stages_on_the_cpu(runner):
    finished_run(runner, "mnist-short.gan.K1.s0", 5000.0, "cuda", seconds=360.0)
    finished_run(runner, "mnist-short.gmgan-static.K10.s0", 5000.0, "cuda", seconds=360.0)
    text = printed(runner, "mnist-short", "cuda")
    training, scoring = 6 * 600e3 / 5000 / 3600, 0.1
    gpu_hours = training + 3 * (4 + 5) * scoring  # all but score
    assert f"{training + 3 * (5 + 6) * scoring:.3g} core-hours, {gpu_hours:.3g} GPU-hours" in text


def test_measuring_trains_only_what_was_not_timed(runner, monkeypatch):
    finished_run(runner, "toy-ring-ci.gan.K1.s0", 1234.0)
    asked = []
    real = costs.measure
    monkeypatch.setattr(costs, "measure", lambda *all: (asked.append(all[1].name), real(*all))[1])
    rows, device = costs.costs_of(runner, "ci", None, 0.05)
    assert device == "cpu"
    assert all(row.images_per_second > 0 for row in rows)
    assert rows[0].images_per_second == 1234.0
    assert asked == [
        "toy-ring-ci.gmgan-dynamic.K8.s0",
        "digits-ci.acgan.K1.s0",
        "digits-ci.gmgan-supervised.K10.s0",
    ]
    assert not list(runner.results.glob("checkpoints/*"))


def test_measuring_is_for_the_device_at_hand(runner):
    with pytest.raises(GmganError, match="not on cuda"):
        costs.costs_of(runner, "ci", "cuda", 1.0)


def test_cost_is_a_command_and_refuses_nonsense(project):
    done = project.gmgan("cost", "--suite", "ci")
    assert "suite ci: every stage in seconds" in done.stdout
    assert done.stderr == ""
    assert "unknown suite 'nope'" in project.gmgan("cost", "--suite", "nope", check=False).stderr
    wrong = project.gmgan("cost", "--measure", "0", check=False)
    assert wrong.returncode == 2
    assert "expected a positive number of seconds, got 0" in wrong.stderr
    renamed = project.gmgan("grid", check=False)
    assert "'gmgan grid' is called 'gmgan cost' now" in renamed.stderr
