"""Look at a folder or zip of images before it becomes a data set."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from gmgan.config.counts import Counts
from gmgan.data.images import Files, assign, image_files, upright
from gmgan.errors import GmganError
from gmgan.evaluation.neighbours import nearest_neighbours
from gmgan.runtime.progress import Progress

THUMBNAIL = 16  # pixels; images are compared at this size
NEAR = 3.0  # (ours) grey levels, root mean square: below it two images are near-duplicates
COMPARED = 2000  # at most so many held-out images
MOST_NAMED = 10


@dataclass(frozen=True)
class Findings:
    """What a folder of images holds.

    classes: images per class; training: those of them for training; sizes: images per (width,
    height); split: whether it has train/ and test/ of its own; duplicates: (held-out image,
    training image) that hardly differ; lossy: images whose mode (transparency, more than 8 bits)
    is changed, by mode.
    """

    counts: Counts
    classes: dict[str, int]
    training: dict[str, int]
    sizes: Counter[tuple[int, int]]
    grey: bool
    split: bool
    duplicates: list[tuple[str, str]]
    lossy: dict[str, int]


def inspect(path: Path, small: int, fractions: tuple[float, float]) -> tuple[Findings, float]:
    """The findings in `path`, and the share of images that is held out.

    fractions: the share for fewer than `small` images, and for more; without meaning for images
    with a split of their own. Raises GmganError for another layout, for images that cannot be read,
    with their names, and for classes without a training image.
    """
    with image_files(path) as files:
        fraction = fractions[len(files) >= small]
        names = [PurePosixPath(name).parts for name in files]
        is_test = assign(path, files, fraction)
        classes = Counter(parts[-2] for parts in names)
        training = Counter(
            parts[-2] for parts, held_out in zip(names, is_test, strict=True) if not held_out
        )
        _check_training(path, classes, training)
        thumbnails, sizes, modes, grey = _look(path, files)
    findings = Findings(
        counts=Counts(int((~is_test).sum()), int(is_test.sum()), len(classes)),
        classes=dict(sorted(classes.items())),
        training={name: training[name] for name in sorted(classes)},
        sizes=sizes,
        grey=grey,
        split=len(names[0]) == 3,
        duplicates=_duplicates(list(files), thumbnails, is_test),
        lossy={mode: n for mode, n in modes.items() if mode not in ("L", "RGB", "P", "1")},
    )
    return findings, fraction


def _check_training(path: Path, classes: Iterable[str], training: Iterable[str]) -> None:
    """Raise GmganError if all images of a class are held out."""
    missing = sorted(set(classes) - set(training))
    if missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        raise GmganError(
            f"{path} has no training image of {', '.join(missing[:MOST_NAMED])}{more}; add some "
            "(to train/CLASS, if there is a test/CLASS), or remove the class"
        )


def _look(
    path: Path, files: Files
) -> tuple[np.ndarray, Counter[tuple[int, int]], Counter[str], bool]:
    """Thumbnails (uint8 N x 16 x 16 x 3), sizes, modes, and whether no image has colours."""
    thumbnails = np.zeros((len(files), THUMBNAIL, THUMBNAIL, 3), np.uint8)
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    broken, grey = [], True
    with Progress(len(files), f"looking at {path}", "images") as progress:
        for i, (name, read_bytes) in enumerate(files.items()):
            progress.update(1)
            try:
                image, mode = upright(read_bytes())
                picture = image.convert("RGB")
            except Exception:  # Pillow raises many types for a damaged file
                broken.append(name)
                continue
            sizes[picture.size] += 1
            modes[mode] += 1
            small = picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
            thumbnails[i] = np.asarray(small)
            grey = grey and not np.ptp(thumbnails[i].astype(np.int16), 2).any()
    if broken:
        more = f" and {len(broken) - MOST_NAMED} more" if len(broken) > MOST_NAMED else ""
        raise GmganError(
            f"{path}: {len(broken)} of {len(files)} files cannot be read as images; repair or "
            f"remove {', '.join(broken[:MOST_NAMED])}{more}"
        )
    return thumbnails, sizes, modes, grey


def _duplicates(
    names: list[str], thumbnails: np.ndarray, is_test: np.ndarray
) -> list[tuple[str, str]]:
    """(held-out image, training image) of which the thumbnails hardly differ."""
    test, train = np.flatnonzero(is_test)[:COMPARED], np.flatnonzero(~is_test)
    if not len(test) or not len(train):
        return []
    index, distances = nearest_neighbours(thumbnails[test], thumbnails[train], 1)
    near = distances[:, 0] / np.sqrt(thumbnails[0].size) < NEAR
    return [(names[test[i]], names[train[index[i, 0]]]) for i in np.flatnonzero(near)]
