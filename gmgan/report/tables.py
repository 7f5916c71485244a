"""From the tidy score tables to the tables and the figures' data of the report."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from gmgan.config.run import Run
from gmgan.config.values import text_of
from gmgan.evaluation.metric import Metric
from gmgan.evaluation.metrics import in_order, metric_of
from gmgan.report.plan import load_plan
from gmgan.report.statistics import ALPHA, compare, holm, mean_interval

FLOOR = "real"
Rows = tuple[str, int, str]  # model, K and varied of rows that differ in their seed only
ARROWS = {1: "↑", -1: "↓", 0: ""}  # of a metric's direction
FORMULA = ("=", "+", "-", "@", "\t")  # a spreadsheet runs a text that starts so
PROTOCOL = ("n_real", "n_fake", "extractor", "extractor_hash", "split")


@dataclass(frozen=True)
class Cell:
    """One number of a table: mean over seeds, half width of its 95 % interval, seeds, text.

    An interval that would leave the range of the metric is cut off and written out in the text.
    `mark`: `best` in its column, `close` if shown to be equivalent to the best, else empty.
    `key`: which rows of the score table it is made of. `note`: which other scores contradict it.
    """

    mean: float | None
    half: float | None
    seeds: int
    text: str
    mark: str = ""
    key: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def marked(self) -> str:
        """The text, with a dagger where there is a note."""
        return self.text + (" †" if self.note else "")


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one data set under one extractor.

    columns: (metric, label, direction as in Metric); rows: (label, is floor, cells). Every number
    of one table shares the protocol: n_real, n_fake, extractor, its hash and the split. The floor
    may have a smaller n, and FID may be repeated at other counts or against the other split; the
    labels then say so.
    """

    protocol: dict[str, Any]
    columns: list[tuple[str, str, int]]
    rows: list[tuple[str, bool, list[Cell]]]


def model_label(model: str, K: Any, titles: Mapping[str, str]) -> str:
    """The title of a model with its number of components."""
    components = f", K = {K}" if pd.notna(K) and K > 1 else ""
    return f"{titles.get(model, model)}{components}"


def in_suite_order(rows: pd.DataFrame, runs: Iterable[Run], models: Iterable[str]) -> pd.DataFrame:
    """Rows of one data set: by model, in the order of the runs; those of no model last."""
    place, run = (
        {name: i for i, name in enumerate(names)} for names in (models, (r.name for r in runs))
    )
    places = {
        "model": rows.model.map(place).fillna(len(place)),
        "run": rows.run.map(run).fillna(-1),
    }
    order = pd.DataFrame({**places, "K": rows.K, "seed": rows.seed})
    return rows.loc[order.sort_values(list(order), kind="stable").index]


def run_labels(
    runs: Iterable[Run], parameters: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]
) -> dict[Run, str]:
    """Runs of one data set -> model, K and the values of the parameters in which its runs differ.

    parameters: as in TableSettings.
    """
    labels = {run: model_label(run.model, run.K, titles) for run in runs}
    names = parameter_names(parameters)
    for path, values in parameters.items():
        seen: dict[str, set[Any]] = {}
        for run in labels:
            seen.setdefault(run.model, set()).add(values.get(run.name))
        for run in labels:
            if len(seen[run.model]) > 1 and run.name in values:
                labels[run] += f", {names[path]} = {value_text(values[run.name])}"
    return labels


def parameter_names(paths: Iterable[str]) -> dict[str, str]:
    """`latent.sigma` -> `sigma`; paths with the same last part stay whole."""
    last = {path: path.rpartition(".")[2] for path in paths}
    several = {name for name, count in Counter(last.values()).items() if count > 1}
    return {path: path if name in several else name for path, name in last.items()}


def value_text(value: Any) -> str:
    """The value of a parameter as the name of a run has it."""
    return value if isinstance(value, str) else text_of(np.asarray(value).item())


