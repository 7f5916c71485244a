"""One run by hand: draw, score and cluster images, export, dry runs, completion."""

import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import read_arrays
from PIL import Image

from gmgan import __version__
from gmgan.data.loose import read_classes, read_loose
from gmgan.errors import GmganError

pytestmark = pytest.mark.pipeline

RUN = "digits-ci.gmgan-supervised.K10.s0"
TOY = "toy-ring-ci.gmgan-dynamic.K8.s0"


def refused(project, *arguments):
    done = project.gmgan(*arguments, check=False)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("gmgan: error")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    return lines[0]


def table_of(text):
    rows = [line.split("\t") for line in text.strip("\n").splitlines()]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}


def test_drawing_one_component_as_images(finished, tmp_path):
    out = tmp_path / "drawn"
    choice = ("--component", "3", "--sigma-scale", "0.5", "--n", "12", "--out", str(out))
    done = finished.gmgan("draw", RUN, *choice)
    assert done.stdout.strip() == str(out)
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"{i:06d}_k3.png" for i in range(12)]
    assert Image.open(files[0]).size == (8, 8)
    assert "exists already" in refused(finished, "draw", RUN, *choice)
    _, images = read_loose(out, (8, 8, 1))
    again = tmp_path / "more.npz"
    finished.gmgan("draw", RUN, *choice[:4], "--n", "30", "--out", str(again))
    with np.load(again) as file:
        assert np.array_equal(file["samples"][:12], images)  # sample i depends on i alone
        assert set(file["component"]) == {3}


def test_points_and_scales(finished, tmp_path):
    spreads = []
    for scale in ("0.1", "4"):
        out = tmp_path / f"{scale}.safetensors"
        finished.gmgan(
            "draw", TOY, "--component", "0", "--sigma-scale", scale, "--n", "400", "--out", out
        )
        arrays, about = read_arrays(out)
        assert about["sigma_scale"] == float(scale)
        spreads.append(arrays["samples"].std(axis=0).mean())
    assert spreads[0] < spreads[1]
    assert "points are no images" in refused(finished, "draw", TOY, "--n", "5")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (("--component", "10"), "components 0 to 9, got 10"),
        (("--sigma-scale", "0"), "--sigma-scale must be a finite positive number, got 0"),
        (("--sigma-scale", "nan"), "--sigma-scale must be a finite positive number, got nan"),
        (("--sigma-scale", "inf"), "--sigma-scale must be a finite positive number, got inf"),
        (("--n", "0"), "--n must be at least 1"),
        (("--out", "a.png"), "a.png would be a folder of PNGs; name a folder"),
    ],
)
def test_impossible_choices(finished, choice, message):
    assert message in refused(finished, "draw", RUN, *choice)


def test_scoring_before_anything_is_prepared_names_one_command(project, tmp_path):
    np.savez(tmp_path / "a.npz", np.zeros((10, 8, 8, 1), np.uint8))
    said = refused(project, "score-images", tmp_path / "a.npz", "--dataset", "digits-ci")
    command = re.search(r"prepare it: (snakemake --cores 1 -- \S+)", said)[1]
    assert project.plan(*command.split()[3:])["real_features"]


def test_real_images_score_near_the_floor_and_noise_far_from_it(finished, tmp_path):
    data, _ = read_arrays(finished.folder / "results" / "data" / "digits.safetensors")
    real, noise = tmp_path / "real.npz", tmp_path / "noise"
    np.savez(real, samples=data["test"])
    noise.mkdir()
    rng = np.random.default_rng(0)
    for i in range(360):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(noise / f"{i}.png")
    scores = []
    for path in (real, noise):
        done = finished.gmgan("score-images", path, "--dataset", "digits-ci")
        assert "warning: 360 images, the runs of digits-ci are scored on 300" in done.stderr
        scores.append({name: float(row["value"]) for name, row in table_of(done.stdout).items()})
    best, worst = scores
    assert best["fid"] < 0.2 * worst["fid"]
    table = pd.read_csv(finished.folder / "results" / "scores.csv")
    real = table[(table.run == "digits-ci.real") & (table.metric == "inception_score")].value.item()
    assert best["inception_score"] == pytest.approx(real, rel=0.1)
    assert worst["inception_score"] < 0.5 * real
    assert best["quality"] > 0.8
    assert worst["quality"] < 0.5 * best["quality"]
    assert worst["precision_k3"] < 0.8 * best["precision_k3"]


def test_scores_of_a_runs_own_samples_are_the_pipelines(finished):
    folder = finished.folder / "results" / "runs" / RUN
    done = finished.gmgan(
        "score-images", folder / "samples.safetensors", "--dataset", "digits-ci", "--json"
    )
    assert "warning" not in done.stderr
    ours = {row["metric"]: row["value"] for row in json.loads(done.stdout)}
    scored = json.loads((folder / "scores.json").read_text())["scores"]
    for row in scored:
        if row["metric"] in ours:
            value = pytest.approx(row["value"], rel=1e-12)  # eigenvalues round by threads
            assert ours[row["metric"]] == value, row["metric"]
    assert len(ours) >= 10
    assert "class_accuracy" in ours


