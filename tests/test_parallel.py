"""Functions called in forks."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from gmgan.errors import GmganError
from gmgan.runtime.parallel import in_parallel

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")


def test_results_come_in_order():
    functions = [lambda i=i: i**2 for i in range(20)]
    expected = [i**2 for i in range(20)]
    for processes in (0, 1, 3):
        assert in_parallel(functions, processes) == expected
    assert in_parallel([], 3) == []


@on_linux
def test_functions_run_in_other_processes():
    assert os.getpid() not in in_parallel([os.getpid] * 4, 2)


def test_errors_arrive_as_they_are():
    def fail():
        raise GmganError("no such table")

    with pytest.raises(GmganError, match="no such table"):
        in_parallel([fail, fail], 2)


@on_linux
def test_a_killed_fork_is_an_error_and_ends_the_others():
    code = (
        "import os, signal, time\n"
        "from gmgan.errors import GmganError\n"
        "from gmgan.runtime.parallel import in_parallel\n"
        "def die(): os.kill(os.getpid(), signal.SIGKILL)\n"
        "try:\n"
        "    in_parallel([die, lambda: time.sleep(1000)], 2)\n"
        "except GmganError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert "was killed, probably for lack of memory" in line
    assert "gmgan report --processes 1" in line


@on_linux
@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "SystemExit")]
)
def test_a_signal_ends_the_forks_at_once(number, error):
    code = (
        "import os, signal, sys, time\n"
        "from gmgan.runtime.parallel import in_parallel\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "def wait():\n"
        "    os.write(1, f'{os.getpid()}\\n'.encode())\n"
        "    time.sleep(1000)\n"
        "try:\n"
        "    in_parallel([wait] * 4, 2)\n"
        "except BaseException as error:\n"
        "    print(type(error).__name__)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    forks = [int(caller.stdout.readline()) for _ in range(2)]
    for pid in (*forks, caller.pid) if number == signal.SIGINT else (caller.pid,):
        os.kill(pid, number)  # a terminal sends SIGINT to all of them
    output, errors = caller.communicate(timeout=60)
    assert (output, errors) == (f"{error}\n", "")
    assert not any(os.path.exists(f"/proc/{pid}") for pid in forks)


@on_linux
def test_an_error_ends_the_forks_of_others_only():
    def fail():
        raise GmganError("no such table")

    other = multiprocessing.get_context("fork").Process(target=time.sleep, args=[100])
    other.start()
    with pytest.raises(GmganError, match="no such table"):
        in_parallel([fail, lambda: time.sleep(1000)], 2)
    assert multiprocessing.active_children() == [other]
    other.kill()
    other.join()
