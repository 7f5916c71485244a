"""What each stage is told: the settings that its function gets and that its fingerprint covers."""

from typing import Annotated

from pydantic import JsonValue

from gmgan.config.base import Neutral, Strict
from gmgan.config.data import Source
from gmgan.config.evaluation import ClassifierExtractor, Clustering, Extractor
from gmgan.config.models import Model
from gmgan.config.params import Dataset
from gmgan.config.run import Run, RunSettings


class PrepareSettings(Strict):
    """What a data set is read from, and the share of its samples that some classes keep."""

    source: Source
    class_shares: Annotated[dict[str, float], Neutral({})]


class ExtractorSettings(Strict):
    """How an extractor is made; `source` is the data that a classifier is trained on."""

    source: str | None
    extractor: Extractor


class RealFeatureSettings(Strict):
    """Whose real images an extractor sees."""

    dataset: str


class SampleSettings(Strict):
    """How many samples a run is scored on."""

    run: RunSettings
    n_fake: int


class FeatureSettings(Strict):
    """Whose samples an extractor sees."""

    run: Run
    extractor: str


class ClusterSettings(Strict):
    """How a run's components cluster held-out samples; `classifier` is None for points."""

    run: RunSettings
    clustering: Clustering
    classifier: ClassifierExtractor | None


class ExploreSettings(Strict):
    """At which scales the explorer shows a run."""

    run: RunSettings
    sigma_scales: list[float]


class TableSettings(Strict):
    """The suite that the score tables are of, and its runs in order.

    parameters: {what the suite varies: {name of a run: its value}}, without runs that have none.
    """

    suite: str
    runs: list[Run]
    parameters: dict[str, dict[str, JsonValue]]


class ReportSettings(TableSettings):
    """The suite that the report is of, and the entries of params.yaml that it names.

    compared: {name of a run: the run of its baseline}. resolved: {name of a run: its model, with
    the values that the run varies}.
    """

    title: str
    datasets: dict[str, Dataset]
    models: dict[str, Model]
    compared: dict[str, Run]
    resolved: dict[str, Model]

    @property
    def baselines(self) -> dict[str, str]:
        """A model's name -> the model that it is compared with, for those that have one."""
        return {name: model.baseline for name, model in self.models.items() if model.baseline}

    def place(self, run: Run) -> tuple[int, ...]:
        """Sorts runs by model, K, varied values and seed, the values as the suite has them."""
        varied = [other.varied for other in self.runs if other.model == run.model]
        return (list(self.models).index(run.model), run.K, varied.index(run.varied), run.seed)

    def compared_on(self, dataset: str) -> dict[tuple[str, str], tuple[str, str]]:
        """(model, varied) of the runs on a data set -> those of their baselines."""
        own = (run for run in self.runs if run.dataset == dataset and run.name in self.compared)
        others = {run: self.compared[run.name] for run in own}
        return {(run.model, run.varied): (it.model, it.varied) for run, it in others.items()}

    def models_on(self, dataset: str) -> dict[tuple[str, str], Model]:
        """(model, varied) of the runs on a data set -> the model with these values."""
        own = (run for run in self.runs if run.dataset == dataset)
        return {(run.model, run.varied): self.resolved[run.name] for run in own}

    @property
    def titles(self) -> dict[str, str]:
        """A model's name -> its title."""
        return {name: model.title for name, model in self.models.items()}
