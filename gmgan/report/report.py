"""The report of a suite: one page, its figures and its tables."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from gmgan.config.run import Run
from gmgan.config.settings import ReportSettings
from gmgan.data.splits import Splits
from gmgan.evaluation.metrics import metric_of
from gmgan.records import (
    Clusters,
    DataDescription,
    Explored,
    ExtractorDescription,
    Floor,
    Generated,
    Scores,
    Snapshots,
    Stamp,
    Stored,
    Tradeoff,
    TrainingRecord,
)
from gmgan.report import claims, evidence, explorer, figures, page, published
from gmgan.report.collect import score_table, sweep_table
from gmgan.report.section import Material, Section, by_dataset
from gmgan.runtime.parallel import in_parallel

FAILURES = {
    "diverged": "the loss was no longer finite after {kimg:g} kimg",
    "collapsed": "all samples are practically equal",
}


@dataclass(frozen=True)
class Report:
    """The outputs of the stage: the page as HTML, tables and figures as {name: text}."""

    page: str
    tables: dict[str, str]
    figures: dict[str, str]


def report(
    scores: Stored[Run, Scores],
    tradeoffs: Stored[Run, Tradeoff],
    clusters: Stored[Run, Clusters],
    trained: Stored[Run, TrainingRecord],
    floors: Stored[str, Floor],
    histories: Stored[Run, str],
    snapshots: Stored[Run, Snapshots],
    previews: Stored[Run, bytes],
    samples: Stored[Run, Generated],
    explored: Stored[Run, Explored],
    data: Stored[str, Splits],
    descriptions: Stored[str, DataDescription],
    extractors: Stored[str, dict[str, ExtractorDescription]],
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
    )
    table = score_table(settings.runs, scores, clusters, trained, floors)
    sweep = sweep_table(settings.runs, tradeoffs, trained)
    records = {run: trained[run] for run in settings.runs}
    order = list(settings.models)
    runs = sorted(settings.runs, key=lambda run: (order.index(run.model), run.K, run.seed))
    groups = by_dataset(settings.runs)
    sections = [
        Section(
            name, [run for run in runs if run.dataset == name], table, sweep, material, settings
        )
        for name in groups
    ]
    verdicts = _verdicts(settings, table, sweep)
    kinds = {name: settings.datasets[name].source.kind for name in groups}
    beside = published.beside(published.load_published(), table, kinds, settings.titles)
    drawn = _drawn(sections, processes)
    content = page.render(
        suite=settings.suite,
        title=settings.title,
        sections=[section.content(drawn) for section in sections],
        claims=_claim_rows(verdicts),
        published=_published_rows(beside),
        runs=[_run_row(run, records[run], scores[run].status) for run in runs],
        provenance=provenance,
        seeds=sorted({run.seed for run in runs}),
        machines=_machines(records.values()),
        train_seconds=sum(record.seconds for record in records.values()),
        numbers=_numbers(runs, table, sweep, records, sections, material, tradeoffs, floors),
        explorer=_explorer(runs, records, {section.name: section for section in sections}),
    )
    return Report(
        page=content,
        tables=_texts(sections, {"claims": verdicts, "published": beside}),
        figures={f"{name}.svg": svg for name, svg in drawn.items()},
    )


def _drawn(sections: list[Section], processes: int) -> dict[str, str]:
    """All figures as SVG, by name."""
    drawings: dict[str, Callable[[], str]] = {
        f"{section.name}.{name}": draw
        for section in sections
        for name, draw in section.drawings.items()
    }
    return dict(zip(drawings, in_parallel(list(drawings.values()), processes), strict=True))


def _texts(sections: list[Section], frames: dict[str, pd.DataFrame]) -> dict[str, str]:
    """All tables as text: {name of the file: content}."""
    for section in sections:
        frames |= {f"{section.name}.{name}": frame for name, frame in section.frames.items()}
    texts = {
        f"{name}.csv": frame.to_csv(index=False) for name, frame in frames.items() if len(frame)
    }
    for section in sections:
        texts |= section.texts()
    return texts


def _explorer(
    runs: list[Run], records: dict[Run, TrainingRecord], sections: dict[str, Section]
) -> dict[str, Any]:
    """The explorer's runs, seed by seed, as many as the page has room for."""
    candidates = [
        (run, partial(sections[run.dataset].explore, run))
        for run in sorted(runs, key=lambda run: run.seed)
        if records[run].status == "ok"
    ]
    kept, left_out = explorer.within(candidates)
    return {
        "planes": {name: section.plane() for name, section in sections.items()},
        "runs": {run.name: kept[run] for run in runs if run in kept},
        "left_out": [run.name for run in left_out],
    }


