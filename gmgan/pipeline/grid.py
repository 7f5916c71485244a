"""From a suite to its runs, under which names, in which files."""

import re
from pathlib import Path

from gmgan.config import Model, Params, Run, RunSettings
from gmgan.errors import GmganError

_RUN_NAME = re.compile(
    r"(?P<dataset>[a-z0-9-]+)\.(?P<model>[a-z0-9-]+)\.K(?P<K>\d+)\.s(?P<seed>\d+)"
)


def parse_run(params: Params, name: str) -> Run:
    """The run called `name`; raises GmganError for a malformed name or an impossible cell."""
    match = _RUN_NAME.fullmatch(name)
    if not match:
        raise GmganError(
            f"'{name}' is no run; a run is called DATASET.MODEL.K<components>.s<seed>,"
            " for example digits.gmgan-static.K10.s0"
        )
    run = Run(match["dataset"], match["model"], int(match["K"]), int(match["seed"]))
    check_run(params, run)
    return run


def check_run(params: Params, run: Run):
    """Raise GmganError if a cell cannot exist; the message says why."""
    dataset = params.lookup("datasets", run.dataset)
    model = params.lookup("models", run.model)
    n_classes = dataset.source.n_classes
    labelled = n_classes is not None or dataset.source.kind == "images"
    if run.K < 1:
        raise GmganError(f"{run.name}: K must be at least 1, got {run.K}")
    if model.prior.kind == "normal" and run.K != 1:
        raise GmganError(
            f"{run.name}: model '{run.model}' has one normal prior, so K must be 1, got {run.K}"
        )
    if model.needs_labels and not labelled:
        raise GmganError(
            f"{run.name}: model '{run.model}' needs class labels and data set "
            f"'{run.dataset}' has none; take '{run.dataset}' out of its cells"
        )
    if model.objective == "supervised" and n_classes and n_classes > run.K:
        raise GmganError(
            f"{run.name}: K = {run.K} is below the number of classes {n_classes}; "
            "every class needs at least one component"
        )


def suite_runs(params: Params, suite: str) -> list[Run]:
    """The runs of a suite in a fixed order, each once.

    Models with a normal prior do not depend on K: they appear once, with K = 1.
    """
    runs: dict[Run, None] = {}
    for cells in params.lookup("suites", suite).cells:
        for dataset in cells.datasets:
            for model in cells.models:
                normal = params.models[model].prior.kind == "normal"
                for K in [1] if normal else cells.K:
                    for seed in cells.seeds:
                        runs[Run(dataset, model, K, seed)] = None
    for run in runs:
        check_run(params, run)
    return list(runs)


def has_clusters(params: Params, run: Run) -> bool:
    """True for the runs whose components are to cluster real samples: unsupervised mixtures."""
    source = params.datasets[run.dataset].source
    labelled = source.n_classes is not None or source.kind == "images"
    return run.K > 1 and not params.models[run.model].needs_labels and labelled


def evaluation_jobs(params: Params, run: Run) -> list[tuple[str, str]]:
    """(stage, name of its log) of every job of a run besides its training."""
    extractors = params.datasets[run.dataset].evaluation.extractors
    return [
        ("sample", run.name),
        *(("features", f"{run.name}.{extractor}") for extractor in extractors),
        ("score", run.name),
        ("tradeoff", run.name),
        ("explore", run.name),
        *([("cluster", run.name)] if has_clusters(params, run) else []),
    ]


def trained_runs(params: Params, runs: list[Run]) -> list[Run]:
    """`runs` and the runs that they continue from, each once."""
    found = dict.fromkeys(runs)
    for run in runs:
        parent = parent_run(params, run, params.models[run.model])
        while parent:
            found[parent] = None
            parent = parent_run(params, parent, params.models[parent.model])
    return list(found)


def count_dataset_jobs(params: Params, runs: list[Run]) -> int:
    """Jobs that the data sets of `runs` need once: prepare, extractor, real features, floor."""
    datasets = {run.dataset for run in runs}
    wanted = [
        (name, extractor)
        for name in datasets
        for extractor in params.datasets[name].evaluation.extractors
    ]
    sources = {params.source_names[name] for name in datasets}
    trained = {extractor_id(params, *each) for each in wanted}
    return len(sources) + len(trained) + len(wanted) + len(datasets)


