"""MNIST, Fashion-MNIST, CIFAR-10 and STL-10 by torchvision's addresses and hashes.

Files are looked for in the mirror and among earlier downloads first. Either way torchvision checks
them against the official MD5 before anything is read.
"""

import io
import os
import pickle
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from gmgan.data.resizing import resize_all
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.runtime.torch_setup import allow_torchvision_without_ops


def read(source, archives) -> Splits:
    """Read an official set, downloading what neither mirror nor earlier downloads hold.

    Raises GmganError when a file is missing and cannot be downloaded, or has the wrong hash.
    """
    allow_torchvision_without_ops()
    readers = {
        "mnist": _idx,
        "fashion-mnist": _idx,
        "cifar10": _cifar10,
        "stl10": _stl10,
        "stl10-unlabelled": _stl10,
    }
    with tempfile.TemporaryDirectory(prefix="gmgan-") as scratch:
        train, train_labels, test, test_labels, classes = readers[source.kind](
            source.kind, Path(scratch), archives
        )
    size = source.sample_shape[0]
    return Splits(
        resize_all(train, size), train_labels, resize_all(test, size), test_labels, classes
    )


def _fetch(dataset_name, relative, md5, addresses, scratch, archives):
    """Put `relative` into `scratch`: linked from the mirror, or downloaded and kept."""
    from torchvision.datasets.utils import check_integrity, download_url

    target = scratch / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    local = archives(relative)
    if local is not None:
        if not check_integrity(str(local), md5):
            raise GmganError(
                f"{local} is not the official file of {dataset_name} (MD5 differs "
                f"from {md5}); remove or replace it"
            )
        os.symlink(local.resolve(), target)
        return target
    failure = None
    for address in addresses:
        try:
            download_url(address, str(target.parent), target.name, md5)
            kept = archives.downloads / relative
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_name(f".{kept.name}.part")
            try:
                shutil.copyfile(target, part)
                os.replace(part, kept)
            finally:
                part.unlink(missing_ok=True)
            return target
        except (OSError, RuntimeError) as error:
            failure = error
    raise GmganError(
        f"{dataset_name}: cannot download {relative} ({failure}); put it under the "
        f"folder in GMGAN_MIRROR as {relative}"
    ) from failure


def _idx(kind, scratch, archives):
    from torchvision import datasets

    cls = datasets.MNIST if kind == "mnist" else datasets.FashionMNIST
    for name, md5 in cls.resources:
        _fetch(
            kind,
            f"{cls.__name__}/raw/{name}",
            md5,
            [m + name for m in cls.mirrors],
            scratch,
            archives,
        )
    parts = []
    for is_train in (True, False):
        split = cls(str(scratch), train=is_train, download=True)
        parts += [split.data.numpy()[:, :, :, None], split.targets.numpy()]
    return *parts, [str(name) for name in split.classes]


class _ArraysOnly(pickle.Unpickler):
    """Reads CIFAR-10's official batches, which are pickles, without running any code in them.

    Only the constructors of plain numpy arrays are let through.
    """

    allowed = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module, name):
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a data file")
        if name == "_reconstruct":
            return np._core.multiarray._reconstruct
        return super().find_class(module, name)


def _cifar10(kind, scratch, archives):
    from torchvision.datasets import CIFAR10

    path = _fetch(kind, CIFAR10.filename, CIFAR10.tgz_md5, [CIFAR10.url], scratch, archives)
    with tarfile.open(path) as archive:

        def member(name):
            return archive.extractfile(f"{CIFAR10.base_folder}/{name}").read()

        return read_cifar10_batches(
            member,
            [name for name, _ in CIFAR10.train_list],
            [name for name, _ in CIFAR10.test_list],
            CIFAR10.meta["filename"],
        )


def read_cifar10_batches(member, train_names, test_names, meta_name):
    """Arrays from CIFAR-10's python batches; `member(name)` gives a file's bytes."""

    def batches(names):
        contents = [
            _ArraysOnly(io.BytesIO(member(name)), encoding="latin1").load() for name in names
        ]
        images = np.concatenate([np.asarray(batch["data"]) for batch in contents])
        labels = np.concatenate([np.asarray(batch["labels"], np.int64) for batch in contents])
        return images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), labels

    names = _ArraysOnly(io.BytesIO(member(meta_name)), encoding="latin1").load()["label_names"]
    return *batches(train_names), *batches(test_names), [str(name) for name in names]


def _stl10(kind, scratch, archives):
    from torchvision.datasets import STL10

    _fetch(kind, STL10.filename, STL10.tgz_md5, [STL10.url], scratch, archives)
    train_split = "train" if kind == "stl10" else "unlabeled"
    parts = []
    for split in (train_split, "test"):
        loaded = STL10(str(scratch), split=split, download=True)
        labels = np.asarray(loaded.labels).astype(np.int64)
        parts += [loaded.data.transpose(0, 2, 3, 1).copy(), labels]
    if kind == "stl10-unlabelled":
        parts[1], parts[3] = np.full_like(parts[1], -1), np.full_like(parts[3], -1)
        return *parts, []
    return *parts, [str(name) for name in loaded.classes]
