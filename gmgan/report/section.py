"""What the report says of one data set: its tables, figures and explorer."""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from gmgan import records
from gmgan.config.params import Dataset
from gmgan.config.run import Run
from gmgan.config.settings import ReportSettings
from gmgan.data.points import centres
from gmgan.data.splits import Splits
from gmgan.evaluation.clustering import BASELINES
from gmgan.evaluation.metrics import shown_metrics
from gmgan.evaluation.samples import nearest_modes
from gmgan.records import Stored
from gmgan.report import explorer, figures, tables
from gmgan.report.comparisons import shared_components
from gmgan.report.effect_figures import effects_of
from gmgan.report.style import MOST_LINES, looks, png_address

SCATTER_POINTS = 2000
SCORES = ["metric", "model", "K", "varied", "extractor", "split", "n_real", "n_fake"]
COUNTS = ["title", "seed", "group", "class", "count"]  # columns of tables of counts
KINDS = {  # name of a table -> group of its metrics
    "scores": "samples",
    "components": "components",
    "convergence": "convergence",
    "clusters": "clusters",
}


@dataclass(frozen=True)
class Material:
    """The records that sections are made of, by run or data set; loaded when they are used."""

    scores: Stored[Run, records.Scores]
    clusters: Stored[Run, records.Clusters]
    histories: Stored[Run, str]
    snapshots: Stored[Run, records.Snapshots]
    previews: Stored[Run, bytes]
    samples: Stored[Run, records.Generated]
    explored: Stored[Run, records.Explored]
    data: Stored[str, Splits]
    descriptions: Stored[str, records.DataDescription]
    extractors: Stored[str, dict[str, records.ExtractorDescription]]
    floors: Stored[str, records.Floor]


