"""The numbers behind the page, run by run, so that a click on one shows where it comes from."""

from typing import Any

import pandas as pd

PER_ROW = ["metric", "extractor", "extractor_hash", "n_fake", "n_real", "split", "value"]
WITH_SIGNATURE = [*PER_ROW, "signature", "flag"]  # of the sweep's many rows it would be too much
RUN = ["run", "dataset", "model", "K", "varied", "seed", "status"]
FROM_SWEEP = ("scales", "sweep")  # comparisons that read the sweep of sigma_scale


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries, None where a value is missing."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def rows_by_run(table: pd.DataFrame, columns: list[str] = PER_ROW) -> dict[str, list[list[Any]]]:
    """{run: rows} of a tidy score table: lists in the order of `columns`, None where empty.

    Values have ten digits, which keeps the page smaller; scores.csv has all.
    """
    rows: dict[str, list[list[Any]]] = {}
    scored = table.loc[table.metric.notna(), ["run", *columns]]
    scored = scored.assign(value=scored.value.map(lambda value: float(f"{value:.10g}")))
    for row in plain(scored):
        rows.setdefault(row.pop("run"), []).append(list(row.values()))
    return rows


def origins_of(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """{run: its data set, model, K, varied, seed, status} of every run in the score table."""
    first = table.drop_duplicates("run")[RUN]
    return {row.pop("run"): row for row in plain(first)}


def trace_of_claim(row: dict[str, Any]) -> dict[str, Any] | None:
    """Which stored rows a comparison of a claim is made of; `row` is one of the claims' table.

    None for a mean over models: its comparisons by model have their own.
    """
    if row["model"] is None:
        return None
    columns = ("model", "K", "varied", "against", "against_varied", "metric", "n_fake")
    named = {name: row[name] for name in columns}
    return named | {
        "dataset": row["dataset"] or None,
        "extractor": row["extractor"] or None,
        "source": "sweep" if row["compare"] in FROM_SWEEP else "scores",
        "any_K": row["compare"] == "data-sets",
        "difference": True,
    }


def trace_of_published(row: dict[str, Any]) -> dict[str, Any]:
    """Which stored rows stand beside a published number."""
    model, _, K = row["cell"].rpartition(".K")
    named = {name: row[name] for name in ("dataset", "metric", "extractor", "n_fake")}
    return named | {"model": model, "K": int(K)}
