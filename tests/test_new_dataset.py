"""gmgan new-dataset: entries that fit the images; and mistakes in counts, all before any job."""

import re
import shutil

import numpy as np
import pytest
import yaml
from conftest import ROOT
from PIL import Image
from sklearn.datasets import load_digits

from gmgan.commands.inspection import inspect
from gmgan.commands.new_dataset import with_entries
from gmgan.config.counts import Counts, count_mistakes
from gmgan.config.loader import load
from gmgan.config.params import RESULT_FOLDERS
from gmgan.config.settings import PrepareSettings
from gmgan.data.archives import Archives
from gmgan.data.counts import counts_of
from gmgan.data.prepare import prepare
from gmgan.errors import GmganError
from gmgan.pipeline.grid import suite_runs
from gmgan.pipeline.stages import STAGES


def write_digits(folder, per_class=100, classes=3, colour=False):
    """Real 8 x 8 digits as CLASS/number.png."""
    images, labels = load_digits(return_X_y=True)
    for label in range(classes):
        (folder / f"digit-{label}").mkdir(parents=True)
        for i, image in enumerate(images[labels == label][:per_class]):
            grey = np.rint(image.reshape(8, 8) * 255 / 16).astype(np.uint8)
            picture = np.stack([grey, grey // 2, grey], 2) if colour else grey
            Image.fromarray(picture).save(folder / f"digit-{label}" / f"{i:03d}.png")
    return folder


def test_the_entry_fits_the_images_and_the_rest_of_the_file_stays(project):
    write_digits(project.folder / "My digits")
    before = (project.folder / "params.yaml").read_text()
    done = project.gmgan("new-dataset", "My digits")
    assert "300 images in 3 classes: digit-0 100" in done.stdout
    assert "snakemake --cores all --config suite=my-digits -- all" in done.stdout
    after = (project.folder / "params.yaml").read_text()
    kept = iter(after.splitlines())
    assert all(line in kept for line in before.splitlines())  # in order: nothing was changed
    params = load(project.folder / "params.yaml")
    entry = params.datasets["my-digits"]
    assert entry.source.sample_shape == (8, 8, 1) and entry.source.resize == "none"
    runs = suite_runs(params, "my-digits")
    jobs = project.plan("--config", "suite=my-digits", "--", "all")
    assert len(jobs["train"]) == len(runs) == 6
    models = {run.model for run in runs}  # each beside what the claims compare it with
    assert {params.models[model].baseline for model in models} - {None} <= models


def test_classes_of_few_training_images_are_named(project):
    folder = write_digits(project.folder / "pets", per_class=150)
    for split, names in (("train", "0[0-9][0-9]"), ("test", "1[0-9][0-9]")):
        for label in range(3):
            to = project.folder / "parted" / split / f"digit-{label}"
            to.mkdir(parents=True)
            for image in (folder / f"digit-{label}").glob(f"{names}.png"):
                for copy in range(3 if split == "train" and label else 1):
                    shutil.copy(image, to / f"{copy}-{image.name}")
    lines = project.gmgan("new-dataset", "parted", "--dry-run").stdout.splitlines()
    (note,) = (line for line in lines if "few hundred" in line)  # 300 of digit-1 and of digit-2
    assert note.startswith("note: few training images (digit-0 100): ")
    assert "uncertain" in note


def test_a_second_entry_of_the_same_name_is_refused(project):
    write_digits(project.folder / "digits")
    done = project.gmgan("new-dataset", "digits", check=False)
    assert done.returncode == 2 and "choose another with --name" in done.stderr
    shown = project.gmgan("new-dataset", "digits", "--name", "mine", "--dry-run").stdout
    sections = yaml.safe_load(shown[shown.index("datasets:") :])
    assert sections["suites"]["mine"]["K"] == 3
    assert (project.folder / "params.yaml").read_text() == (ROOT / "params.yaml").read_text()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_the_name_of_a_folder_of_results_is_refused(project, dry):
    write_digits(project.folder / "data")
    done = project.gmgan("new-dataset", "data", *dry, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("gmgan: error: 'data' is a folder of results")
    assert line.endswith("choose another with --name")
    assert (project.folder / "params.yaml").read_text() == (ROOT / "params.yaml").read_text()


def test_no_suite_has_the_name_of_a_folder_that_the_code_writes_into():
    """`results / "NAME"` in the code, and the paths of the stages."""
    paths = [artifact.path for stage in STAGES.values() for artifact in stage.writes.values()]
    written = {path.partition("/")[0] for path in paths if "/" in path or "." not in path}
    for file in (ROOT / "gmgan").rglob("*.py"):
        for left, name in re.findall(r'(\w+)\)? / "([a-z]+)"', file.read_text()):
            written |= {name} if left in ("results", "folder") else set()
    assert {"locks", "logs", "manifests", "reference", "runs", "tables"} <= written
    assert not written - set(RESULT_FOLDERS)


def test_a_class_without_a_training_image_is_refused(project):
    folder = write_digits(project.folder / "pets")
    for split in ("train", "test"):
        (folder / split).mkdir()
    for label, split in enumerate(("train", "train", "test")):
        (folder / f"digit-{label}").rename(folder / split / f"digit-{label}")
    done = project.gmgan("new-dataset", "pets", check=False)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("gmgan: error: pets has no training image of digit-2; ")
    assert (project.folder / "params.yaml").read_text() == (ROOT / "params.yaml").read_text()


def test_colours_sizes_duplicates_and_lossy_modes_are_seen(tmp_path):
    folder = write_digits(tmp_path / "a", per_class=40, colour=True)
    for split in ("train", "test"):
        (tmp_path / "b" / split).mkdir(parents=True)
    for label in range(3):
        (folder / f"digit-{label}").rename(tmp_path / "b" / "train" / f"digit-{label}")
        (tmp_path / "b" / "test" / f"digit-{label}").mkdir()
        known = Image.open(tmp_path / "b" / "train" / f"digit-{label}" / "007.png")
        noise = np.random.default_rng(label).integers(0, 255, (9, 8, 4), np.uint8)
        known.save(tmp_path / "b" / "test" / f"digit-{label}" / "copy.png")
        Image.fromarray(noise, "RGBA").save(tmp_path / "b" / "test" / f"digit-{label}" / "new.png")
    found, _ = inspect(tmp_path / "b", 2000, (0.2, 0.1))
    assert found.counts == Counts(120, 6, 3) and found.split and not found.grey
    assert found.sizes == {(8, 8): 123, (8, 9): 3}
    assert found.lossy == {"RGBA": 3}
    pairs = {(f"test/digit-{i}/copy.png", f"train/digit-{i}/007.png") for i in range(3)}
    assert set(found.duplicates) == pairs


def test_broken_files_are_named_together(project):
    folder = write_digits(project.folder / "pets")
    for name in ("digit-0/a.png", "digit-2/b.jpg"):
        (folder / name).write_bytes(b"no image")
    done = project.gmgan("new-dataset", "pets", check=False)
    assert done.returncode == 2
    assert "2 of 302 files cannot be read" in done.stderr
    assert "digit-0/a.png, digit-2/b.jpg" in done.stderr
    assert (project.folder / "params.yaml").read_text() == (ROOT / "params.yaml").read_text()


def test_too_few_images(project):
    write_digits(project.folder / "few", per_class=30)
    done = project.gmgan("new-dataset", "few", check=False)
    assert "for training; images need at least 96" in done.stderr


@pytest.mark.parametrize("text", ["a:\n  b: 1  # c\n\n# end\nd:\n  e:\n  - 1", "a: {b: 1}\nd: 2"])
def test_entries_go_to_the_end_of_their_sections(text):
    if "{" in text:
        with pytest.raises(GmganError, match="block style"):
            with_entries(text, {"a": "x: 1\n"})
        return
    longer = with_entries(text, {"a": "x: 1\n", "d": "y:\n  z: 2\n"})
    assert longer == "a:\n  b: 1  # c\n  x: 1\n\n# end\nd:\n  e:\n  - 1\n  y:\n    z: 2\n"


def wrong(params, name, counts, **evaluation):
    """The mistakes of an entry with other settings: {dotted key: text}."""
    entry = params.datasets[name]
    dump = entry.evaluation.model_dump()
    for key, value in evaluation.items():
        *above, last = key.split("__")
        target = dump[above[0]] if above else dump
        target[last] = value
    changed = entry.model_copy(update={"evaluation": type(entry.evaluation).model_validate(dump)})
    params = params.model_copy(update={"datasets": {name: changed}})
    return {".".join(place[2:]): text for place, text in count_mistakes(params, {name: counts})}


FITTING = {
    "extractors": ["classifier-digits"],
    "n_real": 118,
    "n_fake": 118,
    "kid_subset_size": 59,
    "sweep__n": 118,
}
COUNTS = Counts(400, 63, 3)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"n_real": 2000}, "n_real"),
        ({"kid_subset_size": 1000}, "kid_subset_size"),
        ({"sweep__n": 2000}, "sweep.n"),
        ({"is_splits": 500}, "is_splits"),
        ({"neighbours": 118}, "neighbours"),
        ({"density_neighbours": 118}, "density_neighbours"),
        ({"sweep__n": 30}, "sweep.n"),
        ({"fid_also_at": [118]}, "fid_also_at"),
    ],
)
def test_the_value_that_a_mistake_names_works(params, change, key):
    assert not wrong(params, "digits", COUNTS, **FITTING)
    mistakes = wrong(params, "digits", COUNTS, **{**FITTING, **change})
    assert list(mistakes) == [f"evaluation.{key}"]
    text = mistakes[f"evaluation.{key}"]
    value = int(re.search(r"(?:set it to (?:at (?:most|least) )?|below n_fake )(\d+)", text)[1])
    better = {next(iter(change)): [value - 1] if key == "fid_also_at" else value}
    assert not wrong(params, "digits", COUNTS, **{**FITTING, **better})


