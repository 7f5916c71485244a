"""Which change re-runs what."""

import ast
import shutil
import subprocess
import sys
from importlib import metadata

import grimp
import pytest
from conftest import ROOT, docs_script

from gmgan.config.loader import load
from gmgan.pipeline import fingerprints
from gmgan.pipeline.graph import Graph
from gmgan.pipeline.grid import suite_runs
from gmgan.pipeline.runner import Runner
from gmgan.pipeline.stages import STAGES

SCRIPT = """
import json
from gmgan.config.loader import load
from gmgan.pipeline.graph import Graph
graph = Graph(load("params.yaml"))
prints = {}
for job in [*graph.jobs("quick"), *graph.jobs("mnist-short")]:
    name = ".".join(map(str, job.key))
    prints.setdefault(job.stage.name, {})[name] = graph.fingerprint(job)
print(json.dumps(prints))
"""


@pytest.fixture
def project_prints(tmp_path):
    """A function that gives all fingerprints of a copy of the project, after an edit."""
    import json

    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(
        ROOT / "gmgan", tmp_path / "gmgan", ignore=shutil.ignore_patterns("__pycache__")
    )

    def prints(file=None, old="", new=""):
        if file:
            path = tmp_path / file
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, new, 1))
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=tmp_path,
            text=True,
            capture_output=True,
            # An edit of equal length in the same second would leave the old bytecode valid.
            env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return prints


def changed(before, after, kind):
    return {name for name in before[kind] if before[kind][name] != after[kind][name]}


def models(names):
    return {name.split(".")[1] for name in names}


def test_comments_and_docstrings_change_nothing(project_prints):
    before = project_prints()
    path = "gmgan/training/trainer.py"
    after = project_prints(path, '"""The training step,', '"""A training step,')
    after = project_prints(
        path, "        self.batches += 1\n", "        self.batches += 1  # count\n"
    )
    assert before == after


def test_an_objective_touches_its_own_runs(project_prints):
    before = project_prints()
    after = project_prints(
        "gmgan/models/objectives/acgan.py",
        "return softplus(-fake[:, 0])",
        "return 2 * softplus(-fake[:, 0])",
    )
    assert models(changed(before, after, "train")) == {"acgan"}
    assert models(changed(before, after, "score")) == {"acgan"}
    assert not changed(before, after, "prepare")


def test_the_training_step_touches_every_run_and_no_data(project_prints):
    before = project_prints()
    step = ("self.batches += 1", "self.batches += 2")
    after = project_prints("gmgan/training/trainer.py", *step)
    assert changed(before, after, "train") == set(before["train"])
    assert not changed(before, after, "prepare")


def test_scores_and_report_leave_training_alone(project_prints):
    before = project_prints()
    after = project_prints(
        "gmgan/evaluation/modes.py", "HIGH_QUALITY_STDS = 3.0", "HIGH_QUALITY_STDS = 4.0"
    )
    assert not changed(before, after, "train")
    assert changed(before, after, "score")
    again = project_prints("gmgan/report/style.py", '"font.size": 9', '"font.size": 8')
    assert after["score"] == again["score"]
    assert after["collect"] == again["collect"]
    assert after["report"] != again["report"]


def test_the_label_of_a_metric_touches_the_report_alone(project_prints):
    before = project_prints()
    after = project_prints("gmgan/evaluation/frechet.py", 'label="FID"', 'label="Fid"')
    assert {stage for stage in before if changed(before, after, stage)} == {"report"}
    again = project_prints("gmgan/evaluation/frechet.py", "- 2 * cross", "- 3 * cross")
    touched = {stage for stage in before if changed(after, again, stage)}
    assert touched == {"floor", "score", "tradeoff", "collect", "report"}


def test_the_template_is_part_of_the_report(project_prints):
    before = project_prints()
    after = project_prints("gmgan/report/templates/report.html.j2", "<h1>", '<h1 class="x">')
    assert before["report"] != after["report"]
    assert before["collect"] == after["collect"]


