"""docs/adding-a-stage.md, applied to a copy of the project."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, read_json

pytestmark = pytest.mark.pipeline

PAGE = (ROOT / "docs" / "adding-a-stage.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RUN = "toy-ring-ci.gmgan-dynamic.K8.s0"


@pytest.fixture
def extended(finished, tmp_path):
    """The finished project with the stage of the page."""
    project = finished.copy(tmp_path / "p")
    function, declaration, imported, rule, test = BLOCKS
    (project.folder / "gmgan/evaluation/spread.py").write_text(function)
    anchor = "# --- suites ---"
    project.edit("gmgan/pipeline/stages.py", anchor, f"{declaration}\n{anchor}")
    before = "from gmgan.pipeline import grid\n"
    project.edit("gmgan/pipeline/stages.py", before, imported + before)
    rules = project.folder / "workflow/rules/runs.smk"
    rules.write_text(f"{rules.read_text()}\n\n{rule}")
    (project.folder / "tests").mkdir()
    (project.folder / "tests/test_spread.py").write_text(test)
    return project


def test_the_stage_of_the_page_runs_and_touches_nothing_else(extended):
    assert extended.plan("all", "--config", "suite=ci") == {}
    target = f"results/runs/{RUN}/spread.json"
    assert extended.plan(target) == {"spread": [RUN]}
    extended.snakemake(target)
    content = read_json(extended.folder / target)
    assert len(content["within"]) == 8
    assert all(0 < value < 2 for value in content["within"])
    assert extended.plan(target) == {}
    extended.edit("gmgan/evaluation/spread.py", "own.std(axis=0)", "own.var(axis=0)")
    assert extended.plan(target) == {"spread": [RUN]}
    done = extended.gmgan("spread", "nothing", check=False)
    assert "'nothing' is no run" in done.stderr


def test_its_test_passes_and_can_fail(extended):
    def outcome():
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
        environment = {"PYTHONPATH": str(extended.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, cwd=extended.folder, env=environment, capture_output=True)
        return done.returncode

    assert outcome() == 0
    extended.edit("gmgan/evaluation/spread.py", "own.std(axis=0)", "own.var(axis=0)")
    assert outcome() == 1


@pytest.mark.parametrize(
    "line", ["from pathlib import Path", "import os", "from gmgan.pipeline.runner import Runner"]
)
def test_a_stage_that_could_read_undeclared_files_breaks_the_import_contract(extended, line):
    """Without the line the contracts hold, with it they are broken."""

    def contracts():
        command = Path(sys.executable).with_name("lint-imports")
        return subprocess.run(
            [command, "--no-cache", "--config", ROOT / "pyproject.toml"],
            cwd=extended.folder,
            env={"PYTHONPATH": str(extended.folder), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )

    assert "2 kept, 0 broken" in contracts().stdout
    extended.edit("gmgan/evaluation/spread.py", "import numpy", f"{line}\nimport numpy")
    assert "1 broken" in contracts().stdout


def test_a_function_that_wants_more_than_is_declared_fails(extended):
    """What the page does not declare is not passed."""
    extended.edit("gmgan/evaluation/spread.py", "samples: Generated,", "samples: Generated, data,")
    done = extended.gmgan("spread", RUN, check=False)
    assert done.returncode != 0
    assert "missing 1 required positional argument: 'data'" in done.stderr
