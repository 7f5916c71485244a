"""Check that a plug-in does what its kind requires: one function for its author's tests.

from gmgan.conformance import check_plugin
check_plugin("prior", "lattice:build", options={"c": 0.5})
"""

from collections.abc import Callable, Iterable
from inspect import Parameter, signature
from typing import Any

import torch

from gmgan import plugins
from gmgan.conformance.data import check_data_set, check_metric
from gmgan.conformance.parts import (
    check_auxiliary,
    check_network,
    check_objective,
    check_penalty,
    check_prior,
)
from gmgan.errors import GmganError, unknown_name

CHECKS: dict[str, Callable[..., None]] = {
    "data-set": check_data_set,
    "network": check_network,
    "prior": check_prior,
    "objective": check_objective,
    "penalty": check_penalty,
    "auxiliary": check_auxiliary,
    "metric": check_metric,
}


def check_plugin(kind: str, plugin: Any, **entry: Any) -> None:
    """Raise GmganError with one line that says what a plug-in does wrong; None if nothing.

    kind (str): a key of CHECKS. plugin: `module:attribute`, or the object itself. `entry` says what
    params.yaml would say: `options` (dict); a data set's `sample_shape`, `classes`, `centres` and
    `std`; an objective's `uses_labels`; a penalty's `every`; a metric's `title` and `better`. For
    networks and metrics `sample_shape` (default [16, 16, 1]) is the shape of the test samples, for
    priors `K` (4) and `latent` (changes of dim 8, c 0.5, sigma 0.2), for objectives `K` (3).
    """
    if kind not in CHECKS:
        raise GmganError(unknown_name("kind of plug-in", kind, CHECKS))
    _check_keys(kind, entry)
    name = plugin if isinstance(plugin, str) else getattr(plugin, "__name__", repr(plugin))
    code = plugins.load(plugin) if isinstance(plugin, str) else plugin
    if isinstance(entry.get("options"), dict):
        entry["options"] = plugins.checked_options(name, code, entry["options"])
    try:
        with torch.random.fork_rng(devices=[]):
            CHECKS[kind](code, **entry)
    except GmganError as error:
        raise GmganError(f"{name}: {error}") from error
    except Exception as error:
        text = " ".join(str(error).split())
        raise GmganError(f"{name}: raised {type(error).__name__}: {text}") from error


def _check_keys(kind: str, entry: Iterable[str]) -> None:
    _, *known = signature(CHECKS[kind]).parameters.values()
    if any(each.kind is Parameter.VAR_KEYWORD for each in known):
        return  # checked as a whole
    names = [each.name for each in known]
    for key in entry:
        if key not in names:
            raise GmganError(unknown_name(f"key of a {kind}", key, names))
