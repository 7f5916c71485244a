"""Write the tables of docs/findings.md, and one of the README, from results/reference.

python docs/scripts/findings.py

A table stands between the lines `<!-- begin: KIND SUITE -->` and `<!-- end -->`. Of the kinds
`claims` and `components`, SUITE is several suites, joined by `+`.
"""

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd
from scipy.stats import ttest_rel

from gmgan.report.claims import summarise
from gmgan.report.plan import load_plan

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "findings.md", ROOT / "README.md"
REFERENCE = ROOT / "results" / "reference"
SCORES = {  # metric: its heading
    "inception_score": "IS",
    "fid": "FID",
    "recall_k3": "recall",
    "within_class_diversity_ratio": "within-class diversity",
    "class_accuracy": "class asked for",
    "component_purity": "component purity",
    "cluster_acc": "ACC",
    "cluster_nmi": "NMI",
}
RARE = "8 - eight"  # the rare class of mnist-200-rare-8
NO_MODELS = ("kmeans", "kmeans-pca", "real")  # last in every table
HEADLINE = ("fid", "recall_k3", "class_accuracy", "component_purity", "cluster_acc")
BY_K = {  # without ACC, which compares only runs of equal K
    **{name: SCORES[name] for name in ("inception_score", "fid", "recall_k3", "component_purity")},
    "cluster_purity": "cluster purity",
    "cluster_nmi": "NMI",
}


def read(suites: str, scores: Collection[str] = SCORES) -> pd.DataFrame:
    """A row per run of the suites, joined by `+`; a column per score.

    k-means and real data are rows of their own. A score with several numbers of samples has its
    largest one.
    """
    table = pd.concat(_rows(suite, "scores.csv") for suite in suites.split("+"))
    keys = ["model", "K", "varied", "seed"]
    table = table[table.metric.isin(scores)]
    largest = table.groupby([*keys, "metric"], dropna=False).n_fake.transform("max")
    table = table[(table.n_fake == largest) | largest.isna()]
    wide = table.pivot_table(index=keys, columns="metric", values="value", dropna=False, sort=False)
    rows = wide.dropna(how="all").reindex(columns=list(scores)).reset_index()
    return rows.sort_values("model", key=lambda of: of.isin(NO_MODELS), kind="stable")


def search(suite: str) -> str:
    """Every trial; the one with the least FID of each model is its recipe, in bold."""
    trials = read(suite)
    trials = trials[trials.fid.notna()]
    chosen = set(trials[trials.model != "real"].groupby("model").fid.idxmin())
    rows = []
    for index, trial in trials.iterrows():
        name = f"{trial.model} {trial.varied}".strip()
        name = f"**{name}**" if index in chosen else name
        rows.append([name, *(_number(trial[score]) for score in SCORES)])
    return _markdown(["trial", *SCORES.values()], rows)


def agreement(suite: str) -> str:
    """Rank correlation of FID with other scores over the trials of unsupervised mixtures."""
    trials = read(suite)
    trials = trials[trials.cluster_acc.notna() & trials.fid.notna()]
    rows = [
        [SCORES[score], f"{trials.fid.corr(trials[score], method='spearman'):.2f}"]
        for score in ("recall_k3", "component_purity", "cluster_acc", "cluster_nmi")
    ]
    return _markdown([f"score, {len(trials)} trials", "rank correlation with FID"], rows)


def runs(suite: str) -> str:
    """Means and standard deviations over the seeds of each model."""
    table = read(suite)
    rows = []
    for (model, K, varied), seeds in table.groupby(
        ["model", "K", "varied"], sort=False, dropna=False
    ):
        name = f"{model}, K = {K:.0f}" if K > 1 else model
        cells = [_spread(seeds[score].dropna()) for score in SCORES]
        rows.append([f"{name} {varied}".strip(), str(len(seeds)), *cells])
    return _markdown(["model", "seeds", *SCORES.values()], rows)


def components(suites: str) -> str:
    """Means and standard deviations over the seeds of each model that has runs at several K."""
    table = read(suites, BY_K)
    table = table[table.varied == ""]
    rows = []
    for _, runs_of in table.groupby("model", sort=False):
        if runs_of.K.nunique() > 1:
            for (model, K), seeds in runs_of.groupby(["model", "K"]):
                cells = [_spread(seeds[score].dropna()) for score in BY_K]
                rows.append([model, f"{K:.0f}", str(len(seeds)), *cells])
    return _markdown(["model", "K", "seeds", *BY_K.values()], rows)


def headline(suite: str) -> str:
    """`runs` with the scores of HEADLINE only."""
    table = read(suite)
    table = table[table.fid.notna() & (table.model != "real")]
    rows = []
    for (model, varied), seeds in table.groupby(["model", "varied"], sort=False):
        rows.append(
            [f"`{model}` {varied}".strip(), *(_spread(seeds[each].dropna()) for each in HEADLINE)]
        )
    return _markdown(["model", *(SCORES[each] for each in HEADLINE)], rows)


