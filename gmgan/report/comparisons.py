"""The comparisons of an endpoint: which scores stand against which, and their differences."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Self

import numpy as np
import pandas as pd

from gmgan.config.settings import ReportSettings
from gmgan.evaluation.metrics import metric_of
from gmgan.report.plan import Endpoint, SmallestEffect, properties_of
from gmgan.report.statistics import Design, Difference, compare, compare_times

PROTOCOL = ["n_real", "n_fake", "extractor", "extractor_hash", "split"]
POOL = ["dataset", "extractor", "n_fake", "varied"]
TIME = "kimg_to_95_modes"  # ends with the budget where the modes are never reached
CHANCE = "component_acc_chance"
Row = dict[str, Any]  # of the claims' table


@dataclass(frozen=True)
class Evidence:
    """What claims are tested on.

    table, sweep: the tidy tables scores.csv and tradeoff.csv. baselines: model -> the model it is
    compared with, if it has one. properties: data set -> {(model, varied): what claims may ask of
    it}. points: names of the 2-D data sets. classes: data set -> its number of classes or modes.
    compared: data set -> {(model, varied): those of the baseline}, needed where a baseline has
    varied values.
    """

    table: pd.DataFrame
    sweep: pd.DataFrame
    baselines: Mapping[str, str]
    properties: Mapping[str, Mapping[tuple[str, str], frozenset[str]]]
    points: set[str]
    classes: Mapping[str, int]
    compared: Mapping[str, Mapping[tuple[str, str], tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        settings: ReportSettings,
        table: pd.DataFrame,
        sweep: pd.DataFrame,
        classes: Mapping[str, int],
    ) -> Self:
        """The evidence of a suite's score tables."""
        properties = {
            name: {key: properties_of(model) for key, model in settings.models_on(name).items()}
            for name in settings.datasets
        }
        return cls(
            table=table,
            sweep=sweep,
            baselines=settings.baselines,
            properties=properties,
            points={name for name, dataset in settings.datasets.items() if dataset.is_points},
            classes=classes,
            compared={name: settings.compared_on(name) for name in settings.datasets},
        )


@dataclass(frozen=True)
class Cell:
    """A model and K against its opponent: two sides by seed, or the reason why there are none.

    columns: of the claims' table. text: the comparison. budgets: of censored times, in kimg.
    """

    columns: Row
    text: str
    values: pd.Series | None = None
    others: pd.Series | None = None
    reason: str = ""
    budgets: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """The model with K and what it varies."""
        varied = self.columns.get("varied")
        return f"{self.columns['model']}.K{self.columns['K']}" + (f".{varied}" if varied else "")


def shared_components(table: pd.DataFrame) -> dict[str, set[int]]:
    """The values of K that all mixtures of a data set have, or all values where none is shared.

    Values that only some models have are there to show the effect of K: they take no part in other
    comparisons.
    """
    shared: dict[str, set[int]] = {}
    mixtures = table[(table.K > 1) & table.metric.notna()]
    for dataset, rows in mixtures.groupby("dataset", sort=False):
        by_model = [set(group.K) for _, group in rows.groupby("model")]
        shared[dataset] = set.intersection(*by_model) or set.union(*by_model)
    return shared


