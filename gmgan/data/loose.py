"""Images from anywhere: a folder, a zip, or an array in a file, which may hold their classes."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from safetensors import safe_open

from gmgan.data.images import decode, image_files
from gmgan.errors import GmganError
from gmgan.reading import open_regular, parsing

# (ours) An array of more bytes must be in a file of at least a 20th of its size.
SMALL = 256_000_000
FILES = (".npz", ".safetensors")
DTYPES = {"U8": "uint8", "I32": "int32", "I64": "int64"}  # names of safetensors


def read_loose(
    path: str | Path, shape: tuple[int, ...], resize: str = "none"
) -> tuple[list[str], np.ndarray]:
    """Names (list of N) and images (uint8 N x H x W x C) of `path`, all of `shape` (H, W, C).

    A folder (searched through) or a zip of images, in the order of their names; or an .npz or
    .safetensors file whose array `samples` (or only array) is uint8, N x H x W or N x H x W x C.
    resize: how images of another size in a folder or zip are brought to it, as in resizing.py.
    Raises GmganError if there are none, or one is unreadable or of another size.
    """
    path = Path(path)
    if not path.exists():
        raise GmganError(f"no {path}; name a folder or zip of images, or an .npz or .safetensors")
    if path.is_dir() or path.suffix not in FILES:
        _check_zip(path)
        with image_files(path) as files:
            return list(files), decode(path, files, shape, resize)
    open_regular(path).close()
    with parsing(path, "an array", "write it again"):
        name = _name_of(_names(path))
        _check(path, *_header(path, name), shape)
        images = _array(path, name)
    images = images.reshape(len(images), *shape)
    return [str(i) for i in range(len(images))], images


def read_classes(path: str | Path, count: int, n_classes: int) -> np.ndarray | None:
    """The class (int64 N) that each of the `count` images of `path` is meant to have.

    The array `class` of an .npz or .safetensors file, as `gmgan draw` writes it. None without one,
    and for a model that knows no classes (-1). Raises GmganError if it holds anything but a class
    of each image.
    """
    path = Path(path)
    if path.is_dir() or path.suffix not in FILES:
        return None
    with parsing(path, "an array", "write it again"):
        if "class" not in _names(path):
            return None
        dtype, stored = _header(path, "class")
        if dtype not in ("uint8", "int32", "int64") or stored != (count,):
            given = f"{dtype} {_text(stored)}"
            raise GmganError(f"{path}: class must be an integer for each of {count}, got {given}")
        classes = _array(path, "class").astype(np.int64)
    if (classes < 0).all():
        return None
    if classes.min() < 0 or classes.max() >= n_classes:
        raise GmganError(f"{path}: class must be in 0 to {n_classes - 1}")
    return classes


def _check_zip(path: Path) -> None:
    if path.is_dir():
        return
    with open_regular(path) as file:
        if not zipfile.is_zipfile(file):
            raise GmganError(f"{path} is no folder, zip, .npz or .safetensors")


def _names(path: Path) -> list[str]:
    """The arrays of an .npz or .safetensors file."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return [each.removesuffix(".npy") for each in archive.namelist()]
    with safe_open(path, framework="numpy") as file:
        return list(file.keys())


def _header(path: Path, name: str) -> tuple[str, tuple[int, ...]]:
    """Type and shape of an array, without reading it."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            old = npy.read_magic(member) == (1, 0)
            header = (npy.read_array_header_1_0 if old else npy.read_array_header_2_0)(member)
            return str(header[2]), header[0]
    with safe_open(path, framework="numpy") as file:
        stored = file.get_slice(name)
        dtype = stored.get_dtype()
        return DTYPES.get(dtype, dtype), tuple(stored.get_shape())


def _array(path: Path, name: str) -> np.ndarray:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[name]
    with safe_open(path, framework="numpy") as file:
        return file.get_tensor(name)


def _name_of(names: list[str]) -> str:
    """The array of images among those of a file."""
    if len(names) != 1 and "samples" not in names:
        raise ValueError(f"it has no array 'samples', only {', '.join(sorted(names))}")
    return "samples" if len(names) != 1 else names[0]


def _check(path: Path, dtype: str, stored: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise GmganError if an array of this type and shape is not of images of `shape`."""
    if dtype != "uint8" or len(stored) not in (3, 4) or stored[0] == 0:
        given = f"{dtype} {_text(stored)}"
        raise GmganError(f"{path}: samples must be uint8, N x H x W x C, got {given}")
    if (*stored[1:], 1)[:3] != shape:
        sizes = f"{_text((*stored[1:], 1)[:3])}, the data set has {_text(shape)}"
        raise GmganError(f"{path} holds images of {sizes}")
    size = int(np.prod(stored, dtype=object))
    if size > max(SMALL, 20 * path.stat().st_size):
        raise GmganError(f"{path} says that it holds {size:,} bytes of images; it is too small")


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