class Section:
    """`frames` of numbers and `drawings` of them, both by name.

    A drawing is a function that gives SVG: of the frame of its own name where there is one.
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
        self.titles, labels = settings.titles, {**settings.titles, **BASELINES}
        models = [*settings.models, *BASELINES]
        self.rows = tables.in_suite_order(table[table.dataset == name], runs, models)
        self.labels = tables.run_labels(runs, settings.parameters, self.titles)
        self.first: dict[tuple[str, int, str], Run] = {}
        for run in runs:
            self.first.setdefault((run.model, run.K, run.varied), run)
        self.row_labels = {key: self.labels[run] for key, run in self.first.items()}
        self.scored = {run: material.scores[run] for run in runs}
        self.own = shown_metrics(self.entry.evaluation.metrics)
        classes = len(self.description.classes) or None
        self.tables = {
            kind: tables.score_tables(self.rows, group, labels, self.own, self.row_labels, classes)
            for kind, group in KINDS.items()
        }
        self.frames = {
            "scores": tables.over_seeds(self.rows[self.rows.metric.notna()], SCORES),
            "sweep": self._sweep(sweep[sweep.dataset == name]),
            "convergence": self._convergence(),
            "components": self._components(),
            "clusters": self._clusters(),
            "training": self._histories(),
            "memorisation": self._memorisation(),
        }
        varying, compared = list(settings.parameters), settings.compared_on(name)
        self.effects = list(effects_of(self.rows, varying, self.titles, compared))
        self.frames |= {effect.name: effect.scores for effect in self.effects}
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
            "anchors": self.material.floors[self.name].anchors,
            "unreached": self._unreached(),
            "snapshots": self.frames["convergence"].kimg.nunique(),
            "scatter_points": min(SCATTER_POINTS, self.entry.evaluation.n_fake),
            "extractors": [
                {"name": name, **asdict(description)}
                for name, description in self.material.extractors[self.name].items()
            ],
            "grids": [] if self.entry.is_points else self._grids(),
            "effects": self.effects,
            "lines": (len(self._main()), len(self.first)),
            "strips": [] if self.entry.is_points else self._strips(),
            "figures": {name: Markup(drawn[f"{self.name}.{name}"]) for name in self.drawings},
        }

    def explore(self, run: Run) -> dict[str, Any]:
        """The explorer of a run whose training ended well."""
        explored, snapshots = self.material.explored[run], self.material.snapshots[run]
        assert explored.sweep is not None
        entry = {
            "title": self.labels[run],
            "dataset": self.name,
            "seed": run.seed,
            "film_kimg": np.round(snapshots.kimg, 3).tolist(),
            "groups": self._names_of_groups(run, explored.sweep.shape[1]),
        }
        if self.entry.is_points:
            return entry | explorer.point_entry(explored, snapshots.samples, self._extent())
        return entry | explorer.image_entry(explored, snapshots.samples)

    def plane(self) -> dict[str, Any]:
        """What the explorer draws around points, and the scales that it has."""
        scales = {"scales": self.entry.evaluation.sweep.sigma_scales}
        if not self.entry.is_points:
            return scales | {"image": self.description.sample_shape[:2]}
        modes, std = centres(self.entry.source), self._std()
        return scales | {"centres": modes.tolist(), "radius": 3 * std, "extent": self._extent()}

    def _names_of_groups(self, run: Run, count: int) -> list[str]:
        """What the explorer calls the components, or the classes of a conditional generator."""
        if run.K > 1:
            return [f"component {i}" for i in range(count)]
        return [f"class {name}" for name in self.description.classes] if count > 1 else []

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

    def _sweep(self, points: pd.DataFrame) -> pd.DataFrame:
        keys = zip(points.model, points.K, points.varied, strict=True)
        titles = [self.row_labels[key] for key in keys]
        by = ["extractor", "metric", "title", "sigma_scale", "n_fake"]
        return tables.over_seeds(points.assign(title=titles), by)

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

    def _unreached(self) -> dict[str, tuple[int, int]]:
        """How many seeds of each model never reached 95 % of the modes, and how many it has."""
        unreached = (run for run in self.runs if self.scored[run].reached_95_modes is False)
        seeds = Counter(self.labels[run] for run in self.runs)
        counts = Counter(self.labels[run] for run in unreached)
        return {label: (count, seeds[label]) for label, count in counts.items()}

    def _components(self) -> pd.DataFrame:
        lines = [
            {"extractor": extractor, **line}
            for run, scored in self.scored.items()
            for extractor, counts in scored.groups.items()
            if len(counts) > 1
            for line in self._counts(run, counts)
        ]
        return pd.DataFrame(lines, columns=["extractor", *COUNTS])

    def _clusters(self) -> pd.DataFrame:
        clusters = self.material.clusters
        runs = [run for run in self.runs if run in clusters]
        lines = [line for run in runs for line in self._counts(run, clusters[run].table or [])]
        return pd.DataFrame(lines, columns=COUNTS)

    def _counts(self, run: Run, counts: list[list[int]]) -> Iterator[dict[str, Any]]:
        """A line, as COUNTS, per component (or requested class) and class of the data set."""
        names = [name.removeprefix("mode ") for name in self.description.classes]
        for i, row in enumerate(counts):
            group = i if run.K > 1 else names[i]
            for name, count in zip(names, row, strict=True):
                values = (self.labels[run], run.seed, group, name, count)
                yield dict(zip(COUNTS, values, strict=True))

    def _histories(self) -> pd.DataFrame:
        columns = ["kimg", "loss_d", "loss_g", "d_real", "d_fake"]
        histories = []
        for run in self.runs:
            history = pd.read_csv(io.StringIO(self.material.histories[run]))
            histories.append(history.assign(title=self.labels[run], seed=run.seed))
        return pd.concat(histories, ignore_index=True)[["title", "seed", *columns]]

    def _drawings(self) -> dict[str, Callable[[], str]]:
        models = [(self.titles[model], (model, ""), K) for model, K, _ in self.first]
        shown = [(self.row_labels[key], (key[0], key[2]), key[1]) for key in self.first]
        styles, main = looks([*models, *shown]), self._main()

        def of_main(frame: pd.DataFrame) -> pd.DataFrame:
            return frame[frame.title.isin(main)]

        def contingencies(frame: pd.DataFrame, label: str) -> str:
            first = frame[frame.seed == frame.groupby("title").seed.transform("min")]
            return figures.contingencies(first, label)

        draw: dict[str, Callable[[pd.DataFrame], str]] = {
            "sweep": lambda frame: figures.sweep(of_main(frame), styles),
            "convergence": lambda frame: figures.convergence(of_main(frame), styles),
            "components": lambda frame: contingencies(frame, "component or requested class"),
            "clusters": lambda frame: contingencies(frame, "component"),
            "training": figures.training_curves,
        }
        frames = {name: self.frames[name] for name in draw if len(self.frames[name])}
        drawings: dict[str, Callable[[], str]]
        drawings = {name: partial(draw[name], frame) for name, frame in frames.items()}
        drawings |= {effect.name: effect.draw for effect in self.effects}
        return drawings | ({"samples": self._scatters} if self.entry.is_points else {})

    def _main(self) -> list[str]:
        """The labels that figures with a line per model show: of K that all models share.

        Where there are more than colours: those without varied values, or the first ones.
        """
        shared = shared_components(self.rows).get(self.name, set()) | {1}
        main = [key for key in self.first if key[1] in shared]
        plain = [key for key in main if not key[2]] if len(main) > MOST_LINES else main
        return [self.row_labels[key] for key in (plain or main)[:MOST_LINES]]

    def _grids(self) -> list[dict[str, str]]:
        """The sample grid of each model's first seed."""
        pictures = {run: self.material.previews[run] for run in self.first.values()}
        return [
            {"title": self._title(run), "address": png_address(picture)}
            for run, picture in pictures.items()
        ]

    def _strips(self) -> list[dict[str, str]]:
        """A few held-out real images, and samples of each model's first seed."""
        runs = list(self.first.values())
        samples = {self._title(run): self.material.samples[run].samples for run in runs}
        return explorer.strips(self.material.data[self.name].test, samples)

    def _scatters(self) -> str:
        modes, most = centres(self.entry.source), SCATTER_POINTS
        panels = []
        for run in self.first.values():
            generated = self.material.samples[run]
            by_class = run.K == 1 and (generated.class_ >= 0).all()
            colour = generated.class_ if by_class else generated.component
            if len(colour):
                panels.append((self._title(run), generated.samples[:most], colour[:most]))
        held_out = self.material.data[self.name].test[:most]
        panels.append(("real data, by mode", held_out, nearest_modes(held_out, modes)[0]))
        return figures.scatters(panels, modes, self._std())

    def _title(self, run: Run) -> str:
        return f"{self.labels[run]} (seed {run.seed})"