def test_a_dataset_reader_touches_its_own_data(project_prints):
    before = project_prints()
    after = project_prints("gmgan/data/digits.py", "255 / 16", "254 / 16")
    assert changed(before, after, "prepare") == {"digits"}
    assert {name.split(".")[0] for name in changed(before, after, "train")} == {"digits"}


def test_parameters_touch_what_uses_them(project_prints):
    before = project_prints()
    after = project_prints("params.yaml", "kimg: 200\n      batch", "kimg: 201\n      batch")
    assert {name.split(".")[0] for name in changed(before, after, "train")} == {"toy-ring"}
    again = project_prints("params.yaml", "checkpoint_seconds: 60", "checkpoint_seconds: 5")
    assert after == again


def test_threads_count_where_torch_computes(project_prints):
    before = project_prints()
    after = project_prints("params.yaml", "  threads: 1 ", "  threads: 2 ")
    for stage in ("train", "extractor", "sample"):
        assert changed(before, after, stage) == set(before[stage])
    assert not changed(before, after, "prepare")


def test_extending_the_seed_list_changes_no_run(params):
    graph = Graph(params)
    run, table = graph.job("score", run="digits.gan.K1.s0"), graph.job("collect", suite="quick")
    cells = params.suites["quick"].cells
    longer = [cell.model_copy(update={"seeds": [*cell.seeds, 3]}) for cell in cells]
    suite = params.suites["quick"].model_copy(update={"cells": longer})
    more = params.model_copy(update={"suites": {**params.suites, "quick": suite}})
    assert Graph(more).fingerprint(run) == graph.fingerprint(run)
    assert Graph(more).fingerprint(table) != graph.fingerprint(table)
    assert set(suite_runs(params, "quick")) < set(suite_runs(more, "quick"))


def test_annotations_change_nothing_but_fields_of_dataclasses_do(project_prints):
    before = project_prints()
    path = "gmgan/data/digits.py"
    after = project_prints(path, ") -> Splits:", ") -> object:")
    assert before == after


def test_what_a_stage_is_told_and_reads_decides_its_fingerprint(project_prints):
    """An edit of one stage's settings touches that stage and what reads from it, nothing else."""
    before = project_prints()
    after = project_prints("params.yaml", "kid_subsets: 50", "kid_subsets: 40")
    touched = {stage for stage in before if changed(before, after, stage)}
    assert touched == {"floor", "score", "tradeoff", "collect", "report"}
    again = project_prints("params.yaml", "        n_generated: 5000", "        n_generated: 4000")
    touched = {stage for stage in before if changed(after, again, stage)}
    assert touched == {"cluster", "collect", "report"}


def test_properties_of_settings_count_by_value(project_prints):
    """No code of params counts, but all that it hands to a stage does."""
    before = project_prints()
    path = "gmgan/config/data.py"
    after = project_prints(path, "return self.modes", "return self.modes + 0")
    assert {stage for stage in before if changed(before, after, stage)} == {"report"}
    again = project_prints(path, "return self.modes + 0", "return self.modes - 1")
    assert changed(after, again, "prepare") == {"toy-ring"}
    sizes = project_prints(path, '{"mnist": 28,', '{"mnist": 32,')
    assert changed(again, sizes, "prepare") == {"mnist"}


def test_the_report_depends_on_all_code_that_it_uses(project_prints):
    before = project_prints()
    after = project_prints("gmgan/config/settings.py", "run.K, varied", "-run.K, varied")
    assert {stage for stage in before if changed(before, after, stage)} == {"report"}
    again = project_prints("gmgan/config/values.py", "import json", "import json\n\nx = 1")
    assert {stage for stage in before if changed(after, again, stage)} == {"report"}


def test_versions_are_of_the_libraries_that_compute(params):
    graph = Graph(params)
    train = graph.versions(graph.job("train", run="digits.gan.K1.s0"))
    assert set(train) == {"torch", "numpy"}
    assert train["torch"] == metadata.version("torch")
    score = graph.versions(graph.job("score", run="digits.gan.K1.s0"))
    assert set(score) == {"torch", "numpy", "scipy", "scikit-learn", "torch-fidelity"}


