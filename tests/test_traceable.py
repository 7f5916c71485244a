"""Results say what made them, also when it was not committed, and can be made again."""

import subprocess

import pytest
import torch
from conftest import read_json, rewrite_json

from gmgan.pipeline import provenance

pytestmark = pytest.mark.pipeline
RUN = "toy-ring-ci.gan.K1.s0"


def git(project, *arguments):
    options = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", *options, *arguments],
        cwd=project.folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_what_was_not_committed_is_stored_with_the_results(project):
    (project.folder / ".gitignore").write_text("results\n__pycache__\n.snakemake\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    description = project.folder / "results" / "data" / "toy-ring.json"

    project.gmgan("prepare", "toy-ring")
    made = read_json(description)["provenance"]
    assert made["revision"] == git(project, "rev-parse", "HEAD").strip()
    assert not made["changes"]
    assert not (project.folder / "results" / "changes").exists()

    project.edit("params.yaml", "kimg: 60", "kimg: 61")
    (project.folder / "own.py").write_text("NEW = 1\n")
    project.gmgan("prepare", "toy-ring")
    made = read_json(description)["provenance"]
    assert made["revision"].endswith("+changes")
    patch = project.folder / "results" / "changes" / f"{made['changes']}.patch"
    changed = (project.folder / "params.yaml").read_text()
    git(project, "checkout", "-q", "params.yaml")
    (project.folder / "own.py").unlink()
    git(project, "apply", str(patch))
    assert (project.folder / "params.yaml").read_text() == changed
    assert (project.folder / "own.py").read_text() == "NEW = 1\n"


def test_a_copy_inside_another_repository_has_no_revision(project):
    git(project, "init", "-q")
    git(project, "commit", "-qm", "of something else", "--allow-empty")
    (project.folder / ".git" / "info" / "exclude").write_text("*\n")
    project.gmgan("prepare", "toy-ring")
    made = read_json(project.folder / "results" / "data" / "toy-ring.json")["provenance"]
    assert made["revision"] is None and made["changes"] is None


def test_verify_makes_a_run_again_and_sees_what_differs(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    before = project.files()
    done = project.gmgan("verify", RUN)
    assert done.stdout.splitlines()[-1] == "10 of 10 files are equal"
    assert project.files() == before
    scores = project.folder / "results" / "runs" / RUN / "scores.json"
    rows = read_json(scores)["scores"]
    rows[0]["value"] += 1e-9
    rewrite_json(scores, scores=rows)
    done = project.gmgan("verify", RUN, check=False)
    assert done.returncode == 1
    differing = [line for line in done.stdout.splitlines() if line.startswith("DIFFERS")]
    assert differing == [f"DIFFERS\tresults/runs/{RUN}/scores.json"]


def test_list_says_where_an_interrupted_training_stopped(finished, tmp_path):
    """The checkpoint of a killed training stays; here one is written by hand."""
    project = finished.copy(tmp_path / "p")
    (project.folder / "results" / "runs" / RUN / "train.json").unlink()
    stop = (
        "import torch; from gmgan.config.loader import load; "
        "from gmgan.pipeline.runner import Runner\n"
        f"runner = Runner(load()); file = runner.checkpoint(runner.job('train', run='{RUN}'))\n"
        "file.save({'a': torch.zeros(1)}, {'history': [{'kimg': 12.5}]})"
    )
    (project.folder / "stop.py").write_text(stop)
    project.run("stop")
    first = project.gmgan("list", "--suite", "ci").stdout.splitlines()[0]
    assert first == f"{RUN}\t60 kimg\tinterrupted at 12.5 kimg"
    weights = f"results/runs/{RUN}/weights.safetensors"
    done = project.gmgan("train", RUN, "--resume", weights, check=False)
    assert "is no checkpoint of a training; choose a file of results/checkpoints" in done.stderr
    done = project.gmgan("train", RUN, "--resume", "params.yaml", check=False)
    assert "params.yaml is no checkpoint of a training" in done.stderr


def test_targets_that_no_stage_makes_are_named(project):
    for target, message in {
        f"results/runs/{RUN}/score.json": f"did you mean results/runs/{RUN}/scores.json",
        "results/runs/digits.gan/scores.json": "'digits.gan' is no run; a run is called",
        "results/real/digit.floor.json": "unknown dataset 'digit'; did you mean digits",
    }.items():
        done = project.snakemake("-n", target, check=False)
        assert message in done.stdout + done.stderr
        assert "No rule to produce" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("https://me:secret@example.org/gmgan.git\n", "https://example.org/gmgan.git"),
        ("https://example.org:8443/gmgan\n", "https://example.org:8443/gmgan"),
        ("git@example.org:gmgan.git\n", None),
        ("/home/me/gmgan\n", None),
        (None, None),
    ],
)
def test_the_web_address_holds_no_credentials(monkeypatch, remote, expected):
    monkeypatch.setattr(provenance, "_git", lambda *_, **__: remote)
    assert provenance.web_address() == expected


def test_what_uses_no_torch_stores_the_vector_units_as_well(project):
    project.gmgan("prepare", "toy-ring")
    host = read_json(project.folder / "results/data/toy-ring.json")["provenance"]["host"]
    assert host["vector_units"].split()[0] == torch.backends.cpu.get_cpu_capability()


def test_runs_of_other_vector_units_are_marked(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    record = project.folder / "results" / "runs" / RUN / "train.json"
    units = read_json(record)["provenance"]["host"]["vector_units"]
    record.unlink()
    project.gmgan("train", RUN, ATEN_CPU_CAPABILITY="default")
    restricted = read_json(record)["provenance"]["host"]["vector_units"]
    assert restricted == "DEFAULT ATEN_CPU_CAPABILITY=default" != units
    project.snakemake("all")
    done = project.gmgan("verify", RUN, check=False)
    assert f"vector_units: {restricted} -> {units}" in done.stdout
    page = (project.folder / "results" / "report.html").read_text()
    assert "Trained on several kinds of machine" in page
    assert f"({restricted})" in page and f"({units})" in page
