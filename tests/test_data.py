"""Readers of data sets: real data where it is available, small artificial archives elsewhere."""

import hashlib
import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gmgan.config.data import ImagesSource
from gmgan.data import digits, images, loose, official, points
from gmgan.data.archives import Archives
from gmgan.data.loose import read_loose
from gmgan.data.splits import Splits
from gmgan.data.thinning import thin
from gmgan.errors import GmganError

MIRROR = Path(os.environ.get("GMGAN_MIRROR") or "no-mirror").resolve()


def test_toy_points_match_their_gaussians(params):
    for name, modes in (("toy-ring", 8), ("toy-grid", 9), ("toy-grid25", 25)):
        source = params.datasets[name].source
        splits = points.read(source)
        assert len(splits.classes) == modes
        centres = points.centres(source)
        offsets = splits.train - centres[splits.train_labels]
        count = len(offsets)
        assert np.all(np.abs(offsets.mean(0)) < 6 * source.std / np.sqrt(count))
        assert offsets.std() == pytest.approx(source.std, rel=0.03)
        assert np.bincount(splits.train_labels, minlength=modes).min() > 0.8 * count / modes
        assert not np.array_equal(splits.train[:100], splits.test[:100])
    ring = points.centres(params.datasets["toy-ring"].source)
    assert np.allclose(np.linalg.norm(ring, axis=1), 1.0)
    grid = points.centres(params.datasets["toy-grid"].source)
    assert sorted(set(grid[:, 0])) == [-1.0, 0.0, 1.0]


def test_digits_are_scikit_learns(params):
    from sklearn.datasets import load_digits

    splits = digits.read(params.datasets["digits"].source)
    assert splits.train.shape == (1437, 8, 8, 1)
    assert len(splits.test) == 360
    everything = np.concatenate([splits.train, splits.test]).reshape(-1, 64)
    original = np.rint(load_digits().data * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, everything)) == sorted(map(bytes, original))
    assert np.bincount(splits.test_labels).min() >= 34


