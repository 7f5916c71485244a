"""What made an artifact: revision of the code, versions of the libraries, the machine."""

import os
import platform
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

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


@lru_cache(maxsize=1)
def provenance() -> dict[str, Any]:
    """What made an artifact: revision of the code, versions of the libraries, the machine."""
    return {
        "revision": _revision(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
        "host": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _revision() -> str | None:
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


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or sys.platform
