"""Files written whole or not at all: under a temporary name, then renamed."""

import fcntl
import glob
import hashlib
import io
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from gmgan.errors import GmganError

PATIENCE = 5.0  # seconds to wait for a lock: orphans of a killed Snakemake end within three


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path in the folder of `path` that becomes `path` when the block succeeds.

    On failure the temporary file is removed and `path` stays as it was. Raises GmganError when
    the disk is full or the folder cannot be written.
    """
    path = Path(path)
    with _writing(path, "another results folder with --results"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block succeeds.

    On failure nothing is left. Raises GmganError if `path` exists already or the disk is full.
    """
    path = Path(path)
    if path.exists():
        raise GmganError(f"{path} exists already; remove it or choose another --out")
    with _writing(path, "another --out"):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            os.chmod(temporary, 0o755)
            os.replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Raise GmganError if no file can be written into `folder`, or where it would be made."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    with _writing(folder, "another results folder with --results"):
        tempfile.TemporaryFile(dir=there).close()


def set_aside(path: Path) -> Path:
    """Rename a file that is there to NAME.aside, over an older one; the new path."""
    aside = path.with_name(f"{path.name}.aside")
    with suppress(FileNotFoundError), _writing(path, "another results folder with --results"):
        path.replace(aside)  # another job may have been faster
    return aside


@contextmanager
def _writing(path: Path, other: str) -> Iterator[None]:
    """Errors of the file system in the block become one line that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise GmganError(f"cannot write {path}: {reason}; free space or choose {other}") from error


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock on the file at `path` in the block; it ends with this process in any case.

    Raises GmganError if another process keeps it for PATIENCE seconds; what: what it locks.
    """
    until = time.monotonic() + PATIENCE
    while (file := _lock(path)) is None:
        if time.monotonic() > until:
            owner = path.read_text() if path.exists() else "another process"
            raise GmganError(f"{what}: {owner} is making it now; wait until it ends, or end it")
        time.sleep(0.1)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _lock(path: Path) -> int | None:
    """The open, locked file at `path`; None if another process holds it.

    A file system without locks counts as free.
    """
    with _writing(path, "another results folder with --results"):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except OSError:
        return file
    if not path.exists() or not os.path.samestat(os.fstat(file), path.stat()):
        os.close(file)  # its holder removed it just now
        return None
    os.truncate(file, 0)
    os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return file


def remove_temporary(paths: Iterable[Path]) -> None:
    """Remove what killed writers of these files have left beside them."""
    for path in paths:
        for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
            left.unlink()


def lower_times(folder: Path, now: float) -> None:
    """Set times of change that are later than `now` to `now`: the clock has been set back.

    No file becomes newer than another one that way.
    """
    for path in folder.rglob("*"):
        with suppress(OSError):  # a temporary file of another job
            if path.stat().st_mtime > now:
                os.utime(path, (now, now))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def png(picture: np.ndarray) -> bytes:
    """A picture (uint8 rows x columns, or rows x columns x 1 or 3) as the bytes of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    flat = picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    Image.fromarray(flat).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def to_json(value: Any) -> str:
    """Indented JSON of nested dicts, lists and numbers; NaN and infinity become null."""
    return json.dumps(finite(value), indent=1) + "\n"


def finite(value: Any) -> Any:
    """Nested dicts and lists with plain numbers; NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
