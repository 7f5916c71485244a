"""Jobs as forks of one warm process, so that not every job loads torch again.

`python -m gmgan.runtime.worker FOLDER/SOCKET`, in a folder of its own, loads the heavy libraries
and this package once and then runs each job in a fork of itself: a job is as isolated as any
process, but starts in milliseconds instead of seconds. If the package's code has changed since, a
job reads it again. `gmgan` hands its command line (client.py) to the worker that GMGAN_WORKER
names; without a worker it runs by itself. The Snakefile starts one for local jobs on the CPU. It
ends with the process that started it.
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from pathlib import Path

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
# The libraries were loaded with them.
KEPT = ("gmgan", "gmgan.errors", "gmgan.runtime", "gmgan.runtime.torch_setup")


def start(threads):
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


def serve(path):
    """Accept jobs until the parent process ends, loading libraries and code while none waits."""
    parent = os.getppid()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    waiting: list[str] = list(LIBRARIES)
    code = None
    try:
        while os.getppid() == parent:
            if select.select([listener], [], [], 1 if code else 0)[0]:
                connection, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    _run_job(connection, code)
                connection.close()
            elif waiting:
                _load(waiting.pop(0))
            elif code is None:
                code = _load_package()
    finally:
        os.unlink(path)
        os.rmdir(os.path.dirname(path))


def _load(library):
    if library == "torch_fidelity":
        from gmgan.runtime.torch_setup import allow_torchvision_without_ops

        allow_torchvision_without_ops()
    importlib.import_module(library)


def _load_package():
    """Import the whole package; returns the times of change of its files before that.

    A file that was changed during the import is then read again by the jobs, as one changed later.
    """
    code = _times_of_change()
    modules = [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "gmgan.")]
    modules.remove("gmgan.__main__")
    try:
        for module in modules:
            importlib.import_module(module)
        from gmgan.pipeline.fingerprints import module_closure

        module_closure(modules)  # remembers what the fingerprints need of every module
    except Exception:  # half a package, such as while somebody edits it: left to the jobs
        _forget_package()
    gc.freeze()  # jobs need not look through all this for garbage, which would copy it
    return code


def _times_of_change():
    times = {}
    for path in PACKAGE.rglob("*.py"):
        with suppress(FileNotFoundError):  # an editor's passing file
            times[path] = path.stat().st_mtime_ns
    return times


def _forget_package():
    for name in [name for name in sys.modules if name.partition(".")[0] == "gmgan"]:
        if name not in KEPT:
            del sys.modules[name]


def _run_job(connection, code):
    """In the fork: become the client's process, run its command, report the status, end."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        arguments = _become_client(connection)
        threading.Thread(target=_obey, args=(connection,), daemon=True).start()
        if code and code != _times_of_change():
            _forget_package()
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


def _become_client(connection):
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


def _obey(connection):
    """Raise the signals that the client gets; end with the client if it is gone."""
    while number := connection.recv(1):
        os.kill(os.getpid(), number[0])
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    serve(sys.argv[1])