@pytest.mark.pipeline
def test_results_of_other_versions_are_refused_until_they_are_accepted(finished, tmp_path):
    """An empty distribution before the environment's stands in for another torch."""
    project = finished.copy(tmp_path / "p")
    fake = project.folder / "torch-9.9.dist-info"
    fake.mkdir()
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9\n")
    refused = project.gmgan("collect", check=False).stderr
    now = metadata.version("torch")
    assert f"was made with torch {now}, not 9.9; make it again: snakemake" in refused
    assert "keep such results: gmgan settle --accept-versions" in refused
    assert {"train", "score"} <= set(project.plan("all"))
    shutil.rmtree(project.folder / ".snakemake")  # as after a copy: Snakemake would keep them all
    told = project.gmgan("settle").stdout
    assert told.startswith("0 results fit") and "of other versions of libraries: --accept" in told
    told = project.gmgan("settle", "--accept-versions").stdout.splitlines()
    assert told == [f"accepted: torch {now}", "29 results fit params and code"]
    project.gmgan("collect")
    assert set(project.plan("all")) <= {"collect", "report"}


def test_the_closure_of_training_has_its_parts():
    parts = ["gmgan.models.priors", "gmgan.models.objectives.gan"]
    closure = fingerprints.module_closure(["gmgan.training.train", *parts])
    assert {
        "gmgan.training.train",
        "gmgan.training.trainer",
        "gmgan.models.model",
        "gmgan.models.priors",
        "gmgan.models.objectives.gan",
        "gmgan.pixels",
        "gmgan.runtime.torch_setup",
        "gmgan.seeds",
    } <= set(closure)
    assert "gmgan.models.objectives.acgan" not in closure
    others = ("gmgan.report", "gmgan.evaluation", "gmgan.pipeline")
    assert not any(name.startswith(others) for name in closure)


def passive_modules():
    for name in fingerprints.PASSIVE:
        path = ROOT.joinpath(*name.split("."))
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def test_what_the_code_hash_leaves_out_computes_nothing():
    """Modules whose values are hashed hold no arithmetic beyond that of lists and messages.

    config/counts.py computes which counts would work, for messages: no stage may import it.
    errors.py computes where a message is cut.
    """
    counts = ROOT / "gmgan" / "config" / "counts.py"
    imports = grimp.build_graph("gmgan")
    for stage in STAGES.values():
        reached = imports.find_upstream_modules(stage.compute.partition(":")[0])
        assert "gmgan.config.counts" not in reached, stage.name
    for path in passive_modules():
        if path in (counts, ROOT / "gmgan" / "errors.py"):
            continue
        tree = ast.parse(path.read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
        names = {alias.name for node in imports for alias in node.names}
        assert not names & {"torch", "scipy", "sklearn", "math"}, path
        for node in ast.walk(tree):
            if isinstance(node, ast.BinOp):
                arithmetic = isinstance(node.op, (ast.Pow, ast.FloorDiv, ast.MatMult, ast.Mod))
                assert not arithmetic, f"{path}:{node.lineno}: computes"


@pytest.mark.pipeline
def test_kept_runs_with_the_fingerprint_of_the_checkout_are_counted(finished, tmp_path):
    """Four runs, two on points and two on digits: an edit changes those that it concerns."""
    project = finished.copy(tmp_path / "p")
    kept = project.folder / project.gmgan("keep", "--suite", "ci", "--only-scores").stdout.strip()
    params = project.folder / "params.yaml"

    def counts():
        runner = Runner(load(params), project.folder / "results")
        return docs_script("fingerprints").equal(runner, kept / "scores.csv")

    assert counts() == (4, 4)
    project.edit("params.yaml", "checkpoint_seconds: 60", "checkpoint_seconds: 5")
    assert counts() == (4, 4)
    project.edit("params.yaml", "kid_subsets: 10", "kid_subsets: 9")
    assert counts() == (2, 4)
    again = project.plan("all")["score"]
    assert len(again) == 2 and all("digits-ci" in run for run in again)