def score_tables(
    rows: pd.DataFrame,
    kind: str,
    titles: Mapping[str, str],
    own: Iterable[Metric] = (),
    labels: Mapping[Rows, str] = MappingProxyType({}),
    classes: int | None = None,
) -> list[ScoreTable]:
    """One ScoreTable per extractor from the rows of one data set: the metrics of group `kind`.

    titles: a model's name -> its title; own: metrics besides the built-in ones; labels: (model, K,
    varied) -> label, where it is not made of title and K; classes: number of classes or modes of
    the data set, which limits some scores.
    """
    metrics = [m for m in in_order(rows.metric.dropna(), own) if m.group == kind]
    rows = rows[rows.metric.isin([metric.name for metric in metrics])]
    tables = []
    for _, group in rows.groupby("extractor", sort=False):
        runs, floor = group[group.model != FLOOR], group[group.model == FLOOR]
        if runs.empty:
            continue
        most = runs.n_fake.max()
        main = runs[runs.n_fake.eq(most) | runs.n_fake.isna()]
        protocol = {name: main[name].iloc[0] for name in PROTOCOL}
        columns = []  # (metric, n_fake, label, direction)
        for metric in metrics:
            if not (group.metric == metric.name).any():
                continue
            counts = sorted(runs[runs.metric == metric.name].n_fake.dropna().unique(), reverse=True)
            for count in counts or [None]:
                several = f", n = {count:,}" if len(counts) > 1 else ""
                columns.append((metric.name, count, metric.label + several, metric.direction))
        groups = runs.groupby(["model", "K", "varied"], sort=False)
        marked = []  # the cells of each column
        for name, count, _, direction in columns:
            marks = _marks([_values(rows, name, count) for _, rows in groups], name, direction)
            cells = [_cell(rows, name, count, key, classes) for key, rows in groups]
            marked.append([replace(c, mark=mark) for c, mark in zip(cells, marks, strict=True)])
        keys = [key for key, _ in groups]
        lines = [
            (labels.get(key) or model_label(key[0], key[1], titles), False, list(cells))
            for key, cells in zip(keys, zip(*marked, strict=True), strict=True)
        ]
        if not floor.empty:
            n = floor.n_fake.iloc[0], floor.n_real.iloc[0]
            same = n == (protocol["n_fake"], protocol["n_real"])
            note = "" if same else f" (n = {n[0]:,} against {n[1]:,})"
            none = (FLOOR, None, "")
            cells = [
                _cell(floor, metric, None if count in (None, most) else count, none, classes)
                for metric, count, _, _ in columns
            ]
            lines.append((f"real data against real data{note}", True, cells))
        tables.append(ScoreTable(protocol, [(m, label, d) for m, _, label, d in columns], lines))
    return tables


def _values(rows: pd.DataFrame, metric: str, count: int | None) -> pd.Series:
    """Values by seed of one metric, at one sample count if one is given."""
    values = rows[rows.metric == metric]
    if count is not None:
        values = values[values.n_fake == count]
    return values.set_index("seed").value.dropna()


def _cell(
    rows: pd.DataFrame, metric: str, count: int | None, of: tuple[Any, ...], classes: int | None
) -> Cell:
    values, (model, K, varied) = _values(rows, metric, count), of
    key = {
        "model": model,
        "K": None if pd.isna(K) else int(K),
        "varied": varied,
        "metric": metric,
        "n_fake": None if count is None else int(count),
        "extractor": rows.extractor.iloc[0],
    }
    mean, half = mean_interval(values)
    if mean is None:
        return Cell(None, None, 0, "–", key=key)
    record = metric_of(metric)
    text = f"{mean:.{record.digits}f}"
    if half is not None:
        low, high = np.clip([mean - half, mean + half], *record.range(classes))
        cut = (low, high) != (mean - half, mean + half)
        ends = f"[{low:.{record.digits}f}, {high:.{record.digits}f}]"
        text += f" {ends}" if cut else f" ± {half:.{record.digits}f}"
    return Cell(mean, half, len(values), text, key=key, note=_note(rows, metric, count))


