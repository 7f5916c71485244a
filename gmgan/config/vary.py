"""Parameters that a run varies: what they do to its model's entry, and how its name tells them.

A parameter is a dotted path into the entry of a model, such as `latent.sigma` or
`penalties.0.gamma`, or into the entry of its network (`network.base_channels`). `kind` is left out:
`objective` is the kind of the objective. gmgan/config/values.py turns values into texts and back.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from gmgan.config.base import UNKNOWN, Location, mistakes
from gmgan.config.models import Model, Network
from gmgan.config.params import Cells, Params
from gmgan.config.run import Run, RunSettings
from gmgan.config.values import NAMELESS, Values, parse, text_of
from gmgan.errors import GmganError, unknown_name

_NAMES = ("title", "extends", "baseline", "uses_labels", "init_from")  # no parameters
_NETWORK: TypeAdapter[Any] = TypeAdapter(Network)


def _plain(values: Mapping[str, JsonValue]) -> Values:
    """The same without values that are entries: their options are parameters of their own."""
    plain: Values = {}
    for path, value in values.items():
        path = path if ".options." in path else path.removesuffix(".kind")
        inner: dict[str, JsonValue] = {}
        if isinstance(value, dict):
            inner = {"" if key == "kind" else f".{key}": each for key, each in value.items()}
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            inner = {f".{i}": each for i, each in enumerate(value)}
        plain |= _plain({path + key: each for key, each in inner.items()}) or {path: value}
    return plain


def applied(params: Params, dataset: str, model: str, values: Mapping[str, JsonValue]) -> Params:
    """The params with values of parameters in the entries of a model and of its network.

    The data set's recipe for the model is applied, too, where `values` does not replace it. Raises
    ValidationError for unknown parameters and wrong values, located by their paths.
    """
    recipe = params.lookup("datasets", dataset).recipes.get(model, {})
    kept = {path: value for path, value in recipe.items() if not _replaced(path, values)}
    values = {**kept, **values}
    if not values:
        return params
    values = _plain(values)
    of_model, of_network = params.lookup("models", model).model_dump(), {}
    for path in sorted(values):
        section, *keys = path.split(".")
        if section in _NAMES or section not in Model.model_fields:
            known = set(Model.model_fields) - set(_NAMES)
            raise mistakes([((section,), unknown_name("parameter", section, known), UNKNOWN)])
        if section == "network" and keys:
            of_network[path] = values[path]
        else:
            of_model = _with(of_model, (), (section, *keys), values[path])
    entry = Model.model_validate(of_model, context={"networks": params.networks})
    params = params.model_copy(update={"models": {**params.models, model: entry}})
    if of_network:
        name = params.network_name(dataset, model)
        network = params.networks[name].model_dump()
        for path, value in of_network.items():
            network = _with(network, ("network",), tuple(path.split(".")[1:]), value)
        changed = _checked("network", lambda: _NETWORK.validate_python(network))
        params = params.model_copy(update={"networks": {**params.networks, name: changed}})
    _checked("latent", lambda: params.latent_of(dataset, model))
    _checked("training", lambda: params.training_of(dataset, model))
    return params


def _replaced(path: str, values: Mapping[str, JsonValue]) -> bool:
    """Whether one of the values is that of `path`, or of what it lies in."""
    return any(f"{path}.".startswith(f"{each}.") for each in values)


def _checked(section: str, read: Callable[[], Any]) -> Any:
    """What `read` gives; errors are located below a section."""
    try:
        return read()
    except ValidationError as error:
        raise mistakes(
            ((section, *e["loc"]), e["msg"], e["type"]) for e in error.errors()
        ) from None


def _with(entry: Any, place: Location, keys: Location, value: JsonValue) -> Any:
    """An entry, found at `place`, with a value at `keys` below it."""
    if not keys:
        same_kind = isinstance(entry, dict) and "kind" in entry and entry["kind"] == value
        return entry if same_kind else value
    key, *rest = keys
    inside = (*place, key)
    if isinstance(entry, list):
        position, last = str(key), len(entry) if not rest else len(entry) - 1
        if not position.isdigit() or int(position) > last:
            text = f"unknown parameter '{key}'; it is the position in a list of {len(entry)}"
            raise mistakes([(inside, text, UNKNOWN)])
        at = int(position)
        old = entry[at] if at < len(entry) else None
        return [*entry[:at], _with(old, inside, tuple(rest), value), *entry[at + 1 :]]
    if isinstance(entry, str):  # a kind without settings
        entry = {"kind": entry}
    if not isinstance(entry, dict | None):
        raise mistakes([(inside, f"unknown parameter '{key}'; {entry!r} has none", UNKNOWN)])
    return {**(entry or {}), key: _with((entry or {}).get(key), inside, tuple(rest), value)}


def resolved(params: Params, dataset: str, model: str) -> dict[str, Any]:
    """What the settings of a run say of its model on its data set, by field of RunSettings."""
    entry = params.models[model]
    fields = RunSettings.model_fields.keys() & Model.model_fields.keys() - {"init_from"}
    return {name: getattr(entry, name) for name in fields} | {
        "latent": params.latent_of(dataset, model),
        "network": params.network_of(dataset, model),
        "training": params.training_of(dataset, model),
    }


def _effective(params: Params, dataset: str, model: str) -> dict[str, Any]:
    """`resolved` without what has no effect: a normal prior has neither means nor sigma."""
    settings = resolved(params, dataset, model)
    return (
        settings | {"latent": settings["latent"].dim}
        if settings["prior"].kind == "normal"
        else settings
    )


def value_in(params: Params, dataset: str, model: str, path: str) -> Any:
    """The value of a parameter of a model on a data set; None where there is none that counts."""
    if path == "network":
        return params.network_name(dataset, model)
    value: Any = dict(params.models[model]) | resolved(params, dataset, model)
    value["training"] = params.full_training_of(dataset, model)
    for part in ("generator", "discriminator"):
        value[part] = getattr(value["network"], part, None)
    if value["prior"].kind == "normal":
        value["latent"] = {"dim": value["latent"].dim}
    for key in path.split("."):
        if isinstance(value, BaseModel):
            value = dict(value)
        if isinstance(value, list):
            value = dict(zip(map(str, range(len(value))), value, strict=True))
        value = value.get(key) if isinstance(value, dict) else None
    return value


def of_run(params: Params, run: Run) -> Params:
    """The params with a run's varied values in the entries of its model and its network."""
    return applied(params, run.dataset, run.model, parse(run.varied))


