"""Make a feature extractor: train the classifier, or check and convert Inception weights."""

import hashlib
import pickle
from pathlib import Path

import torch

from gmgan.errors import GmganError
from gmgan.evaluation import classifier
from gmgan.pipeline.artifacts import sha256_file, write_arrays, write_json
from gmgan.pipeline.grid import extractor_id
from gmgan.runtime.progress import Progress
from gmgan.seeds import derive_seed
from gmgan.stages.context import Context


def run(context: Context, dataset: str, extractor: str):
    """Write the weights of the extractor that `dataset` names `extractor`."""
    settings = context.params.lookup("extractors", extractor)
    if settings.kind == "classifier":
        weights, about = _train(context, dataset, settings)
    else:
        weights, about = _inception(context, settings)
    name = extractor_id(context.params, dataset, extractor)
    path = context.paths.extractor(name)
    stamp = context.stamp(
        context.expected.extractor(dataset, extractor), kind=settings.kind, **about
    )
    weights = {key: tensor.cpu().numpy() for key, tensor in weights.items()}
    header = {key: stamp[key] for key in stamp if key != "provenance"}
    write_arrays(path, weights, header)
    stamp.setdefault("hash", sha256_file(path))
    write_json(context.paths.extractor_about(name), stamp)


def _train(context, dataset, settings):
    device = context.device()
    arrays, about = context.data(dataset), context.data_about(dataset)
    if not about["classes"]:
        raise GmganError(
            f"data set '{dataset}' has no labels, so no classifier can be trained on "
            "it; name another extractor in its evaluation"
        )

    def tensors(split):
        images = torch.from_numpy(arrays[split]).permute(0, 3, 1, 2).contiguous()
        return images.to(device), torch.from_numpy(arrays[f"{split}_labels"]).to(device)

    images, labels = tensors("train")
    options = settings.model_dump()
    with Progress(settings.kimg, f"classifier for {dataset}", "kimg") as progress:
        net = classifier.train_classifier(
            images,
            labels,
            len(about["classes"]),
            options,
            derive_seed("classifier", context.source_of(dataset)),
            lambda count, loss: progress.update(count / 1000),
        )
    accuracy = {}
    for split in ("train", "test"):
        images, labels = tensors(split)
        accuracy[f"{split}_accuracy"] = float(
            (classifier.predict(net, images) == labels).double().mean()
        )
    return net.state_dict(), {
        "trained_on": context.source_of(dataset),
        "sample_shape": list(images.shape[1:]),
        "n_classes": len(about["classes"]),
        "channels": settings.channels,
        "feature_dim": settings.feature_dim,
        **accuracy,
    }


def _inception(context, settings):
    from gmgan.evaluation.extractors import INCEPTION_ADDRESS, inception

    path = (
        Path(settings.weights)
        if settings.weights
        else _download(context, settings, INCEPTION_ADDRESS)
    )
    if not path.is_file():
        raise GmganError(
            f"extractors.inception.weights: no file {path}; fetch "
            f"{INCEPTION_ADDRESS} and put it there"
        )
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(settings.sha256):
        raise GmganError(
            f"{path} has SHA-256 {found[:16]}..., expected {settings.sha256}...; "
            f"fetch {INCEPTION_ADDRESS} again"
        )
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise GmganError(
            f"{path} cannot be read as weights ({str(error).splitlines()[0]}); fetch "
            f"{INCEPTION_ADDRESS} again"
        ) from error
    inception(weights)  # shapes are checked here rather than an hour later
    return weights, {"hash": found}


def _download(context, settings, address):
    """The official weights, kept among the downloads."""
    from gmgan.stages.context import Archives

    archives = Archives(context.paths.archives())
    name = address.rsplit("/", 1)[1]
    path = archives(name)
    if path is None:
        path = archives.downloads / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(address, str(path), hash_prefix=settings.sha256)
        except (OSError, RuntimeError) as error:
            raise GmganError(
                f"extractor inception: cannot download its weights ({error}); fetch "
                f"{address} and name the file in extractors.inception.weights, or put "
                "it into the folder in GMGAN_MIRROR"
            ) from error
    return path
