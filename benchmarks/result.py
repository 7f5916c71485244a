"""One line of the table of benchmarks, and timing in turns."""

import statistics
import time
from dataclasses import dataclass

from gmgan.runtime.progress import Progress


@dataclass(frozen=True)
class Result:
    """`ratio` says how much better ours is than theirs; `limit` is what the machine allows.

    goal (float or None): the ratio to reach, or for measures without an opponent the value not to
    exceed.
    """

    name: str
    ours: float
    theirs: float | None
    unit: str
    limit: float | None = None
    goal: float | None = None

    @property
    def ratio(self):
        if self.theirs is None:
            return None
        faster = self.unit.endswith("/s")
        return self.ours / self.theirs if faster else self.theirs / self.ours

    @property
    def reached(self):
        """True or False, None without a goal."""
        if self.goal is None:
            return None
        return self.ours <= self.goal if self.ratio is None else self.ratio >= self.goal


def in_turns(functions, rounds, name):
    """Median seconds of each function, called in turns so that a busy machine slows all alike."""
    functions = list(functions)
    for function in functions:
        function()
    seconds = [[] for _ in functions]
    with Progress(rounds, name, "rounds") as progress:
        for _ in range(rounds):
            for function, times in zip(functions, seconds, strict=True):
                started = time.perf_counter()
                function()
                times.append(time.perf_counter() - started)
            progress.update(1)
    return [statistics.median(times) for times in seconds]
