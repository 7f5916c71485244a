"""Load a model that `gmgan export` wrote: weights, configuration, card. Needs no params.yaml.

from gmgan.exported import load
model = load("folder")
images, components, classes = model.sample(16, component=3, sigma_scale=0.5)
"""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from gmgan.errors import GmganError
from gmgan.models.model import Model, build_model, sample
from gmgan.seeds import derive_seed

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


@dataclass
class Exported:
    """A trained model outside its pipeline.

    model: generator, discriminator and prior as torch modules; config (dict): settings of the run,
    sample_shape, names of the classes.
    """

    model: Model
    config: dict
    device: str

    def sample(self, count, component=None, sigma_scale=1.0, seed=0):
        """`count` samples (uint8 N x H x W x C, or float32 N x 2), their components and classes.

        component (int or None): only this one; sigma_scale: factor on every Sigma_k. Sample i
        depends on `seed` and i alone; the same as `gmgan sample --seed`.
        """
        stream = derive_seed("drawn", self.config["settings"]["run"]["dataset"], seed)
        return sample(self.model, count, stream, self.device, component, sigma_scale)


def load(folder, device="cpu") -> Exported:
    """The model in `folder`. Raises GmganError if a file is missing or damaged."""
    folder = Path(folder)
    try:
        config = json.loads((folder / CONFIG).read_text())
        weights = load_file(folder / WEIGHTS, device=str(device))
    except (OSError, ValueError, SafetensorError) as error:
        raise GmganError(f"{folder} holds no whole exported model: {error}") from error
    try:
        model = build_model(
            config["settings"], tuple(config["sample_shape"]), len(config["classes"]), device
        )
        model.load_state(weights)
    except (KeyError, RuntimeError) as error:
        raise GmganError(f"{folder}: {WEIGHTS} does not fit {CONFIG}; export again") from error
    return Exported(model, config, device)