def _numbers(
    runs: list[Run],
    table: pd.DataFrame,
    sweep: pd.DataFrame,
    records: dict[Run, TrainingRecord],
    sections: list[Section],
    material: Material,
    tradeoffs: Stored[Run, Tradeoff],
    floors: Stored[str, Floor],
) -> dict[str, Any]:
    """Every score of the suite and where it comes from, for the page."""
    origins = evidence.origins_of(table)
    for run in runs:
        record = records[run]
        files = {"scores": material.scores.place(run), "sweep": tradeoffs.place(run)}
        if run in material.clusters:
            files["clusters"] = material.clusters.place(run)
        origins[run.name] |= {
            "weights": record.weights_sha256,
            "data": record.data_sha256,
            "fingerprint": _stamp(record).fingerprint,
            "revision": _stamp(record).provenance["revision"],
            "device": record.device,
            "files": files,
        }
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
        "columns": evidence.PER_ROW,
        "scores": evidence.rows_by_run(table),
        "sweep_columns": [*evidence.PER_ROW, "sigma_scale"],
        "sweep": evidence.rows_by_run(sweep, [*evidence.PER_ROW, "sigma_scale"]),
        "labels": {metric.name: [metric.label, metric.digits] for metric in metrics},
        "palette": figures.COLOURS,
        "frames": explorer.FRAMES,
    }


def _stamp(record: TrainingRecord) -> Stamp:
    assert record.stamp is not None
    return record.stamp


def _verdicts(settings: ReportSettings, table: pd.DataFrame, sweep: pd.DataFrame) -> pd.DataFrame:
    points = {name for name, dataset in settings.datasets.items() if dataset.is_points}
    material = claims.Evidence(table, sweep, settings.baselines, points)
    return claims.evaluate(claims.load_claims(), material)


def _claim_rows(verdicts: pd.DataFrame) -> list[dict[str, Any]]:
    """The verdict on each claim and the comparisons behind it, as the page shows them."""
    rows = []
    for claim in claims.load_claims():
        own = verdicts[verdicts.claim == claim["id"]]
        compared = _records(own[own.comparison.notna()])
        rows.append(
            {
                **claim,
                "verdict": claims.summarise(own.verdict),
                "counts": dict(Counter(row["verdict"] for row in compared).most_common()),
                "reason": "" if compared else own.reason.iloc[0],
                "comparisons": [row | {"trace": evidence.trace_of_claim(row)} for row in compared],
            }
        )
    return rows


def _published_rows(beside: pd.DataFrame) -> list[dict[str, Any]]:
    rows = _records(beside)
    for row in rows:
        row["metric_label"] = metric_of(row["metric"]).label
        row["published_text"] = published.text_of(row["metric"], row["published"], row["spread"])
        row["ours_text"] = published.text_of(row["metric"], row["ours"], row["interval95"])
        if row["cell"]:
            row["trace"] = evidence.trace_of_published(row)
    return rows


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries, None where a value is missing."""
    frame = frame.astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def _run_row(run: Run, record: TrainingRecord, status: str) -> dict[str, Any]:
    return {
        "name": run.name,
        "status": status,
        "failure": "" if status == "ok" else FAILURES[status].format(kimg=record.kimg),
        "kimg": record.kimg,
        "seconds": record.seconds,
        "speed": record.images_per_second,
        "data": record.data_sha256,
        "weights": record.weights_sha256,
        "fingerprint": _stamp(record).fingerprint,
        "revision": _stamp(record).provenance["revision"],
        "device": record.device,
    }


def _machines(records: Iterable[TrainingRecord]) -> list[str]:
    hosts = ((record, _stamp(record).provenance["host"]) for record in records)
    return sorted(
        {
            f"{host['processor']}, {host['cores']} cores, {record.device}, "
            f"{record.threads} thread{'s' if record.threads > 1 else ''} a job"
            for record, host in hosts
        }
    )
