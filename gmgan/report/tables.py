"""From the tidy score tables to the tables and the figures' data of the report."""

from dataclasses import dataclass, field, replace

import pandas as pd

from gmgan.report.statistics import holm, mean_interval, paired_test

# In order of display: label, direction (1: higher is better, -1: lower), digits, in [0, 1] or not.
METRICS = {
    "modes_captured": ("modes captured", 1, 1, False),
    "high_quality_share": ("high-quality share", 1, 3, True),
    "frechet_distance": ("Fréchet distance", -1, 4, False),
    "inception_score": ("Inception Score", 1, 2, False),
    "fid": ("FID", -1, 2, False),
    "kid": ("KID", -1, 4, False),
    "quality": ("quality", 1, 3, True),
    "diversity": ("diversity", 1, 3, True),
    "quality_diversity": ("quality and diversity", 1, 3, True),
    "diversity_intra": ("diversity, within pairs", 1, 3, True),
    "diversity_inter": ("diversity, over classes", 1, 3, True),
    "precision_k3": ("precision (k = 3)", 1, 3, True),
    "recall_k3": ("recall (k = 3)", 1, 3, True),
    "density_k5": ("density (k = 5)", 0, 3, False),
    "coverage_k5": ("coverage (k = 5)", 1, 3, True),
    "class_accuracy": ("class accuracy", 1, 3, True),
    "component_purity": ("component purity", 1, 3, True),
    "component_acc": ("component accuracy, one-to-one", 1, 3, True),
    "kimg_to_95_modes": ("kimg to 95 % of modes", -1, 0, False),
    "high_quality_over_training": ("high-quality share, mean over training", 1, 3, True),
    "cluster_acc": ("ACC (one-to-one)", 1, 3, True),
    "cluster_purity": ("purity", 1, 3, True),
    "cluster_nmi": ("NMI", 1, 3, True),
    "cluster_ari": ("ARI", 1, 3, False),
}
COMPONENTS = ["class_accuracy", "component_purity", "component_acc"]
CONVERGENCE = ["kimg_to_95_modes", "high_quality_over_training"]
CLUSTERS = ["cluster_acc", "cluster_purity", "cluster_nmi", "cluster_ari"]
SAMPLES = [name for name in METRICS if name not in {*COMPONENTS, *CONVERGENCE, *CLUSTERS}]
AGAINST_K = [
    "inception_score",
    "fid",
    "frechet_distance",
    "high_quality_share",
    "quality",
    "diversity",
    "component_acc",
    "cluster_acc",
    "cluster_nmi",
]
FLOOR = "real"


@dataclass(frozen=True)
class Cell:
    """One number of a table: mean over seeds, half width of its 95 % interval, seeds, text.

    `mark`: `best` in its column, `close` if not significantly worse than the best, else empty.
    `key`: which rows of the score table it is made of.
    """

    mean: float | None
    half: float | None
    seeds: int
    text: str
    mark: str = ""
    key: dict = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one data set under one extractor.

    columns: (metric, label, direction); rows: (label, is floor, cells). Every number of one table
    shares the protocol: n_real, n_fake, extractor, its hash and the split. The floor may have a
    smaller n, and FID may be repeated at other counts; the labels then say so.
    """

    protocol: dict
    columns: list
    rows: list


def label_of(metric, labels=METRICS):
    """(label, direction, digits, in [0, 1]); unknown metrics are shown under their own name."""
    return labels.get(metric, (metric.replace("_", " "), 0, 3, False))


def own_labels(metrics):
    """Labels, as in METRICS, of scores of the user's own: the entries of evaluation.metrics."""
    direction = {"higher": 1, "lower": -1, None: 0}
    return {
        name: (entry.title, direction[entry.better], 3, False) for name, entry in metrics.items()
    }


def model_label(model, K, titles):
    """The title of a model with its number of components."""
    components = f", K = {K}" if pd.notna(K) and K > 1 else ""
    return f"{titles.get(model, model)}{components}"


def score_tables(rows: pd.DataFrame, wanted: list, titles: dict, labels=METRICS) -> list:
    """One ScoreTable per extractor from the rows of one data set; `wanted` metrics, in order.

    titles (dict): a model's name -> its title; labels (dict): as METRICS.
    """
    rows = rows[rows.metric.isin(wanted)]
    found = []
    for _, group in rows.groupby("extractor", sort=False):
        runs, floor = group[group.model != FLOOR], group[group.model == FLOOR]
        if runs.empty:
            continue
        most = runs.n_fake.max()
        main = runs[runs.n_fake.eq(most) | runs.n_fake.isna()]
        protocol = {
            name: main[name].iloc[0]
            for name in ("n_real", "n_fake", "extractor", "extractor_hash", "split")
        }
        columns = []  # (metric, n_fake, label, direction)
        for metric in [name for name in wanted if (group.metric == name).any()]:
            label, direction, _, _ = label_of(metric, labels)
            counts = sorted(runs[runs.metric == metric].n_fake.dropna().unique(), reverse=True)
            for count in counts or [None]:
                several = f", n = {count:,}" if len(counts) > 1 else ""
                columns.append((metric, count, label + several, direction))
        groups = list(runs.groupby(["model", "K"], sort=False))
        marks = [
            _marks([_values(rows, *column[:2]) for _, rows in groups], column[3])
            for column in columns
        ]
        lines = [
            (
                model_label(model, K, titles),
                False,
                [
                    replace(_cell(rows, *column[:2], model, K), mark=mark[i])
                    for column, mark in zip(columns, marks, strict=True)
                ],
            )
            for i, ((model, K), rows) in enumerate(groups)
        ]
        if not floor.empty:
            n = floor.n_fake.iloc[0], floor.n_real.iloc[0]
            same = n == (protocol["n_fake"], protocol["n_real"])
            note = "" if same else f" (n = {n[0]:,} against {n[1]:,})"
            cells = [
                _cell(floor, metric, None if count in (None, most) else count, FLOOR, None)
                for metric, count, _, _ in columns
            ]
            lines.append((f"real data against real data{note}", True, cells))
        found.append(ScoreTable(protocol, [(m, label, d) for m, _, label, d in columns], lines))
    return found