@pytest.mark.skipif(
    not (MIRROR / "MNIST").exists(), reason="needs GMGAN_MIRROR with the official MNIST files"
)
@pytest.mark.parametrize("kind", ["mnist", "fashion-mnist"])
def test_official_files_from_the_mirror(params, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("GMGAN_MIRROR", str(MIRROR))
    splits = official.read(params.datasets[kind].source, Archives(tmp_path))
    assert splits.train.shape == (60000, 28, 28, 1)
    assert splits.test.shape == (10000, 28, 28, 1)
    if kind == "mnist":
        assert np.bincount(splits.train_labels).tolist() == [
            5923,
            6742,
            5958,
            6131,
            5842,
            5421,
            5918,
            6265,
            5851,
            5949,
        ]
        assert splits.train.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    else:
        assert np.bincount(splits.train_labels).tolist() == [6000] * 10
        assert splits.classes[0] == "T-shirt/top"
    assert not list(tmp_path.iterdir())


def test_a_damaged_mirror_is_refused(params, tmp_path, monkeypatch):
    raw = tmp_path / "mirror" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").write_bytes(b"short")
    monkeypatch.setenv("GMGAN_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(GmganError, match="is not the official file of mnist"):
        official.read(params.datasets["mnist"].source, Archives(tmp_path / "archives"))
    monkeypatch.setenv("GMGAN_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(GmganError, match=r"GMGAN_MIRROR is .*nowhere, which is no folder"):
        Archives(tmp_path)


def test_a_failed_download_says_what_to_do(params, tmp_path, monkeypatch):
    from gmgan.runtime.torch_setup import allow_torchvision_without_ops

    allow_torchvision_without_ops()
    import torchvision.datasets.utils as utils

    def offline(*_args, **_kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(utils, "download_url", offline)
    monkeypatch.delenv("GMGAN_MIRROR", raising=False)
    with pytest.raises(GmganError, match=r"cannot download cifar-10-python.tar.gz .*GMGAN_MIRROR"):
        official.read(params.datasets["cifar10"].source, Archives(tmp_path))


def cifar_batches(rng, evil=False):
    """Files in the layout of the official archive, small."""
    files = {}
    for name, count in (("data_batch_1", 6), ("data_batch_2", 4), ("test_batch", 5)):
        data = rng.integers(0, 256, (count, 3072), np.uint8)
        files[name] = {
            "data": data,
            "labels": rng.integers(0, 10, count).tolist(),
            "batch_label": name,
        }
    files["batches.meta"] = {"label_names": [f"class {i}" for i in range(10)]}
    if evil:
        files["data_batch_1"]["data"] = _Evil()
    return {name: pickle.dumps(content, protocol=2) for name, content in files.items()}


class _Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_cifar_batches_are_read_like_pickle_reads_them():
    files = cifar_batches(np.random.default_rng(0))
    train, train_labels, test, test_labels, names = official.read_cifar10_batches(
        files.__getitem__, ["data_batch_1", "data_batch_2"], ["test_batch"], "batches.meta"
    )
    assert train.shape == (10, 32, 32, 3)
    raw = pickle.loads(files["data_batch_2"])
    assert train[6, 5, 7].tolist() == [int(raw["data"][0, c * 1024 + 5 * 32 + 7]) for c in range(3)]
    assert train_labels[6:].tolist() == raw["labels"]
    assert len(test) == len(test_labels) == 5
    assert names[3] == "class 3"


def test_code_in_cifar_batches_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = cifar_batches(np.random.default_rng(0), evil=True)
    with pytest.raises(pickle.UnpicklingError, match="not allowed in a data file"):
        official.read_cifar10_batches(
            files.__getitem__, ["data_batch_1"], ["test_batch"], "batches.meta"
        )
    assert not (tmp_path / "executed").exists()


def png(size, colour):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def members(count=12, size=(16, 16)):
    return {
        f"{label}/{i:02}.png": png(size, (10 * i, 0, 255 * (label == "dog")))
        for label in ("cat", "dog")
        for i in range(count)
    }


def source(path, **change):
    return ImagesSource(
        **{"kind": "images", "path": path, "size": 16, "test_fraction": 0.3, **change}
    )


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GMGAN_MIRROR", raising=False)
    return tmp_path


def test_zip_and_folder_give_the_same(here):
    write_zip(here / "pets.zip", members())
    for name, content in members().items():
        (here / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "pets" / name).write_bytes(content)
    zipped = images.read(source("pets.zip"), Archives(here))
    folder = images.read(source("pets"), Archives(here))
    for name in ("train", "train_labels", "test", "test_labels", "classes"):
        assert np.array_equal(getattr(zipped, name), getattr(folder, name))
    assert zipped.classes == ["cat", "dog"]
    assert len(zipped.train) + len(zipped.test) == 24
    assert 0 < len(zipped.test) < 15
    assert (zipped.train[:, 0, 0, 2] == 255 * zipped.train_labels).all()


def test_given_splits_are_kept(here):
    given = {f"train/{k}": v for k, v in members(4).items()}
    given |= {f"test/{k}": v for k, v in members(2).items()}
    write_zip(here / "pets.zip", given)
    splits = images.read(source("pets.zip"), Archives(here))
    assert (len(splits.train), len(splits.test)) == (8, 4)


@pytest.mark.parametrize("rule", ["crop", "stretch"])
def test_resizing_rules(here, rule):
    wide = Image.new("RGB", (40, 20))
    wide.paste((255, 255, 255), (0, 0, 10, 20))  # the left quarter is white
    buffer = io.BytesIO()
    wide.save(buffer, "PNG")
    write_zip(
        here / "wide.zip", {"train/a/0.png": buffer.getvalue(), "test/a/0.png": buffer.getvalue()}
    )
    image = images.read(source("wide.zip", resize=rule, size=20), Archives(here)).train[0]
    # Cropping the centre 20 of 40 columns cuts the white quarter off; stretching keeps it.
    assert bool(image[:, :4].mean() > 200) is (rule == "stretch")
    assert image[:, 8:].mean() < 60


@pytest.mark.parametrize(
    ("change", "content", "message"),
    [
        ({"resize": "none"}, members(size=(16, 12)), r"is 16 x 12 pixels, expected 16 x 16"),
        ({}, {"train/cat/0.png": b"nonsense"}, r"cat/0.png cannot be read as an image"),
        ({}, {"train/cat/0.png": png((16, 16), 0)[:45]}, r"cat/0.png cannot be read as an image"),
        ({}, {"0.png": png((16, 16), 0)}, "expected CLASS/image"),
        ({}, {"notes.txt": b"x"}, "holds no images"),
        ({"classes": 3}, members(), "has 2 classes, source.classes says 3"),
        ({"sha256": "0" * 64}, members(), r"has SHA-256 .* expected 0000000000000000"),
    ],
)
def test_bad_archives(here, change, content, message):
    write_zip(here / "bad.zip", content)
    with pytest.raises(GmganError, match=message):
        images.read(source("bad.zip", **change), Archives(here))


def test_truncated_and_missing_archives(here):
    write_zip(here / "pets.zip", members())
    whole = (here / "pets.zip").read_bytes()
    (here / "pets.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GmganError, match="whole zip file"):
        images.read(source("pets.zip"), Archives(here))
    with pytest.raises(GmganError, match=r"no nothing.zip; put it there or set GMGAN_MIRROR"):
        images.read(source("nothing.zip"), Archives(here))


def encoded(array, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    return exif


RAMP = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
LEFT = np.zeros((8, 8, 3), np.uint8)  # the left half is white
LEFT[:, :4] = 255
GLASS = np.zeros((8, 8, 4), np.uint8)  # red, the left half transparent
GLASS[..., 0], GLASS[:, 4:, 3] = 200, 255
ON_WHITE = np.where(GLASS[..., 3:], GLASS[..., :3], 255)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(RAMP), np.rint(RAMP / 257)[..., None].repeat(3, 2)),
        (encoded(RAMP, "TIFF"), np.rint(RAMP / 257)[..., None].repeat(3, 2)),
        (encoded(LEFT, exif=rotated()), LEFT.transpose(1, 0, 2)),
        (encoded(GLASS), ON_WHITE),
        (encoded(GLASS[..., 0], transparency=200), np.full((8, 8, 3), 255)),
        (encoded(LEFT[..., 0], transparency=0), np.full((8, 8, 3), 255)),
    ],
    ids=["16 bits", "16 bits TIFF", "EXIF", "RGBA", "grey transparent", "black transparent"],
)
def test_depth_orientation_and_transparency_of_images(here, content, expected):
    """As stored would be: all above grey 255 saturated, not turned, hidden colours shown."""
    write_zip(here / "a.zip", {"train/a/0.png": content, "test/a/0.png": content})
    image = images.read(source("a.zip", size=8, resize="none"), Archives(here)).train[0]
    assert np.array_equal(image, expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encoded((RAMP / 65535).astype("f4"), "TIFF"), "mode F, 32 bits per pixel"),
        (encoded(RAMP.astype("i4"), "TIFF"), "mode I, 32 bits per pixel"),
        (encoded(RAMP, transparency=7), "16 bits with a transparent colour"),
        (encoded(np.zeros((9500, 9500), np.uint8)), "exceeds limit of 89478485 pixels"),
        (encoded(LEFT, "PPM"), "cannot identify image file"),  # a format of another suffix
    ],
)
def test_images_whose_scale_is_unknown_or_too_large_are_refused(here, content, message):
    write_zip(here / "a.zip", {"train/a/0.png": content, "test/a/0.png": content})
    with pytest.raises(GmganError, match=rf"a.zip/test/a/0.png cannot be .*{message}") as caught:
        images.read(source("a.zip", size=8), Archives(here))
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 300


@pytest.mark.parametrize("name", [b"\xff", b"a\nb", b"a\x1b[31m"])
def test_names_of_images_are_text(here, name):
    folder = os.fsencode(here) + b"/f/a"
    os.makedirs(folder)
    with open(folder + b"/" + name + b".png", "wb") as file:
        file.write(png((16, 16), 0))
    with pytest.raises(GmganError, match="is not UTF-8 or has control characters"):
        images.read(source("f"), Archives(here))


def patched(path, **change):
    """Change flags or the method of compression of all members of a zip."""
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + flags] = change.get("flags", content[at + flags])
            content[at + flags + 2] = change.get("method", content[at + flags + 2])
    path.write_bytes(content)


