"""The runs of a suite, their names and their settings."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from itertools import product
from typing import Any

from pydantic import ValidationError

from gmgan.config import vary
from gmgan.config.base import Groups, Strict
from gmgan.config.models import Encoder, Mixture, Model, PluginEntry
from gmgan.config.params import Cells, Params, Seed
from gmgan.config.run import Run, RunSettings
from gmgan.config.values import Values, parse, shown, value_of
from gmgan.errors import GmganError

_RUN_NAME = re.compile(
    r"(?P<dataset>[a-z0-9-]+)\.(?P<model>[a-z0-9-]+)\.K(?P<K>\d{1,20})"
    r"(\.(?P<varied>.+))?\.s(?P<seed>\d{1,20})"
)
_FORM = (
    "DATASET.MODEL.K<components>.s<seed>, with PARAMETER=VALUE before .s<seed> if it varies some"
)
_LONGEST_NAME = 119
_OF_NETWORKS = ("network", "generator", "discriminator")  # sections that decide their layers


class _Numbers(Strict):
    """The numbers of a run, as suites in params.yaml may have them."""

    K: Groups
    seed: Seed


def parse_run(params: Params, name: str) -> Run:
    """The run called `name`; raises GmganError for a malformed name or an impossible run."""
    match = _RUN_NAME.fullmatch(name)
    if not match:
        suites = (suite_runs(params, suite) for suite in params.suites)
        near = get_close_matches(name, {run.name for runs in suites for run in runs})
        raise GmganError(
            f"'{name}' is no run; a run is called {_FORM}, for example "
            f"{' or '.join(near) or 'digits.gmgan-static.K10.s0'}"
        )
    plain = Run(match["dataset"], match["model"], int(match["K"]), int(match["seed"]))
    try:
        run = with_values(params, plain, parse(match["varied"] or ""))
    except ValueError as error:
        raise GmganError(f"'{name}' is no run: {error}") from error
    if run.name != name:
        raise GmganError(f"'{name}' is the run '{run.name}'; use that name")
    return run


def with_changes(params: Params, name: str, changes: Iterable[str]) -> Run:
    """The run called `name` with other values: `changes` are texts such as `latent.sigma=0.2`.

    Raises GmganError for a malformed change or an impossible run.
    """
    run = parse_run(params, name)
    values = parse(run.varied)
    for change in changes:
        path, equals, text = change.partition("=")
        if not (path and equals and text):
            raise GmganError(
                f"--set {change}: expected PARAMETER=VALUE, for example latent.sigma=0.2"
            )
        # what was below it goes with the value that is replaced
        values = {each: v for each, v in values.items() if not each.startswith(f"{path}.")}
        values[path] = value_of(text)
    return with_values(params, run, values)


def with_values(params: Params, run: Run, values: Values) -> Run:
    """A run with these varied values only, under its one name.

    Raises GmganError for unknown parameters, wrong values and impossible runs.
    """
    run = _named(params, run, values)
    check_run(params, run)
    return run


def _named(params: Params, run: Run, values: Values) -> Run:
    params.lookup("datasets", run.dataset)
    params.lookup("models", run.model)
    try:
        return replace(run, varied=vary.canonical(params, run.dataset, run.model, values))
    except ValidationError as error:
        lines = (": ".join([".".join(map(str, e["loc"])), e["msg"]]) for e in error.errors())
        raise GmganError(f"{replace(run, varied='')}: {'; '.join(lines)}") from error


def check_run(params: Params, run: Run) -> None:
    """Raise GmganError if a run cannot exist; the message says why."""
    dataset = params.lookup("datasets", run.dataset)
    params.lookup("models", run.model)
    params = vary.of_run(params, run)
    model = params.models[run.model]
    _check_numbers(run)
    if len(run.name) > _LONGEST_NAME:
        raise GmganError(
            f"{run.name}: a run's name has at most {_LONGEST_NAME} characters, this one has "
            f"{len(run.name)}; vary fewer parameters, or give data set or model a shorter name"
        )
    n_classes = dataset.source.n_classes
    labelled = n_classes is not None or dataset.source.kind == "images"
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


def _check_numbers(run: Run) -> None:
    """Raise GmganError if a suite in params.yaml could not have these numbers."""
    if run.K < 1:
        raise GmganError(f"{run.name}: K must be at least 1, got {run.K}")
    try:
        _Numbers(K=run.K, seed=run.seed)
    except ValidationError as error:
        lines = (f"{run.name}: {e['loc'][0]}: {e['msg']}" for e in error.errors())
        raise GmganError("\n".join(lines)) from error


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
    built_in = None if isinstance(network, PluginEntry) else network
    if built_in and (text := built_in.misfit(params.datasets[run.dataset].source.sample_shape)):
        raise GmganError(f"{run.name}: {text}")
    if model.penalties and built_in and built_in.discriminator.batch_norm:
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
        for dataset, model in product(cells.datasets, cells.models):
            for K, run, seed in product(
                cells.K, _variants(params, cells, dataset, model), cells.seeds
            ):
                runs[replace(run, K=run.K or K, seed=seed)] = None
    for run in runs:
        check_run(params, run)
    return list(runs)


def _variants(params: Params, cells: Cells, dataset: str, model: str) -> list[Run]:
    """Runs of a model that stand for the combinations of values that a block of a suite varies.

    Their K is 1 for a normal prior, else 0 for any. Parameters that the model does not have are
    left out.
    """
    kept = (vary.fitting(params, dataset, model, each)[0] for each in vary.combinations(cells))
    runs = dict.fromkeys(_named(params, Run(dataset, model, 0, 0), values) for values in kept)
    return [replace(run, K=int(_is_normal(params, run))) for run in runs]


def _is_normal(params: Params, run: Run) -> bool:
    return vary.of_run(params, run).models[run.model].prior.kind == "normal"


def has_clusters(params: Params, run: Run) -> bool:
    """True for the runs whose components are to cluster real samples: unsupervised mixtures."""
    source = params.datasets[run.dataset].source
    labelled = source.n_classes is not None or source.kind == "images"
    model = vary.of_run(params, run).models[run.model]
    return run.K > 1 and not model.needs_labels and labelled


def settings(params: Params, run: Run) -> RunSettings:
    """The data set's settings, changed by the model's. Raises GmganError for an impossible run."""
    check_run(params, run)
    own = vary.resolved(vary.of_run(params, run), run.dataset, run.model)
    return RunSettings(run=run, init_from=parent_run(params, run), **own)


def parent_run(params: Params, run: Run) -> Run | None:
    """The run whose weights `run` continues from, if its model has `init_from`.

    It shares the varied values that decide whether the networks fit: those of the network, and the
    dimension of the latent space.
    """
    first = parent = params.models[run.model].init_from
    chain = {run.model}
    while parent is not None:
        if parent in chain:
            raise GmganError(
                f"models.{run.model}.init_from: models continue from each other in a circle"
            )
        chain.add(parent)
        parent = params.lookup("models", parent).init_from
    if first is None:
        return None
    shared = {
        path: value
        for path, value in parse(run.varied).items()
        if path.split(".")[0] in _OF_NETWORKS or path == "latent.dim"
    }
    return _relative(params, run, first, shared)


def baseline_runs(params: Params, runs: Iterable[Run]) -> dict[str, Run]:
    """{name of a run: the run of its baseline} of runs whose model has a `baseline`."""
    baselines = {run: baseline_run(params, run) for run in {replace(run, seed=0) for run in runs}}
    pairs = {run.name: (baselines[replace(run, seed=0)], run.seed) for run in runs}
    return {name: replace(run, seed=seed) for name, (run, seed) in pairs.items() if run}


def resolved_models(params: Params, runs: Iterable[Run]) -> dict[str, Model]:
    """{name of a run: its model, with the values that the run varies}."""
    runs = list(runs)
    cells = {replace(run, seed=0) for run in runs}
    models = {cell: vary.of_run(params, cell).models[cell.model] for cell in cells}
    return {run.name: models[replace(run, seed=0)] for run in runs}


def baseline_run(params: Params, run: Run) -> Run | None:
    """The run that `run` is compared with, if its model has a `baseline`.

    It has the same varied values, as far as its model can have them, without those of the prior:
    the prior is what the comparison is about.
    """
    name = params.models[run.model].baseline
    if name is None:
        return None
    kept: Values = {}
    for path, value in parse(run.varied).items():
        if path.split(".")[0] == "prior":
            continue
        with suppress(GmganError):  # this model cannot have it
            _relative(params, run, name, kept | {path: value})
            kept[path] = value
    return _relative(params, run, name, kept)


def _relative(params: Params, run: Run, model: str, values: Values) -> Run:
    """The run of another model on the same data, with as many components if it has any."""
    twin = _named(params, replace(run, model=model), values)
    twin = replace(twin, K=1 if _is_normal(params, twin) else run.K)
    check_run(params, twin)
    return twin


def parameters(params: Params, runs: Iterable[Run]) -> dict[str, dict[str, Any]]:
    """{what some of the runs vary: {name of a run: its value, a number or a text}}.

    Runs in which a parameter has no value or no effect are left out.
    """
    runs = list(runs)
    varied = sorted({path for run in runs for path in parse(run.varied)})
    values: dict[str, dict[str, Any]] = {path: {} for path in varied}
    for run in runs if varied else []:
        own = vary.of_run(params, run)
        for path in varied:
            value = vary.value_in(own, run.dataset, run.model, path)
            if value is not None:
                values[path][run.name] = shown(value)
    return values


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
