"""The report of a suite: one page, its figures and its tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from gmgan import records
from gmgan.config.run import Run
from gmgan.config.settings import ReportSettings
from gmgan.data.splits import Splits
from gmgan.evaluation.metrics import metric_of
from gmgan.records import Stored, TrainingRecord
from gmgan.report import claims, evidence, explorer, opening, page, plan, published, style
from gmgan.report.collect import score_table, sweep_table
from gmgan.report.comparisons import Evidence
from gmgan.report.section import Material, Section
from gmgan.report.tables import as_csv
from gmgan.runtime.parallel import in_parallel

FAILURES = {
    "diverged": "the loss was no longer finite after {kimg:g} kimg",
    "collapsed": "all samples are practically equal",
}


@dataclass(frozen=True)
class Report:
    """The outputs of the stage: the page as HTML; tables, figures and explorer as {name: text}.

    explorer: scripts with the samples of runs for which the page has no room.
    """

    page: str
    tables: dict[str, str]
    figures: dict[str, str]
    explorer: dict[str, str]


def report(
    scores: Stored[Run, records.Scores],
    tradeoffs: Stored[Run, records.Tradeoff],
    clusters: Stored[Run, records.Clusters],
    trained: Stored[Run, TrainingRecord],
    floors: Stored[str, records.Floor],
    histories: Stored[Run, str],
    snapshots: Stored[Run, records.Snapshots],
    previews: Stored[Run, bytes],
    samples: Stored[Run, records.Generated],
    explored: Stored[Run, records.Explored],
    data: Stored[str, Splits],
    descriptions: Stored[str, records.DataDescription],
    extractors: Stored[str, dict[str, records.ExtractorDescription]],
    settings: ReportSettings,
    processes: int,
    provenance: dict[str, Any],
) -> Report:
    """The report of a suite; `processes` figures are drawn at a time.

    provenance: which code and machine make this report.
    """
    material = Material(
        scores=scores,
        clusters=clusters,
        histories=histories,
        snapshots=snapshots,
        previews=previews,
        samples=samples,
        explored=explored,
        data=data,
        descriptions=descriptions,
        extractors=extractors,
        floors=floors,
    )
    varying = settings.parameters
    table = score_table(settings.runs, scores, clusters, trained, floors, varying)
    sweep = sweep_table(settings.runs, tradeoffs, trained, varying)
    runs = sorted(settings.runs, key=settings.place)
    trainings = {run: trained[run] for run in runs}
    of = {name: [run for run in runs if run.dataset == name] for name in settings.datasets}
    sections = [Section(name, of[name], table, sweep, material, settings) for name in of]
    classes = {name: len(descriptions[name].classes) for name in settings.datasets}
    tested = Evidence.of(settings, table, sweep, classes)
    verdicts = claims.evaluate(plan.load_plan(), tested)
    kinds = {name: dataset.source.kind for name, dataset in settings.datasets.items()}
    beside = published.beside(published.load_published(), table, kinds, settings.titles)
    drawings = {f"{s.name}.{name}": draw for s in sections for name, draw in s.drawings.items()}
    drawn = dict(zip(drawings, in_parallel(list(drawings.values()), processes), strict=True))
    content = [section.content(drawn) for section in sections]
    explored_runs, scripts = _explorer(trainings, {section.name: section for section in sections})
    opened = opening.keywords(settings, runs, content, descriptions)
    html = page.render(
        "report.html.j2",
        suite=settings.suite,
        title=settings.title,
        sections=content,
        **opened,
        claims=_claim_rows(verdicts, claims.by_halves(plan.load_plan(), tested)),
        smallest_effects=plan.load_plan().smallest_effects,
        published=_published_rows(beside),
        runs=[_run_row(run, trainings[run], scores[run].status) for run in runs],
        provenance=provenance,
        seeds=sorted({run.seed for run in runs}),
        machines=_machines(trainings.values()),
        train_seconds=sum(record.seconds for record in trainings.values()),
        numbers=_numbers(trainings, table, sweep, sections, material, tradeoffs, floors)
        | {"params_file": provenance["params_file"]},
        explorer=explored_runs,
    )
    frames = {"claims": verdicts, "published": beside}
    frames |= {f"{s.name}.{name}": frame for s in sections for name, frame in s.frames.items()}
    texts = {f"{name}.csv": as_csv(frame) for name, frame in frames.items() if len(frame)}
    for section in sections:
        texts |= section.texts()
    texts["best.md"] = opening.as_markdown(opened["answers"])
    return Report(html, texts, {f"{name}.svg": svg for name, svg in drawn.items()}, scripts)


def _explorer(
    trainings: dict[Run, TrainingRecord], sections: dict[str, Section]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The explorer's runs, seed by seed: in the page as far as there is room, else in scripts."""
    candidates = [
        (run, partial(sections[run.dataset].explore, run))
        for run in sorted(trainings, key=lambda run: run.seed)
        if trainings[run].status == "ok"
    ]
    inside, scripts = explorer.placed(candidates)
    return {
        "planes": {name: section.plane() for name, section in sections.items()},
        "runs": {run.name: inside[run] for run in trainings if run in inside},
    }, scripts


