"""Load a model that `gmgan export` wrote: weights, configuration, card. Needs no params.yaml.

from gmgan.exported import load
model = load("folder")
images, components, classes = model.sample(16, component=3, sigma_scale=0.5)
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from gmgan.config.run import RunSettings
from gmgan.models.model import Model, build_model, sample
from gmgan.reading import open_regular, parsing, read_regular
from gmgan.seeds import derive_seed

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
PICTURE = "samples.png"


@dataclass
class Exported:
    """A trained model outside its pipeline.

    model: a torch module with the parts generator, discriminator and prior; config: settings of the
    run, sample_shape (channels first), names of the classes.
    """

    model: Model
    config: dict[str, Any]
    device: torch.device | str

    def sample(
        self, count: int, component: int | None = None, sigma_scale: float = 1.0, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`count` samples (uint8 N x H x W x C, or float32 N x 2), their components and classes.

        component: only this one; sigma_scale: factor on every Sigma_k. Sample i
        depends on `seed` and i alone; the same as `gmgan draw --seed`.
        """
        stream = derive_seed("drawn", self.config["settings"]["run"]["dataset"], seed)
        return sample(self.model, count, stream, self.device, component, sigma_scale)


def load(folder: str | Path, device: torch.device | str = "cpu") -> Exported:
    """The model in `folder`. Raises GmganError if a file is missing or damaged."""
    folder = Path(folder)
    with parsing(folder, "a whole exported model", "export again"):
        config = json.loads(read_regular(folder / CONFIG))
        open_regular(folder / WEIGHTS).close()
        weights = load_file(folder / WEIGHTS, device=str(device))
        model = build_model(
            RunSettings(**config["settings"]),
            tuple(config["sample_shape"]),
            len(config["classes"]),
            device,
        )
        model.load_state_dict(weights)
    return Exported(model, config, device)
