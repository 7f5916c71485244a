"""The documentation shows what its commands print."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from conftest import ROOT, docs_script

from gmgan.config.loader import load
from gmgan.config.run import Run
from gmgan.evaluation.metrics import METRICS
from gmgan.pipeline import grid
from gmgan.pipeline.grid import suite_runs

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize("page", ["commands.md"])
def test_commands_print_what_the_page_shows(finished, tmp_path, page):
    project = finished.copy(tmp_path / "p")
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "docs" / "scripts" / "console.py",
            project.folder,
            ROOT / "docs" / page,
            "--check",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_suite_with_varied_values_has_the_runs_that_the_page_lists(tmp_path):
    page = (ROOT / "docs" / "suites.md").read_text()
    entries = yaml.safe_load((ROOT / "params.yaml").read_text())
    for block in re.findall("```yaml\n(.*?)```", page, re.DOTALL):
        for section, added in yaml.safe_load(block).items():
            entries[section] |= added
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(entries))
    params = load(tmp_path / "params.yaml")
    (listed,) = re.findall("```\n(digits.*?)```", page, re.DOTALL)
    runs = [run.name for run in suite_runs(params, "my-sigma")]
    assert runs == listed.split()
    assert len(set(runs) & {run.name for run in suite_runs(params, "quick")}) == 4
    assert params.latent_of("digits", "gmgan-wide").sigma == 1


def test_the_page_of_metrics_shows_their_records():
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert text == docs_script("metrics").with_table(text), "run python docs/scripts/metrics.py"
    prose = text.partition("## What they say")[2]
    assert not [metric.name for metric in METRICS if f"`{metric.name}`" not in prose]


def test_a_new_metric_is_a_module_a_line_in_the_list_and_a_test(project):
    """What docs/metrics.md says is enough for a score in the floor of a data set."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    module, test = re.findall("```python\n(.*?)```", page, re.DOTALL)
    (change,) = re.findall("```diff\n(.*?)```", page, re.DOTALL)
    (project.folder / "gmgan" / "evaluation" / "means.py").write_text(module)
    (project.folder / "test_means.py").write_text(test)
    subprocess.run(["git", "apply", "-"], cwd=project.folder, input=change, text=True, check=True)
    project.run("pytest", "-q", "test_means.py")
    project.gmgan("prepare", "toy-ring-ci")
    project.gmgan("floor", "toy-ring-ci")
    floor = json.loads((project.folder / "results/real/toy-ring-ci.floor.json").read_text())
    values = {row["metric"]: row["value"] for row in floor["scores"]}
    assert 0 < values["mean_distance"] < 0.1
    shown = "from gmgan.report.tables import in_order as o; print(o(['mean_distance'])[0].label)"
    done = subprocess.run(
        [sys.executable, "-c", shown],
        cwd=project.folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(project.folder)},
    )
    assert done.stdout == "distance of means\n", done.stderr


def test_the_tables_of_the_findings_are_those_of_the_reference_results():
    findings = docs_script("findings")
    for page in findings.PAGES:
        text = page.read_text()
        assert text == findings.with_tables(text), "run python docs/scripts/findings.py"
        assert findings.MARKED.search(text), page


@pytest.mark.parametrize(
    ("searches", "tried", "reference"),
    [
        (["mnist-search", "mnist-search-rivals"], "mnist-search", "mnist-200"),
        (["fashion-search"], "fashion-search", "fashion-tuned"),
        (["cifar10-jpeg-search"], "cifar10-jpeg-search", "cifar10-jpeg-1000"),
    ],
)
def test_recipes_of_the_reference_runs_are_the_choices_of_their_search(
    params, searches, tried, reference
):
    """Each model's least FID among its trials, and the values that params.yaml gives it."""
    folders = [ROOT / "results/reference" / name for name in searches]
    scores = pd.concat(pd.read_csv(folder / "scores.csv") for folder in folders)
    fid = scores[(scores.metric == "fid") & (scores.model != "real")].fillna({"varied": ""})
    for model in sorted(set(fid.model)):
        best = fid[fid.model == model].sort_values("value").iloc[0]
        trial = Run(tried, model, int(best.K), 100, best.varied)
        chosen = grid.settings(params, trial)
        used = grid.settings(params, replace(trial, dataset=reference, varied=""))
        budget = {"kimg": used.training.kimg}
        assert chosen.training.model_copy(update=budget) == used.training, model
        for part in ("latent", "network", "auxiliary", "penalties", "prior", "objective"):
            assert getattr(chosen, part) == getattr(used, part), (model, part)
