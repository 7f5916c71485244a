"""How many runs of each suite in results/reference carry the fingerprint that this checkout gives.

python docs/scripts/fingerprints.py

Equal fingerprints mean that everything is equal on which a run's scores depend: settings, code,
libraries (docs/architecture.md). The images of CIFAR-10 (JPEG) count, too: set GMGAN_MIRROR as for
the runs.
"""

from pathlib import Path

import pandas as pd

from gmgan.config.loader import load
from gmgan.pipeline.runner import Runner

ROOT = Path(__file__).parents[2]


def equal(runner: Runner, scores: Path) -> tuple[int, int]:
    """The runs in a kept scores.csv with the fingerprint of this checkout, and all of them."""
    kept = pd.read_csv(scores, dtype=str).drop_duplicates("run").set_index("run").fingerprint
    now = {
        str(job.key[0]): runner.fingerprint(job)
        for job in runner.jobs(scores.parent.name)
        if job.stage.name == "score"
    }
    return sum(now.get(run) == value for run, value in kept.items()), len(now)


if __name__ == "__main__":
    runner = Runner(load(ROOT / "params.yaml"), ROOT / "results")
    for scores in sorted((ROOT / "results" / "reference").glob("*/scores.csv")):
        print("{}: {} of {} runs".format(scores.parent.name, *equal(runner, scores)))
