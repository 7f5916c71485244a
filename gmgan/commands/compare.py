"""Compare two suites, two revisions, or a suite and stored results."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from gmgan.errors import GmganError, unknown_name
from gmgan.pipeline.files import write_text
from gmgan.pipeline.index import write_index
from gmgan.pipeline.runner import Runner
from gmgan.reading import parsing, read_regular
from gmgan.report import page
from gmgan.report.compare import CELL, SCORE, compare, only_in, summary
from gmgan.report.tables import as_csv

SHOWN = 20  # rows on the terminal
NOTHING = (
    "nothing could be compared: no score has the same data set, model, K, metric, extractor, split "
    "and counts in both"
)


def compare_results(runner: Runner, a: str, b: str) -> list[str]:
    """Compare the scores named `a` and `b`; write a table and a page. Returns what to print.

    A name is a suite, a folder with scores.csv or such a file, a suite of the reference results
    (reference/SUITE), or REVISION:SUITE for scores that Git keeps. Raises GmganError if there are
    no such scores.
    """
    tables = [_scores(runner, name) for name in (a, b)]
    rows = compare(*tables)
    if rows.empty:
        print(f"gmgan: warning: {NOTHING}", file=sys.stderr)
    only = {name: only_in(*sides) for name, sides in ((a, tables), (b, tables[::-1]))}
    name = f"{_file_name(a)}..{_file_name(b)}"
    folder = runner.results / "compare"
    write_text(folder / f"{name}.csv", as_csv(rows))
    content = page.render("compare.html.j2", a=a, b=b, rows=rows, only=only, summary=summary(rows))
    write_text(folder / f"{name}.html", content)
    write_index(runner)
    changed = rows[~rows.change.isin(["equal", "not tested"])].sort_values("p", kind="stable")
    columns = [*CELL, "metric", "mean_a", "mean_b", "low", "high", "p_holm", "change"]
    lines = [summary(rows)]
    if len(changed):
        shown = changed[columns].head(SHOWN)
        lines += shown.to_string(index=False, float_format="{:.4g}".format, na_rep="").splitlines()
    if len(changed) > SHOWN:
        lines.append(f"and {len(changed) - SHOWN} more")
    lines += [f"only in {side}: {', '.join(cells)}" for side, cells in only.items() if cells]
    return [*lines, str(folder / f"{name}.html")]


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")


def _scores(runner: Runner, name: str) -> pd.DataFrame:
    """The score table that a name stands for."""
    places = [Path(name), Path(name) / "scores.csv", runner.results / name / "scores.csv"]
    if name in runner.params.suites:
        places = [runner.folder_of(name) / "scores.csv"]
    path = next((place for place in places if place.is_file()), None)
    if path:
        return _read(read_regular(path).decode(errors="replace"), str(path))
    if name in runner.params.suites:
        cure = f"make it (snakemake --cores all --config suite={name} -- all)"
        raise GmganError(f"there is no {places[0]}; {cure}")
    revision, _, suite = name.partition(":")
    folder = runner.folder_of(suite) if suite else runner.results
    shown = ["git", "show", "--end-of-options", f"{revision}:./{folder / 'scores.csv'}"]
    done = subprocess.run(shown, capture_output=True, text=True)
    if done.returncode == 0:
        return _read(done.stdout, shown[-1])
    known = unknown_name("suite", name, runner.params.suites)
    raise GmganError(f"{known}; nor a file, a folder or a revision of Git with scores.csv")


def _read(text: str, place: str) -> pd.DataFrame:
    with parsing(place, "a table of scores", "make it again"):
        table = pd.read_csv(io.StringIO(text))
    table["varied"] = table["varied"].fillna("") if "varied" in table else ""
    if missing := {*CELL, *SCORE, "seed", "value", "extractor_hash"} - set(table):
        raise GmganError(f"{place} is no table of scores: no {', '.join(sorted(missing))}")
    if "sigma_scale" in table:
        raise GmganError(f"{place} is no table of scores: it has sigma_scale; name its scores.csv")
    scored = table[table.metric.notna() & table.value.notna()]
    for row in scored[scored.duplicated([*CELL, *SCORE, "seed"])].head(1).itertuples():
        which = f"{row.dataset} {row.model} {row.metric} seed {row.seed:g}"
        reason = f"has two rows of {which} under one protocol; keep one of them"
        raise GmganError(f"{place} {reason}")
    return table