def of_one_extractor(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first extractor, of each metric where there are metrics."""
    by = rows.metric if "metric" in rows else pd.Series("", rows.index)
    return rows[rows.extractor == rows.extractor.groupby(by).transform("first")]


def _note(rows: pd.DataFrame, metric: str, count: int | None) -> str:
    """The notes beside a score, without the values that vary by seed, and of how many seeds."""
    own = rows[rows.metric.eq(metric) & (rows.n_fake.eq(count) if count is not None else True)]
    flags = own.get("flag", pd.Series(dtype=str)).fillna("")
    noted = flags[flags != ""]
    texts = dict.fromkeys(re.sub(r" \([^)]*\)", "", each) for each in "; ".join(noted).split("; "))
    seeds = "seed" if len(own) == 1 else "seeds"
    return f"{'; '.join(texts)} ({len(noted)} of {len(own)} {seeds})" if len(noted) else ""


def _marks(columns: list[pd.Series], metric: str, direction: int) -> list[str]:
    """`best`, `close` or nothing for each of several series by seed, in the better direction.

    Close is what is shown to be equivalent to the best within the metric's smallest effect of
    interest (TOST, Holm over the column); nothing is where the plan states none, or with one seed.
    """
    scored = [i for i, values in enumerate(columns) if len(values)]
    marks = [""] * len(columns)
    differ = len({tuple(columns[i]) for i in scored}) > 1  # else nobody is the best
    if not direction or not differ:
        return marks
    best = max(scored, key=lambda i: direction * columns[i].mean())
    marks[best] = "best"
    smallest = load_plan().smallest(metric)
    if smallest is None:
        return marks
    ratio, tests = smallest.scale == "ratio", {}
    for i in scored:
        positive = not ratio or min(columns[i].min(), columns[best].min()) > 0
        if i != best and positive:
            difference = compare(columns[i], columns[best], smallest.effect, ratio)
            if difference.p_equivalent is not None:
                tests[i] = difference.p_equivalent
    for i, p in zip(tests, holm(list(tests.values())), strict=True):
        marks[i] = "close" if p < ALPHA else ""
    return marks


def to_markdown(table: ScoreTable) -> str:
    """A ScoreTable as a Markdown table: the best bold, what is not significantly worse italic."""
    around = {"best": "**", "close": "*", "": ""}
    lines = [["model", *(f"{label} {ARROWS[d]}".strip() for _, label, d in table.columns)]]
    lines.append(["---", *["---:"] * len(table.columns)])
    for label, _, cells in table.rows:
        lines.append([label, *(around[c.mark] + c.marked + around[c.mark] for c in cells)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(table: ScoreTable) -> str:
    """A ScoreTable as a LaTeX tabular (booktabs): the best bold, what is close to it italic."""
    command = {"best": r"\textbf{%s}", "close": r"\textit{%s}", "": "%s"}
    arrows = {1: r"$\uparrow$", -1: r"$\downarrow$", 0: ""}
    head = [f"{_tex(label)} {arrows[d]}".strip() for _, label, d in table.columns]
    lines = [" & ".join(["model", *head]) + r" \\", r"\midrule"]
    for label, _, cells in table.rows:
        texts = [command[cell.mark] % _tex(cell.marked) for cell in cells]
        lines.append(" & ".join([_tex(label), *texts]) + r" \\")
    begin = r"\begin{tabular}{l" + "r" * len(table.columns) + "}"
    return "\n".join([begin, r"\toprule", *lines, r"\bottomrule", r"\end{tabular}", ""])


SYMBOLS = {
    "\\": r"\textbackslash{}",
    "†": r"$\dagger$",
    "±": r"$\pm$",
    "–": "--",
    "é": r"\'e",
    "~": r"\~{}",
}
TEX = str.maketrans({c: "\\" + c for c in "&%$#_{}"} | SYMBOLS)


def _tex(text: str) -> str:
    return text.translate(TEX)


def over_seeds(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean, half width of the 95 % interval, lowest and highest of `value` over seeds.

    Columns: those of `by`, then mean, interval95, low, high, seeds; in order of appearance.
    """
    lines = [
        (*key, *mean_interval(values), values.min(), values.max(), len(values))
        for key, values in rows.dropna(subset=["value"]).groupby(by, sort=False, dropna=False).value
    ]
    return pd.DataFrame(lines, columns=[*by, "mean", "interval95", "low", "high", "seeds"])


def as_csv(frame: pd.DataFrame) -> str:
    """A frame as CSV; a text that a spreadsheet would run as a formula follows an apostrophe."""

    def escaped(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    return frame.assign(**{name: frame[name].map(escaped) for name in texts}).to_csv(index=False)
