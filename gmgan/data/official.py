"""MNIST, Fashion-MNIST, CIFAR-10 and STL-10 by torchvision's addresses and hashes.

Files are looked for in the mirror and among earlier downloads first. Either way torchvision checks
them against the official MD5 before anything is read.
"""

import codecs
import gzip
import io
import os
import pickle
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gmgan.config.data import TorchvisionSource
from gmgan.data.archives import Archives
from gmgan.data.resizing import resize_all
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.runtime.torch_setup import allow_torchvision_without_ops

Arrays = tuple[Any, ...]  # training images, their labels, test images, their labels, classes


def read(source: TorchvisionSource, archives: Archives) -> Splits:
    """Read an official set, downloading what neither mirror nor earlier downloads hold.

    Raises GmganError when a file is missing and cannot be downloaded, or has the wrong hash.
    """
    allow_torchvision_without_ops()
    readers = {"mnist": _idx, "fashion-mnist": _idx, "cifar10": _cifar10}
    reader = readers.get(source.kind, _stl10)
    train, train_labels, test, test_labels, classes = reader(source.kind, archives)
    train, test = (resize_all(images, source.sample_shape[0]) for images in (train, test))
    return Splits(train, train_labels, test, test_labels, [str(name) for name in classes])


def _fetch(name: str, relative: str, md5: str, addresses: list[str], archives: Archives) -> Path:
    """The official file of the data set `name`: the mirror's, or downloaded and kept."""
    from torchvision.datasets.utils import check_integrity, download_url

    local, failure = archives(relative), None
    if local is not None:
        if check_integrity(str(local), md5):
            return local
        text = f"is not the official file of {name} (MD5 differs from {md5}); remove or replace it"
        raise GmganError(f"{local} {text}")
    kept = archives.downloads / relative
    for address in addresses:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", dir=kept.parent) as part:
                download_url(address, part, kept.name, md5)
                os.replace(Path(part, kept.name), kept)
            return kept
        except (OSError, RuntimeError) as error:
            failure = error
    cure = f"put it under the folder in GMGAN_MIRROR as {relative}"
    raise GmganError(f"{name}: cannot download {relative} ({failure}); {cure}") from failure


def _idx(kind: str, archives: Archives) -> Arrays:
    """MNIST's format: a header of 16 bytes before images and of 8 before labels."""
    from torchvision import datasets

    cls = datasets.MNIST if kind == "mnist" else datasets.FashionMNIST
    parts: list[np.ndarray] = []
    for name, md5 in cls.resources:
        addresses = [mirror + name for mirror in cls.mirrors]
        path = _fetch(kind, f"{cls.__name__}/raw/{name}", md5, addresses, archives)
        content = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8)
        if "images" in name:
            parts.append(content[16:].reshape(-1, 28, 28, 1).copy())
        else:
            parts.append(content[8:].astype(np.int64))
    return *parts, cls.classes


def _empty_array(subtype: type, shape: tuple[int, ...], dtype: str | bytes) -> np.ndarray:
    """What numpy's pickles begin with; the array's state fills it."""
    return np.empty(0)


class _ArraysOnly(pickle.Unpickler):
    """Reads CIFAR-10's official batches, which are pickles, without running any code in them.

    Only the constructors of plain numpy arrays are let through.
    """

    allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): _empty_array,
        ("numpy._core.multiarray", "_reconstruct"): _empty_array,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): codecs.encode,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a data file")
        return self.allowed[module, name]


@contextmanager
def _members(path: Path, folder: str) -> Iterator[Callable[[str], bytes]]:
    """A function that gives the content of the files of one folder of a tar archive."""
    with tarfile.open(path) as archive:

        def member(name: str) -> bytes:
            file = archive.extractfile(f"{folder}/{name}")
            assert file is not None  # the archive has the right hash
            return file.read()

        yield member


def _cifar10(kind: str, archives: Archives) -> Arrays:
    from torchvision.datasets import CIFAR10

    path = _fetch(kind, CIFAR10.filename, CIFAR10.tgz_md5, [CIFAR10.url], archives)
    train, test = ([name for name, _ in each] for each in (CIFAR10.train_list, CIFAR10.test_list))
    with _members(path, CIFAR10.base_folder) as member:
        return read_cifar10_batches(member, train, test, CIFAR10.meta["filename"])


def read_cifar10_batches(
    member: Callable[[str], bytes], train: Iterable[str], test: Iterable[str], meta: str
) -> Arrays:
    """Arrays from CIFAR-10's python batches; `member(name)` gives a file's bytes."""

    def load(name: str) -> dict[str, Any]:
        return _ArraysOnly(io.BytesIO(member(name)), encoding="latin1").load()

    def batches(names: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        contents = [load(name) for name in names]
        images = np.concatenate([batch["data"] for batch in contents])
        labels = np.concatenate([np.asarray(batch["labels"], np.int64) for batch in contents])
        return images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), labels

    return *batches(train), *batches(test), load(meta)["label_names"]


def _stl10(kind: str, archives: Archives) -> Arrays:
    """Pixels are stored channel by channel, each column by column; labels begin at 1."""
    from torchvision.datasets import STL10

    path = _fetch(kind, STL10.filename, STL10.tgz_md5, [STL10.url], archives)
    parts: list[np.ndarray] = []
    labelled = kind == "stl10"
    with _members(path, STL10.base_folder) as member:
        for split in ("train" if labelled else "unlabeled", "test"):
            pixels = np.frombuffer(member(f"{split}_X.bin"), np.uint8).reshape(-1, 3, 96, 96)
            parts.append(pixels.transpose(0, 3, 2, 1).copy())
            stored = member(f"{split}_y.bin") if labelled else bytes(len(pixels))  # 0: none
            parts.append(np.frombuffer(stored, np.uint8).astype(np.int64) - 1)
        classes = member(STL10.class_names_file).decode().splitlines() if labelled else []
    return *parts, classes