def test_what_is_no_regular_file_or_no_plain_zip_is_refused(here, monkeypatch):
    os.mkfifo(here / "pipe")
    os.symlink("/dev/zero", here / "zeros")
    for name in ("pipe", "zeros"):
        for change in ({}, {"sha256": "0" * 64}):
            with pytest.raises(GmganError, match="is no regular file"):
                images.read(source(name, **change), Archives(here))
    (here / "f/train/a").mkdir(parents=True)
    os.mkfifo(here / "f/train/a/0.png")
    with pytest.raises(GmganError, match=r"0.png is no regular file"):
        images.read(source("f"), Archives(here))
    for change, message in (({"flags": 1}, "encrypted"), ({"method": 99}, "not supported")):
        write_zip(here / "a.zip", members())
        patched(here / "a.zip", **change)
        with pytest.raises(GmganError, match=message):
            images.read(source("a.zip"), Archives(here))
    monkeypatch.setattr(images, "MOST_IMAGE_BYTES", 1_000_000)
    with zipfile.ZipFile(here / "big.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/a/0.png", bytes(1_000_001))
        archive.writestr("test/a/0.png", png((16, 16), 0))
    with pytest.raises(GmganError, match="1,000,001 bytes, at most 1,000,000"):
        images.read(source("big.zip"), Archives(here))