def test_an_extractor_must_fit_the_images(params):
    other = {**FITTING, "extractors": ["classifier-rgb"]}
    text = wrong(params, "digits", Counts(237, 63, 3), **other)["evaluation.extractors"]
    assert "kimg of at most 47.4 (200 epochs)" in text  # 200 x 237 / 1000
    text = wrong(params, "digits", Counts(2370, 63, 3), **other)["evaluation.n_real"]
    assert "n_real is 118: a Fréchet distance in the 128 features" in text
    text = wrong(params, "digits", Counts(5000, 63, 0), **FITTING)["evaluation.extractors"]
    assert "the data have no labels" in text


def test_all_mistakes_come_at_once_before_any_job(project):
    write_digits(project.folder / "pets")
    project.gmgan("new-dataset", "pets")
    text = (project.folder / "params.yaml").read_text()
    own = text[text.index("  pets:\n    title") :]
    entry = own.replace("    learning_rate", "    lerning_rate", 1)
    entry = re.sub(r"n_real: \d+", "n_real: 5000", entry, count=1)
    entry = re.sub(r"kid_subset_size: \d+", "kid_subset_size: 1000", entry, count=1)
    entry = re.sub(r"      sweep:\n        n: \d+", "      sweep:\n        n: 3000", entry, count=1)
    entry = re.sub(
        r"(datasets: pets\n    models:\n)((?:    - .*\n)*)    K: 3", r"\1\2    K: 2", entry
    )
    (project.folder / "params.yaml").write_text(text.replace(own, entry))
    done = project.snakemake("all", "--config", "suite=pets", check=False)
    lines = dict(re.findall(r"params.yaml:\d+: (\S+): (.*)", done.stdout + done.stderr))
    assert list(lines) == [
        "datasets.pets.training.lerning_rate",
        "datasets.pets.evaluation.n_real",
        "datasets.pets.evaluation.kid_subset_size",
        "datasets.pets.evaluation.sweep.n",
        "suites.pets.K",
    ]
    assert "known: average_half_life_kimg" in lines["datasets.pets.training.lerning_rate"]
    assert "set it to at least 3" in lines["suites.pets.K"]
    assert not (project.folder / "results").exists()


@pytest.mark.parametrize("name", ["toy-ring-ci", "toy-grid25", "digits"])
def test_counts_are_those_of_the_prepared_data(params, name, tmp_path):
    source = params.datasets[name].source
    settings = PrepareSettings(source=source, class_shares={})
    description = prepare(settings, Archives(tmp_path)).description
    known = Counts(description.train.count, description.test.count, len(description.classes))
    assert counts_of(source, Archives(tmp_path), {}) == known
