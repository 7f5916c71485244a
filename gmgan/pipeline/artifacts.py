"""The only code that writes files: temporary name, then rename; and what was written by whom."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gmgan.errors import GmganError


@contextmanager
def atomic_path(path):
    """A temporary path in the folder of `path` that becomes `path` when the block succeeds.

    On failure the temporary file is removed and `path` stays as it was. Raises GmganError when
    the disk is full or the folder cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise GmganError(
            f"cannot write {path}: {error.strerror}; free space or choose "
            "another results folder with --results"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise GmganError(
            f"cannot write {path}: {error.strerror or error}; free space or choose "
            "another results folder with --results"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path):
    """A temporary folder beside `path` that becomes `path` when the block succeeds.

    On failure nothing is left. Raises GmganError if `path` exists already or the disk is full.
    """
    path = Path(path)
    if path.exists():
        raise GmganError(f"{path} exists already; remove it or choose another --out")
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        yield temporary
        os.chmod(temporary, 0o755)
        os.replace(temporary, path)
    except OSError as error:
        raise GmganError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another --out"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path, content: bytes):
    """Write `content` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path, content: str):
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path, content: dict):
    """Write `content` to `path` as indented JSON; NaN and infinity become null."""
    write_text(path, json.dumps(_finite(content), indent=1) + "\n")


def read_json(path) -> dict:
    """The JSON object in `path`. Raises GmganError when it is missing or broken."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise GmganError(
            f"{path} is missing; run the stage that makes it (snakemake --cores 1 {path})"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise GmganError(f"{path} is damaged ({error}); delete it and run again") from error


def write_arrays(path, arrays: dict, about: dict):
    """Write named numpy arrays as safetensors, with the JSON object `about` in the header."""
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_bytes(path, save(arrays, metadata={"about": json.dumps(_finite(about), sort_keys=True)}))


def read_arrays(path, names=None) -> tuple[dict, dict]:
    """The arrays (all, or those in `names`) and the `about` object of a file of `write_arrays`.

    Raises GmganError when the file is missing or truncated.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            wanted = file.keys() if names is None else names
            arrays = {name: file.get_tensor(name) for name in wanted}
            return arrays, json.loads((file.metadata() or {}).get("about", "{}"))
    except FileNotFoundError as error:
        raise GmganError(
            f"{path} is missing; run the stage that makes it (snakemake --cores 1 {path})"
        ) from error
    except (SafetensorError, json.JSONDecodeError) as error:
        raise GmganError(f"{path} is damaged ({error}); delete it and run again") from error


def write_png(path, picture):
    """Write a uint8 rows x columns (x 1 or 3) array as PNG."""
    import io

    from PIL import Image

    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    write_bytes(path, buffer.getvalue())


def sha256_file(path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def provenance() -> dict:
    """What made an artifact: revision of the code, versions of the libraries, the machine."""
    libraries = (
        "torch",
        "torchvision",
        "torch-fidelity",
        "numpy",
        "scipy",
        "scikit-learn",
        "safetensors",
        "snakemake",
    )
    return {
        "revision": _revision(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in libraries},
        "host": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
    }


def _version(distribution):
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _revision():
    """The commit, and whether code or params differ from it; results in Git are neither."""
    folder = Path(__file__).parent
    others = (":(top,exclude)results", ":(top,exclude)dvc.lock", ":(top,exclude).dvc")
    try:
        head = subprocess.run(
            ["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "-C", folder, "status", "--porcelain", "-uno", "--", ":/", *others],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+changes" if changed else "")


def _processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or sys.platform


def _finite(value):
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
