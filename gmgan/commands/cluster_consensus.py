"""Cluster the images of a data set by the components of several unsupervised GM-GANs together."""

from collections.abc import Iterator, Sequence

import numpy as np

from gmgan.commands.clusterings import Row, labelled_images
from gmgan.commands.trained import load_run
from gmgan.config.settings import ClusterSettings
from gmgan.errors import GmganError
from gmgan.evaluation.cluster import component_clusters
from gmgan.pipeline.runner import Runner


def cluster_consensus(runner: Runner, run_names: Sequence[str]) -> Iterator[Row]:
    """The scores of each run's components, then of the consensus of the runs.

    The classifier of components is the one of the clustering stage, trained again. Raises
    GmganError for runs of several data sets or values of K, and for one without usable weights.
    """
    jobs = [runner.job("cluster", run=name) for name in dict.fromkeys(run_names)]
    runs = [job.names["run"] for job in jobs]
    if len(runs) < 2:
        raise GmganError("a consensus needs two runs or more")
    if len({(run.dataset, run.K) for run in runs}) > 1:
        raise GmganError("a consensus needs runs of one data set and one K")
    dataset, n_clusters = runs[0].dataset, runs[0].K
    data = labelled_images(runner, dataset)
    clusterings: list[np.ndarray] = []
    for job, run in zip(jobs, runs, strict=True):
        settings = runner.settings(job)
        assert isinstance(settings, ClusterSettings)
        model = load_run(runner, run, "cluster by").model
        clusterings.append(component_clusters(model, settings, data.images, runner.device))
        method = f"{run.model} {run.varied}".strip()
        yield data.row(method, run.seed, n_clusters, clusterings[-1])
    yield data.consensus("consensus", n_clusters, clusterings)
