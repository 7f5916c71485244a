"""What the report says of one data set: its tables, figures and explorer."""

import io
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from gmgan.config.params import Dataset
from gmgan.config.run import Run
from gmgan.config.settings import ReportSettings
from gmgan.data.points import centres
from gmgan.data.splits import Splits
from gmgan.evaluation.clustering import BASELINES
from gmgan.evaluation.metrics import shown_metrics
from gmgan.evaluation.samples import nearest_modes
from gmgan.records import (
    Clusters,
    DataDescription,
    Explored,
    ExtractorDescription,
    Generated,
    Scores,
    Snapshots,
    Stored,
)
from gmgan.report import claims, explorer, figures, tables

SCATTER_POINTS = 2000
KINDS = {  # name of a table -> group of its metrics
    "scores": "samples",
    "components": "components",
    "convergence": "convergence",
    "clusters": "clusters",
}


@dataclass(frozen=True)
class Material:
    """The records that sections are made of, by run or data set; loaded when they are used."""

    scores: Stored[Run, Scores]
    clusters: Stored[Run, Clusters]
    histories: Stored[Run, str]
    snapshots: Stored[Run, Snapshots]
    previews: Stored[Run, bytes]
    samples: Stored[Run, Generated]
    explored: Stored[Run, Explored]
    data: Stored[str, Splits]
    descriptions: Stored[str, DataDescription]
    extractors: Stored[str, dict[str, ExtractorDescription]]


