"""What made an artifact: revision of the code, versions of the libraries, the machine."""

import os
import platform
import subprocess
import sys
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gmgan.pipeline.files import sha256, write_text

CHANGES = "changes/{changes}.patch"  # below the results folder
NEW_FILES = (":(top,glob)*.py", ":(top,glob)*.yaml", ":(top)gmgan", ":(top)workflow")
VECTOR_UNITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS")
LIBRARIES = (
    "torch",
    "torchvision",
    "torch-fidelity",
    "numpy",
    "scipy",
    "scikit-learn",
    "safetensors",
    "snakemake",
)


def provenance() -> dict[str, Any]:
    """What made an artifact: revision of the code, versions of the libraries, the machine.

    `changes` identifies what was not committed: the patch is in CHANGES of the results folder.
    """
    difference = changes()
    return {
        "revision": _revision(difference),
        "changes": difference and sha256(difference.encode())[:16],
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in LIBRARIES},
        "host": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "vector_units": _vector_units(),
        },
    }


def keep_changes(results: Path) -> None:
    """Store the patch of what was not committed, if there is any and it is not there yet."""
    patch, identifier = changes(), provenance()["changes"]
    if patch and not (path := results / CHANGES.format(changes=identifier)).exists():
        write_text(path, patch)


@cache
def version_of(distribution: str) -> str | None:
    """The version of an installed library; None if it is not there."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def web_address() -> str | None:
    """Where the project's checkout was cloned from, if that is on the web; without credentials."""
    remote = (_git("config", "--get", "remote.origin.url", expected=(0, 1)) or "").strip()
    parts = urlsplit(remote)
    if parts.scheme not in ("https", "http"):
        return None
    return remote.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1)


def _git(*arguments: str | Path, expected: tuple[int, ...] = (0,)) -> str | None:
    """What git prints about the project; None outside a checkout."""
    command = ["git", "-C", Path(__file__).parents[2], *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError:
        return None
    return done.stdout if done.returncode in expected else None


@lru_cache(maxsize=1)
def _revision(difference: str | None) -> str | None:
    """The commit, and whether code or params differ from it; None outside a checkout."""
    head = _git("rev-parse", "HEAD") if difference is not None else None
    return head and head.strip() + ("+changes" if difference else "")


@lru_cache(maxsize=1)
def changes() -> str | None:
    """What differs from the commit, as a patch: files that Git knows, and new code and params.

    Results in Git are neither. Empty if nothing differs; None outside a checkout, and for a copy
    of the project inside a checkout of something else.
    """
    if not _git("ls-files", "gmgan/__init__.py"):
        return None
    others = (":(top,exclude)results", ":(top,exclude)dvc.lock", ":(top,exclude).dvc")
    difference = _git("diff", "--binary", "HEAD", "--", ":/", *others)
    new = ("ls-files", "--others", "--exclude-standard", "-z", "--", *NEW_FILES)
    names = (_git(*new) or "").split("\0") if difference is not None else []
    for name in filter(None, names):
        patch = _git("diff", "--no-index", "--", os.devnull, name, expected=(0, 1))
        difference = (difference or "") + (patch or "")
    return difference


def _vector_units() -> str:
    """Those that torch uses, and the variables that restrict them.

    They change the last bits of a result, so that long trainings end elsewhere.
    """
    import torch

    restricted = [f"{name}={os.environ[name]}" for name in VECTOR_UNITS if name in os.environ]
    return " ".join([torch.backends.cpu.get_cpu_capability(), *restricted])


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or sys.platform
