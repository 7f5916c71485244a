"""The content of a user's own images decides what is made again."""

import io
import os
import zipfile

import numpy as np
import pytest
import yaml
from conftest import ROOT
from PIL import Image

from gmgan.config.loader import load
from gmgan.pipeline import manifests
from gmgan.pipeline.graph import Graph
from gmgan.pipeline.manifests import content_hash
from gmgan.pipeline.runner import Runner


def png(grey):
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), grey, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Four images of two classes, in the folder that the process is in."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    for split in ("train", "test"):
        for name, grey in (("cat", 10), ("dog", 200)):
            place = folder / split / name / "1.png"
            place.parent.mkdir(parents=True)
            place.write_bytes(png(grey))
    return folder


def replace(folder):
    """Another image of the same size under the same name, with the time of the old one."""
    path = folder / "train/cat/1.png"
    before = path.stat()
    path.write_bytes(png(11))
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {
    "replaced": replace,
    "added": lambda folder: (folder / "train/cat/2.png").write_bytes(png(12)),
    "removed": lambda folder: (folder / "train/dog/1.png").unlink(),
    "moved": lambda folder: (folder / "train/cat/1.png").rename(folder / "train/dog/2.png"),
    "renamed class": lambda folder: (folder / "train/cat").rename(folder / "train/lion"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_of_images_changes_the_hash(photos, tmp_path, change):
    before = content_hash(photos, tmp_path / "cache")
    change(photos)
    after = content_hash(photos, tmp_path / "cache")
    assert after != before
    assert after == content_hash(photos, tmp_path / "no cache")


def test_only_changed_files_are_read_again(photos, tmp_path, monkeypatch):
    read = []
    hash_file = manifests.hash_file
    monkeypatch.setattr(
        manifests, "hash_file", lambda path: [read.append(path), hash_file(path)][1]
    )
    before = content_hash(photos, tmp_path / "cache")
    assert len(read) == 4
    (photos / "notes.txt").write_text("no image")
    (photos / "train/cat/1.png").touch()
    assert content_hash(photos, tmp_path / "cache") == before
    assert len(read) == 5
    assert content_hash(photos, tmp_path / "cache") == before
    assert len(read) == 5
    for cache in (tmp_path / "cache").iterdir():
        cache.write_text("damaged")
    assert content_hash(photos, tmp_path / "cache") == before


def test_a_zip_counts_as_one_file(tmp_path):
    path = tmp_path / "pets.zip"
    hashes = set()
    for grey in (1, 2):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("cat/1.png", png(grey))
        hashes.add(content_hash(path, tmp_path / "cache"))
    assert len(hashes) == 2


def test_data_of_other_images_are_prepared_and_trained_on_again(photos, tmp_path):
    text = yaml.safe_load((ROOT / "params.yaml").read_text())
    source = {"kind": "images", "path": "photos", "size": 8, "colour": "grey"}
    text["datasets"]["pets"] = {"extends": "digits-ci", "title": "pets", "source": source}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(text, sort_keys=False))
    own = load(path)
    run = "pets.gan.K1.s0"

    before = Graph(own)
    prepared, training = before.job("prepare", source="pets"), before.job("train", run=run)
    prints = [before.fingerprint(prepared), before.fingerprint(training)]
    Runner(own).run(prepared)
    replace(photos)
    now = Graph(own)
    assert now.fingerprint(prepared) != prints[0]
    assert now.fingerprint(training) != prints[1]
    assert not Runner(own).fits(prepared)
    Runner(own).run(prepared)
    there = Graph(own).fingerprint(prepared)
    photos.rename(photos.with_name("elsewhere"))  # results without images, such as after dvc pull
    assert Graph(own).fingerprint(prepared) == there
    assert Runner(own).fits(prepared)
