"""Calls functions in parallel, in forks of this process."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

_functions: Sequence[Callable[[], Any]] = []


def in_parallel(functions: Sequence[Callable[[], Any]], processes: int) -> list[Any]:
    """Results of functions without arguments, in their order; `processes` of them at a time.

    Forks share what the functions refer to, so only results are copied. Where processes do not
    fork (all but Linux) the functions are called one after the other.
    """
    global _functions
    if min(processes, len(functions)) < 2 or sys.platform != "linux":
        return [function() for function in functions]
    _functions = functions
    with multiprocessing.get_context("fork").Pool(processes, _be_quiet) as pool:
        return pool.map(_call, range(len(functions)), chunksize=1)


def _be_quiet() -> None:
    """Leave interruptions to the parent, which ends the forks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _call(number: int) -> Any:
    return _functions[number]()
