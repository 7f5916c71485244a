"""The command line: one-line errors, exit status, nothing left behind."""

import pytest
from conftest import ROOT

from gmgan.artifacts import atomic_path, read_arrays, write_arrays, write_json
from gmgan.errors import GmganError

ERRORS = [
    (["list", "--suite", "quik"], "unknown suite 'quik'; known: ci, cifar10"),
    (["prepare", "digit"], "unknown dataset 'digit'; known: cifar10"),
    (["train", "digits.gan"], "'digits.gan' is no run"),
    (["train", "digits.gann.K1.s0"], "unknown model 'gann'; known: acgan, gan"),
    (["train", "digits.gmgan-static.K0.s0"], "K must be at least 1, got 0"),
    (["train", "digits.gmgan-supervised.K3.s0"], "K = 3 is below the number of classes 10"),
    (["features", "digits.gan.K1.s0", "clasifier"], "unknown extractor 'clasifier'; known:"),
    (["train", "digits.gan.K1.s0"], "results/data/digits.safetensors is missing; run"),
    (["sample", "digits.gan.K1.s0"], "train.json is missing; run the stage"),
    (["score", "digits.gan.K1.s0"], "samples.safetensors is missing"),
    (["report"], "results/scores.csv is missing"),
    (["prepare", "cifar10-jpeg"], "no CIFAR10/cifar10_jpeg_q75.zip; put it there or set GMGAN_MI"),
    (["--params", "none.yaml", "list"], "cannot read none.yaml"),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=[" ".join(e[0]) for e in ERRORS])
def test_mistakes_are_one_line(project, arguments, message):
    done = project.gmgan(*arguments, check=False, GMGAN_MIRROR="")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("gmgan: error: ")
    assert message in done.stderr
    assert not (project.folder / "results").exists() or not project.files()


def test_a_missing_gpu_is_named(project):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    project.edit("params.yaml", "device: auto", "device: cuda")
    project.gmgan("prepare", "toy-ring")
    done = project.gmgan("train", "toy-ring-ci.gan.K1.s0", check=False)
    assert done.returncode == 2
    assert "execution.device is cuda, but torch sees no GPU" in done.stderr


def test_snakemake_passes_the_errors_on(project):
    done = project.snakemake("all", "--config", "suite=quik", check=False)
    assert done.returncode != 0
    assert "unknown suite 'quik'" in done.stdout + done.stderr
    done = project.snakemake("all", "--config", "sute=ci", check=False)
    assert "only suite=NAME and params=FILE" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_list_is_for_programs(project):
    done = project.gmgan("list", "--suite", "ci")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0] == ["toy-ring-ci.gan.K1.s0", "60 kimg", "-"]
    assert len(rows) == 4
    assert done.stderr == ""


def test_help_and_version():
    from gmgan import cli

    for arguments in (["--help"], ["train", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
        assert stopped.value.code == 0


def test_failed_writes_leave_nothing(tmp_path):
    target = tmp_path / "a" / "file"
    with pytest.raises(ValueError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ValueError
    assert list((tmp_path / "a").iterdir()) == []
    target.write_text("old")
    with pytest.raises(GmganError, match="No space left"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["file"]
    assert target.read_text() == "old"


def test_an_unwritable_folder_is_one_line(tmp_path):
    """Any error of the file system while writing ends like this; here no folder can be made."""
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises(GmganError, match=r"cannot write .*free space or choose another results"):
        write_json(tmp_path / "results" / "x.json", {})


def test_truncated_artifacts_are_named(tmp_path):
    import numpy as np

    path = tmp_path / "x.safetensors"
    write_arrays(path, {"a": np.arange(1000)}, {"fingerprint": "f"})
    arrays, about = read_arrays(path)
    assert np.array_equal(arrays["a"], np.arange(1000))
    assert about == {"fingerprint": "f"}
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(GmganError, match="is damaged"):
        read_arrays(path)


def test_the_readme_names_real_commands():
    text = (ROOT / "README.md").read_text()
    assert text.index("\nmake\n") < text.index("\nmake test\n")
