"""One run, and everything that its training depends on besides data and code."""

from dataclasses import dataclass
from typing import Annotated

from gmgan.config.base import Neutral, Strict
from gmgan.config.models import (
    Auxiliary,
    Latent,
    Network,
    Objective,
    Penalty,
    Prior,
    Training,
)


@dataclass(frozen=True, order=True)
class Run:
    """One trained model: a data set, a model, a number of components, varied values and a seed.

    varied: as in the name, such as `latent.sigma=0.2`; gmgan/config/vary.py reads it.
    """

    dataset: str
    model: str
    K: int
    seed: int
    varied: Annotated[str, Neutral("")] = ""

    @property
    def name(self) -> str:
        varied = f".{self.varied}" if self.varied else ""
        return f"{self.dataset}.{self.model}.K{self.K}{varied}.s{self.seed}"

    def __str__(self) -> str:
        return self.name


class RunSettings(Strict):
    """The resolved settings of a run: the data set's, changed by the model's.

    `init_from` is the run whose networks it continues from.
    """

    run: Run
    prior: Prior
    objective: Objective
    penalties: Annotated[list[Penalty], Neutral([])] = []
    auxiliary: Annotated[list[Auxiliary], Neutral([])] = []
    latent: Latent
    network: Network
    training: Training
    init_from: Run | None
