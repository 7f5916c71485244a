"""What it costs that the content of files is checked: seconds of hashing, beside those of the jobs.

python -m benchmarks.checks PROJECT SUITE

Every file that a finished job of the suite reads or writes is hashed here as often as the jobs did.
The seconds of a job are those of its log, so run this on the machine that made the results, as busy
as it was then.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.pipeline import LAST_LINE
from gmgan.config.loader import load
from gmgan.pipeline.artifacts import hash_file
from gmgan.pipeline.graph import Graph


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("suite")
    told = parser.parse_args()
    graph = Graph(load(told.project / "params.yaml"), told.project / "results")
    print(
        "| stage | jobs | MB hashed | s | of the jobs' time |\n| --- | ---: | ---: | ---: | ---: |"
    )
    total = [0, 0, 0.0, 0.0]
    for stage, jobs in by_stage(graph, told.suite).items():
        row = [len(jobs), *map(sum, zip(*(cost(graph, job) for job in jobs), strict=True))]
        total = [a + b for a, b in zip(total, row, strict=True)]
        print(as_markdown(stage, *row), flush=True)
    print(as_markdown("all", *total))


def by_stage(graph, suite):
    """{stage: its jobs that left a log}, in the order of the pipeline."""
    stages = defaultdict(list)
    for job in graph.jobs(suite):
        if graph.log(job).is_file():
            stages[job.stage.name].append(job)
    return stages


def cost(graph, job):
    """Bytes and seconds of hashing for one job, and the seconds that it took."""
    files = [Path(path) for path in (*graph.input_files(job), *graph.outputs(job).values())]
    files = [path for path in files if path.is_file()]
    started = time.perf_counter()
    for path in files:
        hash_file(path)
    seconds = time.perf_counter() - started
    times = LAST_LINE.findall(graph.log(job).read_text())
    return sum(path.stat().st_size for path in files), seconds, float(times[-1][0])


def as_markdown(stage, jobs, size, seconds, all_seconds):
    """A line of the table."""
    share = f"{seconds / all_seconds:.1%}"
    return f"| {stage} | {jobs} | {size / 1e6:,.0f} | {seconds:.2f} | {share} |"


if __name__ == "__main__":
    main()
