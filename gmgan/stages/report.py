"""Write results/report.html, its figures and its tables, from the score tables and the runs."""

from collections import Counter
from collections.abc import Callable

import pandas as pd

from gmgan.errors import GmganError
from gmgan.evaluation.metrics import metric_of
from gmgan.pipeline.artifacts import provenance, read_json, write_text
from gmgan.pipeline.grid import has_clusters, suite_runs
from gmgan.report import claims, evidence, explorer, figures, page, published
from gmgan.runtime.parallel import in_parallel
from gmgan.stages.context import Context
from gmgan.stages.section import Section

FAILURES = {
    "diverged": "the loss was no longer finite after {kimg:g} kimg",
    "collapsed": "all samples are practically equal",
}


def run(context: Context, suite: str, processes: int = 1):
    """Write the page, results/figures/*.svg and results/tables/*.csv.

    `processes` figures are drawn at a time.
    Raises GmganError if the score table belongs to another state of params or code.
    """
    runs = suite_runs(context.params, suite)
    table, sweep = _score_table(context, runs), _read_table(context.paths.tradeoff_table())
    trained = {cell: read_json(context.paths.train_about(cell)) for cell in runs}
    order = list(context.params.models)
    runs = sorted(runs, key=lambda cell: (order.index(cell.model), cell.K, cell.seed))
    by_dataset = {  # type: dict[str, list]
        dataset: [] for dataset in dict.fromkeys(cell.dataset for cell in runs)
    }
    for cell in runs:
        by_dataset[cell.dataset].append(cell)
    sections = [
        Section(context, dataset, cells, table, sweep) for dataset, cells in by_dataset.items()
    ]
    verdicts = _verdicts(context, table, sweep)
    kinds = {name: context.params.datasets[name].source.kind for name in by_dataset}
    beside = published.beside(published.load_published(), table, kinds, context.params.model_titles)
    frames = {"claims": verdicts, "published": beside}
    drawings: dict[str, Callable[[], str]] = {}
    for section in sections:
        frames |= {f"{section.name}.{name}": frame for name, frame in section.frames.items()}
        drawings |= {f"{section.name}.{name}": draw for name, draw in section.drawings.items()}
    drawn = dict(zip(drawings, in_parallel(list(drawings.values()), processes), strict=True))
    texts = {
        f"{name}.csv": frame.to_csv(index=False) for name, frame in frames.items() if len(frame)
    }
    for section in sections:
        texts |= section.texts()
    _write_folder(context.paths.tables(), texts)
    _write_folder(context.paths.figures(), {f"{name}.svg": svg for name, svg in drawn.items()})
    write_text(
        context.paths.report(),
        page.render(
            suite=suite,
            title=context.params.suites[suite].title,
            sections=[section.content(drawn) for section in sections],
            claims=_claim_rows(verdicts),
            published=_published_rows(beside),
            runs=[_run_row(cell, trained[cell], table) for cell in runs],
            provenance=provenance(),
            seeds=sorted({cell.seed for cell in runs}),
            machines=_machines(trained.values()),
            train_seconds=sum(about["seconds"] for about in trained.values()),
            numbers=_numbers(context, runs, table, sweep, trained, sections),
            explorer=_explorer(runs, trained, {section.name: section for section in sections}),
        ),
    )


def _explorer(runs, trained, sections):
    """The explorer's runs, seed by seed, as many as the page has room for."""
    candidates = [
        (cell, lambda cell=cell: sections[cell.dataset].explore(cell))
        for cell in sorted(runs, key=lambda cell: cell.seed)
        if trained[cell]["status"] == "ok"
    ]
    kept, left_out = explorer.within(candidates)
    return {
        "planes": {name: section.plane() for name, section in sections.items()},
        "runs": {cell.name: kept[cell] for cell in runs if cell in kept},
        "left_out": [cell.name for cell in left_out],
    }