def _numbers(
    trainings: dict[Run, TrainingRecord],
    table: pd.DataFrame,
    sweep: pd.DataFrame,
    sections: list[Section],
    material: Material,
    tradeoffs: Stored[Run, records.Tradeoff],
    floors: Stored[str, records.Floor],
) -> dict[str, Any]:
    """Every score of the suite and where it comes from, for the page."""
    origins = evidence.origins_of(table)
    for run, record in trainings.items():
        files = {"scores": material.scores.place(run), "sweep": tradeoffs.place(run)}
        if run in material.clusters:
            files["clusters"] = material.clusters.place(run)
        origins[run.name] |= _origin(record) | {"files": files}
    clustered = {(run.dataset, run.K, run.seed): run for run in material.clusters}
    for origin in origins.values():  # of the floor and of k-means
        if "files" not in origin:
            dataset = origin["dataset"]
            twin = clustered.get((dataset, origin["K"], origin["seed"]))
            path = material.clusters.place(twin) if twin else floors.place(dataset)
            origin["files"] = {"scores": path, "clusters": path}
            origin["data"] = material.descriptions[dataset].sha256
    own = [metric for section in sections for metric in section.own]
    metrics = [metric_of(name, own) for name in table.metric.dropna().unique()]
    return {
        "cells": origins,
        "columns": evidence.WITH_SIGNATURE,
        "scores": evidence.rows_by_run(table, evidence.WITH_SIGNATURE),
        "sweep_columns": [*evidence.PER_ROW, "sigma_scale"],
        "sweep": evidence.rows_by_run(sweep, [*evidence.PER_ROW, "sigma_scale"]),
        "labels": {metric.name: [metric.label, metric.digits] for metric in metrics},
        "palette": style.COLOURS,
        "frames": explorer.FRAMES,
    }


def _origin(record: TrainingRecord) -> dict[str, Any]:
    """What identifies a training and its weights."""
    assert record.stamp is not None
    return {
        "weights": record.weights_sha256,
        "data": record.data_sha256,
        "fingerprint": record.stamp.fingerprint,
        "revision": record.stamp.provenance["revision"],
        "changes": record.stamp.provenance.get("changes"),
        "device": record.device,
    }


def _claim_rows(verdicts: pd.DataFrame, halves: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """The verdict on each claim and the comparisons behind it, as the page shows them.

    halves: the verdicts on the first and second half of the seeds, by claim.
    """
    rows = []
    for claim in plan.load_plan().claims:
        own = verdicts[verdicts.claim == claim.id]
        compared = evidence.plain(own[own.comparison.notna()])
        row = {name: getattr(claim, name) for name in ("id", "title", "source", "ours")}
        row["summary"] = claims.summarise(own)
        row["halves"] = halves.get(claim.id)
        row["untested"] = _by_reason(own[own.comparison.isna()])
        row["comparisons"] = [each | {"trace": evidence.trace_of_claim(each)} for each in compared]
        rows.append(row)
    return rows


def _by_reason(untested: pd.DataFrame) -> dict[str, list[str]]:
    """{why there is no comparison: the scores}, the primary ones marked."""
    scores: dict[str, list[str]] = {}
    for row in untested.itertuples():
        label = f"{metric_of(row.metric).label} ({row.role})"
        if label not in scores.setdefault(row.reason, []):
            scores[row.reason].append(label)
    return scores


def _published_rows(beside: pd.DataFrame) -> list[dict[str, Any]]:
    rows = evidence.plain(beside)
    for row in rows:
        row["metric_label"] = metric_of(row["metric"]).label
        row["published_text"] = published.text_of(row["metric"], row["published"], row["spread"])
        row["ours_text"] = published.text_of(row["metric"], row["ours"], row["interval95"])
        if row["cell"]:
            row["trace"] = evidence.trace_of_published(row)
    return rows


def _run_row(run: Run, record: TrainingRecord, status: str) -> dict[str, Any]:
    assert record.stamp is not None
    versions = record.stamp.provenance["versions"]
    return {
        "name": run.name,
        "status": status,
        "failure": "" if status == "ok" else FAILURES[status].format(kimg=record.kimg),
        "kimg": record.kimg,
        "seconds": record.seconds,
        "speed": record.images_per_second,
        "versions": ", ".join(f"{name} {versions[name]}" for name in ("torch", "numpy")),
        **_origin(record),
    }


def _machines(trainings: Iterable[TrainingRecord]) -> list[str]:
    machines = set()
    for record in trainings:
        assert record.stamp is not None
        host, plural = record.stamp.provenance["host"], "s" if record.threads > 1 else ""
        machine = f"{host['processor']} ({host.get('vector_units')}), {host['cores']} cores"
        machines.add(f"{machine}, {record.device}, {record.threads} thread{plural} a job")
    return sorted(machines)
