"""The runs of a suite, their names and their settings."""

import re
from difflib import get_close_matches

from gmgan.config.models import Encoder, Mixture, Model, PluginEntry
from gmgan.config.params import Params
from gmgan.config.run import Run, RunSettings
from gmgan.errors import GmganError

_RUN_NAME = re.compile(
    r"(?P<dataset>[a-z0-9-]+)\.(?P<model>[a-z0-9-]+)\.K(?P<K>\d+)\.s(?P<seed>\d+)"
)


def parse_run(params: Params, name: str) -> Run:
    """The run called `name`; raises GmganError for a malformed name or an impossible run."""
    match = _RUN_NAME.fullmatch(name)
    if not match:
        suites = (suite_runs(params, suite) for suite in params.suites)
        near = get_close_matches(name, {run.name for runs in suites for run in runs})
        raise GmganError(
            f"'{name}' is no run; a run is called DATASET.MODEL.K<components>.s<seed>, for example "
            f"{' or '.join(near) or 'digits.gmgan-static.K10.s0'}"
        )
    run = Run(match["dataset"], match["model"], int(match["K"]), int(match["seed"]))
    check_run(params, run)
    return run


def check_run(params: Params, run: Run) -> None:
    """Raise GmganError if a run cannot exist; the message says why."""
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
    if model.objective.kind == "supervised" and n_classes and n_classes > run.K:
        raise GmganError(
            f"{run.name}: K = {run.K} is below the number of classes {n_classes}; "
            "every class needs at least one component"
        )

    _check_combination(params, run)


def _check_combination(params: Params, run: Run) -> None:
    """Raise GmganError if parts of a run's model do not fit together."""
    model = params.models[run.model]
    prior, network = model.prior, params.network_of(run.dataset, run.model)
    if isinstance(prior, Mixture):
        if isinstance(prior.weights, list) and len(prior.weights) != run.K:
            raise GmganError(
                f"{run.name}: model '{run.model}' gives {len(prior.weights)} weights, K is {run.K}"
            )
        if prior.weights == "learned" and model.objective.kind == "supervised":
            raise GmganError(
                f"{run.name}: weights cannot be learned with the objective supervised: its loss "
                "does not see how frequent a class is; give them, or leave them uniform"
            )
    normed = not isinstance(network, PluginEntry) and network.discriminator.batch_norm
    if model.penalties and normed:
        raise GmganError(
            f"{run.name}: a penalty needs a discriminator whose outputs do not depend on the rest "
            f"of the batch; set models.{run.model}.discriminator.batch_norm to false"
        )
    if prior.kind == "normal" and any(
        isinstance(each, Encoder) and each.information for each in model.auxiliary
    ):
        raise GmganError(
            f"{run.name}: model '{run.model}' has one component, so its encoder has none to "
            "recover; set information to 0, or choose another prior"
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


def settings(params: Params, run: Run) -> RunSettings:
    """The data set's settings, changed by the model's. Raises GmganError for an impossible run."""
    check_run(params, run)
    model = params.models[run.model]
    return RunSettings(
        run=run,
        prior=model.prior,
        objective=model.objective,
        penalties=model.penalties,
        auxiliary=model.auxiliary,
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


def extractor_id(params: Params, dataset: str, extractor: str) -> str:
    """The name of an extractor's weights: shared by all sets unless it is trained on one."""
    if params.lookup("extractors", extractor).kind == "classifier":
        return f"{params.source_names[dataset]}.{extractor}"
    return extractor


def extractor_owner(params: Params, identifier: str) -> tuple[str, str]:
    """(data set, extractor) whose weights are called `identifier`, the inverse of extractor_id."""
    source, _, extractor = identifier.rpartition(".")
    params.lookup("extractors", extractor)
    users = [
        name for name, entry in params.datasets.items() if extractor in entry.evaluation.extractors
    ]
    if source:
        params.lookup("datasets", source)
    elif not users:
        raise GmganError(f"no data set is scored by the extractor '{extractor}'")
    return source or users[0], extractor