def npz(path, header, content=b""):
    head = header.ljust(117).encode() + b"\n"
    npy = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content
    write_zip(path, {"samples.npy": npy})


def safetensors(path, dtype, size):
    about = {"dtype": dtype, "shape": [4, 8, 8, 3], "data_offsets": [0, 4 * 192 * size]}
    head = json.dumps({"samples": about}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(4 * 192 * size))


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "zip"])
def test_arrays_are_checked_before_memory_is_taken(here, suffix, monkeypatch):
    path = here / f"a.{suffix}"
    os.mkfifo(path)
    with pytest.raises(GmganError, match="is no regular file"):
        read_loose(path, (8, 8, 3))
    path.unlink()
    if suffix == "npz":
        shape = "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 8, 8, 3), }"
        for header, message in (
            (shape % 10**13, "says that it holds 1,920,000,000,000,000 bytes"),
            (shape % -1, "negative dimensions|too small"),
            (shape[:20], "cannot be read as an array"),
        ):
            npz(path, header)
            with pytest.raises(GmganError, match=message):
                read_loose(path, (8, 8, 3))
        monkeypatch.setattr(loose, "SMALL", 1_000_000)
        np.savez_compressed(path, samples=np.zeros((6000, 8, 8, 3), np.uint8))
        with pytest.raises(GmganError, match="says that it holds 1,152,000 bytes"):
            read_loose(path, (8, 8, 3))
        npz(path, shape % 1, bytes(192))
        patched(path, method=99)
    elif suffix == "safetensors":
        for dtype, size in (("BF16", 2), ("F8_E4M3", 1)):
            safetensors(path, dtype, size)
            with pytest.raises(GmganError, match=f"must be uint8, .* got {dtype} 4 x 8 x 8 x 3"):
                read_loose(path, (8, 8, 3))
        safetensors(path, "UNKNOWN", 1)
    else:
        path.write_bytes(b"")
    with pytest.raises(GmganError, match=r"cannot be read as|is no folder, zip") as caught:
        read_loose(path, (8, 8, 3))
    assert len(str(caught.value)) <= 300


def test_zip_members_never_leave_the_archive(here):
    write_zip(here / "slip.zip", {"../cat/0.png": png((16, 16), 0), "cat/1.png": png((16, 16), 0)})
    with pytest.raises(GmganError, match="expected CLASS/image"):
        images.read(source("slip.zip"), Archives(here))
    assert {p.name for p in here.iterdir()} == {"slip.zip"}


