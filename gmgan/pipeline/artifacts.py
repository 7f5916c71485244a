"""Files that stages write: how a record is encoded, and how damage is detected on reading.

One output of every stage is its carrier. It holds a stamp: the fingerprint, the provenance, hashes
of what the stage read, the SHA-256 of its other files, and a hash of its own content.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gmgan.errors import GmganError
from gmgan.pipeline.files import finite, png, sha256, to_json, write_bytes
from gmgan.reading import open_regular, read_regular, reason
from gmgan.records import Stamp

STAMP = ("fingerprint", "versions", "provenance", "sources", "inputs", "files", "content")


class Damaged(Exception):
    """A file does not hold what was written; the message says in what way."""


@dataclass(frozen=True)
class Artifact:
    """One file of a stage: its path below the results folder, with the stage's names in braces."""

    path: str

    def write(self, path: Path, value: Any) -> None:
        """Write a value, whole or not at all."""
        write_bytes(path, self.encode(value))

    def encode(self, value: Any) -> bytes:
        """The bytes of a file without a stamp."""
        raise TypeError(f"{type(self).__name__} is never written alone")

    def read(self, path: Path) -> Any:
        """The value in a file without a stamp. Raises Damaged."""
        raise TypeError(f"{type(self).__name__} is never read")


@dataclass(frozen=True)
class Text(Artifact):
    """A text file, such as CSV or HTML."""

    def encode(self, value: str) -> bytes:
        return value.encode()

    def read(self, path: Path) -> str:
        try:
            return read_regular(path).decode()
        except UnicodeDecodeError as error:
            raise Damaged("it is not UTF-8") from error


@dataclass(frozen=True)
class Picture(Artifact):
    """A picture: written from a uint8 array, read as the bytes of the PNG."""

    def encode(self, value: np.ndarray) -> bytes:
        return png(value)

    def read(self, path: Path) -> bytes:
        return read_regular(path)


@dataclass(frozen=True)
class Folder(Artifact):
    """A folder of text files: {name: content}. What an earlier job left in it is removed."""

    def write(self, path: Path, value: Mapping[str, str]) -> None:
        path.mkdir(parents=True, exist_ok=True)
        for name, text in value.items():
            write_bytes(path / name, text.encode())
        for file in path.iterdir():
            if file.name not in value:
                file.unlink()


@dataclass(frozen=True)
class Plain(Artifact):
    """A JSON file for other programs, without a stamp."""

    def encode(self, value: dict) -> bytes:
        return to_json(value).encode()


@dataclass(frozen=True)
class Stamped(Artifact, ABC):
    """A file that can carry the stamp of its stage; `record` is the type of its content."""

    record: type

    @abstractmethod
    def write_stamped(self, path: Path, value: Any, stamp: dict[str, Any]) -> None:
        """Write a value with a stamp: all of STAMP but the hash of the content itself."""

    @abstractmethod
    def read_stamped(self, path: Path) -> tuple[Any, dict[str, Any]]:
        """The value and its stamp. Raises Damaged."""

    def read_stamp(self, path: Path) -> dict[str, Any]:
        """The stamp alone."""
        return self.read_stamped(path)[1]


