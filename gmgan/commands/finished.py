"""Whether results of a suite may be passed on: all there, of the present code and settings."""

from collections.abc import Iterable
from pathlib import Path

from gmgan.config.settings import TableSettings
from gmgan.errors import GmganError
from gmgan.pipeline.runner import Runner
from gmgan.report.collect import collect


def check_finished(runner: Runner, suite: str, files: Iterable[Path]) -> None:
    """Raise GmganError unless `files` exist and the scores of the suite fit code and settings.

    Every file that the tables are made of is read and checked: scores, tradeoffs, clusters and
    trainings of the runs, floors of the data sets. The tables must hold what stands there.
    """
    again = f"snakemake --cores all --config suite={suite} -- all"
    missing = next((path for path in files if not path.exists()), None)
    if missing:
        raise GmganError(f"suite {suite} is not finished: no {missing}; {again}")
    job = runner.job("collect", suite=suite)
    settings = runner.settings(job)
    assert isinstance(settings, TableSettings)
    now = collect(**runner.inputs(job), settings=settings)  # loads and checks all
    paths = runner.outputs(job)
    for path, table in ((paths["scores"], now.scores), (paths["tradeoff"], now.tradeoff)):
        if path.exists() and path.read_bytes() != table.encode():
            raise GmganError(f"{path} is not what the scores of its runs give now; {again}")
