"""Write results/report.html, its figures and its tables, from the score tables and the runs."""

from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from gmgan.artifacts import provenance, read_arrays, read_json, write_text
from gmgan.errors import GmganError
from gmgan.grid import extractor_id, has_clusters, suite_runs
from gmgan.metrics.clustering import BASELINES
from gmgan.metrics.modes import nearest_modes
from gmgan.report import claims, figures, page, published, tables
from gmgan.stages.context import Context

SCATTER_POINTS = 2000
KINDS = {
    "scores": tables.SAMPLES,
    "components": tables.COMPONENTS,
    "convergence": tables.CONVERGENCE,
    "clusters": tables.CLUSTERS,
}


def run(context: Context, suite: str):
    """Write the page, results/figures/*.svg and results/tables/*.csv.

    Raises GmganError if the score table belongs to another state of params or code.
    """
    runs = suite_runs(context.params, suite)
    table, sweep = _score_table(context, runs), _read_table(context.paths.tradeoff_table())
    trained = {cell: read_json(context.paths.train_about(cell)) for cell in runs}
    order = list(context.params.models)
    runs = sorted(runs, key=lambda cell: (order.index(cell.model), cell.K, cell.seed))
    by_dataset = {dataset: [] for dataset in dict.fromkeys(cell.dataset for cell in runs)}
    for cell in runs:
        by_dataset[cell.dataset].append(cell)
    sections = [
        Section(context, dataset, cells, table, sweep) for dataset, cells in by_dataset.items()
    ]
    verdicts = _verdicts(context, table, sweep)
    kinds = {name: context.params.datasets[name].source.kind for name in by_dataset}
    beside = published.beside(published.load_published(), table, kinds, _titles(context))
    frames = {"claims": verdicts, "published": beside}
    drawn = {}
    for section in sections:
        frames |= {f"{section.name}.{name}": frame for name, frame in section.frames.items()}
        drawn |= {f"{section.name}.{name}": svg for name, svg in section.figures.items()}
    texts = {f"{name}.csv": frame.to_csv(index=False) for name, frame in frames.items()}
    for section in sections:
        texts |= section.texts()
    _write_folder(context.paths.tables(), texts)
    _write_folder(context.paths.figures(), {f"{name}.svg": svg for name, svg in drawn.items()})
    write_text(
        context.paths.report(),
        page.render(
            suite=suite,
            title=context.params.suites[suite].title,
            sections=[section.content() for section in sections],
            claims=_claim_rows(verdicts),
            published=_published_rows(beside),
            runs=[_run_row(cell, trained[cell], table) for cell in runs],
            provenance=provenance(),
            seeds=sorted({cell.seed for cell in runs}),
            machines=_machines(trained.values()),
            train_seconds=sum(about["seconds"] for about in trained.values()),
        ),
    )


class Section:
    """What the report says of one data set: `frames` of numbers and the `figures` drawn from them.

    Both are dicts by name; a figure is drawn from the frame of its own name where there is one.
    """

    def __init__(self, context, dataset, cells, table, sweep):
        self.context, self.name, self.cells = context, dataset, cells
        self.entry = context.params.datasets[dataset]
        self.about = context.data_about(dataset)
        self.titles = _titles(context)
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
        own = _own_labels(self.entry.evaluation.metrics)
        wanted = {**KINDS, "scores": [*tables.SAMPLES, *own]}
        self.tables = {
            kind: tables.score_tables(self.rows, metrics, titles, tables.METRICS | own)
            for kind, metrics in wanted.items()
        }
        self.frames = {
            "scores": self._scores(),
            "sweep": self._sweep(sweep[sweep.dataset == dataset]),
            "effect-of-k": tables.effect_of_k(self.rows, self.titles, _baselines(context)),
            "convergence": self._convergence(),
            "components": self._components(),
            "clusters": self._clusters(),
            "training": self._histories(),
        }
        self.shared = claims.shared_components(self.rows).get(dataset, set()) | {1}
        self.figures = self._draw()

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

    def content(self):
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
            "extractors": _extractors(self.context, self.name),
            "grids": [] if self.entry.is_points else self._grids(),
            "figures": {name: Markup(svg) for name, svg in self.figures.items()},
        }

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

    def _draw(self):
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
        drawn = {name: make(frames[name]) for name, make in draw.items() if len(frames[name])}
        if self.entry.is_points:
            drawn["samples"] = self._scatters()
        return drawn

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
        centres = np.array(self.entry.source.centres)
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
        panels.append(("real data, by mode", held_out, nearest_modes(held_out, centres)[0]))
        return figures.scatters(panels, centres, self.entry.source.std)


def _write_folder(folder, texts):
    """Write `texts` (name -> content) and remove what an earlier report left beside them."""
    for name, text in texts.items():
        write_text(folder / name, text)
    for path in folder.iterdir():
        if path.name not in texts:
            path.unlink()


def _titles(context):
    return {name: model.title for name, model in context.params.models.items()}


def _own_labels(metrics):
    """Labels of metrics of the user's own, as those of the built-in ones."""
    direction = {"higher": 1, "lower": -1, None: 0}
    return {
        name: (entry.title, direction[entry.better], 3, False) for name, entry in metrics.items()
    }


def _baselines(context):
    models = context.params.models
    return {name: model.baseline for name, model in models.items() if model.baseline}


def _verdicts(context, table, sweep):
    points = {name for name, dataset in context.params.datasets.items() if dataset.is_points}
    evidence = claims.Evidence(table, sweep, _baselines(context), points)
    return claims.evaluate(claims.load_claims(), evidence)


def _claim_rows(verdicts):
    """For each claim its verdict and the comparisons behind it, fit for the page."""
    rows = []
    for claim in claims.load_claims():
        found = verdicts[verdicts.claim == claim["id"]]
        compared = found[found.comparison.notna()]
        rows.append(
            {
                **claim,
                "verdict": claims.summarise(found.verdict),
                "counts": compared.verdict.value_counts().to_dict(),
                "reason": "" if len(compared) else found.reason.iloc[0],
                "comparisons": _records(compared),
            }
        )
    return rows


def _published_rows(beside):
    rows = _records(beside)
    for row in rows:
        row["metric_label"] = tables.label_of(row["metric"])[0]
        row["published_text"] = published.text_of(row["metric"], row["published"], row["spread"])
        row["ours_text"] = published.text_of(row["metric"], row["ours"], row["interval95"])
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


def _extractors(context, dataset):
    return [
        {
            "name": name,
            **read_json(context.paths.extractor_about(extractor_id(context.params, dataset, name))),
        }
        for name in context.params.datasets[dataset].evaluation.extractors
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
