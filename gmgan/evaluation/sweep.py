"""Sweep sigma_scale over a trained run, without training again, and score every point."""

from dataclasses import asdict

import numpy as np
import torch
from torch import nn

from gmgan import records
from gmgan.data.splits import Splits
from gmgan.evaluation.extractors import extract, load_extractor
from gmgan.evaluation.metrics import SWEPT
from gmgan.evaluation.reference import real_sides, reference_of
from gmgan.evaluation.samples import Real, Samples, by_member
from gmgan.evaluation.score import score_samples, with_floor
from gmgan.evaluation.settings import SweepSettings
from gmgan.models.model import sample
from gmgan.models.restore import restore_model
from gmgan.records import SweepPoint, Tradeoff, TrainingRecord
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed


def sweep(
    weights: dict[str, np.ndarray],
    record: TrainingRecord,
    data: Splits,
    description: records.DataDescription,
    real: dict[str, records.RealFeatures],
    extractor_weights: dict[str, dict[str, np.ndarray]],
    extractors: dict[str, records.ExtractorDescription],
    settings: SweepSettings,
    device: torch.device,
) -> Tradeoff:
    """Scores of samples z | k ~ N(mu_k, s Sigma_k) for every s of the sweep.

    All points use the same noise and components, and the same n on both sides. No points if the
    training failed.
    """
    run, scoring, scales = settings.run.run, settings.scoring, settings.sweep.sigma_scales
    if record.status != "ok":
        return Tradeoff(run=run.name, status=record.status, points=[])
    model = restore_model(settings.run, weights, description, device)
    nets = {name: load_extractor(extractors[name], extractor_weights[name]) for name in extractors}
    sides = [
        [reference_of(data, scoring).reference(member)[: settings.sweep.n] for member in members]
        for members in real_sides(data, real, extractors, scoring)
    ]
    seed = derive_seed("sweep", run.dataset, run.seed)
    points: list[SweepPoint] = []
    with Progress(len(scales), f"sweep of {run}", "scales") as progress:
        for scale in scales:
            samples, _, _ = sample(model, settings.sweep.n, seed, device, sigma_scale=scale)
            for side in sides:
                fakes = by_member(_seen(samples, side[0], nets, device), len(side))
                scores = with_floor(score_samples(fakes, side, scoring, SWEPT), [], scoring)
                points += [SweepPoint(sigma_scale=scale, **asdict(score)) for score in scores]
            progress.update(1)
    return Tradeoff(run=run.name, status=record.status, points=points)


def _seen(
    samples: np.ndarray, real: Real, nets: dict[str, nn.Module], device: torch.device
) -> Samples:
    """Generated samples as the extractor of `real` sees them; points as they are."""
    if real.modes is not None:
        return Samples(samples, samples)
    return Samples(samples, *extract(nets[real.extractor], samples, device))
