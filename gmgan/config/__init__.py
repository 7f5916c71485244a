"""params.yaml as typed, immutable objects."""

from gmgan.config.data import PluginSource, Source
from gmgan.config.evaluation import Clustering, Evaluation, Extractor, Sweep
from gmgan.config.loader import load
from gmgan.config.models import Latent, Model, Network, Prior, Training
from gmgan.config.params import Dataset, Params, Suite
from gmgan.config.run import Run, RunSettings

__all__ = [
    "Clustering",
    "Dataset",
    "Evaluation",
    "Extractor",
    "Latent",
    "Model",
    "Network",
    "Params",
    "PluginSource",
    "Prior",
    "Run",
    "RunSettings",
    "Source",
    "Suite",
    "Sweep",
    "Training",
    "load",
]
