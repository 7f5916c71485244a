"""Processes that end with another one, however that ends: no job outlives its Snakemake."""

import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress

SECONDS_TO_CLEAN_UP = 1.5


def end_with(pid: int) -> None:
    """End this process as soon as process `pid` has ended, from now on (on Linux only)."""
    if sys.platform != "linux":
        return
    ended: list[int] = []
    with suppress(ProcessLookupError):
        ended = [os.pidfd_open(pid)]
    threading.Thread(target=_wait_and_end, args=(ended,), daemon=True).start()


def _wait_and_end(ended: list[int]) -> None:
    if ended:
        select.select(ended, [], [])
    end_now()


def end_now() -> None:
    """End this process from another thread: SIGTERM, SIGKILL where that takes too long."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_CLEAN_UP)
    os.kill(os.getpid(), signal.SIGKILL)
