"""Jobs as forks of one warm process, so that not every job loads torch again.

`python -m gmgan.runtime.worker NAME PID` loads the heavy libraries and this package once and then
runs each job in a fork of itself: a job is as isolated as any process, but starts in milliseconds
instead of seconds. `gmgan` hands its command line (client.py) to the worker of the name in
GMGAN_WORKER. Without a worker, or if the worker declines because the package's files have changed
since it started, `gmgan` runs the command in its own process. The Snakefile starts a worker for
local jobs on the CPU. It ends with process PID, which started it, and its jobs end with it. Its
socket has a name without a file (man 7 unix, "abstract"): a killed worker leaves nothing behind.
"""

import gc
import importlib
import json
import os
import pkgutil
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from gmgan.runtime.client import DECLINED, address, is_own
from gmgan.runtime.lifetime import end_now, end_with

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
    """Start a worker for the jobs of this process: its name goes into the environment."""
    name = f"gmgan-{secrets.token_hex(8)}"
    limits = {f"{of}_NUM_THREADS": str(threads) for of in ("OMP", "MKL", "OPENBLAS")}
    subprocess.Popen(
        [sys.executable, "-m", "gmgan.runtime.worker", name, str(os.getpid())],
        env={**os.environ, **limits, "PYTHONPATH": str(PACKAGE.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.environ["GMGAN_WORKER"] = name


def serve(name: str, parent: int) -> None:
    """Accept jobs until the process `parent` ends, loading libraries and code while none waits."""
    end_with(parent)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    pid, code = os.getpid(), _times_of_change()
    waiting = [*LIBRARIES, PACKAGE.name]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address(name))
    listener.listen(64)
    while True:
        if select.select([listener], [], [], 0 if waiting else None)[0]:
            connection, _ = listener.accept()
            if is_own(connection) and os.fork() == 0:
                listener.close()
                _run_job(connection, code, pid)
            connection.close()
        else:
            _load(waiting.pop(0))


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


def _run_job(connection: socket.socket, code: dict[Path, int], worker: int) -> None:
    """In the fork: become the client's process, run its command, report the status, end.

    Ends early with the process `worker`. Declines if the package is not `code` any more: what is
    loaded may be old.
    """
    status: int | None = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        end_with(worker)
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
    """Take over the files, folder and environment of the client; returns its arguments.

    Ends the process if the client has died before it sent them all.
    """
    head, files, _, _ = socket.recv_fds(connection, 8, 3)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    length, body, last = int.from_bytes(head, "big"), b"", head
    while last and len(body) < length:
        last = connection.recv(length - len(body))
        body += last
    if not last:
        sys.exit(1)
    arguments, folder, environment = json.loads(body)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


def _obey(connection: socket.socket) -> None:
    """Pass on the signals that the client receives; end when the client is gone."""
    while number := connection.recv(1):
        os.kill(os.getpid(), number[0])
    end_now()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
