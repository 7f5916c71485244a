"""Write into docs/models.md what every ready model reaches, from the finished suite `models`.

python docs/scripts/models.py PROJECT
"""

import sys
from pathlib import Path

import pandas as pd
from marked import with_part

from gmgan.config.loader import load
from gmgan.pipeline import grid
from gmgan.pipeline.costs import measure
from gmgan.pipeline.runner import Runner

PAGE = Path(__file__).parents[1] / "models.md"
COMMAND = "python docs/scripts/models.py PROJECT"
SUITE = "models"
MEASURED = 5.0  # seconds of training that give the speed of a model
COLUMNS = {  # data set, score: heading
    ("toy-ring", "modes_captured"): "ring: modes of 8",
    ("toy-ring", "high_quality_share"): "ring: high-quality share",
    ("toy-ring", "seconds"): "ring: s per kimg",
    ("toy-grid25", "modes_captured"): "grid: modes of 25",
    ("toy-grid25", "high_quality_share"): "grid: high-quality share",
    ("toy-grid25", "seconds"): "grid: s per kimg",
    ("digits", "fid"): "digits: FID",
    ("digits", "recall_k3"): "digits: recall",
    ("digits", "seconds"): "digits: s per kimg",
}


def trainings(project: Path) -> pd.DataFrame:
    """A row per trained model: data set, model, seed, status, seconds per thousand images.

    Runs of a suite train beside each other, so the seconds are measured here, for the first seed.
    """
    runner = Runner(load(project / "params.yaml"), project / "results")
    rows = []
    for run in grid.suite_runs(runner.params, SUITE):
        record = runner.read("train", "record", run=run)
        seconds = 1000 / measure(runner, run, MEASURED) if run.seed == 0 else None
        rows.append([run.dataset, run.model, run.seed, record.status, seconds])
    return pd.DataFrame(rows, columns=["dataset", "model", "seed", "status", "seconds"])


def as_markdown(project: Path) -> str:
    """A row per model: means over its seeds, with their standard deviations."""
    runs = trainings(project)
    scores = pd.read_csv(project / "results" / SUITE / "scores.csv")
    seconds = runs.rename(columns={"seconds": "value"}).assign(metric="seconds")
    values = pd.concat([scores, seconds]).groupby(["model", "dataset", "metric"]).value
    lines = [f"| model | failed | {' | '.join(COLUMNS.values())} |"]
    lines.append("|" + " --- |" * (len(COLUMNS) + 2))
    for model, own in runs.groupby("model", sort=False):
        failed = f"{(own.status != 'ok').sum()} of {len(own)}"
        cells = [_spread(values, (model, *column)) for column in COLUMNS]
        lines.append(f"| {' | '.join([f'`{model}`', failed, *cells])} |")
    return "\n".join(lines) + "\n"


def _spread(values, key: tuple[str, str, str]) -> str:
    if key not in values.groups:
        return ""
    of = values.get_group(key).dropna()
    return f"{of.mean():.3g} ± {of.std():.2g}" if len(of) > 1 else f"{of.mean():.2g}"


if __name__ == "__main__":
    PAGE.write_text(with_part(PAGE.read_text(), COMMAND, as_markdown(Path(sys.argv[1]))))
