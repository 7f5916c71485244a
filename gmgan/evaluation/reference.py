"""Which real samples are the reference, and which measure the real-against-real floor."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation.neighbours import nearest_distances
from gmgan.evaluation.samples import Modes, Real, split
from gmgan.evaluation.settings import ScoringSettings
from gmgan.records import ExtractorDescription, RealFeatures
from gmgan.seeds import derive_seed

DATA_SPACE = "data-space"
NOISE_POINTS = 5000
OTHER_SPLIT = {"train": "test", "test": "train"}
T = TypeVar("T", np.ndarray, Real)


@dataclass(frozen=True)
class Reference:
    """A fixed shuffle of a split, cut into pieces.

    order (array): indices of the samples that are used. Scores compare with the first `n_real`.
    The floor compares the first `floor_real` with the `floor_fake` that follow them.
    """

    order: np.ndarray
    n_real: int
    floor_real: int
    floor_fake: int

    def reference(self, rows: T) -> T:
        """The reference part of samples (or their array) whose rows follow `order`."""
        return rows[: self.n_real]

    def floor(self, rows: T) -> tuple[T, T]:
        """The two disjoint real halves, as (stand-in for generated, reference)."""
        return rows[self.floor_real :][: self.floor_fake], rows[: self.floor_real]


def choose_reference(total: int, n_real: int, n_fake: int, seed: int) -> Reference:
    """Cut a split of `total` samples.

    The floor has the same n as the scores where the split is large enough; else two halves of it,
    at most of that n. Raises GmganError if the split has fewer than `n_real` samples.
    """
    if total < n_real:
        raise GmganError(
            f"evaluation.n_real is {n_real}, but the split has only {total} samples; lower n_real"
        )
    most = total if n_real + n_fake <= total else total // 2
    floor_real, floor_fake = min(n_real, most), min(n_fake, most)
    order = np.random.default_rng(seed).permutation(total)
    return Reference(order[: max(n_real, floor_real + floor_fake)], n_real, floor_real, floor_fake)


def reference_of(data: Splits, settings: ScoringSettings) -> Reference:
    """Which samples of its reference split the scores of a data set compare with."""
    seed = derive_seed("reference", settings.dataset, settings.split)
    total = len(getattr(data, settings.split))
    return choose_reference(total, settings.n_real, settings.n_fake, seed)


def without_itself(fake: Real, real: Real, cut: Reference, split: str) -> tuple[Real, Real]:
    """The sides of the floor; samples that stand in for generated ones are no reference."""
    if split == "test":
        return fake, real
    return fake, replace(real, training=np.delete(real.training, cut.floor(cut.order)[0], axis=0))


def real_images(
    name: str,
    data: Splits,
    seen: RealFeatures,
    extractor: ExtractorDescription,
    settings: ScoringSettings,
) -> list[Real]:
    """The real images in the order of the reference, as each member of an extractor sees them.

    The other split is there where it has enough samples for a covariance of the features.
    """
    members = _seen(name, data, seen, extractor, settings)
    other = settings.model_copy(update={"split": OTHER_SPLIT[settings.split]})
    total = len(getattr(data, other.split))
    if total <= members[0].features.shape[1]:
        return members
    fewer = other.model_copy(update={"n_real": min(other.n_real, total)})
    others = _seen(name, data, seen, extractor, fewer)
    return [
        replace(member, other_split=other[: fewer.n_real])
        for member, other in zip(members, others, strict=True)
    ]


def _seen(
    name: str,
    data: Splits,
    seen: RealFeatures,
    extractor: ExtractorDescription,
    settings: ScoringSettings,
) -> list[Real]:
    """`real_images` of one split."""
    order, members = reference_of(data, settings).order, extractor.members
    features, logits = getattr(seen, settings.split), getattr(seen, f"{settings.split}_logits")
    source = f"{extractor.trained_on}." if extractor.trained_on else ""
    parts = (split(columns, members) for columns in (features, logits, seen.train))
    return [
        Real(
            samples=getattr(data, settings.split)[order],
            features=own[order],
            logits=own_logits[order],
            extractor=name,
            extractor_hash=extractor.hash[:16],
            extractor_id=source + name,
            knows_classes=extractor.kind == "classifier",
            training=training,
            held_out_distances=seen.held_out_distances[:, member],
            noise_distances=seen.noise_distances[:, member],
        )
        for member, (own, own_logits, training) in enumerate(zip(*parts, strict=True))
    ]


def real_points(data: Splits, settings: ScoringSettings) -> Real:
    """The real points in the order of the reference; noise is uniform over all modes."""
    if settings.modes is None or settings.std is None:
        raise TypeError(f"data set {settings.dataset} holds images")
    modes = Modes(np.array(settings.modes), settings.std)
    points = getattr(data, settings.split)[reference_of(data, settings).order]
    extent = np.abs(modes.centres).max() + 3 * modes.std
    rng = np.random.default_rng(derive_seed("noise points", settings.dataset))
    noise = rng.uniform(-extent, extent, (NOISE_POINTS, 2))
    return Real(
        samples=points,
        features=points,
        extractor=DATA_SPACE,
        extractor_hash=DATA_SPACE,
        extractor_id=DATA_SPACE,
        knows_classes=True,
        training=data.train,
        held_out_distances=nearest_distances(data.test, data.train),
        noise_distances=nearest_distances(noise, data.train),
        modes=modes,
    )


def real_sides(
    data: Splits,
    real: dict[str, RealFeatures],
    extractors: dict[str, ExtractorDescription],
    settings: ScoringSettings,
) -> list[list[Real]]:
    """The real samples as everything sees them that scores the data set: extractors, or itself.

    A list per extractor, of its members.
    """
    if settings.modes is not None:
        return [[real_points(data, settings)]]
    return [
        real_images(name, data, real[name], extractors[name], settings)
        for name in settings.extractors
    ]
