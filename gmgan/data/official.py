"""MNIST, Fashion-MNIST, CIFAR-10 and STL-10 by torchvision's addresses and hashes.

Files are looked for in the mirror and among earlier downloads first. Either way torchvision checks
them against the official MD5 before anything is read.
"""

import codecs
import io
import os
import pickle
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gmgan.config.data import TorchvisionSource
from gmgan.data.archives import Archives
from gmgan.data.resizing import resize_all
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.runtime.torch_setup import allow_torchvision_without_ops

Fetch = Callable[[str, str, list[str]], Path]  # (path in the mirror, MD5, addresses) -> local file
Arrays = tuple[Any, ...]  # training samples, their labels, test samples, their labels, classes


def read(source: TorchvisionSource, archives: Archives) -> Splits:
    """Read an official set, downloading what neither mirror nor earlier downloads hold.

    Raises GmganError when a file is missing and cannot be downloaded, or has the wrong hash.
    """
    allow_torchvision_without_ops()
    readers = {"mnist": _idx, "fashion-mnist": _idx, "cifar10": _cifar10}
    with tempfile.TemporaryDirectory(prefix="gmgan-") as scratch:

        def fetch(relative: str, md5: str, addresses: list[str]) -> Path:
            """Link a file into `scratch`, where torchvision looks for it."""
            target = Path(scratch, relative)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(_local(source.kind, relative, md5, addresses, archives).resolve(), target)
            return target

        reader = readers.get(source.kind, _stl10)
        train, train_labels, test, test_labels, classes = reader(source.kind, scratch, fetch)
    train, test = (resize_all(images, source.sample_shape[0]) for images in (train, test))
    return Splits(train, train_labels, test, test_labels, [str(name) for name in classes])


def _local(name: str, relative: str, md5: str, addresses: list[str], archives: Archives) -> Path:
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


def _idx(kind: str, scratch: str, fetch: Fetch) -> Arrays:
    from torchvision import datasets

    cls = datasets.MNIST if kind == "mnist" else datasets.FashionMNIST
    for name, md5 in cls.resources:
        fetch(f"{cls.__name__}/raw/{name}", md5, [mirror + name for mirror in cls.mirrors])
    train, test = (cls(scratch, train=is_train, download=True) for is_train in (True, False))
    parts = [(split.data.numpy()[:, :, :, None], split.targets.numpy()) for split in (train, test)]
    return *parts[0], *parts[1], train.classes


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


def _cifar10(kind: str, scratch: str, fetch: Fetch) -> Arrays:
    from torchvision.datasets import CIFAR10

    with tarfile.open(fetch(CIFAR10.filename, CIFAR10.tgz_md5, [CIFAR10.url])) as archive:

        def member(name: str) -> bytes:
            file = archive.extractfile(f"{CIFAR10.base_folder}/{name}")
            assert file is not None  # a file, not a folder: the archive's hash is right
            return file.read()

        train, test = (
            [name for name, _ in part] for part in (CIFAR10.train_list, CIFAR10.test_list)
        )
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


def _stl10(kind: str, scratch: str, fetch: Fetch) -> Arrays:
    from torchvision.datasets import STL10

    fetch(STL10.filename, STL10.tgz_md5, [STL10.url])
    labelled, parts = kind == "stl10", []
    for split in ("train" if labelled else "unlabeled", "test"):
        loaded = STL10(scratch, split=split, download=True)
        labels = loaded.labels.astype(np.int64) if labelled else np.full(len(loaded.data), -1)
        parts += [loaded.data.transpose(0, 2, 3, 1).copy(), labels]
    return *parts, loaded.classes if labelled else []