def test_too_few_images_leave_scores_out_and_say_so(finished, tmp_path):
    path = tmp_path / "few.npz"
    np.savez(path, np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8))
    done = finished.gmgan("score-images", path, "--dataset", "digits-ci")
    table = table_of(done.stdout)
    assert "quality" in table
    assert "fid" not in table
    assert "left out: a Frechet distance in 32 dimensions needs more than 32 samples" in done.stderr
    assert "warning: 20 images, the runs of digits-ci are scored on 300" in done.stderr


def test_images_of_ones_own_are_sorted_by_component(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    run = "digits-ci.gmgan-static.K10.s0"
    project.snakemake(f"results/runs/{run}/clusters.json")
    arrays, _ = read_arrays(project.folder / "results" / "data" / "digits.safetensors")
    folder = tmp_path / "mine"
    folder.mkdir()
    for i in range(5):
        Image.fromarray(arrays["test"][i, :, :, 0]).save(folder / f"{i}.png")
    lines = project.gmgan("cluster-images", run, folder).stdout.strip().splitlines()
    assert [line.split("\t")[0] for line in lines] == [f"{i}.png" for i in range(5)]
    assert all(0 <= int(line.split("\t")[1]) < 10 for line in lines)


def test_an_exported_model_samples_as_its_run_does(finished, tmp_path):
    out, drawn = tmp_path / "model", tmp_path / "drawn.npz"
    finished.gmgan("export", RUN, "--out", out)
    finished.gmgan("draw", RUN, "--n", "20", "--component", "4", "--seed", "5", "--out", drawn)
    card = (out / "README.md").read_text()
    assert f"Run `{RUN}`" in card
    assert "| fid |" in card
    head = yaml.safe_load(card.split("---\n")[1])
    (result,) = head["model-index"][0]["results"]
    values = {row["type"]: row["value"] for row in result["metrics"]}
    scores = json.loads((finished.folder / f"results/runs/{RUN}/scores.json").read_text())["scores"]
    assert values == {row["metric"]: row["value"] for row in scores if row["value"] is not None}
    assert head["pipeline_tag"] == result["task"]["type"] == "unconditional-image-generation"
    assert Image.open(out / "samples.png").size[0] > 80
    code = (
        "import sys, numpy as np\n"
        "from gmgan.exported import load\n"
        f"model = load({str(out)!r})\n"
        "images, components, classes = model.sample(20, component=4, seed=5)\n"
        f"drawn = np.load({str(drawn)!r})\n"
        "assert np.array_equal(images, drawn['samples'])\n"
        "assert set(components) == set(classes) == {4}\n"
        "heavy = {'pandas', 'matplotlib', 'torchvision', 'snakemake', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=finished.folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "exists already" in refused(finished, "export", RUN, "--out", out)
    again = tmp_path / "again.npz"
    finished.gmgan("draw", out, "--n", "20", "--component", "4", "--seed", "5", "--out", again)
    assert again.read_bytes() == drawn.read_bytes()
    (out / "model.safetensors").write_bytes(b"x")
    from gmgan.exported import load

    with pytest.raises(GmganError, match="whole exported model"):
        load(out)


def test_a_crate_describes_every_file_of_a_suite(finished, tmp_path):
    from rocrate.rocrate import ROCrate

    out = tmp_path / "crate"
    finished.gmgan("crate", "--suite", "ci", "--out", out)
    crate = ROCrate(out)  # the library reads it back, and every file that it names is there
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    described = {entity.id for entity in crate.data_entities}
    assert {"report.html", "scores.csv", f"runs/{RUN}/scores.json", "params.yaml"} <= described
    assert files - described == {"ro-crate-metadata.json"}
    for entity in crate.data_entities:
        if not entity.id.endswith("/"):
            assert int(entity["contentSize"]) == (out / entity.id).stat().st_size
            assert "/" in entity["encodingFormat"]
    in_folders = {
        each.id for folder in ("tables/", "figures/") for each in crate.get(folder)["hasPart"]
    }
    (action,) = crate.get_by_type("CreateAction")
    results = {each.id for each in action["result"]}
    assert results | in_folders | {"params.yaml"} == described
    assert crate.root_dataset["mentions"] == action
    assert crate.get("#gmgan")["version"] == __version__
    assert "no results/quick/" in refused(finished, "crate", "--suite", "quick", "--out", "x")


def test_dry_run_prints_the_resolved_configuration(finished):
    before = finished.files()
    printed = json.loads(finished.gmgan("train", "digits-ci.acgan.K1.s7", "--dry-run").stdout)
    assert printed["settings"]["training"]["kimg"] == 12
    assert printed["settings"]["objective"] == {"kind": "acgan"}
    assert finished.files() == before


def test_list_says_how_far_a_run_is(finished):
    lines = finished.gmgan("list", "--suite", "ci").stdout.strip().splitlines()
    assert f"{RUN}\t12 kimg\tscored" in lines
    other = finished.gmgan("list", "--suite", "quick").stdout
    assert "digits.gan.K1.s0\t100 kimg\t-" in other


def test_completion_and_examples(project):
    def completed(*words):
        shell = {"COMP_WORDS": " ".join(("gmgan", *words)), "COMP_CWORD": str(len(words))}
        done = project.gmgan(_GMGAN_COMPLETE="bash_complete", **shell)
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert "score-images" in completed("score")
    assert completed("train", "toy-ring-ci.gmgan") == ["toy-ring-ci.gmgan-dynamic.K8.s0"]
    assert "quick" in completed("list", "--suite", "q")
    for command in ("train", "draw", "score-images", "cluster", "export", "list", "report"):
        assert "examples:" in project.gmgan(command, "--help").stdout


class TestLoose:
    def images(self, rng, count=3):
        return rng.integers(0, 256, (count, 8, 8, 3), np.uint8)

    @pytest.fixture
    def rng(self):
        return np.random.default_rng(0)

    def test_folder_zip_and_arrays_agree(self, rng, tmp_path):
        images = self.images(rng)
        folder = tmp_path / "folder" / "deeper"
        folder.mkdir(parents=True)
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
            for i, image in enumerate(images):
                Image.fromarray(image).save(folder / f"{i}.png")
                archive.write(folder / f"{i}.png", f"{i}.png")
        (folder / "notes.txt").write_text("no image")
        np.savez(tmp_path / "a.npz", samples=images)
        for path in (tmp_path / "folder", tmp_path / "z.zip", tmp_path / "a.npz"):
            names, read = read_loose(path, (8, 8, 3))
            assert np.array_equal(read, images)
            assert len(names) == 3

    def test_bad_input(self, rng, tmp_path):
        with pytest.raises(GmganError, match=r"no .*nowhere"):
            read_loose(tmp_path / "nowhere", (8, 8, 3))
        (tmp_path / "empty").mkdir()
        with pytest.raises(GmganError, match="holds no images"):
            read_loose(tmp_path / "empty", (8, 8, 3))
        (tmp_path / "not.zip").write_text("x")
        with pytest.raises(GmganError, match="no folder, zip"):
            read_loose(tmp_path / "not.zip", (8, 8, 3))
        np.savez(tmp_path / "a.npz", self.images(rng))
        with pytest.raises(GmganError, match="8 x 8 x 3, the data set has 28 x 28 x 1"):
            read_loose(tmp_path / "a.npz", (28, 28, 1))
        np.savez(tmp_path / "f.npz", self.images(rng).astype(float))
        with pytest.raises(GmganError, match="must be uint8"):
            read_loose(tmp_path / "f.npz", (8, 8, 3))
        np.savez(tmp_path / "o.npz", np.array([{}], object))
        with pytest.raises(GmganError, match="must be uint8"):  # nothing is unpickled
            read_loose(tmp_path / "o.npz", (8, 8, 3))
        folder = tmp_path / "mixed"
        folder.mkdir()
        Image.new("RGB", (9, 8)).save(folder / "a.png")
        with pytest.raises(GmganError, match="9 x 8 pixels, expected 8 x 8"):
            read_loose(folder, (8, 8, 3))
        for resize in ("crop", "stretch"):
            assert read_loose(folder, (8, 8, 3), resize)[1].shape == (1, 8, 8, 3)

    def test_classes_beside_them(self, rng, tmp_path):
        path, images = tmp_path / "a.npz", self.images(rng)
        for stored, read in (([2, 0, 1], [2, 0, 1]), ([-1, -1, -1], None)):
            np.savez(path, samples=images, **{"class": stored})
            assert np.array_equal(read_classes(path, 3, 3), read)
        np.savez(path, samples=images)
        assert read_classes(path, 3, 3) is None
        assert read_classes(tmp_path, 3, 3) is None
        for stored, message in (
            ([0, 1], "an integer for each of 3, got int64 2"),
            ([0.0, 1.0, 2.0], "got float64 3"),
            ([0, 1, 3], "class must be in 0 to 2"),
            ([-1, 0, 1], "class must be in 0 to 2"),
            (np.array([{}] * 3, object), "got object 3"),
        ):
            np.savez(path, samples=images, **{"class": stored})
            with pytest.raises(GmganError, match=message):
                read_classes(path, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("sample", RUN, "--n", "5"), "gmgan draw"),
        (("score", "--samples=x.npz", "--dataset", "digits-ci"), "gmgan score-images"),
        (("cluster", RUN, "--images", "x"), "gmgan cluster-images"),
    ],
)
def test_old_spellings_name_the_new_ones(finished, arguments, command):
    assert f"is an option of '{command}' now" in refused(finished, *arguments)


def test_unknown_commands_list_near_ones(finished):
    assert "did you mean train" in refused(finished, "trian", RUN)


def test_a_malformed_run_in_a_target_lists_near_ones(project):
    done = project.snakemake("-n", "results/runs/digits.gan.s0/scores.json", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "'digits.gan.s0' is no run" in text
    assert "for example digits.gan.K1.s0" in text
