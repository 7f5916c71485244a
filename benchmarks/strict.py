"""What strict mode costs: trainings with the machine's vector units, and limited to AVX2.

The libraries read these variables when they are loaded, so each speed is that of a process of its
own; the two sides run in turns.
"""

import json
import os
import statistics
import subprocess
import sys

from benchmarks.result import Result
from gmgan.config.loader import load
from gmgan.pipeline import grid
from gmgan.pipeline.costs import measure
from gmgan.pipeline.runner import Runner

STRICT = {  # as in docs/reliability.md
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "AVX2",
}
RUNS = ("toy-ring.gan.K1.s0", "digits.gan.K1.s0", "mnist-200.gan.K1.s0")
SECONDS = 3.0  # of each measurement
ROUNDS = 5


def run():
    """A result per training: median images per second, strict mode against none."""
    free = {name: text for name, text in os.environ.items() if name not in STRICT}
    sides = free | STRICT, free
    rounds = [[_speeds(side) for side in sides] for _ in range(ROUNDS)]
    for i, name in enumerate(RUNS):
        strict, usual = (statistics.median(each[side][i] for each in rounds) for side in range(2))
        yield Result(f"training, {name}: strict mode", strict, usual, "images/s")


def _speeds(environment):
    """What `main` prints in a process with this environment."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.strict"],
        env={**environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def main():
    """Print the images per second of RUNS as JSON."""
    runner = Runner(load("params.yaml"), "results")
    runs = (grid.parse_run(runner.params, name) for name in RUNS)
    print(json.dumps([measure(runner, each, SECONDS) for each in runs]))


if __name__ == "__main__":
    main()