def _numbers(context, runs, table, sweep, trained, sections):
    """Every score of the suite and where it comes from, for the page."""
    cells = evidence.cells_of(table)
    for cell in runs:
        about = trained[cell]
        cells[cell.name] |= {
            "weights": about["weights_sha256"],
            "data": about["data_sha256"],
            "fingerprint": about["fingerprint"],
            "revision": about["provenance"]["revision"],
            "device": about["device"],
            "files": {
                "scores": str(context.paths.scores(cell)),
                "sweep": str(context.paths.tradeoff(cell)),
                "clusters": str(context.paths.clusters(cell)),
            },
        }
    clustered = {
        (cell.dataset, cell.K, cell.seed): cell
        for cell in runs
        if has_clusters(context.params, cell)
    }
    for found in cells.values():
        if "files" in found:
            continue
        twin = clustered.get((found["dataset"], found["K"], found["seed"]))
        path = context.paths.clusters(twin) if twin else context.paths.floor(found["dataset"])
        found["files"] = {"scores": str(path), "clusters": str(path)}
        found["data"] = context.data_about(found["dataset"])["sha256"]
    own = [metric for section in sections for metric in section.own]
    metrics = [metric_of(name, own) for name in table.metric.dropna().unique()]
    return {
        "cells": cells,
        "columns": evidence.PER_ROW,
        "scores": evidence.rows_by_run(table),
        "sweep_columns": [*evidence.PER_ROW, "sigma_scale"],
        "sweep": evidence.rows_by_run(sweep, [*evidence.PER_ROW, "sigma_scale"]),
        "labels": {metric.name: [metric.label, metric.digits] for metric in metrics},
        "palette": figures.COLOURS,
        "frames": explorer.FRAMES,
    }


def _write_folder(folder, texts):
    """Write `texts` (name -> content) and remove what an earlier report left beside them."""
    for name, text in texts.items():
        write_text(folder / name, text)
    for path in folder.iterdir():
        if path.name not in texts:
            path.unlink()


def _verdicts(context, table, sweep):
    points = {name for name, dataset in context.params.datasets.items() if dataset.is_points}
    grid = claims.Evidence(table, sweep, context.params.baselines, points)
    return claims.evaluate(claims.load_claims(), grid)


def _claim_rows(verdicts):
    """For each claim its verdict and the comparisons behind it, fit for the page."""
    rows = []
    for claim in claims.load_claims():
        found = verdicts[verdicts.claim == claim["id"]]
        compared = _records(found[found.comparison.notna()])
        rows.append(
            {
                **claim,
                "verdict": claims.summarise(found.verdict),
                "counts": dict(Counter(row["verdict"] for row in compared).most_common()),
                "reason": "" if compared else found.reason.iloc[0],
                "comparisons": [row | {"trace": evidence.trace_of_claim(row)} for row in compared],
            }
        )
    return rows


def _published_rows(beside):
    rows = _records(beside)
    for row in rows:
        row["metric_label"] = metric_of(row["metric"]).label
        row["published_text"] = published.text_of(row["metric"], row["published"], row["spread"])
        row["ours_text"] = published.text_of(row["metric"], row["ours"], row["interval95"])
        if row["cell"]:
            row["trace"] = evidence.trace_of_published(row)
    return rows


def _records(frame):
    """Rows as dictionaries, None where a value is missing."""
    frame = frame.astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def _read_table(path):
    integers = dict.fromkeys(("K", "seed", "n_real", "n_fake"), "Int64")
    try:
        return pd.read_csv(path, dtype=integers)
    except FileNotFoundError as error:
        raise GmganError(f"{path} is missing; run gmgan collect first") from error


def _score_table(context, runs):
    path = context.paths.score_table()
    table = _read_table(path)
    own = table[table.kimg.notna() & ~table.extractor.eq("clusters")]
    found = own.drop_duplicates("run").set_index("run").fingerprint
    stale = [cell.name for cell in runs if found.get(cell.name) != context.expected.scores(cell)]
    if stale:
        more = f" and {len(stale) - 1} more runs" if stale[1:] else ""
        raise GmganError(
            f"{path} has no up-to-date scores of {stale[0]}{more}; run snakemake again"
        )
    return table


def _run_row(cell, about, table):
    status = table[table.run == cell.name].status.iloc[0]
    return {
        "name": cell.name,
        "status": status,
        "failure": "" if status == "ok" else FAILURES[status].format(kimg=about["kimg"]),
        "kimg": about["kimg"],
        "seconds": about["seconds"],
        "speed": about["images_per_second"],
        "data": about["data_sha256"],
        "weights": about["weights_sha256"],
        "fingerprint": about["fingerprint"],
        "revision": about["provenance"]["revision"],
        "device": about["device"],
    }


def _machines(trained):
    return sorted(
        {
            f"{about['provenance']['host']['processor']}, "
            f"{about['provenance']['host']['cores']} cores, {about['device']}, "
            f"{about['threads']} thread{'s' if about['threads'] > 1 else ''} a job"
            for about in trained
        }
    )
