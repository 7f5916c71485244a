"""Restores a trained model from stored weights."""

import numpy as np
import torch

from gmgan.config.run import RunSettings
from gmgan.models.model import Model, build_model
from gmgan.records import DataDescription


def restore_model(
    settings: RunSettings,
    weights: dict[str, np.ndarray],
    description: DataDescription,
    device: torch.device,
) -> Model:
    """The model of a run with its trained weights."""
    shape = channels_first(description.sample_shape)
    model = build_model(settings, shape, len(description.classes), device)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return model


def channels_first(sample_shape: list[int]) -> tuple[int, ...]:
    """[H, W, C] as stored -> (C, H, W) as networks take it; [2] -> (2,) for points."""
    if len(sample_shape) == 1:
        return tuple(sample_shape)
    height, width, channels = sample_shape
    return channels, height, width
