"""What the report says of one data set: its tables, figures and explorer."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from gmgan.data.points import centres
from gmgan.evaluation.clustering import BASELINES
from gmgan.evaluation.metrics import shown_metrics
from gmgan.evaluation.samples import nearest_modes
from gmgan.pipeline.artifacts import read_arrays, read_json
from gmgan.pipeline.grid import extractor_id, has_clusters
from gmgan.report import claims, explorer, figures, tables

SCATTER_POINTS = 2000
KINDS = {  # name of a table -> group of its metrics
    "scores": "samples",
    "components": "components",
    "convergence": "convergence",
    "clusters": "clusters",
}


class Section:
    """What the report says of one data set: `frames` of numbers, and `drawings` of them.

    Both are dicts by name; a drawing is a function without arguments that gives SVG. It draws the
    frame of its own name where there is one.
    """

    def __init__(self, context, dataset, cells, table, sweep):
        self.context, self.name, self.cells = context, dataset, cells
        self.entry = context.params.datasets[dataset]
        self.about = context.data_about(dataset)
        self.titles = context.params.model_titles
        order = {name: i for i, name in enumerate([*context.params.models, *BASELINES])}
        rows = table[table.dataset == dataset]
        place = rows.assign(place=rows.model.map(order).fillna(len(order)))
        self.rows = rows.loc[place.sort_values(["place", "K", "seed"], kind="stable").index]
        self.labels = {cell: tables.model_label(cell.model, cell.K, self.titles) for cell in cells}
        self.first = {}
        for cell in cells:
            self.first.setdefault((cell.model, cell.K), cell)
        self.scored = {cell: read_json(context.paths.scores(cell)) for cell in cells}
        titles = {**self.titles, **BASELINES}
        self.own = shown_metrics(self.entry.evaluation.metrics)
        self.tables = {
            kind: tables.score_tables(self.rows, group, titles, self.own)
            for kind, group in KINDS.items()
        }
        self.frames = {
            "scores": self._scores(),
            "sweep": self._sweep(sweep[sweep.dataset == dataset]),
            "effect-of-k": tables.effect_of_k(self.rows, self.titles, context.params.baselines),
            "convergence": self._convergence(),
            "components": self._components(),
            "clusters": self._clusters(),
            "training": self._histories(),
            "memorisation": self._memorisation(),
        }
        self.shared = claims.shared_components(self.rows).get(dataset, set()) | {1}
        self.drawings = self._drawings()

    def texts(self):
        """The tables as Markdown and LaTeX: {name of the file: content}."""
        found = {}
        for kind, score_tables in self.tables.items():
            for table in score_tables:
                several = f".{table.protocol['extractor']}" if len(score_tables) > 1 else ""
                name = f"{self.name}.{kind}{several}"
                found[f"{name}.md"] = tables.to_markdown(table)
                found[f"{name}.tex"] = tables.to_latex(table)
        return found

    def content(self, drawn):
        """Keywords of the page's template for this section."""
        return {
            "name": self.name,
            "title": self.entry.title,
            "about": self.about,
            "evaluation": self.entry.evaluation,
            "points": self.entry.is_points,
            "tables": self.tables,
            "unreached": self._unreached(),
            "snapshots": self.frames["convergence"].kimg.nunique(),
            "scatter_points": min(SCATTER_POINTS, self.entry.evaluation.n_fake),
            "extractors": self._extractors(),
            "grids": [] if self.entry.is_points else self._grids(),
            "figures": {name: Markup(drawn[f"{self.name}.{name}"]) for name in self.drawings},
        }

    def explore(self, cell):
        """The explorer of a run whose training ended well."""
        explored, about = self._explored(cell)
        snapshots, _ = read_arrays(self.context.paths.snapshots(cell))
        common = {
            "title": self.labels[cell],
            "dataset": self.name,
            "seed": cell.seed,
            "film_kimg": np.round(snapshots["kimg"], 3).tolist(),
            "groups": self._names_of_groups(cell, explored["sweep"].shape[1]),
        }
        if self.entry.is_points:
            packed = explorer.point_entry(explored, snapshots["samples"], self._extent())
            return common | packed
        packed = explorer.image_entry(explored, snapshots["samples"])
        return common | packed | {"memorisation": about["memorisation"]}

    def plane(self):
        """What the explorer draws around points, and the scales that it has."""
        scales = {"scales": self.entry.evaluation.sweep.sigma_scales}
        if not self.entry.is_points:
            return scales | {"image": self.about["sample_shape"][:2]}
        source = self.entry.source
        return scales | {
            "centres": centres(source).tolist(),
            "radius": 3 * source.std,
            "extent": self._extent(),
        }

    def _explored(self, cell, names=None):
        """What the stage `explore` wrote; raises GmganError if it is stale."""
        path = self.context.paths.explore(cell)
        arrays, about = read_arrays(path, names)
        self.context.refuse_stale(path, about, self.context.expected.explore(cell))
        return arrays, about

    def _names_of_groups(self, cell, count):
        """What the explorer calls the components, or the classes of a conditional generator."""
        if cell.K > 1:
            return [f"component {i}" for i in range(count)]
        if count > 1:
            return [f"class {name}" for name in self.about["classes"]]
        return []

    def _extent(self):
        """Half the side of plots of points."""
        source = self.entry.source
        return figures.extent_of(centres(source), source.std)

    def _memorisation(self):
        """Distances to the nearest training image: a row per run on images."""
        lines = []
        if not self.entry.is_points:
            for cell in self.cells:
                _, about = self._explored(cell, names=[])
                lines.append(
                    {
                        "title": self.labels[cell],
                        "seed": cell.seed,
                        **about.get("memorisation", {}),
                    }
                )
        columns = ["title", "seed", "generated", "held_out", "n_generated", "n_held_out"]
        return pd.DataFrame(lines, columns=columns)

    def _extractors(self):
        params, paths, found = self.context.params, self.context.paths, []
        for name in self.entry.evaluation.extractors:
            about = read_json(paths.extractor_about(extractor_id(params, self.name, name)))
            found.append({"name": name, **about})
        return found

    def _scores(self):
        by = ["metric", "model", "K", "extractor", "split", "n_real", "n_fake"]
        return tables.over_seeds(self.rows[self.rows.metric.notna()], by)

    def _sweep(self, points):
        points = points.assign(title=self._labels_of(points))
        return tables.over_seeds(points, ["extractor", "metric", "title", "sigma_scale", "n_fake"])

    def _labels_of(self, rows):
        pairs = zip(rows.model, rows.K, strict=True)
        return [tables.model_label(model, K, self.titles) for model, K in pairs]

    def _convergence(self):
        lines = [
            {"title": self.labels[cell], "kimg": point["kimg"], "metric": metric, "value": value}
            for cell, scored in self.scored.items()
            for point in scored.get("convergence", [])
            for metric, value in point.items()
            if metric != "kimg"
        ]
        columns = ["title", "metric", "kimg", "value"]
        return tables.over_seeds(pd.DataFrame(lines, columns=columns), columns[:3])

    def _unreached(self):
        """For each model, how many seeds never reached 95 % of the modes."""
        counts = {}
        for cell, scored in self.scored.items():
            if not scored.get("reached_95_modes", True):
                counts[self.labels[cell]] = counts.get(self.labels[cell], 0) + 1
        return counts

    def _components(self):
        lines = []
        for cell, scored in self.scored.items():
            for extractor, counts in scored.get("groups", {}).items():
                if len(counts) > 1:
                    lines += self._counts(cell, counts, {"extractor": extractor})
        columns = ["extractor", "title", "seed", "group", "class", "count"]
        return pd.DataFrame(lines, columns=columns)

    def _clusters(self):
        lines = []
        for cell in self.cells:
            if has_clusters(self.context.params, cell):
                counts = read_json(self.context.paths.clusters(cell))["table"]
                lines += self._counts(cell, counts or [], {})
        return pd.DataFrame(lines, columns=["title", "seed", "group", "class", "count"])

    def _counts(self, cell, counts, common):
        """A line per component (or requested class) and class of the data set."""
        names = [name.removeprefix("mode ") for name in self.about["classes"]]
        return [
            {
                **common,
                "title": self.labels[cell],
                "seed": cell.seed,
                "group": group if cell.K > 1 else names[group],
                "class": name,
                "count": count,
            }
            for group, row in enumerate(counts)
            for name, count in zip(names, row, strict=True)
        ]

    def _histories(self):
        columns = ["kimg", "loss_d", "loss_g", "d_real", "d_fake"]
        histories = [
            pd.read_csv(self.context.paths.history(cell))[columns].assign(
                title=self.labels[cell], seed=cell.seed
            )
            for cell in self.cells
        ]
        return pd.concat(histories, ignore_index=True)[["title", "seed", *columns]]

    def _drawings(self):
        frames = self.frames
        cells = [(self.labels[cell], model, K) for (model, K), cell in self.first.items()]
        by_model = [(self.titles[model], model, K) for _, model, K in cells]
        styles = figures.looks(by_model) | figures.looks(cells)
        main = [label for label, _, K in cells if K in self.shared]
        draw = {
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

    def _grids(self):
        """The sample grid of each model's first seed."""
        return [
            {
                "title": f"{self.labels[cell]} (seed {cell.seed})",
                "address": figures.png_address(Path(self.context.paths.preview(cell)).read_bytes()),
            }
            for cell in self.first.values()
        ]

    def _scatters(self):
        modes = centres(self.entry.source)
        panels = []
        for cell in self.first.values():
            arrays, _ = read_arrays(self.context.paths.samples(cell))
            if not len(arrays["samples"]):
                continue
            points = arrays["samples"][:SCATTER_POINTS]
            colour = arrays["component"][:SCATTER_POINTS]
            if cell.K == 1 and (arrays["class"] >= 0).all():
                colour = arrays["class"][:SCATTER_POINTS]
            panels.append((f"{self.labels[cell]} (seed {cell.seed})", points, colour))
        held_out = self.context.data(self.name, ["test"])["test"][:SCATTER_POINTS]
        panels.append(("real data, by mode", held_out, nearest_modes(held_out, modes)[0]))
        return figures.scatters(panels, modes, self.entry.source.std)
