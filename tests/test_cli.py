"""The command line: one-line errors, exit status, nothing left behind."""

import os
import re
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from threadpoolctl import threadpool_info, threadpool_limits

from gmgan.cli import State, commands
from gmgan.errors import GmganError
from gmgan.pipeline.files import atomic_path, write_text

ERRORS = [
    (["list", "--suite", "quik"], "unknown suite 'quik'; did you mean quick? known: ci"),
    (["prepare", "digit"], "unknown dataset 'digit'; did you mean digits or"),
    (["train", "digits.gan"], "'digits.gan' is no run"),
    (
        ["train", "digits.gann.K1.s0"],
        "unknown model 'gann'; did you mean gan or sngan or r3gan? known",
    ),
    (["train", "digits.gmgan-static.K0.s0"], "K must be at least 1, got 0"),
    (["train", "digits.gmgan-supervised.K3.s0"], "K = 3 is below the number of classes 10"),
    (
        ["train", "toy-ring.gan.K1.s0", "--set", "network=dcgan", "--dry-run"],
        "a dcgan makes square images, the data are points; choose a network of kind mlp",
    ),
    (
        ["features", "digits.gan.K1.s0", "clasifier"],
        "unknown extractor 'clasifier'; did you mean classifier",
    ),
    *(
        (command, "the data set holds points, which are scored in data space; choose one of images")
        for command in (
            ["extractor", "toy-ring", "classifier"],
            ["real-features", "toy-ring", "classifier-digits"],
            ["features", "toy-ring.gan.K1.s0", "classifier-digits"],
        )
    ),
    (["train", "digits.gan.K1.s0"], "results/data/digits.json is missing; make it: snakemake"),
    (["sample", "digits.gan.K1.s0"], "train.json is missing; make it: snakemake --cores 1"),
    (["score", "digits.gan.K1.s0"], "samples.safetensors is missing"),
    (["report"], "floor.json is missing; make it: snakemake --cores 1"),
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
        assert cli.main(arguments) == 0


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
        write_text(tmp_path / "results" / "x.json", "{}")


def test_the_readme_names_real_commands():
    text = (ROOT / "README.md").read_text()
    assert text.index("\nmake\n") < text.index("\nmake test\n")


def image_project(project, members, **source):
    """A project whose data set `pets` is a small zip of images."""
    import zipfile

    with zipfile.ZipFile(project.folder / "pets.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    fields = {"kind": "images", "path": "pets.zip", "size": 8, **source}
    lines = "".join(f"      {key}: {value}\n" for key, value in fields.items())
    project.edit(
        "params.yaml",
        "  digits-ci:\n",
        f"  pets:\n    extends: digits-ci\n    title: pets\n    source:\n{lines}  digits-ci:\n",
    )
    return project


def picture(size=(8, 8)):
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", size, 100).save(buffer, "PNG")
    return buffer.getvalue()


PETS = {
    f"{split}/{label}/{i}.png": picture()
    for split in ("train", "test")
    for label in ("cat", "dog")
    for i in range(5)
}


@pytest.mark.parametrize(
    ("members", "source", "message"),
    [
        (PETS | {"train/cat/9.png": picture((8, 9))}, {"resize": "none"}, "is 8 x 9 pixels"),
        (PETS | {"train/cat/9.png": b"no image"}, {}, "train/cat/9.png cannot be read"),
        (PETS, {"sha256": "'" + "0" * 64 + "'"}, "fetch it again or correct source.sha256"),
        (PETS, {"classes": 5}, "has 2 classes, source.classes says 5"),
    ],
    ids=["mixed size", "unreadable", "wrong hash", "classes"],
)
def test_bad_images_through_the_command_line(project, members, source, message):
    done = image_project(project, members, **source).gmgan("prepare", "pets", check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert project.files() == set()


def one_error(project, *arguments):
    """The one line of error that a command ends with, and that it wrote nothing."""
    before = project.files()
    done = project.gmgan(*arguments, check=False, GMGAN_MIRROR="")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert project.files() == before
    return done.stderr.strip().splitlines()[-1]


def test_a_truncated_archive_and_prepared_file(project):
    image_project(project, PETS)
    path = project.folder / "pets.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "pets.zip cannot be read as a whole zip file" in one_error(project, "prepare", "pets")
    path.write_bytes(whole)
    project.gmgan("prepare", "pets")
    data = project.folder / "results" / "data" / "pets.safetensors"
    data.write_bytes(data.read_bytes()[:-10])
    assert "pets.safetensors is damaged" in one_error(project, "train", "pets.gan.K1.s0")


def test_bad_values_of_params(project):
    project.edit("params.yaml", "      sigma: 0.1 ", "      sigma: -0.1 ")
    message = one_error(project, "train", "toy-ring.gan.K1.s0")
    assert "datasets.toy-ring.latent.sigma" in message
    assert "greater than 0 (got -0.1)" in message


def test_missing_extractor_weights_and_too_few_samples(project):
    project.edit("params.yaml", "    weights:     ", "    weights: nowhere.pth ")
    assert "no file nowhere.pth; fetch https://" in one_error(
        project, "extractor", "cifar10", "inception"
    )
    project.edit("params.yaml", "      n_real: 1000\n", "      n_real: 30000\n")
    project.gmgan("prepare", "toy-ring")
    assert "n_real is 30000, but the split has only 20000" in one_error(
        project, "floor", "toy-ring-ci"
    )


def test_checkpoints_of_other_parameters_and_corrupt_ones(finished, tmp_path):
    from gmgan.config.loader import load
    from gmgan.pipeline.runner import Runner

    project, name = finished.copy(tmp_path / "p"), "digits-ci.acgan.K1.s0"
    runner = Runner(load(project.folder / "params.yaml"), project.folder / "results")
    job = runner.job("train", run=name)
    file, saved = runner.checkpoint(job), project.folder / "other.safetensors"
    file.save({"weight": torch.ones(1000)}, {"kimg": 1})
    file.path.rename(saved)
    state = runner.checkpoint(job, saved).load()
    assert torch.equal(state.tensors["weight"], torch.ones(1000))
    assert state.about == {"kimg": 1}
    title = "    title: AC-GAN\n"
    project.edit("params.yaml", title, title + "    training:\n      beta1: 0.9\n")
    message = one_error(project, "train", name, "--resume", str(saved))
    assert "training.beta1: 0.5 -> 0.9" in message
    project.edit("params.yaml", "    training:\n      beta1: 0.9\n", "")
    whole = saved.read_bytes()
    for content, expected in (
        (whole[:-100], "is no checkpoint of a training"),
        (whole[:-1] + b"x", "is damaged"),
        (b"no safetensors", "is no checkpoint of a training"),
    ):
        saved.write_bytes(content)
        message = one_error(project, "train", name, "--resume", str(saved))
        assert expected in message
        assert "choose a file of results/checkpoints" in message
    assert "there is no file" in one_error(project, "train", name, "--resume", "nowhere")


def test_a_full_disk(project):
    """A limit on the size of files stands in for a full disk: the write fails half way."""
    import resource
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "gmgan", "prepare", "toy-ring"],
        cwd=project.folder,
        text=True,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert done.returncode == 2
    assert "cannot write results/data/toy-ring.safetensors" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert project.files() == set()


def test_examples_name_files_that_exist():
    examples = "\n".join(command.epilog or "" for command in commands.commands.values())
    shipped = re.findall(r"\S*reference/\S+", examples)
    assert len(shipped) > 1
    for example in shipped:
        path = example.rpartition(":")[2]  # without a revision
        assert (ROOT / "results" / path.removeprefix("results/")).exists(), path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["draw", "--set", "latent.sigma=0.2"], "an exported model cannot be varied"),
        (["cluster-images", "x"], "gmgan cluster-images needs a run of results/runs"),
        (["verify"], "gmgan verify needs a run of results/runs"),
    ],
)
def test_a_folder_is_no_run(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("my-model").mkdir()
    command, *others = arguments
    state = State(str(ROOT / "params.yaml"), "results", False)
    with pytest.raises(GmganError, match=message) as caught:
        commands.commands[command].main(
            ["my-model", *others], prog_name=command, obj=state, standalone_mode=False
        )
    assert str(caught.value).startswith("my-model is a folder; ")


def test_commands_by_hand_compute_with_the_threads_of_params(monkeypatch):
    """NumPy's library is loaded before params.yaml is read; sums depend on its threads."""
    monkeypatch.setattr("os.environ", dict(os.environ))
    with threadpool_limits(2):
        State(str(ROOT / "params.yaml"), "results", False).runner  # noqa: B018
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