def run_outputs(paths: "Paths", params: Params, run: Run) -> list[Path]:
    """The files that a run leaves behind, without logs."""
    extractors = params.datasets[run.dataset].evaluation.extractors
    return [
        paths.weights(run),
        paths.history(run),
        paths.snapshots(run),
        paths.preview(run),
        paths.train_about(run),
        paths.samples(run),
        *(paths.features(run, extractor) for extractor in extractors),
        paths.scores(run),
        paths.tradeoff(run),
        paths.explore(run),
        *([paths.clusters(run)] if has_clusters(params, run) else []),
    ]


def settings(params: Params, run: Run) -> RunSettings:
    """The data set's settings, changed by the model's. Raises GmganError for a bad cell."""
    check_run(params, run)
    model = params.models[run.model]
    return RunSettings(
        run=run,
        prior=model.prior,
        objective=model.objective,
        latent=params.latent_of(run.dataset, run.model),
        network=params.network_of(run.dataset, run.model),
        training=params.training_of(run.dataset, run.model),
        init_from=parent_run(params, run, model),
    )


def parent_run(params: Params, run: Run, model: Model) -> Run | None:
    """The run whose weights `run` continues from, if its model has `init_from`."""
    if model.init_from is None:
        return None
    chain, parent = {run.model}, model.init_from
    while parent is not None:
        if parent in chain:
            raise GmganError(
                f"models.{run.model}.init_from: models continue from each other in a circle"
            )
        chain.add(parent)
        parent = params.lookup("models", parent).init_from
    normal = params.models[model.init_from].prior.kind == "normal"
    return Run(run.dataset, model.init_from, 1 if normal else run.K, run.seed)


class Paths:
    """Where everything lies under the results folder. The rules name the same files."""

    def __init__(self, results="results"):
        self.results = Path(results)

    def data(self, source):
        return self.results / "data" / f"{source}.safetensors"

    def data_about(self, source):
        return self.results / "data" / f"{source}.json"

    def archives(self):
        return self.results / "archives"

    def extractor(self, extractor_id):
        return self.results / "extractors" / f"{extractor_id}.safetensors"

    def extractor_about(self, extractor_id):
        return self.results / "extractors" / f"{extractor_id}.json"

    def real_features(self, dataset, extractor):
        return self.results / "real" / f"{dataset}.{extractor}.safetensors"

    def floor(self, dataset):
        return self.results / "real" / f"{dataset}.floor.json"

    def run(self, run: Run):
        return self.results / "runs" / run.name

    def weights(self, run):
        return self.run(run) / "weights.safetensors"

    def train_about(self, run):
        return self.run(run) / "train.json"

    def history(self, run):
        return self.run(run) / "history.csv"

    def snapshots(self, run):
        return self.run(run) / "snapshots.safetensors"

    def preview(self, run):
        return self.run(run) / "grid.png"

    def samples(self, run):
        return self.run(run) / "samples.safetensors"

    def features(self, run, extractor):
        return self.run(run) / f"features.{extractor}.safetensors"

    def scores(self, run):
        return self.run(run) / "scores.json"

    def tradeoff(self, run):
        return self.run(run) / "tradeoff.json"

    def clusters(self, run):
        return self.run(run) / "clusters.json"

    def explore(self, run):
        return self.run(run) / "explore.safetensors"

    def checkpoint(self, run, fingerprint):
        return self.results / "checkpoints" / f"{run.name}.{fingerprint}.safetensors"

    def log(self, stage, name):
        return self.results / "logs" / stage / f"{name}.log"

    def drawn(self, name):
        return self.results / "drawn" / name

    def score_table(self):
        return self.results / "scores.csv"

    def tradeoff_table(self):
        return self.results / "tradeoff.csv"

    def metrics(self):
        return self.results / "metrics.json"

    def tables(self):
        return self.results / "tables"

    def figures(self):
        return self.results / "figures"

    def report(self):
        return self.results / "report.html"


def extractor_id(params: Params, dataset: str, extractor: str) -> str:
    """The name of an extractor's weights: shared by all sets unless it is trained on one."""
    if params.lookup("extractors", extractor).kind == "classifier":
        return f"{params.source_names[dataset]}.{extractor}"
    return extractor
