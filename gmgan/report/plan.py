"""The plan of the claims, stated before the runs: claims.yaml as typed entries."""

from functools import cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import Field, PositiveFloat

from gmgan.config.base import Strict
from gmgan.config.models import Model
from gmgan.errors import GmganError
from gmgan.evaluation.metrics import metric_of

PAPERS_LOSSES = ("gan", "acgan", "supervised")

Property = Literal[
    "mixture",
    "single",
    "unsupervised",
    "supervised",
    "learned-prior",
    "continues",
    "from-scratch",
    "paper-loss",
    "other-loss",
]
WORDS: dict[Property, str] = {  # of what a model has
    "mixture": "a mixture as its prior",
    "single": "one Gaussian as its prior",
    "unsupervised": "no labels",
    "supervised": "labels",
    "learned-prior": "a learned prior",
    "continues": "a training that continues another one",
    "from-scratch": "a training from scratch",
    "paper-loss": "the paper's losses",
    "other-loss": "another loss, a penalty or an auxiliary network",
}
Comparison = Literal["baseline", "kmeans", "chance", "scales", "sweep", "data-sets"]


def properties_of(model: Model) -> frozenset[Property]:
    """What claims may ask of a model; a prior of the user's own counts as a mixture."""
    kind, added = model.prior.kind, model.penalties or model.auxiliary
    properties: list[Property] = [
        "single" if kind == "normal" else "mixture",
        "supervised" if model.needs_labels else "unsupervised",
        "continues" if model.init_from else "from-scratch",
        "other-loss" if added or model.objective.kind not in PAPERS_LOSSES else "paper-loss",
    ]
    return frozenset([*properties, "learned-prior"] if kind == "dynamic" else properties)


class SmallestEffect(Strict):
    """The smallest effect of interest of a metric: a difference, or a ratio (above 1) of means."""

    effect: PositiveFloat
    scale: Literal["difference", "ratio"] = "difference"
    reason: str


class Endpoint(Strict):
    """What is compared: `metrics` on one kind of data, of models that have all the properties.

    better: the direction in which the claim says that they move, the metric's own if None.
    """

    compare: Comparison
    data: Literal["images", "points", "all"]
    metrics: Annotated[list[str], Field(min_length=1)]
    models: Annotated[list[Property], Field(default_factory=list)]
    better: Literal["higher", "lower", "other"] | None = None

    def direction(self, metric: str) -> str:
        """`higher`, `lower` or `other`; raises GmganError if neither says which."""
        direction = self.better or metric_of(metric).better
        if direction is None:
            raise GmganError(
                f"claims.yaml: {metric} has no better direction; give the endpoint `better`"
            )
        return direction


class Claim(Strict):
    """A statement and its endpoints: the primary ones decide, the secondary ones stand beside."""

    id: str
    title: str
    source: str
    ours: bool = False
    primary: Annotated[list[Endpoint], Field(min_length=1)]
    secondary: Annotated[list[Endpoint], Field(default_factory=list)]

    def endpoints(self) -> list[tuple[str, Endpoint]]:
        """(role, endpoint) of every endpoint: first the primary, then the secondary ones."""
        return [
            *(("primary", e) for e in self.primary),
            *(("secondary", e) for e in self.secondary),
        ]


class Plan(Strict):
    """Smallest effects by metric, and the claims in order."""

    smallest_effects: dict[str, SmallestEffect]
    claims: list[Claim]

    def smallest(self, metric: str) -> SmallestEffect | None:
        """The smallest effect of a score; None if the plan states none."""
        return self.smallest_effects.get(metric) or (
            self.smallest_effects["bounded"] if metric_of(metric).bounded else None
        )


@cache
def load_plan() -> Plan:
    """The plan that ships with the package."""
    return Plan.model_validate(
        yaml.safe_load((resources.files("gmgan.report") / "claims.yaml").read_text())
    )


def as_markdown() -> str:
    """The plan as the tables of docs/statistics.md: smallest effects, then the claims."""
    plan = load_plan()
    effects = [("scores", "smallest effect", "reason"), ("---",) * 3]
    for metric, smallest in plan.smallest_effects.items():
        name = "in [0, 1]" if metric == "bounded" else metric
        ratio = "ratio " if smallest.scale == "ratio" else ""
        effects.append((name, f"{ratio}{smallest.effect:g}", smallest.reason))
    claims = [("claim", "role", "compare", "data", "models", "metrics", "direction"), ("---",) * 7]
    for claim in plan.claims:
        for role, endpoint in claim.endpoints():
            metrics = ", ".join(endpoint.metrics)
            about = (endpoint.compare, endpoint.data, ", ".join(endpoint.models), metrics)
            claims.append((claim.id, role, *about, endpoint.better or "better"))
    tables = ("\n".join(f"| {' | '.join(line)} |" for line in table) for table in (effects, claims))
    return "\n\n".join(tables) + "\n"
