"""Calls functions in parallel, in forks of this process."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import Any

from gmgan.errors import GmganError
from gmgan.runtime.lifetime import end_with

_functions: Sequence[Callable[[], Any]] = []


def in_parallel(functions: Sequence[Callable[[], Any]], processes: int) -> list[Any]:
    """Results of functions without arguments, in their order; `processes` of them at a time.

    Forks share what the functions refer to, so only results are copied. Where processes do not
    fork (all but Linux) the functions are called one after the other. Raises GmganError if a fork
    was killed.
    """
    global _functions
    processes = min(processes, len(functions))
    if processes < 2 or sys.platform != "linux":
        return [function() for function in functions]
    _functions, others = functions, active_children()
    with ProcessPoolExecutor(processes, get_context("fork"), _be_quiet, (os.getpid(),)) as pool:
        try:
            results = [pool.submit(_call, number) for number in range(len(functions))]
            return [result.result() for result in results]
        except BrokenProcessPool as error:
            raise GmganError(
                "a process that drew figures was killed, probably for lack of memory; draw fewer "
                "at a time (gmgan report --processes 1, snakemake --set-threads report=1) or "
                "allow more (snakemake --set-resources report:mem_mb=8000)"
            ) from error
        except BaseException:
            for fork in active_children():
                if fork not in others:
                    fork.terminate()  # else the pool waits for what it has begun
            raise


def _be_quiet(parent: int) -> None:
    """Leave interruptions to the parent, which ends the forks; end with it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with(parent)


def _call(number: int) -> Any:
    return _functions[number]()