@dataclass(frozen=True)
class Json(Stamped):
    """A record as JSON.

    hashes: {field: output}. Such a field gets the SHA-256 of that output of the stage if the stage
    left it empty.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)

    def write_stamped(self, path: Path, value: Any, stamp: dict[str, Any]) -> None:
        content = _adapter(self.record).dump_python(value, exclude={"stamp"})
        whole = sealed({"fingerprint": stamp["fingerprint"], **finite(content), **stamp})
        write_bytes(path, to_json(whole).encode())

    def read_stamped(self, path: Path) -> tuple[Any, dict[str, Any]]:
        try:
            content = json.loads(read_regular(path))
        except (ValueError, RecursionError) as error:
            raise Damaged(reason(error)) from error
        stamp = _unsealed(content)
        return _restored(self.record, content, stamp), stamp


@dataclass(frozen=True)
class Arrays(Stamped):
    """Arrays as safetensors: the fields of a record that are arrays, the others in the header.

    A field called `class_` is stored as `class`. A record of type dict holds arrays under names of
    their own.
    """

    def encode(self, value: Any) -> bytes:
        arrays, others = self._parts(value)
        return save(arrays, metadata={"about": _canonical(others)})

    def read(self, path: Path) -> Any:
        arrays, about = _load(path)
        return arrays if self.record is dict else _restored(self.record, {**arrays, **about}, {})

    def write_stamped(self, path: Path, value: Any, stamp: dict[str, Any]) -> None:
        arrays, others = self._parts(value)
        hashes = {name: hash_array(array) for name, array in arrays.items()}
        about = sealed({**others, **stamp, "arrays": hashes})
        write_bytes(path, save(arrays, metadata={"about": _canonical(about)}))

    def read_stamped(self, path: Path) -> tuple[Any, dict[str, Any]]:
        arrays, about = _load(path)
        stamp, hashes = _unsealed(about), about.pop("arrays", {})
        if hashes != {name: hash_array(array) for name, array in arrays.items()}:
            raise Damaged("its arrays are not the ones that were written")
        return _restored(self.record, {**arrays, **about}, stamp), stamp

    def read_stamp(self, path: Path) -> dict[str, Any]:
        return _unsealed(_load(path, arrays=False)[1])

    def _parts(self, value: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        if self.record is dict:
            return {name: np.asarray(array, order="C") for name, array in value.items()}, {}
        arrays = {
            name: array for name, array in vars(value).items() if isinstance(array, np.ndarray)
        }
        others = _adapter(self.record).dump_python(value, exclude={"stamp", *arrays})
        arrays = {name.rstrip("_"): np.asarray(a, order="C") for name, a in arrays.items()}
        return arrays, finite({name: item for name, item in others.items() if item is not None})


def hash_array(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and values."""
    hasher = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    hasher.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return hasher.hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def with_hashes(artifact: Artifact, value: Any, hashes: Mapping[str, str]) -> Any:
    """`value` with its empty hash fields filled in; hashes: {output: SHA-256}."""
    if not isinstance(artifact, Json) or not artifact.hashes:
        return value
    empty = {name: hashes[of] for name, of in artifact.hashes.items() if not getattr(value, name)}
    return replace(value, **empty)


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content, a JSON object, with a hash of itself."""
    return {**content, "content": sha256(_canonical(content).encode())}


def is_sealed(content: dict[str, Any]) -> bool:
    """True if the content is what was sealed."""
    rest = {name: value for name, value in content.items() if name != "content"}
    return sealed(rest)["content"] == content.get("content")


def _unsealed(content: Any) -> dict[str, Any]:
    """Take the stamp out of `content`. Raises Damaged if the content is not what was sealed."""
    if not isinstance(content, dict):
        raise Damaged("it holds no JSON object")
    if not is_sealed(content):
        raise Damaged("its content is not the one that was written")
    return {name: content.pop(name) for name in STAMP if name in content}


def _load(path: Path, arrays: bool = True) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the JSON object in the header of a safetensors file."""
    open_regular(path).close()
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            loaded = {name: file.get_tensor(name) for name in file.keys()} if arrays else {}  # noqa: SIM118
    # RecursionError: of JSON; TypeError, AttributeError: types that numpy does not have
    except (SafetensorError, ValueError, RecursionError, TypeError, AttributeError) as error:
        raise Damaged(reason(error)) from error
    if not isinstance(about, dict):
        raise Damaged("its header holds no JSON object")
    return loaded, about


@lru_cache
def _adapter(record: type) -> TypeAdapter:
    return TypeAdapter(record)


def _restored(record: type, content: dict[str, Any], stamp: dict[str, Any]) -> Any:
    names = {each.name.rstrip("_"): each.name for each in fields(record)}
    try:
        value = _adapter(record).validate_python({names.get(k, k): v for k, v in content.items()})
    except ValidationError as error:
        first = error.errors()[0]
        raise Damaged(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except GmganError as error:
        raise Damaged(str(error)) from error
    if stamp and any(each.name == "stamp" for each in fields(record)):
        return replace(
            value, stamp=Stamp(fingerprint=stamp["fingerprint"], provenance=stamp["provenance"])
        )
    return value