class Section:
    """What the report says of one data set: `frames` of numbers, and `drawings` of them.

    Both are dicts by name; a drawing is a function without arguments that gives SVG. It draws the
    frame of its own name where there is one.
    """

    def __init__(
        self,
        name: str,
        runs: list[Run],
        table: pd.DataFrame,
        sweep: pd.DataFrame,
        material: Material,
        settings: ReportSettings,
    ):
        self.name, self.runs, self.material = name, runs, material
        self.entry: Dataset = settings.datasets[name]
        self.description = material.descriptions[name]
        self.titles = settings.titles
        order = {model: i for i, model in enumerate([*settings.models, *BASELINES])}
        rows = table[table.dataset == name]
        place = rows.assign(place=rows.model.map(order).fillna(len(order)))
        self.rows = rows.loc[place.sort_values(["place", "K", "seed"], kind="stable").index]
        self.labels = {run: tables.model_label(run.model, run.K, self.titles) for run in runs}
        self.first: dict[tuple[str, int], Run] = {}
        for run in runs:
            self.first.setdefault((run.model, run.K), run)
        self.scored = {run: material.scores[run] for run in runs}
        self.own = shown_metrics(self.entry.evaluation.metrics)
        self.tables = self._tables()
        self.frames = {
            "scores": self._scores(),
            "sweep": self._sweep(sweep[sweep.dataset == name]),
            "effect-of-k": tables.effect_of_k(self.rows, self.titles, settings.baselines),
            "convergence": self._convergence(),
            "components": self._components(),
            "clusters": self._clusters(),
            "training": self._histories(),
            "memorisation": self._memorisation(),
        }
        self.shared = claims.shared_components(self.rows).get(name, set()) | {1}
        self.drawings = self._drawings()

    def texts(self) -> dict[str, str]:
        """The tables as Markdown and LaTeX: {name of the file: content}."""
        texts = {}
        for kind, score_tables in self.tables.items():
            for table in score_tables:
                several = f".{table.protocol['extractor']}" if len(score_tables) > 1 else ""
                name = f"{self.name}.{kind}{several}"
                texts[f"{name}.md"] = tables.to_markdown(table)
                texts[f"{name}.tex"] = tables.to_latex(table)
        return texts

    def content(self, drawn: dict[str, str]) -> dict[str, Any]:
        """Keywords of the page's template for this section; drawn: {name of the figure: SVG}."""
        return {
            "name": self.name,
            "title": self.entry.title,
            "about": self.description,
            "evaluation": self.entry.evaluation,
            "points": self.entry.is_points,
            "tables": self.tables,
            "unreached": self._unreached(),
            "snapshots": self.frames["convergence"].kimg.nunique(),
            "scatter_points": min(SCATTER_POINTS, self.entry.evaluation.n_fake),
            "extractors": [
                {"name": name, **asdict(description)}
                for name, description in self.material.extractors[self.name].items()
            ],
            "grids": [] if self.entry.is_points else self._grids(),
            "figures": {name: Markup(drawn[f"{self.name}.{name}"]) for name in self.drawings},
        }

    def explore(self, run: Run) -> dict[str, Any]:
        """The explorer of a run whose training ended well."""
        explored, snapshots = self.material.explored[run], self.material.snapshots[run]
        assert explored.sweep is not None
        common = {
            "title": self.labels[run],
            "dataset": self.name,
            "seed": run.seed,
            "film_kimg": np.round(snapshots.kimg, 3).tolist(),
            "groups": self._names_of_groups(run, explored.sweep.shape[1]),
        }
        if self.entry.is_points:
            return common | explorer.point_entry(explored, snapshots.samples, self._extent())
        assert explored.memorisation is not None
        memorisation = {"memorisation": asdict(explored.memorisation)}
        return common | explorer.image_entry(explored, snapshots.samples) | memorisation

    def plane(self) -> dict[str, Any]:
        """What the explorer draws around points, and the scales that it has."""
        scales = {"scales": self.entry.evaluation.sweep.sigma_scales}
        if not self.entry.is_points:
            return scales | {"image": self.description.sample_shape[:2]}
        modes, std = centres(self.entry.source), self._std()
        return scales | {"centres": modes.tolist(), "radius": 3 * std, "extent": self._extent()}

    def _tables(self) -> dict[str, list[tables.ScoreTable]]:
        titles = {**self.titles, **BASELINES}
        return {
            kind: tables.score_tables(self.rows, group, titles, self.own)
            for kind, group in KINDS.items()
        }

    def _names_of_groups(self, run: Run, count: int) -> list[str]:
        """What the explorer calls the components, or the classes of a conditional generator."""
        if run.K > 1:
            return [f"component {i}" for i in range(count)]
        if count > 1:
            return [f"class {name}" for name in self.description.classes]
        return []

    def _extent(self) -> float:
        """Half the side of plots of points."""
        return figures.extent_of(centres(self.entry.source), self._std())

    def _std(self) -> float:
        """Standard deviation of each mode of points."""
        std = getattr(self.entry.source, "std", None)
        assert std is not None
        return std

    def _memorisation(self) -> pd.DataFrame:
        """Distances to the nearest training image: a row per run on images."""
        lines = []
        for run in [] if self.entry.is_points else self.runs:
            memorisation = self.material.explored[run].memorisation
            common = {"title": self.labels[run], "seed": run.seed}
            lines.append(common | (asdict(memorisation) if memorisation else {}))
        columns = ["title", "seed", "generated", "held_out", "n_generated", "n_held_out"]
        return pd.DataFrame(lines, columns=columns)

    def _scores(self) -> pd.DataFrame:
        by = ["metric", "model", "K", "extractor", "split", "n_real", "n_fake"]
        return tables.over_seeds(self.rows[self.rows.metric.notna()], by)

    def _sweep(self, points: pd.DataFrame) -> pd.DataFrame:
        pairs = zip(points.model, points.K, strict=True)
        labels = [tables.model_label(model, K, self.titles) for model, K in pairs]
        by = ["extractor", "metric", "title", "sigma_scale", "n_fake"]
        return tables.over_seeds(points.assign(title=labels), by)

    def _convergence(self) -> pd.DataFrame:
        lines = [
            {"title": self.labels[run], "kimg": point.kimg, "metric": metric, "value": value}
            for run, scored in self.scored.items()
            for point in scored.convergence
            for metric, value in asdict(point).items()
            if metric != "kimg"
        ]
        columns = ["title", "metric", "kimg", "value"]
        return tables.over_seeds(pd.DataFrame(lines, columns=columns), columns[:3])

    def _unreached(self) -> dict[str, int]:
        """How many seeds of each model never reached 95 % of the modes."""
        counts: dict[str, int] = {}
        for run, scored in self.scored.items():
            if scored.reached_95_modes is False:
                counts[self.labels[run]] = counts.get(self.labels[run], 0) + 1
        return counts

    def _components(self) -> pd.DataFrame:
        lines: list[dict[str, Any]] = []
        for run, scored in self.scored.items():
            for extractor, counts in scored.groups.items():
                if len(counts) > 1:
                    lines += self._counts(run, counts, extractor=extractor)
        columns = ["extractor", "title", "seed", "group", "class", "count"]
        return pd.DataFrame(lines, columns=columns)

    def _clusters(self) -> pd.DataFrame:
        lines: list[dict[str, Any]] = []
        for run in self.runs:
            if run in self.material.clusters:
                lines += self._counts(run, self.material.clusters[run].table or [])
        return pd.DataFrame(lines, columns=["title", "seed", "group", "class", "count"])

    def _counts(self, run: Run, counts: list[list[int]], **common: Any) -> list[dict[str, Any]]:
        """A line per component (or requested class) and class of the data set."""
        names = [name.removeprefix("mode ") for name in self.description.classes]
        return [
            {
                **common,
                "title": self.labels[run],
                "seed": run.seed,
                "group": group if run.K > 1 else names[group],
                "class": name,
                "count": count,
            }
            for group, row in enumerate(counts)
            for name, count in zip(names, row, strict=True)
        ]

    def _histories(self) -> pd.DataFrame:
        columns = ["kimg", "loss_d", "loss_g", "d_real", "d_fake"]
        histories = [
            pd.read_csv(io.StringIO(self.material.histories[run]))[columns].assign(
                title=self.labels[run], seed=run.seed
            )
            for run in self.runs
        ]
        return pd.concat(histories, ignore_index=True)[["title", "seed", *columns]]

    def _drawings(self) -> dict[str, Callable[[], str]]:
        frames = self.frames
        shown = [(self.labels[run], model, K) for (model, K), run in self.first.items()]
        by_model = [(self.titles[model], model, K) for _, model, K in shown]
        styles = figures.looks(by_model) | figures.looks(shown)
        main = [label for label, _, K in shown if K in self.shared]
        draw: dict[str, Callable[[pd.DataFrame], str]] = {
            "sweep": lambda frame: figures.sweep(frame[frame.title.isin(main)], styles),
            "effect-of-k": lambda frame: figures.effect_of_k(frame, styles),
            "convergence": lambda frame: figures.convergence(frame[frame.title.isin(main)], styles),
            "components": lambda frame: figures.contingencies(
                frame[frame.seed == frame.seed.min()], "component or requested class", "class"
            ),
            "clusters": lambda frame: figures.contingencies(
                frame[frame.seed == frame.seed.min()], "component", "class"
            ),
            "training": figures.training_curves,
        }
        drawings: dict[str, Callable[[], str]] = {
            name: partial(make, frames[name]) for name, make in draw.items() if len(frames[name])
        }
        if self.entry.is_points:
            drawings["samples"] = self._scatters
        return drawings

    def _grids(self) -> list[dict[str, str]]:
        """The sample grid of each model's first seed."""
        return [
            {
                "title": f"{self.labels[run]} (seed {run.seed})",
                "address": figures.png_address(self.material.previews[run]),
            }
            for run in self.first.values()
        ]

    def _scatters(self) -> str:
        modes = centres(self.entry.source)
        panels = []
        for run in self.first.values():
            generated = self.material.samples[run]
            if not len(generated.samples):
                continue
            by_class = run.K == 1 and (generated.classes >= 0).all()
            colour = generated.classes if by_class else generated.components
            title = f"{self.labels[run]} (seed {run.seed})"
            panels.append((title, generated.samples[:SCATTER_POINTS], colour[:SCATTER_POINTS]))
        held_out = self.material.data[self.name].test[:SCATTER_POINTS]
        panels.append(("real data, by mode", held_out, nearest_modes(held_out, modes)[0]))
        return figures.scatters(panels, modes, self._std())


def by_dataset(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs of each data set, in order."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.dataset, []).append(run)
    return groups
