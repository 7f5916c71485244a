"""Feature extractors, all as torch-fidelity's FeatureExtractorBase.

Registered names work with torch-fidelity's public entry points too: images go in as uint8
N x C x H x W, features come out as named tensors. Weights are always passed in as tensors that
were read without unpickling.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from gmgan.errors import GmganError
from gmgan.evaluation.classifier import Classifier, Committee
from gmgan.records import ExtractorDescription
from gmgan.runtime.torch_setup import allow_torchvision_without_ops

allow_torchvision_without_ops()

from torch_fidelity.feature_extractor_base import FeatureExtractorBase  # noqa: E402
from torch_fidelity.feature_extractor_inceptionv3 import (  # noqa: E402
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

INCEPTION_ADDRESS = URL_INCEPTION_V3


class ClassifierExtractor(FeatureExtractorBase):
    """The pipeline's classifiers, side by side: `features` (penultimate layer) and `logits`.

    Use through a subclass of `classifier_extractor_class`, which knows the weights.
    """

    trained_classifier: Callable[[], Committee]

    def __init__(self, name: str, features_list: list[str], **kwargs: Any):
        super().__init__(name, features_list)
        self.classifier = self.trained_classifier()

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("features", "logits")

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "logits" if metric == "isc" else "features"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """A tuple with the requested features, each float32 N x dimension."""
        outputs = dict(zip(("features", "logits"), self.classifier(images), strict=True))
        return tuple(outputs[name] for name in self.features_list)


def classifier_extractor_class(
    weights: dict[str, torch.Tensor], description: ExtractorDescription
) -> type[ClassifierExtractor]:
    """A subclass of ClassifierExtractor with these weights, fit for torch-fidelity's registry."""
    shape, n_classes = description.sample_shape, description.n_classes
    assert shape and n_classes and description.channels and description.feature_dim
    of = (tuple(shape), n_classes, description.channels, description.feature_dim)
    net = Committee(Classifier(*of) for _ in range(description.members))
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise GmganError(
            f"the weights of the classifier do not fit: {_first(error)}; delete them and run again"
        ) from error
    net = net.folded()
    content = {"trained_classifier": staticmethod(lambda: net)}
    return type("TrainedClassifier", (ClassifierExtractor,), content)


def inception(weights: dict[str, torch.Tensor]) -> FeatureExtractorInceptionV3:
    """torch-fidelity's inception-v3-compat with these weights.

    Its forward gives (pool features N x 2048, logits N x 1008).
    """
    buffer = io.BytesIO()  # torch-fidelity unpickles its input: give it our own bytes
    torch.save(weights, buffer)
    buffer.seek(0)
    try:
        net = FeatureExtractorInceptionV3(
            "inception-v3-compat",
            ["2048", "logits_unbiased"],
            feature_extractor_weights_path=buffer,
        )
    except RuntimeError as error:
        raise GmganError(
            f"these are not the weights of inception-v3-compat: {_first(error)}; "
            f"get them from {INCEPTION_ADDRESS}"
        ) from error
    return net.requires_grad_(False).eval()


def load_extractor(description: ExtractorDescription, arrays: dict[str, np.ndarray]) -> nn.Module:
    """The network of an extractor with its weights; its forward gives (features, logits)."""
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if description.kind == "inception":
        return inception(weights)
    cls = classifier_extractor_class(weights, description)
    return cls("gmgan-classifier", ["features", "logits"]).requires_grad_(False).eval()


@torch.no_grad()
def extract(
    net: nn.Module,
    images: np.ndarray,
    device: torch.device | str,
    batch_size: int = 250,
    on_batch: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Features (N x d) and logits (N x classes), float32, of uint8 images N x H x W x C.

    Grey images are repeated to three channels where the network wants colour. Every batch has the
    same size and layout, so that image i's features do not depend on N.
    """
    net = net.to(device)
    features, logits = [], []
    height, width, channels = images.shape[1:]
    wanted = 3 if isinstance(net, FeatureExtractorInceptionV3) else channels
    batch = torch.zeros(batch_size, wanted, height, width, dtype=torch.uint8)
    for start in range(0, len(images), batch_size):
        piece = torch.from_numpy(images[start : start + batch_size]).permute(0, 3, 1, 2)
        count = len(piece)
        batch[:count] = piece
        outputs = net(batch.to(device))
        features.append(outputs[0][:count].float().cpu())
        logits.append(outputs[1][:count].float().cpu())
        if on_batch:
            on_batch(count)
    return torch.cat(features).numpy(), torch.cat(logits).numpy()


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()
