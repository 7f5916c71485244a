"""Sort images of one's own by the components of an unsupervised GM-GAN."""

from gmgan.config import Run
from gmgan.data.loose import read_loose
from gmgan.errors import GmganError
from gmgan.stages.cluster import component_clusters
from gmgan.stages.context import Context


def run(context: Context, cell: Run, path):
    """[(name of the image, component)] for the images in `path`, in the order of their names.

    The classifier of components is the one of the clustering stage, trained again. Raises
    GmganError for a run without usable weights and for images of another size.
    """
    if context.params.datasets[cell.dataset].is_points:
        raise GmganError(f"data set '{cell.dataset}' holds points; choose a run on images")
    status = context.status_of(cell)
    if status != "ok":
        raise GmganError(f"{cell.name} {status} in training: it has no components to sort by")
    names, images = read_loose(path, tuple(context.data_about(cell.dataset)["sample_shape"]))
    clusters = component_clusters(context, cell, images)
    return list(zip(names, clusters.tolist(), strict=True))
