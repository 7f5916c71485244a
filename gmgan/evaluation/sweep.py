"""Sweep sigma_scale over a trained run, without training again, and score every point."""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch

from gmgan.config.schema import Sweep
from gmgan.data.splits import Splits
from gmgan.evaluation.metrics import SWEPT
from gmgan.evaluation.reference import real_sides, reference_of
from gmgan.evaluation.samples import Real, Samples
from gmgan.evaluation.score import score_samples
from gmgan.evaluation.settings import ScoringSettings
from gmgan.models.model import Model, sample
from gmgan.records import ExtractorDescription, RealFeatures, SweepPoint, Tradeoff
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed

# (name of an extractor, images) -> features, logits
Extract = Callable[[str, np.ndarray], tuple[np.ndarray, np.ndarray]]


def sweep(
    model: Model,
    status: str,
    data: Splits,
    real: dict[str, RealFeatures],
    extractors: dict[str, ExtractorDescription],
    extract: Extract,
    settings: ScoringSettings,
    scales: Sweep,
    device: torch.device,
) -> Tradeoff:
    """Scores of samples z | k ~ N(mu_k, s Sigma_k) for every s of `scales`.

    All points use the same noise and components, and the same n on both sides. No points if the
    training ended with a `status` other than `ok`.
    """
    if settings.run is None:
        raise TypeError("these are the settings of real samples")
    points: list[SweepPoint] = []
    if status == "ok":
        sides = [
            reference_of(data, settings).reference(side)[: scales.n]
            for side in real_sides(data, real, extractors, settings)
        ]
        seed = derive_seed("sweep", settings.dataset, settings.run.seed)
        names = scales.sigma_scales
        with Progress(len(names), f"sweep of {settings.run.name}", "scales") as progress:
            for scale in scales.sigma_scales:
                samples, _, _ = sample(model, scales.n, seed, device, sigma_scale=scale)
                for side in sides:
                    fake = _seen(samples, side, extract)
                    points += [
                        SweepPoint(sigma_scale=scale, **asdict(score))
                        for score in score_samples(fake, side, settings, SWEPT)
                    ]
                progress.update(1)
    return Tradeoff(run=settings.run.name, status=status, points=points)


def _seen(samples: np.ndarray, real: Real, extract: Extract) -> Samples:
    """Generated samples as the extractor of `real` sees them; points as they are."""
    if real.modes is not None:
        return Samples(samples, samples)
    return Samples(samples, *extract(real.extractor, samples))
