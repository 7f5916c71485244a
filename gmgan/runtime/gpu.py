"""Which GPU a process uses: every GPU has a number of shares, and a process holds one of them.

A share is a lock on a file in the machine's folder for temporary files; it ends with the process,
however that ends. So trainings that were started independently (two pipelines, a job and a command
by hand) spread over the GPUs and wait when all shares are taken.
"""

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from io import BufferedWriter
from pathlib import Path

_held: list[BufferedWriter] = []  # open files whose locks are this process's share


def devices() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; without torch.

    Numbers are replaced by the driver's unique names, because under a scheduler every job may see
    its GPU as number 0.
    """
    installed = _installed()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(installed.values())
    named = [installed.get(name.strip(), name.strip()) for name in visible.split(",")]
    return [name for name in named if name.startswith(("GPU-", "MIG-"))]


def _installed() -> dict[str, str]:
    """{number: unique name} of the machine's GPUs; empty where there is no driver."""
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [line.split(",") for line in done.stdout.splitlines() if line.count(",") == 1]
    return {number.strip(): name.strip() for number, name in rows}


def take_share(shares: int, seconds_between_tries: float = 1.0) -> str | None:
    """Hold one of `shares` shares of a GPU until this process ends; call before CUDA starts.

    The GPU becomes the only one that this process sees. Waits, and says so on standard error,
    while all shares are taken. Returns the GPU's name, or None on a machine without GPUs.
    """
    if _held:
        return os.environ["CUDA_VISIBLE_DEVICES"]
    known = devices()
    if not known:
        return None
    folder = Path(tempfile.gettempdir()) / f"gmgan-gpu-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    said = False
    while True:
        for share in range(shares):  # the first share of every GPU before the second of any
            for device in known:
                file = _lock(folder / f"{device}.{share}")
                if file is not None:
                    _held.append(file)
                    os.environ["CUDA_VISIBLE_DEVICES"] = device
                    return device
        if not said:
            print(
                f"gmgan: all shares of the GPU are taken ({len(known)} x {shares}); waiting for "
                "one (execution.gpu_slots in params.yaml is the number per GPU)",
                file=sys.stderr,
                flush=True,
            )
            said = True
        time.sleep(seconds_between_tries)


def _lock(path: Path) -> BufferedWriter | None:
    """The open, locked file at `path`; None if another process holds it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