@dataclass(frozen=True)
class Question:
    """One metric of an endpoint, asked of the evidence."""

    endpoint: Endpoint
    metric: str
    evidence: Evidence
    smallest: SmallestEffect | None

    @property
    def design(self) -> Design:
        """How the two sides belong together."""
        same_runs, independent = ("chance", "scales"), ("data-sets",)
        if self.endpoint.compare in same_runs:
            return "same runs"
        return "independent" if self.endpoint.compare in independent else "seeds"

    def answers(self) -> tuple[list[Row], list[Row]]:
        """The comparisons that the suite holds runs for, with a `difference` or a `reason`.

        First those that answer: the mean over models and K, one per data set, extractor, sample
        count and varied value. Then those by model and K that such a mean is made of. Times and
        effects of K are not averaged.
        """
        cells = list(COMPARISONS[self.endpoint.compare](self))
        groups = [[cell] for cell in cells]
        if self.metric != TIME and self.design != "independent":
            keys = pd.DataFrame([cell.columns for cell in cells], columns=POOL)
            by = keys.groupby(POOL, sort=False, dropna=False).indices.values()
            groups = [[cells[i] for i in members] for members in by]
        parts = [cell for group in groups if len(group) > 1 for cell in group]
        return (
            [self._row(self._mean(group)) for group in groups],
            [self._row(cell) for cell in parts],
        )

    def rows(self, table: pd.DataFrame, metric: str | None = None) -> pd.DataFrame:
        """The rows with a value of the metric, on the kind of data, at the K that take part."""
        rows = table[(table.metric == (metric or self.metric)) & table.value.notna()]
        if self.design != "independent":
            shared = shared_components(self.evidence.table)
            pairs = zip(rows.dataset, rows.K, strict=True)
            takes_part = [pd.isna(K) or K == 1 or K in shared[name] for name, K in pairs]
            rows = rows[np.array(takes_part, bool)]
        if self.endpoint.data == "all":
            return rows
        on_points = rows.dataset.isin(self.evidence.points)
        return rows[on_points == (self.endpoint.data == "points")]

    def cells(self, rows: pd.DataFrame) -> Iterator[tuple[Row, pd.DataFrame]]:
        """({column: value}, rows) of each model and K that the endpoint means."""
        keys = ["dataset", "extractor", "model", "K", "varied", "n_fake"]
        for values, group in rows.groupby(keys, sort=False, dropna=False):
            columns = dict(zip(keys, values, strict=True))
            if self.means(columns["dataset"], columns["model"], columns["varied"]):
                yield columns, group

    def means(self, dataset: str, model: str, varied: str) -> bool:
        """True for a model that has the properties which the endpoint asks for."""
        properties = self.evidence.properties.get(dataset, {}).get((model, varied))
        return properties is not None and properties.issuperset(self.endpoint.models)

    @property
    def _ratio(self) -> bool:
        return self.smallest is not None and self.smallest.scale == "ratio"

    def _mean(self, cells: list[Cell]) -> Cell:
        """The mean over the cells that can be compared, by seed; the only cell itself."""
        tested = [cell for cell in cells if not cell.reason]
        if len(cells) == 1 or not tested:
            return cells[0]
        sides = []
        for side in ("values", "others"):
            joined = pd.concat([getattr(cell, side) for cell in tested], axis=1, join="inner")
            mean = np.exp(np.log(joined).mean(axis=1)) if self._ratio else joined.mean(axis=1)
            sides.append(mean)
        opponents = dict.fromkeys(cell.text.partition(cell.name)[2] for cell in tested)
        text = f"mean of {', '.join(cell.name for cell in tested)}{';'.join(opponents)}"
        return Cell({name: tested[0].columns[name] for name in POOL}, text, *sides)

    def _row(self, cell: Cell) -> Row:
        row = {**cell.columns, "comparison": cell.text}
        if cell.reason or cell.values is None or cell.others is None:
            return {**row, "reason": cell.reason}
        if cell.values.empty or cell.others.empty:
            return {**row, "reason": "no seed has this score in every model"}
        if self._ratio and min(cell.values.min(), cell.others.min()) <= 0:
            return {**row, "reason": "a ratio needs positive scores"}
        effect = self.smallest.effect if self.smallest else None
        if cell.budgets:
            assert effect is not None
            difference = compare_times(cell.values, cell.others, cell.budgets, effect)
            if difference.p is None and difference.seeds > 1:
                return {**row, "reason": "no run of either reached 95 % of the modes"}
            return {**row, "difference": difference}
        difference = compare(cell.values, cell.others, effect, self._ratio, self.design)
        return {**row, "difference": difference if self._ratio else self._within(difference, row)}

    def _within(self, difference: Difference, row: Row) -> Difference:
        """The difference with its interval cut off where the range of the metric ends."""
        if difference.low is None or difference.high is None:
            return difference
        low, high = metric_of(self.metric).range(self.evidence.classes.get(row["dataset"]))
        widest = high - low
        return replace(
            difference, low=max(difference.low, -widest), high=min(difference.high, widest)
        )


def _by_seed(rows: pd.DataFrame) -> pd.Series:
    return rows.set_index("seed").value


def _against_baseline(of: Question) -> Iterator[Cell]:
    return _model_pairs(of, of.rows(of.evidence.table), of.evidence.baselines.get)


def _against_kmeans(of: Question) -> Iterator[Cell]:
    return _model_pairs(of, of.rows(of.evidence.table), lambda model: "kmeans")


def _over_sweep(of: Question) -> Iterator[Cell]:
    """Model against baseline, each the mean over the scales of the sweep."""
    keys = ["dataset", "model", "K", "varied", "seed", "metric", *PROTOCOL]
    groups = of.rows(of.evidence.sweep).groupby(keys, sort=False, dropna=False)
    means = groups.value.mean().reset_index()
    for cell in _model_pairs(of, means, of.evidence.baselines.get):
        yield replace(cell, text=f"{cell.text}, mean over the sweep")