def claims(suites: str) -> str:
    """How many primary comparisons of each claim have which verdict in each suite.

    Claims that no suite tests are left out.
    """
    names = suites.split("+")
    tables = [_claims_of(name) for name in names]
    rows = []
    for claim in load_plan().claims:
        cells = [_verdicts(table[table.claim == claim.id]) for table in tables]
        if any(cells):
            rows.append([f"{claim.id}. {claim.title}", *cells])
    return _markdown(["claim", *(f"`{name}`" for name in names)], rows)


def _verdicts(rows: pd.DataFrame) -> str:
    counts = summarise(rows).counts
    return ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if verdict != "not tested")


def comparisons(suite: str) -> str:
    """The comparisons that the claims planned, with their intervals and verdicts."""
    table = _claims_of(suite)
    table = table[(table.role == "primary") & (table.verdict != "not tested")]
    rows = [
        [
            *(row.comparison.replace(", n = 10,000", ""), row.metric, _number(row.effect)),
            *(f"{row.low:.3g} to {row.high:.3g}", f"{row.p_holm:.2g}", row.verdict),
        ]
        for row in table.itertuples()
    ]
    heads = ["comparison", "score", "effect", "95 % interval", "p (Holm)", "verdict"]
    return _markdown(heads, rows)


def curves(suite: str) -> str:
    """Quality and diversity in one score at each sigma_scale: each mixture minus its baseline.

    Paired by seed, with the 95 % interval of Student's t.
    """
    table = _rows(suite, "tradeoff.csv")
    table = table[table.metric == "quality_diversity"]
    by_seed = table.pivot_table(
        index=["model", "varied"], columns=["sigma_scale", "seed"], values="value", sort=False
    )
    rows = []
    for model, varied in by_seed.index:
        if not model.startswith("gmgan"):
            continue
        baseline = "acgan" if model == "gmgan-supervised" else "gan"
        mixture, other = by_seed.loc[(model, varied)], by_seed.loc[(baseline, "")]
        cells = [f"{model} {varied}".strip(), baseline]
        for scale in by_seed.columns.levels[0]:
            test = ttest_rel(mixture[scale], other[scale])
            low, high = test.confidence_interval()
            cells.append(f"{(low + high) / 2:+.3f} ± {(high - low) / 2:.2g}")
        rows.append(cells)
    scales = [f"sigma_scale {scale:g}" for scale in by_seed.columns.levels[0]]
    return _markdown(["mixture", "against", *scales], rows)


def rare_class(suite: str) -> str:
    """How generated samples spread over components, and where those of the rare class are."""
    (path,) = (REFERENCE / suite / "tables").glob("*.components.csv")
    rows = []
    for title, seeds in pd.read_csv(path).groupby("title", sort=False):
        values = []
        for _, counts in seeds.groupby("seed"):
            table = counts.pivot(index="group", columns="class", values="count")
            shares = table.sum(axis=1) / table.values.sum()
            rare = table[RARE]
            main = rare.idxmax()
            values.append(
                {
                    "samples of the class": rare.sum() / table.values.sum(),
                    "smallest component": shares.min(),
                    "largest component": shares.max(),
                    "component with most of the class": shares[main],
                    "fraction of the class that it holds": rare[main] / rare.sum(),
                    "fraction of its samples in the class": rare[main] / table.loc[main].sum(),
                }
            )
        spreads = pd.DataFrame(values)
        rows.append([title, str(len(values)), *(_spread(spreads[each]) for each in spreads)])
    return _markdown(["model", "seeds", *spreads], rows)


def clusterings(name: str) -> str:
    """What gmgan cluster-rivals or gmgan cluster-consensus printed into NAME.tsv."""
    table = pd.read_csv(REFERENCE / f"{name}.tsv", sep="\t")
    scores = ["cluster_acc", "cluster_nmi", "cluster_acc_all", "cluster_nmi_all"]
    rows = [
        [method, str(seeds.seed.count() or ""), *(_spread(seeds[score]) for score in scores)]
        for method, seeds in table.groupby("method", sort=False)
    ]
    heads = ["ACC, held out", "NMI, held out", "ACC, all images", "NMI, all images"]
    return _markdown(["method", "seeds", *heads], rows)


def _claims_of(suite: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / suite / "tables" / "claims.csv", dtype={"claim": str})


def _rows(suite: str, name: str) -> pd.DataFrame:
    """A table of the kept results as it is; `varied` is empty for runs that change no parameter."""
    path, kinds = REFERENCE / suite / name, {"varied": str}
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=kinds)
    return table.fillna({"varied": ""})


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3g}"


def _spread(values: pd.Series) -> str:
    if values.empty:
        return ""
    spread = f" ± {values.std():.2g}" if len(values) > 1 else ""
    return f"{values.mean():.3g}{spread}"


def _markdown(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


WRITERS = (
    *(search, agreement, runs, components, headline),
    *(claims, comparisons, curves, rare_class, clusterings),
)
TABLES = {each.__name__: each for each in WRITERS}
MARKED = re.compile(
    rf"(<!-- begin: ({'|'.join(TABLES)}) (\S+) -->\n).*?(<!-- end -->\n)", re.DOTALL
)


def with_tables(text: str) -> str:
    """The page with every table as the results have it."""
    return MARKED.sub(lambda mark: mark[1] + TABLES[mark[2]](mark[3]) + mark[4], text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))
