"""The structure of the code, and its tools."""

import subprocess
import sys
from pathlib import Path

from conftest import ROOT

BIN = Path(sys.executable).parent


def run(*command):
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)


def test_imports_run_downwards_only():
    done = run(BIN / "lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout


def test_ruff_and_snakefmt_are_content():
    done = run(BIN / "ruff", "check", "gmgan", "tests")
    assert done.returncode == 0, done.stdout
    done = run(BIN / "snakefmt", "--check", "Snakefile", "workflow")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_is_content():
    done = run(sys.executable, "-m", "mypy")
    assert done.returncode == 0, done.stdout + done.stderr


def test_stages_without_torch_do_not_load_it():
    script = (
        "import sys; from gmgan import cli; from gmgan.pipeline import costs, runner, settle; "
        "from gmgan.data import prepare; from gmgan.evaluation import score; "
        "from gmgan.report import collect, report; sys.exit('torch' in sys.modules)"
    )
    assert run(sys.executable, "-c", script).returncode == 0


def test_torchvision_and_torch_fidelity_import_behind_the_guard():
    script = (
        "from gmgan.runtime.torch_setup import allow_torchvision_without_ops as allow; allow(); "
        "allow(); import torchvision, torch_fidelity; print(torchvision.__version__)"
    )
    done = run(sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr


def test_snakemake_lint_has_only_the_explained_findings():
    """Two findings stay.

    'No conda or container': the whole workflow runs in one environment, the locked .venv that make
    builds. 'Mixed rules and functions' does not occur: functions live in common.smk, which has no
    rules.
    """
    done = run(sys.executable, "-m", "snakemake", "--lint", "text")
    findings = [
        line.strip()
        for line in (done.stdout + done.stderr).splitlines()
        if line.strip().startswith("*")
    ]
    others = [line for line in findings if "Specify a conda environment or container" not in line]
    assert not others, others
