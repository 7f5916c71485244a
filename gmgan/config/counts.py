"""What sample counts must allow: every score, the floor, the extractors, the clustering.

All rules stand here. They hold for the settings alone, and are sharper where the counts of the data
are known. Each mistake is named with the value that would work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gmgan.config.base import Location
from gmgan.config.evaluation import ClassifierExtractor, Extractor
from gmgan.config.params import Dataset, Params

MOST_EPOCHS = 200  # (ours) of an extractor: more only learn the images by heart
INCEPTION_DIM = 2048
Mistakes = Iterator[tuple[Location, str]]


@dataclass(frozen=True)
class Counts:
    """Samples of both splits; classes: their number, 0 for unlabelled data."""

    train: int
    test: int
    classes: int


@dataclass(frozen=True)
class Sides:
    """How many samples the scores and the floor of a data set compare, after correction.

    total: size of the reference split, None if unknown; n_real: what the data allow of it; least:
    the fewest samples on any side of a score.
    """

    total: int | None
    n_real: int
    n_fake: int
    floor: int | None

    @property
    def least(self) -> int:
        """The fewest samples on any side of a score or of the floor."""
        return min(n for n in (self.n_real, self.n_fake, self.floor) if n is not None)


def count_mistakes(params: Params, counts: dict[str, Counts | None]) -> Mistakes:
    """What of the data sets' settings does not fit their counts: (location in the file, text).

    counts: by data set, None where unknown; data sets without an entry are not checked.
    """
    for name, known in counts.items():
        entry = params.datasets[name]
        for place, text in _mistakes(entry, params.extractors, known):
            yield ("datasets", name, *place), text


def _mistakes(entry: Dataset, extractors: dict[str, Extractor], counts: Counts | None) -> Mistakes:
    evaluation = entry.evaluation
    total: int | None = getattr(counts, evaluation.split) if counts else None
    if total is not None and evaluation.n_real > total:
        yield (
            ("evaluation", "n_real"),
            f"n_real is {evaluation.n_real}, but the {evaluation.split} split has {total} samples; "
            f"set it to {total // 2}, so that the real-against-real floor has as many, or at most "
            f"to {total}",
        )
    sides = _sides(entry, total)
    yield from _too_small(entry, sides)
    names = [name for name in evaluation.extractors if name in extractors]
    for name in names or ([""] if entry.is_points else []):
        yield from _too_few_for_fid(entry, sides, name, extractors.get(name))
    if counts:
        for name in names:
            yield from _untrainable(name, extractors[name], counts)


def _sides(entry: Dataset, total: int | None) -> Sides:
    evaluation = entry.evaluation
    n_real, n_fake = evaluation.n_real, evaluation.n_fake
    if total is None:
        return Sides(None, n_real, n_fake, None)
    n_real = n_real if n_real <= total else total // 2
    floor = min(n_real, n_fake, total if n_real + n_fake <= total else total // 2)
    return Sides(total, n_real, n_fake, floor)


def _too_small(entry: Dataset, sides: Sides) -> Mistakes:
    """Counts of the settings that exceed the samples that there are."""
    evaluation, least = entry.evaluation, sides.least
    most = min(sides.n_real, sides.n_fake)
    if evaluation.sweep.n > most:
        text = f"sweep.n is {evaluation.sweep.n}, more than n_real or n_fake; set it to at most"
        yield ("evaluation", "sweep", "n"), f"{text} {most}"
    if any(count >= sides.n_fake for count in evaluation.fid_also_at):
        yield ("evaluation", "fid_also_at"), f"fid_also_at must be below n_fake {sides.n_fake}"
    if entry.is_points:
        return
    limits = {
        "kid_subset_size": (least, max(2, least // 2), "KID draws subsets of both sides"),
        "is_splits": (least, max(1, least // 50), "the Inception Score needs a sample per split"),
        "neighbours": (least - 1, 3, "precision and recall need more samples than neighbours"),
        "density_neighbours": (least - 1, 5, "density and coverage need more than neighbours"),
    }
    for key, (limit, good, reason) in limits.items():
        value = getattr(evaluation, key)
        if value is not None and value > limit:
            of = "" if sides.floor != least else " (of the real-against-real floor)"
            yield (
                ("evaluation", key),
                f"{key} is {value}, but a side of a score has only {least} samples{of}: {reason}; "
                f"set it to {min(good, limit)}, at most {limit}",
            )


def _too_few_for_fid(entry: Dataset, sides: Sides, name: str, extractor: Any) -> Mistakes:
    """A Frechet distance needs more samples than dimensions."""
    evaluation = entry.evaluation
    dim = 2 if not name else getattr(extractor, "feature_dim", INCEPTION_DIM)
    seen = f"the {dim} features of extractor '{name}'" if name else "2 dimensions"
    rule = f"a Fréchet distance in {seen} needs more than {dim} samples"
    counts = {
        ("n_real",): sides.n_real,
        ("n_fake",): sides.n_fake,
        ("sweep", "n"): min(evaluation.sweep.n, sides.n_real, sides.n_fake),
    }
    short = [(place, count) for place, count in counts.items() if count <= dim]
    room = sides.total is None or sides.total // 2 > dim
    if short and room:
        for place, count in short:
            key = ".".join(place)
            yield ("evaluation", *place), f"{key} is {count}: {rule}; set it to at least {dim + 1}"
    elif short or (sides.floor is not None and sides.floor <= dim):
        most = (sides.total or 0) // 2
        yield (
            ("evaluation", "extractors"),
            f"{rule}, and the floor compares two real halves of {most} samples; choose an "
            f"extractor with a feature_dim of at most {most - 1}",
        )


def _untrainable(name: str, extractor: Extractor, counts: Counts) -> Mistakes:
    """What keeps a classifier from being trained on the data."""
    if not isinstance(extractor, ClassifierExtractor):
        return
    place = ("evaluation", "extractors")
    if counts.classes < 2:
        yield (
            place,
            f"'{name}' is a classifier, and the data have "
            f"{'no labels' if not counts.classes else 'one class'}; sort them into at least two "
            "classes, or choose the extractor inception",
        )
    epochs = extractor.kimg * 1000 / counts.train
    if epochs > MOST_EPOCHS:
        most = MOST_EPOCHS * counts.train / 1000
        yield (
            place,
            f"'{name}' would see its {counts.train} training images {epochs:,.0f} times; choose an "
            f"extractor with kimg of at most {most:g} ({MOST_EPOCHS} epochs)",
        )
