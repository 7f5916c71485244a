"""Images from anywhere, without classes: a folder, a zip, or an array in a file."""

import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from gmgan.data.images import SUFFIXES, decode
from gmgan.errors import GmganError


def read_loose(path, shape):
    """Names (list of N) and images (uint8 N x H x W x C) of `path`, all of `shape` (H, W, C).

    A folder (searched through) or a zip of images, in the order of their names; or an .npz or
    .safetensors file whose array `samples` (or only array) is uint8, N x H x W or N x H x W x C.
    Raises GmganError if there are none, or one is unreadable or of another size.
    """
    path = Path(path)
    if not path.exists():
        raise GmganError(f"no {path}; name a folder or zip of images, or an .npz or .safetensors")
    if path.suffix in (".npz", ".safetensors"):
        images = _array(path)
        if images.shape[1:] != shape:
            raise GmganError(
                f"{path} holds images of {_text(images.shape[1:])}, the data set has {_text(shape)}"
            )
        return [str(i) for i in range(len(images))], images
    if path.is_dir():
        files = {p.relative_to(path).as_posix(): p.read_bytes for p in path.rglob("*")}
        return _decode_all(path, files, shape)
    try:
        with zipfile.ZipFile(path) as archive:
            files = {name: lambda name=name: archive.read(name) for name in archive.namelist()}
            return _decode_all(path, files, shape)
    except zipfile.BadZipFile as error:
        raise GmganError(f"{path} is no folder, zip, .npz or .safetensors ({error})") from error


def _decode_all(path, files, shape):
    names = sorted(
        name
        for name in files
        if PurePosixPath(name).suffix.lower() in SUFFIXES and not name.startswith("__MACOSX/")
    )
    if not names:
        raise GmganError(f"{path} holds no images ({', '.join(sorted(SUFFIXES))})")
    images = np.empty((len(names), *shape), np.uint8)
    colour = "grey" if shape[2] == 1 else "rgb"
    for i, name in enumerate(names):
        images[i] = decode(files[name], f"{path}/{name}", colour, shape[0], "none")
    return names, images


def _array(path):
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        else:
            arrays = load_file(path)
    except (OSError, ValueError, zipfile.BadZipFile, SafetensorError) as error:
        raise GmganError(f"{path} is damaged ({error})") from error
    if "samples" in arrays:
        images = arrays["samples"]
    elif len(arrays) == 1:
        images = next(iter(arrays.values()))
    else:
        raise GmganError(f"{path} has no array 'samples'; it has {', '.join(sorted(arrays))}")
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) == 0:
        found = f"{images.dtype} {_text(images.shape)}"
        raise GmganError(f"{path}: samples must be uint8, N x H x W x C, got {found}")
    return images[..., None] if images.ndim == 3 else images


def _text(shape):
    return " x ".join(map(str, shape))
