"""What a metric is called and means: one record each, beside the function that computes it."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from gmgan import plugins
from gmgan.errors import GmganError
from gmgan.evaluation.samples import Real, Samples

Value = float | tuple[float, float]
Result = Value | Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number about generated samples.

    name, label: as in scores.csv and on the page. A family has its parameter in both, for instance
    `precision_k{neighbours}`.
    score: a function (fake, real, parameters) -> value, (value, spread), or {name: either} where
    one function gives several metrics. A parameter without a default is the setting of the same
    name in `evaluation`. None if a stage of its own computes the metric.
    data, needs: it is computed for this kind of data, where the generated samples have this field;
    `classes`: where the extractor knows the classes of the data.
    group: the table that shows it. bounded: values lie in [0, 1]. limits: of values that are not
    bounded so, None for none, `classes` for the number of classes or modes. source: where the
    definition comes from; version: counts changes of the definition.
    swept: part of the sweep of sigma_scale. panels: figures that draw it. other_split: it compares
    with the split that is not the reference.
    """

    name: str
    label: str
    score: Callable[..., Result] | None = None
    better: Literal["higher", "lower"] | None = None
    digits: int = 3
    bounded: bool = False
    limits: tuple[float | None, Literal["classes"] | None] = (None, None)
    group: Literal["samples", "components", "convergence", "clusters"] = "samples"
    data: Literal["images", "points", "all"] = "images"
    needs: Literal["targets", "components", "snapshots", "classes"] | None = None
    source: str = ""
    version: int = 1
    swept: bool = False
    other_split: bool = False
    panels: frozenset[Literal["sweep", "effect-of-k"]] = frozenset()

    @property
    def direction(self) -> int:
        """1 if higher is better, -1 if lower is, 0 if neither."""
        return {"higher": 1, "lower": -1, None: 0}[self.better]

    def range(self, classes: int | None) -> tuple[float, float]:
        """The lowest and highest value that the metric can have; infinite where it has no limit."""
        low, high = (0.0, 1.0) if self.bounded else self.limits
        highest = classes if high == "classes" else high
        return (-np.inf if low is None else low), (np.inf if highest is None else highest)

    def member(self, name: str) -> "Metric | None":
        """This record under the full name of a score, or None if the name is not one of it."""
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>\\d+)", re.escape(self.name))
        match = re.fullmatch(pattern, name)
        return match and replace(self, name=name, label=self.label.format(**match.groupdict()))

    def fits(self, fake: Samples, real: Real) -> bool:
        """True if it can be computed of such samples."""
        if self.other_split and real.other_split is None:
            return False
        kind = "images" if real.modes is None else "points"
        has_all = self.needs is None or (
            real.knows_classes if self.needs == "classes" else getattr(fake, self.needs) is not None
        )
        return self.score is not None and self.data in (kind, "all") and has_all


def options_of(score: Callable[..., Result], settings: object) -> dict[str, Any]:
    """The settings that a metric's function asks for by its parameters."""
    parameters = list(inspect.signature(score).parameters.values())[2:]
    return {p.name: getattr(settings, p.name) for p in parameters if p.default is p.empty}


def unnamed_options(metric: Metric, settings: object) -> dict[str, Any]:
    """The settings that a score depends on and that its name does not tell."""
    if metric.score is None:
        return {}
    named = {"dataset", "neighbours", "density_neighbours"}
    options = options_of(metric.score, settings)
    return {name: value for name, value in options.items() if name not in named}


def plugin_metric(name: str, kind: str, options: Mapping[str, Any]) -> Metric:
    """The record of a plug-in with its code: `kind` is module:attribute."""
    score = partial(plugin_score, kind, plugins.load(kind), options)
    return Metric(name=name, label=name, score=score, data="all")


def plugin_score(
    kind: str,
    function: Callable[..., Any],
    options: Mapping[str, Any],
    fake: Samples,
    real: Samples,
) -> Value:
    """value or (value, spread) of a plug-in's function, called `kind` in errors.

    Raises GmganError if it gives something else, or a value that is not finite.
    """
    value = function(fake, real, **options)
    numbers = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    if not all(isinstance(number, (float, int, np.number)) for number in numbers):
        raise GmganError(f"{kind} gave {value!r}, expected a number or (value, spread)")
    if not np.isfinite(numbers).all():
        raise GmganError(f"{kind} gave {value!r}, which is not finite")
    return (float(numbers[0]), float(numbers[1])) if len(numbers) == 2 else float(numbers[0])