@pytest.mark.skipif(
    not (MIRROR / "CIFAR10").exists(), reason="needs GMGAN_MIRROR with the JPEG copy of CIFAR-10"
)
def test_the_jpeg_copy_of_cifar10(params, tmp_path, monkeypatch):
    monkeypatch.setenv("GMGAN_MIRROR", str(MIRROR))
    entry = params.datasets["cifar10-jpeg"].source
    path = Archives(tmp_path)(entry.path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
    assert "JPEG" in params.datasets["cifar10-jpeg"].title


def test_labels_out_of_range_are_refused():
    data, good = np.zeros((3, 2), np.float32), np.array([0, 1, 1])
    with pytest.raises(GmganError, match="labels from 0 to 2, outside 0 to 1"):
        Splits(data, np.array([0, 1, 2]), data, good, ["a", "b"])
    with pytest.raises(GmganError, match="labels from -1"):
        Splits(data, np.array([0, -1, 1]), data, good, ["a", "b"])
    with pytest.raises(GmganError, match="test split is empty"):
        Splits(data, good, data[:0], good[:0], ["a", "b"])


def tar_of(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    from gmgan.runtime.torch_setup import allow_torchvision_without_ops

    allow_torchvision_without_ops()
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("GMGAN_MIRROR", str(folder))
    return folder


def test_cifar10_through_its_archive(params, mirror, monkeypatch, tmp_path):
    """A small archive in the official layout, under its own hash instead of the official one."""
    from torchvision.datasets import CIFAR10

    files = cifar_batches(np.random.default_rng(0))
    md5 = tar_of(
        mirror / CIFAR10.filename,
        {f"{CIFAR10.base_folder}/{name}": content for name, content in files.items()},
    )
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5)
    monkeypatch.setattr(CIFAR10, "train_list", [["data_batch_1", ""], ["data_batch_2", ""]])
    splits = official.read(params.datasets["cifar10"].source, Archives(tmp_path / "archives"))
    assert splits.train.shape == (10, 32, 32, 3)
    assert splits.test.shape == (5, 32, 32, 3)
    assert len(splits.classes) == 10


@pytest.mark.parametrize("part", ["stl10", "stl10-unlabelled"])
def test_stl10_through_its_archive(params, mirror, monkeypatch, tmp_path, part):
    """Images are stored column by column; the labelled and the unlabelled part, at 48 x 48."""
    from torchvision.datasets import STL10

    rng = np.random.default_rng(0)
    counts = {"train": 10, "test": 6, "unlabeled": 4}
    files = {}
    for split, count in counts.items():
        stored = rng.integers(0, 256, (count, 3, 96, 96), np.uint8)
        stored[0, :, :, :] = np.arange(96, dtype=np.uint8)[None, :, None]  # constant columns
        files[f"{split}_X.bin"] = stored.tobytes()
        if split != "unlabeled":
            files[f"{split}_y.bin"] = (np.arange(count) % 10 + 1).astype(np.uint8).tobytes()
    files["class_names.txt"] = "\n".join(f"class {i}" for i in range(10)).encode()
    files["fold_indices.txt"] = b"0\n"
    md5 = tar_of(
        mirror / STL10.filename,
        {f"{STL10.base_folder}/{name}": content for name, content in files.items()},
    )
    hashes = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(STL10, "tgz_md5", md5)
    for name in ("train_list", "test_list"):
        monkeypatch.setattr(STL10, name, [[file, hashes[file]] for file, _ in getattr(STL10, name)])
    splits = official.read(params.datasets[part].source, Archives(tmp_path / "archives"))
    assert splits.train.shape == ((10 if part == "stl10" else 4), 48, 48, 3)
    assert splits.test.shape == (6, 48, 48, 3)
    if part == "stl10":
        assert splits.train_labels.tolist() == list(range(10))
    else:
        assert splits.classes == []
        assert set(splits.train_labels) == {-1}
    first = splits.train[0, :, :, 0].astype(int)
    assert (np.diff(first[24]) > 0).all()  # the gradient runs along a row of the image
    assert np.ptp(first[:, 24]) == 0


def test_thinned_classes_keep_their_share_in_both_splits():
    labels = np.repeat([0, 1, 2], 100)
    points = np.stack([labels, np.arange(300)], 1).astype("f4")
    splits = Splits(points, labels, points[::2], labels[::2], ["a", "b", "c"])
    tenth, half = thin(splits, {"b": 0.1}), thin(splits, {"b": 0.5, "c": 0.004})
    assert np.bincount(tenth.train_labels).tolist() == [100, 10, 100]
    assert np.bincount(tenth.test_labels).tolist() == [50, 5, 50]
    assert np.bincount(half.train_labels).tolist() == [100, 50, 1]
    assert (np.diff(tenth.train[:, 1]) > 0).all()
    kept, more = (set(each.train[each.train_labels == 1][:, 1]) for each in (tenth, half))
    assert kept < more
    with pytest.raises(GmganError, match="class_shares: unknown class 'd'; known: a, b, c"):
        thin(splits, {"d": 0.5})


def test_a_thinned_set_has_prepared_data_of_its_own(params):
    assert params.source_names["digits-rare-8"] == "digits-rare-8"
    assert params.source_names["digits-ci"] == "digits"
