"""Snakemake end to end, on the suite `ci`: what runs, what runs again, and that results agree."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from conftest import read_arrays

pytestmark = pytest.mark.pipeline

CI = ("all", "--config", "suite=ci")
RUNS = {
    "toy-ring-ci.gan.K1.s0",
    "toy-ring-ci.gmgan-dynamic.K8.s0",
    "digits-ci.acgan.K1.s0",
    "digits-ci.gmgan-supervised.K10.s0",
}
STAGES = {
    *("train", "sample", "features", "score", "tradeoff", "cluster", "explore"),
    *("collect", "report"),
}


def test_scores_are_tidy_and_complete(finished):
    table = pd.read_csv(finished.folder / "results" / "scores.csv")
    assert {
        "dataset",
        "model",
        "K",
        "seed",
        "metric",
        "value",
        "n_real",
        "n_fake",
        "extractor",
        "extractor_hash",
        "split",
        "status",
    } <= set(table.columns)
    others = {"toy-ring-ci.real", "digits-ci.real", "toy-ring-ci.kmeans.K8.s0"}
    assert set(table.run) == RUNS | others
    assert (table.status == "ok").all()
    assert not table.duplicated(["run", "metric", "extractor"]).any()
    digits = table[table.dataset == "digits-ci"]
    pair = {"quality", "diversity", "quality_diversity"}
    mixture = {"component_purity", "component_acc", "component_acc_chance"}
    assert set(digits.metric) == pair | mixture | {
        "within_class_diversity",
        "within_class_diversity_ratio",
        "vendi",
        "inception_score",
        "fid",
        "fid_other_split",
        "kid",
        "diversity_intra",
        "diversity_inter",
        "precision_k3",
        "recall_k3",
        "density_k5",
        "coverage_k5",
        "class_accuracy",
    }
    assert set(digits.n_fake) == set(digits.n_real) == {300}
    assert digits.extractor_hash.nunique() == 1
    toy = table[table.dataset == "toy-ring-ci"]
    points = {"modes_captured", "high_quality_share", "frechet_distance"}
    training = {"kimg_to_95_modes", "high_quality_over_training"}
    clusters = {"cluster_acc", "cluster_purity", "cluster_nmi", "cluster_ari"}
    within = {"within_class_diversity", "within_class_diversity_ratio"}
    assert set(toy.metric) == pair | mixture | points | training | clusters | within
    assert set(table[table.model == "kmeans"].metric) == clusters
    floor = table[table.model == "real"].set_index(["dataset", "metric"]).value
    for row in table[table.metric.isin(["fid", "frechet_distance"])].itertuples():
        assert row.value >= floor[row.dataset, row.metric]
    metrics = json.loads((finished.folder / "results" / "metrics.json").read_text())
    one = metrics["digits-ci"]["acgan.K1"]["fid.classifier-digits-ci"]
    row = table[(table.run == "digits-ci.acgan.K1.s0") & (table.metric == "fid")]
    assert one["mean"] == pytest.approx(row.value.item())
    assert one["interval95"] is None
    assert one["seeds"] == 1


def test_artifacts_of_a_run(finished):
    folder = finished.folder / "results" / "runs" / "digits-ci.gmgan-supervised.K10.s0"
    assert {p.name for p in folder.iterdir()} == {
        "weights.safetensors",
        "history.csv",
        "snapshots.safetensors",
        "tradeoff.json",
        "explore.safetensors",
        "grid.png",
        "train.json",
        "samples.safetensors",
        "features.classifier-digits-ci.safetensors",
        "scores.json",
    }
    arrays, _ = read_arrays(folder / "samples.safetensors")
    assert arrays["samples"].dtype == np.uint8
    assert arrays["samples"].shape == (300, 8, 8, 1)
    assert np.array_equal(arrays["class"], arrays["component"] % 10)
    snapshots, _ = read_arrays(folder / "snapshots.safetensors")
    assert snapshots["samples"].shape == (11, 100, 8, 8, 1)
    assert snapshots["kimg"][0] == 0
    assert (np.diff(snapshots["kimg"]) > 0).all()
    history = pd.read_csv(folder / "history.csv")
    assert history.kimg.iloc[-1] >= 12
    assert history[["loss_d", "loss_g"]].notna().all().all()
    assert history.d_real.between(0, 1).all()
    about = json.loads((folder / "train.json").read_text())
    assert about["status"] == "ok"
    assert about["images_per_second"] > 0
    assert about["provenance"]["versions"]["torch"]
    assert not list((finished.folder / "results").rglob(".*.safetensors*"))
    checkpoints = finished.folder / "results" / "checkpoints"
    assert not checkpoints.exists() or not list(checkpoints.iterdir())


def test_report_is_one_file_that_names_everything(finished):
    page = (finished.folder / "results" / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    for run in RUNS:
        assert run in page
    table = pd.read_csv(finished.folder / "results" / "scores.csv")
    value = table[(table.run == "digits-ci.acgan.K1.s0") & (table.metric == "fid")].value.item()
    assert f"{value:.2f}" in page
    strips = 3  # real digits, and generated ones of each model, one beneath the other
    assert page.count('<img src="data:image/png;base64,') == 2 + strips
    results = finished.folder / "results"
    figures = {path.stem for path in (results / "figures").glob("*.svg")}
    toy = {"samples", "convergence", "sweep", "components", "clusters", "training"}
    images = {"sweep", "components", "training"}
    assert figures == {f"toy-ring-ci.{name}" for name in toy} | {
        f"digits-ci.{name}" for name in images
    }
    for name in figures - {"toy-ring-ci.samples"}:
        assert len(pd.read_csv(results / "tables" / f"{name}.csv"))
    assert (results / "tables" / "claims.csv").exists()
    assert not (results / "tables" / "published.csv").exists()  # none is on these data


def test_groups_of_samples_follow_from_samples_and_logits(finished):
    folder = finished.folder / "results" / "runs" / "digits-ci.gmgan-supervised.K10.s0"
    samples, _ = read_arrays(folder / "samples.safetensors")
    features, _ = read_arrays(folder / "features.classifier-digits-ci.safetensors")
    scored = json.loads((folder / "scores.json").read_text())
    tables = []  # one for each member of the committee
    for logits in np.split(features["logits"], 3, axis=1):
        table = np.zeros((10, 10), int)
        np.add.at(table, (samples["component"], logits.argmax(1)), 1)
        tables.append(table)
    assert scored["groups"]["classifier-digits-ci"] == tables[0].tolist()
    rows = {row["metric"]: row["value"] for row in scored["scores"]}
    purity, accuracy = ([table.max(1).sum() for table in tables], [np.trace(t) for t in tables])
    assert rows["component_purity"] == pytest.approx(np.mean(purity) / 300)
    assert rows["class_accuracy"] == pytest.approx(np.mean(accuracy) / 300)


def test_convergence_follows_from_the_snapshots(finished):
    from gmgan.config.loader import load
    from gmgan.data.points import centres
    from gmgan.evaluation.modes import mode_scores
    from gmgan.evaluation.samples import Modes

    folder = finished.folder / "results" / "runs" / "toy-ring-ci.gmgan-dynamic.K8.s0"
    snapshots, _ = read_arrays(folder / "snapshots.safetensors")
    source = load(finished.folder / "params.yaml").datasets["toy-ring-ci"].source
    scored = json.loads((folder / "scores.json").read_text())
    assert len(scored["convergence"]) == len(snapshots["kimg"]) == 41
    for i in (0, 20, 40):
        exact = mode_scores(snapshots["samples"][i], Modes(centres(source), source.std))
        point = scored["convergence"][i]
        assert point == {"kimg": snapshots["kimg"][i], **exact}


def test_second_run_does_nothing(finished):
    assert finished.plan(*CI) == {}


def test_more_seeds_add_only_the_missing_runs(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    text = (project.folder / "params.yaml").read_text()
    start = text.index("  ci:\n")
    block = text[start : text.index("  mnist-short:\n", start)]
    longer = block.replace("seeds: 0\n", "seeds: 0-1\n")
    (project.folder / "params.yaml").write_text(text.replace(block, longer))
    plan = project.plan(*CI)
    added = {run.replace(".s0", ".s1") for run in RUNS}
    for rule in ("train", "sample", "score", "tradeoff", "explore"):
        assert set(plan[rule]) == added
    assert plan["cluster"] == ["toy-ring-ci.gmgan-dynamic.K8.s1"]
    assert set(plan) == STAGES


def test_learning_rate_retrains_exactly_its_runs(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    project.edit("params.yaml", "learning_rate: 1.0e-3", "learning_rate: 2.0e-3")
    plan = project.plan(*CI)
    toy = {run for run in RUNS if run.startswith("toy")}
    assert set(plan["train"]) == set(plan["sample"]) == set(plan["score"]) == toy
    assert set(plan) == STAGES - {"features"}


def test_analyses_run_again_without_training(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    project.edit("params.yaml", "sweep:\n        n: 1000", "sweep:\n        n: 900")
    plan = project.plan(*CI)
    assert set(plan) == {"tradeoff", "collect", "report"}
    assert {run.split(".")[0] for run in plan["tradeoff"]} == {"toy-ring-ci"}
    project.edit("params.yaml", "sweep:\n        n: 900", "sweep:\n        n: 1000")
    project.edit("params.yaml", "n_generated: 1000", "n_generated: 900")
    plan = project.plan(*CI)
    assert plan["cluster"] == ["toy-ring-ci.gmgan-dynamic.K8.s0"]
    assert set(plan) == {"cluster", "collect", "report"}


def test_code_edits_rerun_what_they_touch(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    template = "gmgan/report/templates/report.html.j2"
    project.edit(template, "<h1>", '<h1 class="x">')
    assert set(project.plan(*CI)) == {"report"}
    project.edit(template, '<h1 class="x">', "<h1>")
    project.edit("gmgan/models/priors.py", "# for all components at once", "# for all at once")
    assert project.plan(*CI) == {}
    project.edit("gmgan/models/objectives/supervised.py", "k % n_classes", "(k + 1) % n_classes")
    plan = project.plan(*CI)
    assert plan["train"] == ["digits-ci.gmgan-supervised.K10.s0"]
    assert set(plan) == STAGES - {"cluster"}
    project.edit("gmgan/training/trainer.py", "self.batches += 1", "self.batches += 2")
    assert set(project.plan(*CI)["train"]) == RUNS


def test_paper_lists_the_whole_grid(finished, params):
    from gmgan.pipeline.grid import suite_runs

    done = finished.snakemake("-n", "--quiet", "all", "--", "all", check=False)
    assert done.returncode == 0
    plan = finished.plan("all", "--config", "suite=paper")
    assert set(plan["train"]) == {run.name for run in suite_runs(params, "paper")}
    assert len(plan["train"]) == len(plan["score"])


def test_one_core_gives_the_same_scores(finished, tmp_path):
    from conftest import make_project

    project = make_project(tmp_path / "p") if (tmp_path / "p").mkdir() is None else None
    project.edit("params.yaml", "suite: quick", "suite: ci")
    project.snakemake("results/scores.csv", cores=1)
    tables = [
        pd.read_csv(p.folder / "results" / "scores.csv").drop(columns=["train_seconds"])
        for p in (finished, project)
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    for run in RUNS:
        ours, theirs = (
            p.folder / "results" / "runs" / run / "weights.safetensors" for p in (project, finished)
        )
        assert ours.read_bytes() == theirs.read_bytes()


def test_sigkill_in_the_middle_and_again_gives_the_same_weights(finished, tmp_path):
    """Through Snakemake: the training process is killed once it has left a checkpoint."""
    run = "digits-ci.acgan.K1.s0"
    project = finished.copy(tmp_path / "p")
    project.edit("params.yaml", "checkpoint_seconds: 60", "checkpoint_seconds: 0")
    weights = project.folder / "results" / "runs" / run / "weights.safetensors"
    snapshots = weights.with_name("snapshots.safetensors")
    undisturbed = weights.read_bytes(), snapshots.read_bytes()
    shutil.rmtree(weights.parent)
    environment = {**os.environ, "PYTHONPATH": str(project.folder)}
    training = subprocess.Popen(
        [sys.executable, "-m", "gmgan", "train", run],
        cwd=project.folder,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = project.folder / "results" / "checkpoints"
    until = time.monotonic() + 60
    while not list(checkpoints.glob(f"{run}.*.safetensors")) and time.monotonic() < until:
        time.sleep(0.005)
    training.send_signal(signal.SIGKILL)
    assert training.wait() == -signal.SIGKILL
    assert not weights.exists()
    left = list(checkpoints.glob(f"{run}.*.safetensors"))
    assert len(left) == 1
    _, about = read_arrays(left[0], names=[])
    assert 0 < about["state"]["history"][-1]["kimg"] < 12

    project.snakemake(*CI)
    assert (weights.read_bytes(), snapshots.read_bytes()) == undisturbed
    assert not list(checkpoints.glob(f"{run}.*.safetensors"))
    history = pd.read_csv(weights.parent / "history.csv")
    assert history.generator_steps.is_monotonic_increasing
    assert history.generator_steps.is_unique


def test_a_failed_run_breaks_no_neighbour_and_is_shown(finished, tmp_path):
    """One model's loss is not finite."""
    project = finished.copy(tmp_path / "p")
    code = "gmgan/models/objectives/acgan.py"
    project.edit(code, "return source + ", "return float('inf') * source + ")
    project.snakemake(*CI)
    table = pd.read_csv(project.folder / "results" / "scores.csv")
    failed = table[table.run == "digits-ci.acgan.K1.s0"]
    assert failed.status.tolist() == ["diverged"]
    assert failed.metric.isna().all()
    assert (table[table.run != "digits-ci.acgan.K1.s0"].status == "ok").all()
    page = (project.folder / "results" / "report.html").read_text()
    assert "1 of 4 runs did not end well" in page


def test_stale_scores_are_refused_by_the_report(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    project.edit("params.yaml", "learning_rate: 1.0e-3", "learning_rate: 2.0e-3")
    for stage in ("collect", "report"):
        done = project.gmgan(stage, "--suite", "ci", check=False)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1


def test_any_single_run_can_be_asked_for(finished):
    target = "results/runs/digits-ci.gmgan-finetuned-wide.K10.s5/scores.json"
    plan = finished.plan(target)
    # mlp-r is for 28 x 28 images but fits any: the parent is trained first, and only trained.
    assert set(plan["train"]) == {
        "digits-ci.gan-mlp.K1.s5",
        "digits-ci.gmgan-finetuned-wide.K10.s5",
    }
    assert plan["score"] == ["digits-ci.gmgan-finetuned-wide.K10.s5"]
