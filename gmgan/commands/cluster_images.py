"""Sort images of your own by the components of an unsupervised GM-GAN."""

from pathlib import Path

from gmgan.commands.trained import load_run
from gmgan.config.settings import ClusterSettings
from gmgan.data.loose import read_loose
from gmgan.errors import GmganError
from gmgan.evaluation.cluster import component_clusters
from gmgan.pipeline.runner import Runner


def cluster_images(runner: Runner, run_name: str, path: Path) -> list[tuple[str, int]]:
    """(name of the image, component) of the images in `path`, in the order of their names.

    The classifier of components is the one of the clustering stage, trained again. Raises
    GmganError for a run without usable weights and for images of another size.
    """
    job = runner.job("cluster", run=run_name)
    run, settings = job.names["run"], runner.settings(job)
    assert isinstance(settings, ClusterSettings)
    entry = runner.params.datasets[run.dataset]
    if entry.is_points:
        raise GmganError(f"data set '{run.dataset}' holds points; choose a run on images")
    trained = load_run(runner, run, "sort by")
    shape, resize = trained.description.sample_shape, getattr(entry.source, "resize", "none")
    names, images = read_loose(path, tuple(shape), resize)
    clusters = component_clusters(trained.model, settings, images, runner.device)
    return list(zip(names, clusters.tolist(), strict=True))
