"""How many samples a data set has, without reading them."""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import PurePosixPath

from gmgan.config.counts import Counts
from gmgan.config.data import DigitsSource, ImagesSource, PointSource, Source, TorchvisionSource
from gmgan.data.archives import Archives
from gmgan.data.images import assign, image_files

DIGITS = 1797
OFFICIAL = {
    "mnist": Counts(60_000, 10_000, 10),
    "fashion-mnist": Counts(60_000, 10_000, 10),
    "cifar10": Counts(50_000, 10_000, 10),
    "stl10": Counts(5_000, 8_000, 10),
    "stl10-unlabelled": Counts(100_000, 8_000, 0),
}


def counts_of(
    source: Source, archives: Archives, class_shares: Mapping[str, float]
) -> Counts | None:
    """The counts of a data set; None for plug-ins, and for images that are not there.

    With `class_shares` they are about right: as if all classes were equally frequent. Raises
    GmganError if a folder or zip of images cannot be listed or has another layout.
    """
    counts = _counts_of(source, archives)
    if counts is None or not class_shares:
        return counts
    share = 1 - sum(1 - share for share in class_shares.values()) / max(counts.classes, 1)
    return replace(counts, train=int(share * counts.train), test=int(share * counts.test))


def _counts_of(source: Source, archives: Archives) -> Counts | None:
    if isinstance(source, PointSource):
        return Counts(source.n_train, source.n_test, source.n_classes or 0)
    if isinstance(source, DigitsSource):
        test = ceil(DIGITS * source.test_fraction)
        return Counts(DIGITS - test, test, source.n_classes)
    if isinstance(source, TorchvisionSource):
        return OFFICIAL[source.kind]
    if not isinstance(source, ImagesSource) or (path := archives(source.path)) is None:
        return None
    with image_files(path) as files:
        is_test = assign(path, files, source.test_fraction)
        classes = {PurePosixPath(name).parts[-2] for name in files}
    return Counts(int((~is_test).sum()), int(is_test.sum()), len(classes))
