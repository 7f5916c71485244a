"""Print what a suite can decide, and how often the tests are right."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from gmgan.config.settings import ReportSettings
from gmgan.errors import GmganError
from gmgan.pipeline.runner import Runner
from gmgan.report.plan import load_plan
from gmgan.report.planning import SEEDS, planned


def power(runner: Runner, suite: str) -> Iterator[str]:
    """Lines: the primary comparisons of a suite, their power, and the seeds that would decide.

    The spread over seeds is that of the scores that the suite has so far; a line on standard error
    says why some are unknown.
    """
    settings, folder = runner.settings(runner.job("report", suite=suite)), runner.folder_of(suite)
    assert isinstance(settings, ReportSettings)
    names = [run.name for run in settings.runs]
    tables = [_read(folder / name) for name in ("scores.csv", "tradeoff.csv")]
    scored = [table[table.run.isin(names)] for table in tables]
    rows = planned(load_plan(), settings, *scored)
    if rows.spread.isna().any():
        print(f"gmgan: {_unknown(rows, suite, scored[0].empty)}", file=sys.stderr)
    heads = ["claim", "data set", "metric", "family", "seeds", "smallest effect", "spread"]
    heads += ["power", *(f"{n} seeds" for n in SEEDS), "to decide", "comparison"]
    yield "\t".join(heads)
    for row in rows.itertuples():
        ratio = "ratio " if row.scale == "ratio" else ""
        powers = [row.power, *(getattr(row, f"power_{n}") for n in SEEDS)]
        decide = "unknown" if pd.isna(row.spread) else "over 1,000"
        yield "\t".join(
            [
                *(row.claim, row.dataset, row.metric, str(row.family), str(row.seeds)),
                f"{ratio}{row.smallest:g}",
                "unknown" if pd.isna(row.spread) else f"{row.spread:.3g}",
                *("" if pd.isna(each) else f"{each:.2f}" for each in powers),
                decide if pd.isna(row.deciding_seeds) else f"{row.deciding_seeds:.0f}",
                row.comparison,
            ]
        )


def _unknown(rows: pd.DataFrame, suite: str, unscored: bool) -> str:
    """How many spreads are unknown, and why; unscored: the suite has no scores."""
    unknown = rows[rows.spread.isna()]
    if unscored:
        cure = f"make them: snakemake --cores all --config suite={suite} -- all"
        why = f"suite {suite} has no scores yet; {cure}"
    elif not unknown.seeds.any():
        why = "the suite has no runs of the models that they compare with"
    elif unknown.seeds.max() < 2:
        why = f"one seed has no spread; raise `seeds` of suite {suite} in params.yaml"
    else:
        why = "fewer than two seeds of what they compare are scored"
    return f"{len(unknown)} of {len(rows)} spreads are unknown: {why}"


def _read(path: Path) -> pd.DataFrame:
    """A score table of earlier runs; empty if there is none."""
    columns = ["run", "dataset", "model", "K", "varied", "seed", "metric", "value", "kimg"]
    columns += ["n_real", "n_fake", "extractor", "extractor_hash", "split", "sigma_scale"]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    try:
        table = pd.read_csv(path, dtype={"K": "Int64", "seed": "Int64"})
    except ValueError as error:
        raise GmganError(f"{path} is no score table: {error}; remove it") from error
    return (
        table.assign(varied=table.varied.fillna(""))
        if "varied" in table
        else table.assign(varied="")
    )
