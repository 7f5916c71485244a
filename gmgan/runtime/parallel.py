"""Calls functions in parallel, in forks of this process."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gmgan.runtime.lifetime import end_with

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
    with multiprocessing.get_context("fork").Pool(processes, _be_quiet, [os.getpid()]) as pool:
        return pool.map(_call, range(len(functions)), chunksize=1)


def _be_quiet(parent: int) -> None:
    """Leave interruptions to the parent, which ends the forks; end with it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with(parent)


def _call(number: int) -> Any:
    return _functions[number]()
