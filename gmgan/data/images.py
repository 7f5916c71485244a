"""Images in a folder or a zip: a data set sorted by class, and images from anywhere."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from gmgan.config.data import ImagesSource
from gmgan.data.archives import Archives
from gmgan.data.resizing import fit
from gmgan.data.splits import Splits
from gmgan.errors import GmganError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
Files = dict[str, Callable[[], bytes]]  # name -> function that gives the content


def read(source: ImagesSource, archives: Archives) -> Splits:
    """Read `source.path`, a folder or a zip, in the order of the file names.

    Raises GmganError when the path is missing, its hash is not the expected one, the archive or an
    image cannot be read, or the layout is neither SPLIT/CLASS/image nor CLASS/image.
    """
    path = archives(source.path)
    if path is None:
        cure = "put it there or set GMGAN_MIRROR to the folder that holds it"
        raise GmganError(f"source.path: no {source.path}; {cure}")
    if source.sha256:
        _check_hash(path, source.sha256)
    with image_files(path) as files:
        is_test = assign(path, files, source.test_fraction)
        names = [PurePosixPath(name).parts[-2] for name in files]
        classes, labels = np.unique(names, return_inverse=True)
        if source.classes not in (None, len(classes)):
            text = f"has {len(classes)} classes, source.classes says {source.classes}"
            raise GmganError(f"{path} {text}")
        images = decode(path, files, source.sample_shape, source.resize)
    train, test = ~is_test, is_test
    return Splits(images[train], labels[train], images[test], labels[test], classes.tolist())


def assign(path: Path, names: Iterable[str], fraction: float) -> np.ndarray:
    """Which of the images called `names` belong to the test split (bool, N).

    By their folder, or a `fraction` of them by a hash of the name. Raises GmganError if the layout
    is neither SPLIT/CLASS/image nor CLASS/image; `path` names the folder.
    """
    parts = [PurePosixPath(name).parts for name in names]
    if all(len(part) == 3 and part[0] in ("train", "test") for part in parts):
        return np.array([part[0] == "test" for part in parts])
    if all(len(part) == 2 for part in parts):
        return np.array([_held_out("/".join(part), fraction) for part in parts])
    odd = next(name for name, part in zip(names, parts, strict=True) if len(part) != 2)
    raise GmganError(
        f"{path}: expected CLASS/image, or train/CLASS/image and test/CLASS/image (got {odd})"
    )


def _check_hash(path: Path, expected: str) -> None:
    if path.is_dir():
        raise GmganError(f"{path}: source.sha256 is for zip files, not for folders; remove it")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected:
        text = f"has SHA-256 {digest[:16]}..., expected {expected[:16]}..."
        raise GmganError(f"{path} {text}; fetch it again or correct source.sha256")


def _held_out(name: str, fraction: float) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) < fraction * 2**32


@contextmanager
def image_files(path: Path) -> Iterator[Files]:
    """The images of a folder (searched through) or a zip, in the order of their names.

    Raises GmganError if it holds none or is no whole zip.
    """
    if path.is_dir():
        files = (file for file in path.rglob("*") if file.is_file())
        yield _images(path, {file.relative_to(path).as_posix(): file.read_bytes for file in files})
        return
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise GmganError(f"{path} is no whole zip file ({error}); fetch it again") from error
    with archive:
        yield _images(path, {name: partial(archive.read, name) for name in archive.namelist()})


def _images(path: Path, files: Files) -> Files:
    names = [name for name in sorted(files) if not name.startswith("__MACOSX/")]
    images = {n: files[n] for n in names if PurePosixPath(n).suffix.lower() in SUFFIXES}
    if not images:
        raise GmganError(f"{path} holds no images ({', '.join(sorted(SUFFIXES))})")
    return images


def decode(path: Path, files: Files, shape: tuple[int, ...], rule: str) -> np.ndarray:
    """Images as uint8 N x H x W x C of `shape` (H, W, C; H = W), in the order of `files`.

    rule: of `gmgan.data.resizing.fit`. Raises GmganError with the image's name if one is unreadable
    or, under the rule `none`, of another size.
    """
    images = np.empty((len(files), *shape), np.uint8)
    for i, (name, read_bytes) in enumerate(files.items()):
        try:
            with Image.open(io.BytesIO(read_bytes())) as image:
                converted = image.convert("L" if shape[2] == 1 else "RGB")
        except (OSError, ValueError, zipfile.BadZipFile, Image.DecompressionBombError) as error:
            text = f"cannot be read as an image ({error}); repair or remove it"
            raise GmganError(f"{path}/{name} {text}") from error
        images[i] = fit(converted, shape[0], rule, f"{path}/{name}")
    return images
