"""Hashes of the user's own files: of a folder or zip of images that a data set is read from."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gmgan.data.images import SUFFIXES
from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import hash_file
from gmgan.pipeline.files import sha256, write_text


def content_hash(path: Path, cache: Path) -> str:
    """SHA-256 of the names, sizes and content of the images in a folder, or of a file.

    cache: a folder that keeps the hashes. A file whose size and times of change (of its content and
    of its entry) are as before is not read again.
    """
    known, now = {}, sorted(_sizes(path))
    state = sha256(repr(now).encode())
    place = cache / f"{sha256(str(path.resolve()).encode())[:16]}.jsonl"
    with suppress(OSError, ValueError, KeyError, TypeError), place.open() as lines:
        whole = json.loads(lines.readline())
        if whole["state"] == state:
            return str(whole["hash"])
        known = {tuple(entry): digest for *entry, digest in json.loads(lines.readline())}
    table = [(*entry, known.get(entry) or hash_file(path / entry[0])) for entry in now]
    content = [(name, size, digest) for name, size, *_, digest in table]
    whole = {"state": state, "hash": sha256(json.dumps(content).encode())}
    with suppress(GmganError):  # results that cannot be written are hashed every time
        write_text(place, f"{json.dumps(whole)}\n{json.dumps(table)}\n")
    return whole["hash"]


def _sizes(path: Path, inside: str = "") -> Iterator[tuple[str, int, int, int]]:
    """(name below `path`, bytes, times of change of content and entry) of images, or of a file."""
    if not path.is_dir():
        yield "", *_size(path.stat())
        return
    for entry in os.scandir(path / inside):
        name = f"{inside}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _sizes(path, f"{name}/")
        elif entry.is_file() and os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            yield name, *_size(entry.stat())


def _size(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
