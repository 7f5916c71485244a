"""Images from anywhere, without classes: a folder, a zip, or an array in a file."""

import zipfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from gmgan.data.images import decode, image_files
from gmgan.errors import GmganError


def read_loose(path: str | Path, shape: tuple[int, ...]) -> tuple[list[str], np.ndarray]:
    """Names (list of N) and images (uint8 N x H x W x C) of `path`, all of `shape` (H, W, C).

    A folder (searched through) or a zip of images, in the order of their names; or an .npz or
    .safetensors file whose array `samples` (or only array) is uint8, N x H x W or N x H x W x C.
    Raises GmganError if there are none, or one is unreadable or of another size.
    """
    path = Path(path)
    if not path.exists():
        raise GmganError(f"no {path}; name a folder or zip of images, or an .npz or .safetensors")
    if path.suffix not in (".npz", ".safetensors"):
        if not path.is_dir() and not zipfile.is_zipfile(path):
            raise GmganError(f"{path} is no folder, zip, .npz or .safetensors")
        with image_files(path) as files:
            return list(files), decode(path, files, shape, "none")
    images = _array(path)
    if images.shape[1:] != shape:
        sizes = f"{_text(images.shape[1:])}, the data set has {_text(shape)}"
        raise GmganError(f"{path} holds images of {sizes}")
    return [str(i) for i in range(len(images))], images


def _array(path: Path) -> np.ndarray:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
        else:
            arrays = load_file(path)
    except (OSError, ValueError, zipfile.BadZipFile, SafetensorError) as error:
        raise GmganError(f"{path} is damaged ({error})") from error
    name = "samples" if len(arrays) != 1 else next(iter(arrays))
    if name not in arrays:
        raise GmganError(f"{path} has no array 'samples'; it has {', '.join(sorted(arrays))}")
    images = arrays[name]
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) == 0:
        given = f"{images.dtype} {_text(images.shape)}"
        raise GmganError(f"{path}: samples must be uint8, N x H x W x C, got {given}")
    return images[..., None] if images.ndim == 3 else images


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
