"""Make a feature extractor: train the classifier, or check weights that were made elsewhere."""

import hashlib
import io
from dataclasses import dataclass, fields

import numpy as np
import torch
from pydantic import TypeAdapter

from gmgan.config.evaluation import InceptionExtractor, StoredExtractor
from gmgan.config.settings import ExtractorSettings
from gmgan.data.archives import Archives
from gmgan.data.extractor_files import CURE, read_extractor
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation import classifier
from gmgan.evaluation.extractors import INCEPTION_ADDRESS, inception, load_extractor
from gmgan.reading import parsing
from gmgan.records import DataDescription, ExtractorDescription
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed

KEPT = [field.name for field in fields(ExtractorDescription)]


@dataclass(frozen=True)
class MadeExtractor:
    """The outputs of the stage."""

    weights: dict[str, np.ndarray]
    description: ExtractorDescription


def extractor(
    data: Splits | None,
    description: DataDescription | None,
    settings: ExtractorSettings,
    archives: Archives,
    device: torch.device,
) -> MadeExtractor:
    """The weights of an extractor; data and description are those that a classifier is trained on.

    Raises GmganError for a classifier on unlabelled data, and for missing or wrong files.
    """
    if isinstance(settings.extractor, InceptionExtractor):
        return _inception(settings.extractor, archives)
    if isinstance(settings.extractor, StoredExtractor):
        return _stored(settings.extractor)
    assert data is not None and description is not None and settings.source is not None
    entry, source, n_classes = settings.extractor, settings.source, len(description.classes)
    if not n_classes:
        raise GmganError(
            f"data set '{source}' has no labels, so no classifier can be trained on it; name "
            "another extractor in its evaluation"
        )
    images, labels = to_images(data.train, device), torch.from_numpy(data.train_labels).to(device)
    total = entry.kimg * entry.members
    with Progress(total, f"classifier for {source}", "kimg") as progress:
        committee = classifier.Committee(
            classifier.train_classifier(
                images,
                labels,
                n_classes,
                entry,
                derive_seed("classifier", source, member),
                lambda n, _: progress.update(n / 1000),
            )
            for member in range(entry.members)
        )

    def accuracy(samples: np.ndarray, labels: np.ndarray) -> float:
        seen = to_images(samples, device)
        predicted = [
            classifier.predict(member, seen).cpu().numpy() for member in committee.members()
        ]
        return float(np.mean([guess == labels for guess in predicted]))

    height, width, channels = description.sample_shape
    about = ExtractorDescription(
        kind=entry.kind,
        hash="",  # of the file, which the runner writes
        trained_on=source,
        sample_shape=[channels, height, width],
        n_classes=n_classes,
        channels=list(entry.channels),
        feature_dim=entry.feature_dim,
        members=entry.members,
        train_accuracy=accuracy(data.train, data.train_labels),
        test_accuracy=accuracy(data.test, data.test_labels),
    )
    weights = {name: tensor.cpu().numpy() for name, tensor in committee.state_dict().items()}
    return MadeExtractor(weights, about)


def to_images(samples: np.ndarray, device: torch.device) -> torch.Tensor:
    """uint8 images N x H x W x C as a tensor N x C x H x W on the device."""
    return torch.from_numpy(samples).permute(0, 3, 1, 2).contiguous().to(device)


def _inception(entry: InceptionExtractor, archives: Archives) -> MadeExtractor:
    try:
        content = archives.fetch(entry.weights, INCEPTION_ADDRESS, entry.sha256)
        with parsing("the file", "weights", f"fetch {INCEPTION_ADDRESS} again"):
            weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            arrays = {name: tensor.numpy() for name, tensor in weights.items()}
            inception(weights)  # shapes are checked here rather than an hour later
    except GmganError as error:
        raise GmganError(f"extractors.inception.weights: {error}") from error
    about = ExtractorDescription(kind=entry.kind, hash=hashlib.sha256(content).hexdigest())
    return MadeExtractor(arrays, about)


def _stored(entry: StoredExtractor) -> MadeExtractor:
    try:
        arrays, about, digest = read_extractor(entry.weights, entry.sha256)
        with parsing(f"the file beside {entry.weights}", "the description of a classifier", CURE):
            told = {name: value for name, value in about.items() if name in KEPT}
            told["hash"] = digest
            description = TypeAdapter(ExtractorDescription).validate_python(told)
        if description.feature_dim != entry.feature_dim:
            real = f"{entry.weights} has {description.feature_dim}"
            raise GmganError(f"feature_dim is {entry.feature_dim}, {real}; correct it")
        load_extractor(description, arrays)  # their shapes are checked here
    except GmganError as error:
        raise GmganError(f"extractors: {error}") from error
    return MadeExtractor(arrays, description)
