"""Which real samples are the reference, and which measure the real-against-real floor."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from gmgan.config.settings import RealFeatureSettings
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation.neighbours import nearest_distances
from gmgan.evaluation.samples import Modes, Real, nearest_modes
from gmgan.evaluation.settings import ScoringSettings
from gmgan.records import ExtractorDescription, RealFeatures
from gmgan.seeds import derive_seed

DATA_SPACE = "data-space"
NOISE_POINTS = 5000
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


def other_split_order(total: int, n_real: int, seed: int) -> np.ndarray:
    """Indices of at most `n_real` random samples of the split that is not the reference."""
    return np.random.default_rng(seed).permutation(total)[:n_real]


def reference_of(data: Splits, settings: ScoringSettings | RealFeatureSettings) -> Reference:
    """Which samples of its reference split the scores of a data set compare with."""
    seed = derive_seed("reference", settings.dataset, settings.split)
    total = len(getattr(data, settings.split))
    return choose_reference(total, settings.n_real, settings.n_fake, seed)


def real_images(
    name: str,
    data: Splits,
    seen: RealFeatures,
    extractor: ExtractorDescription,
    settings: ScoringSettings,
) -> Real:
    """The real images in the order of the reference, as the extractor called `name` sees them."""
    reference = reference_of(data, settings)
    training, held_out = reference.reference(seen.features), seen.other_features
    if settings.split == "test":
        training, held_out = held_out, training
    return Real(
        samples=getattr(data, settings.split)[reference.order],
        features=seen.features,
        logits=seen.logits,
        extractor=name,
        extractor_hash=extractor.hash[:16],
        training=training,
        held_out_distances=nearest_distances(held_out, training),
        noise_distances=nearest_distances(seen.noise_features, training),
    )


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
        training=points,
        held_out_distances=nearest_modes(data.test, modes.centres)[1],
        noise_distances=nearest_modes(noise, modes.centres)[1],
        modes=modes,
    )


def real_sides(
    data: Splits,
    real: dict[str, RealFeatures],
    extractors: dict[str, ExtractorDescription],
    settings: ScoringSettings,
) -> list[Real]:
    """The real samples as everything sees them that scores the data set: extractors, or itself."""
    if settings.modes is not None:
        return [real_points(data, settings)]
    return [
        real_images(name, data, real[name], extractors[name], settings)
        for name in settings.extractors
    ]
