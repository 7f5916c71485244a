"""Jobs as forks of one warm process, so that not every job loads torch again.

`python -m gmgan.runtime.worker FOLDER/SOCKET`, in a folder of its own, loads the heavy libraries
and this package once and then runs each job in a fork of itself: a job is as isolated as any
process, but starts in milliseconds instead of seconds. `gmgan` hands its command line (client.py)
to the worker that GMGAN_WORKER names. Without a worker, or if the worker declines because the
package's files have changed since it started, `gmgan` runs the command in its own process. The
Snakefile starts a worker for local jobs on the CPU; it ends with the process that started it.
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from gmgan.runtime.client import DECLINED

PACKAGE = Path(__file__).resolve().parent.parent
LIBRARIES = (
    "pydantic",
    "torch",
    "sklearn.cluster",
    "pandas",
    "scipy.stats",
    "torch_fidelity",
    "torchmetrics.functional.image",
    "matplotlib.pyplot",
)


def start(threads: int) -> None:
    """Start a worker for the jobs of this process: its address goes into the environment."""
    path = os.path.join(tempfile.mkdtemp(prefix="gmgan-"), "worker")
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS")}
    subprocess.Popen(
        [sys.executable, "-m", "gmgan.runtime.worker", path],
        env={**os.environ, **limits, "PYTHONPATH": str(PACKAGE.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.environ["GMGAN_WORKER"] = path


def serve(path: str) -> None:
    """Accept jobs until the parent process ends, loading libraries and code while none waits.

    The folder of `path` is removed at the end, on SIGTERM and SIGHUP too.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    parent, code = os.getppid(), _times_of_change()
    waiting = [*LIBRARIES, PACKAGE.name]
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(64)
        while os.getppid() == parent:
            if select.select([listener], [], [], 0 if waiting else 1)[0]:
                connection, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    _run_job(connection, code)
                connection.close()
            elif waiting:
                _load(waiting.pop(0))
    finally:
        shutil.rmtree(os.path.dirname(path), ignore_errors=True)


def _load(library: str) -> None:
    if library == PACKAGE.name:
        _load_package()
        return
    if library == "torch_fidelity":
        from gmgan.runtime.torch_setup import allow_torchvision_without_ops

        allow_torchvision_without_ops()
    importlib.import_module(library)


def _load_package() -> None:
    """Import all modules of the package."""
    modules = [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "gmgan.")]
    modules.remove("gmgan.__main__")
    # A module that cannot be imported, or that ends the process: the job that needs it says so.
    with suppress(Exception, SystemExit):
        for module in modules:
            importlib.import_module(module)
        from gmgan.pipeline.fingerprints import module_closure

        module_closure(modules)  # caches what fingerprints need of every module
    gc.freeze()  # the collector of a job skips these objects: a visit would copy their memory


def _times_of_change() -> dict[Path, int]:
    """When each file of the package was last changed."""
    times = {}
    for path in PACKAGE.rglob("*.py"):
        with suppress(FileNotFoundError):  # an editor's temporary file
            times[path] = path.stat().st_mtime_ns
    return times


def _run_job(connection: socket.socket, code: dict[Path, int]) -> None:
    """In the fork: become the client's process, run its command, report the status, end.

    Declines if the package is not `code` any more: what is loaded may be old.
    """
    status: int | None = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        arguments = _become_client(connection)
        if code != _times_of_change():
            sys.exit(DECLINED)
        threading.Thread(target=_obey, args=(connection,), daemon=True).start()
        from gmgan.cli import main

        status = main(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            connection.sendall(bytes([(status or 0) & 255]))
        finally:
            os._exit(status or 0)


def _become_client(connection: socket.socket) -> list[str]:
    """Take over the files, folder and environment of the client; returns its arguments."""
    head, files, _, _ = socket.recv_fds(connection, 8, 3)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    length, body = int.from_bytes(head, "big"), b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    arguments, folder, environment = json.loads(body)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


def _obey(connection: socket.socket) -> None:
    """Pass on the signals that the client receives; end when the client is gone."""
    while number := connection.recv(1):
        os.kill(os.getpid(), number[0])
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    serve(sys.argv[1])