def _values(rows, metric, count):
    """Values by seed of one metric, at one sample count if one is given."""
    values = rows[rows.metric == metric]
    if count is not None:
        values = values[values.n_fake == count]
    return values.set_index("seed").value.dropna()


def _cell(rows, metric, count, model, K):
    values = _values(rows, metric, count)
    key = {
        "model": model,
        "K": None if pd.isna(K) else int(K),
        "metric": metric,
        "n_fake": None if count is None else int(count),
        "extractor": rows.extractor.iloc[0],
    }
    mean, half = mean_interval(values)
    if mean is None:
        return Cell(None, None, 0, "–", key=key)
    digits = label_of(metric)[2]
    text = f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if half is not None else "")
    return Cell(mean, half, len(values), text, key=key)


def _marks(columns, direction):
    """`best`, `close` or nothing for each of several series by seed, in the better direction.

    Close is what a paired t-test over common seeds does not tell from the best (p >= 0.05, Holm
    over the column); with one seed nothing is.
    """
    scored = [i for i, values in enumerate(columns) if len(values)]
    marks = [""] * len(columns)
    if not direction or len(scored) < 2:
        return marks
    best = max(scored, key=lambda i: direction * columns[i].mean())
    marks[best] = "best"
    tests = {}
    for i in scored:
        common = columns[i].index.intersection(columns[best].index)
        if i != best and len(common) > 1:
            tests[i] = paired_test(columns[i][common], columns[best][common]).p
    for i, p in zip(tests, holm(list(tests.values())), strict=True):
        marks[i] = "" if p < 0.05 else "close"
    return marks


def to_markdown(table) -> str:
    """A ScoreTable as a Markdown table: the best bold, what is not significantly worse italic."""
    around = {"best": "**", "close": "*", "": ""}
    lines = [["model", *(f"{label} {_arrow(d)}".strip() for _, label, d in table.columns)]]
    lines.append(["---", *["---:"] * len(table.columns)])
    for label, _, cells in table.rows:
        lines.append([label, *(around[c.mark] + c.text + around[c.mark] for c in cells)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(table) -> str:
    """A ScoreTable as a LaTeX tabular (booktabs): the best bold, what is close to it italic."""
    command = {"best": r"\textbf{%s}", "close": r"\textit{%s}", "": "%s"}
    arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "": ""}
    head = [f"{_tex(label)} {arrows[_arrow(d)]}".strip() for _, label, d in table.columns]
    lines = [" & ".join(["model", *head]) + r" \\", r"\midrule"]
    for label, _, cells in table.rows:
        texts = [command[cell.mark] % _tex(cell.text) for cell in cells]
        lines.append(" & ".join([_tex(label), *texts]) + r" \\")
    begin = r"\begin{tabular}{l" + "r" * len(table.columns) + "}"
    return "\n".join([begin, r"\toprule", *lines, r"\bottomrule", r"\end{tabular}", ""])


def _arrow(direction):
    return "↑" if direction > 0 else "↓" if direction < 0 else ""


TEX = str.maketrans(
    {c: "\\" + c for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "±": r"$\pm$", "–": "--", "é": r"\'e", "~": r"\~{}"}
)


def _tex(text):
    return text.translate(TEX)


def over_seeds(rows: pd.DataFrame, by: list) -> pd.DataFrame:
    """Mean, half width of the 95 % interval, lowest and highest of `value` over seeds.

    Columns: those of `by`, then mean, interval95, low, high, seeds; in order of appearance.
    """
    lines = []
    for key, group in rows.dropna(subset=["value"]).groupby(by, sort=False, dropna=False):
        mean, half = mean_interval(group.value)
        lines.append(
            {
                **dict(zip(by, key, strict=True)),
                "mean": mean,
                "interval95": half,
                "low": group.value.min(),
                "high": group.value.max(),
                "seeds": len(group),
            }
        )
    return pd.DataFrame(lines, columns=[*by, "mean", "interval95", "low", "high", "seeds"])


def effect_of_k(rows: pd.DataFrame, titles: dict, baselines: dict) -> pd.DataFrame:
    """Scores against K of the models with several K, and of their baselines, of one data set.

    The column `is_baseline` marks the rows to be drawn as lines.
    """
    main = rows[rows.n_fake.isna() | rows.n_fake.eq(rows.n_fake.max())]
    main = main[main.metric.isin(AGAINST_K) & (main.model != FLOOR)]
    counts = main[main.K > 1].groupby("model").K.nunique()
    swept = [name for name in counts[counts > 1].index if name in titles]
    lines = {baselines[name] for name in swept if name in baselines}
    chosen = main[main.model.isin([*swept, *lines])]
    found = over_seeds(chosen.sort_values("K"), ["extractor", "metric", "model", "K"])
    order = found.metric.map(AGAINST_K.index)
    found = found.iloc[order.argsort(kind="stable")]
    found.insert(3, "title", found.model.map(titles))
    found.insert(5, "is_baseline", ~found.model.isin(swept))
    return found
