"""Write results/report.html from the score table and the runs."""

from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from gmgan.artifacts import provenance, read_arrays, read_json, write_text
from gmgan.errors import GmganError
from gmgan.grid import extractor_id, suite_runs
from gmgan.metrics.modes import nearest_modes
from gmgan.report import claims, figures, page, tables
from gmgan.stages.context import Context

SCATTER_POINTS = 2000


def run(context: Context, suite: str):
    """Write the page; raises GmganError if the score table belongs to another state of the code."""
    runs = suite_runs(context.params, suite)
    table = _score_table(context, runs)
    titles = {name: model.title for name, model in context.params.models.items()}
    trained = {cell: read_json(context.paths.train_about(cell)) for cell in runs}
    by_dataset = {}
    for cell in runs:
        by_dataset.setdefault(cell.dataset, []).append(cell)
    score_tables = tables.score_tables(table, titles)
    sections = [
        {
            "name": dataset,
            "title": context.params.datasets[dataset].title,
            "about": context.data_about(dataset),
            "held_out_quality": context.params.datasets[dataset].evaluation.held_out_quality,
            "points": context.params.datasets[dataset].is_points,
            "tables": [t for t in score_tables if t.dataset == dataset],
            "extractors": _extractors(context, dataset),
            "pictures": _pictures(context, cells, titles),
            "curves": Markup(figures.training_curves(_histories(context, cells, titles))),
        }
        for dataset, cells in by_dataset.items()
    ]
    verdicts = _verdicts(context, table)
    write_text(context.paths.claims(), verdicts.to_csv(index=False))
    write_text(
        context.paths.report(),
        page.render(
            suite=suite,
            title=context.params.suites[suite].title,
            sections=sections,
            claims=_claim_rows(verdicts),
            runs=[_run_row(cell, trained[cell], table) for cell in runs],
            provenance=provenance(),
            seeds=sorted({cell.seed for cell in runs}),
            machines=_machines(trained.values()),
            train_seconds=sum(about["seconds"] for about in trained.values()),
        ),
    )


def _verdicts(context, table):
    models = context.params.models
    baselines = {name: model.baseline for name, model in models.items() if model.baseline}
    points = {name for name, dataset in context.params.datasets.items() if dataset.is_points}
    return claims.evaluate(claims.load_claims(), table, baselines, points)


def _claim_rows(verdicts):
    """For each claim its verdict and the comparisons behind it, fit for the page."""
    rows = []
    for claim in claims.load_claims():
        found = verdicts[verdicts.claim == claim["id"]]
        compared = found[found.dataset.notna()].astype(object)
        rows.append(
            {
                **claim,
                "verdict": claims.summarise(found.verdict),
                "reason": "" if len(compared) else found.reason.iloc[0],
                "comparisons": compared.where(compared.notna(), None).to_dict("records"),
            }
        )
    return rows


def _score_table(context, runs):
    path = context.paths.score_table()
    try:
        table = pd.read_csv(
            path, dtype={"K": "Int64", "seed": "Int64", "n_real": "Int64", "n_fake": "Int64"}
        )
    except FileNotFoundError as error:
        raise GmganError(f"{path} is missing; run gmgan collect first") from error
    found = table[table.model != "real"].drop_duplicates("run").set_index("run").fingerprint
    stale = [cell.name for cell in runs if found.get(cell.name) != context.expected.scores(cell)]
    if stale:
        more = f" and {len(stale) - 1} more runs" if stale[1:] else ""
        raise GmganError(
            f"{path} has no up-to-date scores of {stale[0]}{more}; run snakemake again"
        )
    return table


def _extractors(context, dataset):
    return [
        {
            "name": name,
            **read_json(context.paths.extractor_about(extractor_id(context.params, dataset, name))),
        }
        for name in context.params.datasets[dataset].evaluation.extractors
    ]


def _histories(context, cells, titles):
    found = {}
    for cell in cells:
        found.setdefault(_label(cell, titles), []).append(pd.read_csv(context.paths.history(cell)))
    return found


def _label(cell, titles):
    return titles[cell.model] + (f", K = {cell.K}" if cell.K > 1 else "")


def _pictures(context, cells, titles):
    """One figure for points; for images the sample grid of each model's first seed."""
    first = {}
    for cell in cells:
        first.setdefault((cell.model, cell.K), cell)
    dataset = context.params.datasets[cells[0].dataset]
    if not dataset.is_points:
        return [
            {
                "title": f"{_label(cell, titles)} (seed {cell.seed})",
                "address": figures.png_address(Path(context.paths.preview(cell)).read_bytes()),
            }
            for cell in first.values()
        ]
    centres = np.array(dataset.source.centres())
    panels = []
    for cell in first.values():
        arrays, _ = read_arrays(context.paths.samples(cell))
        if not len(arrays["samples"]):
            continue
        points = arrays["samples"][:SCATTER_POINTS]
        colour = arrays["component"][:SCATTER_POINTS]
        if (arrays["class"] >= 0).all():
            colour = arrays["class"][:SCATTER_POINTS]
        panels.append((f"{_label(cell, titles)} (seed {cell.seed})", points, colour))
    held_out = context.data(cells[0].dataset, ["test"])["test"][:SCATTER_POINTS]
    panels.append(("real data, by mode", held_out, nearest_modes(held_out, centres)[0]))
    return [
        {
            "title": f"{SCATTER_POINTS:,} points a panel, coloured by component; by class where "
            "the model has classes; circles: 3 standard deviations of a mode",
            "address": figures.scatters(panels, centres, dataset.source.std),
        }
    ]


def _run_row(cell, about, table):
    rows = table[table.run == cell.name]
    return {
        "name": cell.name,
        "status": rows.status.iloc[0],
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