def _against_chance(of: Question) -> Iterator[Cell]:
    chances = of.rows(of.evidence.table, CHANCE)
    for columns, group in of.cells(of.rows(of.evidence.table)):
        same = chances.run.isin(group.run) & (chances.extractor == columns["extractor"])
        chance = chances[same & (chances.n_fake == columns["n_fake"])]
        cell = Cell(columns, "", _by_seed(group), _by_seed(chance))
        yield replace(cell, text=f"{cell.name} against chance ({chance.value.mean():.3f})")


def _between_scales(of: Question) -> Iterator[Cell]:
    for columns, group in of.cells(of.rows(of.evidence.sweep)):
        low, high = group.sigma_scale.min(), group.sigma_scale.max()
        sides = [_by_seed(group[group.sigma_scale == scale]) for scale in (high, low)]
        cell = Cell(columns, "", *sides)
        yield replace(cell, text=f"{cell.name}, s = {high:g} against s = {low:g}")


def _between_data_sets(of: Question) -> Iterator[Cell]:
    """Score at the largest K over score at the smallest, of data sets that have several K.

    Values of K below the number of classes or modes would cap the scores: they are left out.
    """
    rows = of.rows(of.evidence.table)
    rows = rows[(rows.K > 1) & (rows.dataset.map(of.evidence.classes).fillna(0) <= rows.K)]
    effects: dict[tuple[str, str], list[tuple[str, pd.Series]]] = {}
    by = ["model", "varied", "dataset", "extractor", "n_fake"]
    for (model, varied, dataset, *_), group in rows.groupby(by, sort=False, dropna=False):
        low, high = group.K.min(), group.K.max()
        pair = group.pivot_table(index="seed", columns="K", values="value")[[low, high]].dropna()
        if low < high and len(pair) and of.means(dataset, model, varied):
            name = f"{dataset} (K = {low} to {high})"
            effects.setdefault((model, varied), []).append((name, pair[high] / pair[low]))
    for (model, varied), by_data_set in effects.items():
        for (first, a), (second, b) in combinations(by_data_set, 2):
            columns = {"dataset": "", "extractor": "", "model": model, "varied": varied}
            yield Cell(columns, f"{model}, ratio over K: {first} against {second}", a, b)


COMPARISONS: dict[str, Callable[[Question], Iterator[Cell]]] = {
    "baseline": _against_baseline,
    "kmeans": _against_kmeans,
    "sweep": _over_sweep,
    "chance": _against_chance,
    "scales": _between_scales,
    "data-sets": _between_data_sets,
}


def _model_pairs(
    of: Question, rows: pd.DataFrame, opponent: Callable[[str], str | None]
) -> Iterator[Cell]:
    """Cells of models that have an opponent: per data set, K, varied, extractor, sample count."""
    several = rows.groupby("dataset").n_fake.nunique()
    for columns, group in of.cells(rows):
        model, dataset, n_fake = columns["model"], columns["dataset"], columns["n_fake"]
        other = opponent(model)
        if other is None or other == model:
            continue
        theirs = rows[(rows.model == other) & (rows.dataset == dataset)]
        theirs = theirs[theirs.extractor == columns["extractor"]]
        for column in ("K", "n_fake"):  # the same where they have it
            same = theirs[column] == columns[column]
            theirs = theirs[same] if same.any() else theirs
        if of.endpoint.compare == "kmeans" and theirs.empty:
            continue  # k-means clusters no such data set
        pairs = of.evidence.compared.get(dataset, {})
        twin, varied = pairs.get((model, columns["varied"]), (other, ""))
        varied = varied if twin == other else ""  # k-means varies nothing
        theirs = theirs[theirs.varied == varied]
        count = f", n = {n_fake:,}" if several.get(dataset, 1) > 1 else ""
        named = f"{other}.{varied}" if varied else other
        cell = Cell({**columns, "against": other, "against_varied": varied}, "")
        text = f"{cell.name} against {named}{count}"
        yield _compared(replace(cell, text=text), group, theirs, named, of.metric)


def _compared(
    cell: Cell, group: pd.DataFrame, theirs: pd.DataFrame, other: str, metric: str
) -> Cell:
    """The cell with its sides, or with the reason why they cannot be compared."""
    if theirs.empty:
        return replace(cell, reason=f"no run of {other} has this score")
    both = pd.concat([group, theirs])
    for name in PROTOCOL:
        if both[name].astype(str).nunique() > 1:
            return replace(cell, reason=f"the scores differ in {name} and cannot be compared")
    cell = replace(cell, values=_by_seed(group), others=_by_seed(theirs))
    if metric != TIME:
        return cell
    return replace(cell, budgets=(float(group.kimg.max()), float(theirs.kimg.max())))
