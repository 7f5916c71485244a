"""Any folder or zip of images sorted by class."""

import hashlib
import io
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from gmgan.data.resizing import fit
from gmgan.data.splits import Splits
from gmgan.errors import GmganError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def read(source, archives) -> Splits:
    """Read `source.path`, a folder or a zip, in the order of the file names.

    Raises GmganError when the path is missing, its hash is not the expected one, the archive or an
    image cannot be read, or the layout is neither SPLIT/CLASS/image nor CLASS/image.
    """
    path = archives(source.path)
    if path is None:
        raise GmganError(
            f"source.path: no {source.path}; put it there or set GMGAN_MIRROR to the "
            "folder that holds it"
        )
    if source.sha256:
        _check_hash(path, source.sha256)
    if path.is_dir():
        return _read_members(
            source,
            path,
            {
                file.relative_to(path).as_posix(): file.read_bytes
                for file in path.rglob("*")
                if file.is_file()
            },
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_members(
                source,
                path,
                {name: lambda name=name: archive.read(name) for name in archive.namelist()},
            )
    except zipfile.BadZipFile as error:
        raise GmganError(f"{path} is no whole zip file ({error}); fetch it again") from error


def _check_hash(path, expected):
    if path.is_dir():
        raise GmganError(f"{path}: source.sha256 is for zip files, not for folders; remove it")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise GmganError(
            f"{path} has SHA-256 {found[:16]}..., expected {expected[:16]}...; fetch "
            "it again or correct source.sha256"
        )


def _read_members(source, path, members):
    names = sorted(
        name
        for name in members
        if PurePosixPath(name).suffix.lower() in SUFFIXES and not name.startswith("__MACOSX/")
    )
    parts = [PurePosixPath(name).parts for name in names]
    if not names:
        raise GmganError(f"{path} holds no images ({', '.join(sorted(SUFFIXES))})")
    if all(len(part) == 3 and part[0] in ("train", "test") for part in parts):
        is_test = np.array([part[0] == "test" for part in parts])
    elif all(len(part) == 2 for part in parts):
        is_test = np.array([_held_out(name, source.test_fraction) for name in names])
    else:
        raise GmganError(f"{path}: expected CLASS/image or train/CLASS/image and test/CLASS/image")
    classes = sorted({part[-2] for part in parts})
    if source.classes not in (None, len(classes)):
        raise GmganError(f"{path} has {len(classes)} classes, source.classes says {source.classes}")
    labels = np.array([classes.index(part[-2]) for part in parts], np.int64)
    images = np.empty((len(names), *source.sample_shape), np.uint8)
    for i, name in enumerate(names):
        place = f"{path}:{name}" if Path(path).is_file() else f"{path}/{name}"
        images[i] = decode(members[name], place, source.colour, source.size, source.resize)
    return Splits(images[~is_test], labels[~is_test], images[is_test], labels[is_test], classes)


def _held_out(name, fraction):
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) < fraction * 2**32


def decode(read_bytes, place, colour, size, rule) -> np.ndarray:
    """One image as uint8 size x size x C, from a function that gives its bytes.

    colour (str): `grey` or `rgb`; rule (str): of `gmgan.data.resizing.fit`; `place` names the image
    in errors. Raises GmganError if it is unreadable or, under the rule `none`, of another size.
    """
    try:
        with Image.open(io.BytesIO(read_bytes())) as image:
            converted = image.convert("L" if colour == "grey" else "RGB")
    except (OSError, ValueError, zipfile.BadZipFile, Image.DecompressionBombError) as error:
        raise GmganError(
            f"{place} cannot be read as an image ({error}); repair or remove it"
        ) from error
    return fit(converted, size, rule, place)