def canonical(params: Params, dataset: str, model: str, values: Values) -> str:
    """The `varied` of the runs of a model with these values: without those that change nothing.

    Raises ValidationError for unknown parameters, wrong values and values without a text.
    """
    if not values:
        return ""
    wanted = applied(params, dataset, model, values)
    effect = _effective(wanted, dataset, model)
    parts = [f"{path}={text}" for path, text in _texts(wanted, dataset, model, values).items()]

    def is_enough(parts: list[str]) -> bool:
        try:
            made = applied(params, dataset, model, parse("+".join(parts)))
            return _effective(made, dataset, model) == effect
        except ValueError:
            return False

    if not is_enough(parts):
        raise mistakes([((path,), NAMELESS.format(value)) for path, value in values.items()])
    for part in list(parts):
        fewer = [other for other in parts if other != part]
        parts = fewer if is_enough(fewer) else parts
    return "+".join(parts)


def _texts(params: Params, dataset: str, model: str, values: Values) -> dict[str, str]:
    """{parameter: text of its value in `params`}, in alphabetical order."""
    texts: dict[str, str] = {}
    for path, given in sorted(_plain(values).items()):
        value = value_in(params, dataset, model, path)
        try:
            if value is not None or given is None:  # else it has no effect
                texts[path] = text_of(value)
        except ValueError as error:
            raise mistakes([(tuple(path.split(".")), str(error))]) from None
    return texts


def fitting(
    params: Params, dataset: str, model: str, values: Values
) -> tuple[Values, dict[str, str]]:
    """The values of parameters that a model has, and {parameter that it does not have: why}.

    Raises ValidationError for wrong values and values without a text.
    """
    unknown: dict[str, str] = {}
    while True:
        try:
            _texts(applied(params, dataset, model, values), dataset, model, values)
            return values, unknown
        except ValidationError as error:
            new = {
                _path_of(e["loc"], values): e["msg"] for e in error.errors() if e["type"] == UNKNOWN
            }
            if not new or "" in new:
                raise
            unknown |= new
            values = {path: value for path, value in values.items() if path not in new}


def _path_of(place: Location, values: Values) -> str:
    """The parameter at, around or inside a place; empty if there is none."""
    for path in values:
        keys = path.split(".")
        if all(str(a) == b for a, b in zip(place, keys, strict=False)) and place:
            return path
    return ""


def combinations(cells: Cells) -> Iterator[Values]:
    """All combinations of the values that a block of a suite varies."""
    for values in product(*cells.vary.values()):
        yield dict(zip(cells.vary, values, strict=True))


def mistakes_in(params: Params) -> dict[Location, str]:
    """Where in the file a recipe, or something varied, is wrong, and what."""
    lines: dict[Location, str] = {}
    for dataset, data in params.datasets.items():
        for model, recipe in data.recipes.items():
            try:
                applied(params, dataset, model, {})
            except ValidationError as error:
                for e in error.errors():
                    path = _path_of(e["loc"], recipe)
                    lines["datasets", dataset, "recipes", model, path] = e["msg"]
    if lines:
        return lines
    for suite, entry in params.suites.items():
        for i, cells in enumerate(entry.cells):
            place = ("suites", suite, "cells", i, "vary")
            lines |= {(*place, *where): text for where, text in _mistakes_of(params, cells)}
    return lines


def _mistakes_of(params: Params, cells: Cells) -> Iterator[tuple[Location, str]]:
    """The mistakes in what a block of a suite varies: (parameter and position of its value, text).

    A parameter is unknown if no model of the block has it.
    """
    missing: dict[str, str] = {}
    known: set[str] = set()
    for dataset, model in product(cells.datasets, cells.models):
        for values in combinations(cells):
            try:
                kept, unknown = fitting(params, dataset, model, values)
                known |= kept.keys()
                missing |= unknown
            except ValidationError as error:
                for e in error.errors():
                    path = _path_of(e["loc"], values)
                    where = (path, cells.vary[path].index(values[path])) if path else ()
                    yield where, e["msg"]
            except GmganError as error:
                yield (), str(error)
    yield from (((path,), text) for path, text in missing.items() if path not in known)
