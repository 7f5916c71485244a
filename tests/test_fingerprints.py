"""Which change re-runs what."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from gmgan.pipeline import fingerprints as fingerprint
from gmgan.pipeline.fingerprints import Fingerprints
from gmgan.pipeline.grid import parse_run, suite_runs

SCRIPT = """
import json
from gmgan.config import load
from gmgan.pipeline.grid import suite_runs
from gmgan.pipeline.fingerprints import Fingerprints
params = load("params.yaml")
expected = Fingerprints(params)
print(json.dumps({
    "data": {name: expected.data(name) for name in sorted(set(params.source_names.values()))},
    "train": {run.name: expected.train(run) for run in suite_runs(params, "quick")},
    "scores": {run.name: expected.scores(run) for run in suite_runs(params, "quick")},
    "table": expected.table("quick"),
    "report": expected.report("quick"),
}))
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
            env={"PYTHONPATH": str(tmp_path)},
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
        path, "        self.iteration += 1\n", "        self.iteration += 1  # count\n"
    )
    assert before == after


def test_an_objective_touches_its_own_runs(project_prints):
    before = project_prints()
    after = project_prints(
        "gmgan/models/objectives/acgan.py",
        "softplus(-fake[:, 0]).mean()",
        "2 * softplus(-fake[:, 0]).mean()",
    )
    assert models(changed(before, after, "train")) == {"acgan"}
    assert models(changed(before, after, "scores")) == {"acgan"}
    assert not changed(before, after, "data")


def test_the_training_step_touches_every_run_and_no_data(project_prints):
    before = project_prints()
    step = ("self.iteration += 1", "self.iteration += 2")
    after = project_prints("gmgan/training/trainer.py", *step)
    assert changed(before, after, "train") == set(before["train"])
    assert not changed(before, after, "data")


def test_scores_and_report_leave_training_alone(project_prints):
    before = project_prints()
    after = project_prints(
        "gmgan/evaluation/modes.py", "HIGH_QUALITY_STDS = 3.0", "HIGH_QUALITY_STDS = 4.0"
    )
    assert not changed(before, after, "train")
    assert changed(before, after, "scores")
    again = project_prints("gmgan/report/figures.py", '"font.size": 9', '"font.size": 8')
    assert after["scores"] == again["scores"]
    assert after["table"] == again["table"]
    assert after["report"] != again["report"]


def test_the_template_is_part_of_the_report(project_prints):
    before = project_prints()
    after = project_prints("gmgan/report/templates/report.html.j2", "<h1>", '<h1 class="x">')
    assert before["report"] != after["report"]
    assert before["table"] == after["table"]


def test_a_dataset_reader_touches_its_own_data(project_prints):
    before = project_prints()
    after = project_prints("gmgan/data/digits.py", "255 / 16", "254 / 16")
    assert changed(before, after, "data") == {"digits"}
    assert {name.split(".")[0] for name in changed(before, after, "train")} == {"digits"}


def test_parameters_touch_what_uses_them(project_prints):
    before = project_prints()
    after = project_prints("params.yaml", "learning_rate: 1.0e-3", "learning_rate: 2.0e-3")
    assert {name.split(".")[0] for name in changed(before, after, "train")} == {"toy-ring"}
    again = project_prints("params.yaml", "checkpoint_seconds: 60", "checkpoint_seconds: 5")
    assert after == again


def test_extending_the_seed_list_changes_no_run(params):
    expected = Fingerprints(params)
    run = parse_run(params, "digits.gan.K1.s0")
    cells = params.suites["quick"].cells
    longer = [cell.model_copy(update={"seeds": [*cell.seeds, 3]}) for cell in cells]
    suite = params.suites["quick"].model_copy(update={"cells": longer})
    more = params.model_copy(update={"suites": {**params.suites, "quick": suite}})
    assert Fingerprints(more).scores(run) == expected.scores(run)
    assert Fingerprints(more).table("quick") != expected.table("quick")
    assert set(suite_runs(params, "quick")) < set(suite_runs(more, "quick"))


def test_the_closure_of_training_has_its_parts():
    parts = ["gmgan.models.priors", "gmgan.models.objectives.gan"]
    closure = fingerprint.module_closure(["gmgan.stages.train", *parts])
    assert {
        "gmgan.stages.train",
        "gmgan.training.trainer",
        "gmgan.models.model",
        "gmgan.models.priors",
        "gmgan.models.objectives.gan",
        "gmgan.pixels",
        "gmgan.seeds",
    } <= set(closure)
    assert "gmgan.models.objectives.acgan" not in closure
    assert not any(name.startswith(("gmgan.report", "gmgan.evaluation")) for name in closure)


def test_plumbing_is_free_of_numbers():
    """What the code hash leaves out must not import what computes."""
    for module in sorted(fingerprint.PLUMBING):
        path = ROOT.joinpath(*module.split("."))
        path = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        imports = {
            line.strip()
            for line in path.read_text().splitlines()
            if line.strip().startswith(
                ("import torch", "from torch", "import scipy", "from scipy", "import sklearn")
            )
        }
        assert not imports, f"{module}: {imports}"
