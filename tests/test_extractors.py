"""Extractors and scores against torch-fidelity's public entry points."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import read_arrays, read_json, seen
from PIL import Image
from pydantic import TypeAdapter

from gmgan.config.evaluation import StoredExtractor
from gmgan.config.settings import RealFeatureSettings
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation import fidelity
from gmgan.evaluation.classifier import Classifier, Committee
from gmgan.evaluation.extractors import (
    classifier_extractor_class,
    extract,
    inception,
    load_extractor,
)
from gmgan.evaluation.features import real_features
from gmgan.evaluation.frechet import fid
from gmgan.evaluation.neighbours import precision_recall
from gmgan.evaluation.samples import Samples
from gmgan.pipeline.checks import suite_mistakes
from gmgan.pipeline.runner import Runner
from gmgan.records import ExtractorDescription

SHAPE = {"sample_shape": [1, 8, 8], "n_classes": 10, "channels": [8, 16], "feature_dim": 12}
ABOUT = ExtractorDescription(kind="classifier", hash="0", **SHAPE)


class Bare(torch.utils.data.Dataset):
    """Images as torch-fidelity wants them: an item is a uint8 tensor C x H x W."""

    def __init__(self, images):
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i]


@pytest.fixture(scope="module")
def classifier_weights():
    torch.manual_seed(0)
    return Committee([Classifier((1, 8, 8), 10, [8, 16], 12)]).state_dict()


def images(seed, count, high=256):
    return np.random.default_rng(seed).integers(0, high, (count, 8, 8, 1), np.uint8)


def test_all_scores_agree_with_calculate_metrics(classifier_weights):
    """FID, IS, KID, precision and recall on the same images and extractor: to 1e-4 relative."""
    from torch_fidelity import calculate_metrics, register_feature_extractor

    register_feature_extractor(
        "classifier-under-test", classifier_extractor_class(classifier_weights, ABOUT)
    )
    fake, real = images(0, 400), images(1, 350, 200)
    theirs = calculate_metrics(
        input1=Bare(fake),
        input2=Bare(real),
        cuda=False,
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        feature_extractor="classifier-under-test",
        kid_subset_size=100,
        kid_subsets=20,
        cache=False,
        verbose=False,
    )
    net = load_extractor(ABOUT, arrays(classifier_weights))
    sides = [
        Samples(images, *extract(net, images, "cpu", batch_size=64)) for images in (fake, real)
    ]
    ours = {
        "inception_score": fidelity.inception_score(*sides, 10),
        "fid": fid(*sides),
        "kid": fidelity.kid(*sides, 20, 100),
        **precision_recall(*sides, 3),
    }
    assert ours["inception_score"] == pytest.approx(
        (theirs["inception_score_mean"], theirs["inception_score_std"]), rel=1e-5
    )
    assert ours["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours["kid"] == pytest.approx(
        (theirs["kernel_inception_distance_mean"], theirs["kernel_inception_distance_std"]),
        rel=1e-4,
        abs=1e-7,
    )
    assert ours["precision_k3"] == pytest.approx(theirs["precision"], abs=0.003)
    assert ours["recall_k3"] == pytest.approx(theirs["recall"], abs=0.003)


def test_folding_changes_nothing_but_rounding():
    torch.manual_seed(0)
    net = Classifier(**SHAPE).train()
    for _ in range(5):  # statistics of batch normalisation that are not those of the start
        net(torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8))
    net.body[1].weight.data.uniform_(-2, 2)
    net.eval().requires_grad_(False)
    folded, batch = net.folded(), torch.from_numpy(images(0, 50)).permute(0, 3, 1, 2)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in folded.modules())
    for a, b in zip(folded(batch), net(batch), strict=True):
        assert b.std() > 0.01
        assert torch.allclose(a, b, atol=1e-5)


def test_features_of_an_image_do_not_depend_on_the_others(classifier_weights):
    net = load_extractor(ABOUT, arrays(classifier_weights))
    few, many = images(0, 30), np.concatenate([images(0, 30), images(5, 300)])
    for a, b in zip(extract(net, few, "cpu"), extract(net, many, "cpu"), strict=True):
        assert np.array_equal(a, b[:30])


def test_foreign_classifier_weights_are_refused(classifier_weights):
    with pytest.raises(GmganError, match="weights of the classifier do not fit"):
        load_extractor(replace(ABOUT, feature_dim=13), arrays(classifier_weights))


def runner_with(params, folder, **extractors):
    params = params.model_copy(update={"extractors": {**params.extractors, **extractors}})
    return Runner(params, folder / "results")


def test_digits_classifier_reaches_96_percent(params, tmp_path):
    runner = runner_with(params, tmp_path)
    runner.run(runner.job("prepare", source="digits"))
    runner.run(runner.job("extractor", extractor_id="digits.classifier-digits"))
    about = read_json(tmp_path / "results/extractors/digits.classifier-digits.json")
    assert about["test_accuracy"] >= 0.96
    assert about["hash"]


@pytest.fixture(scope="module")
def stored(params, tmp_path_factory):
    """The two files of a classifier that a pipeline trained, and their runner."""
    folder = tmp_path_factory.mktemp("stored")
    small = params.extractors["classifier-digits"].model_copy(update={"kimg": 2, "members": 1})
    runner = runner_with(params, folder, **{"classifier-digits": small})
    runner.run(runner.job("prepare", source="digits"))
    runner.run(runner.job("extractor", extractor_id="digits.classifier-digits"))
    return runner.results / "extractors/digits.classifier-digits.safetensors"


def stored_extractor(weights, feature_dim=32):
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return StoredExtractor(
        kind="stored", weights=str(weights), sha256=digest, feature_dim=feature_dim
    )


def with_stored(params, folder, entry):
    digits = params.datasets["digits"]
    evaluation = digits.evaluation.model_copy(update={"extractors": ["kept"]})
    digits = digits.model_copy(update={"evaluation": evaluation})
    params = params.model_copy(update={"datasets": {**params.datasets, "digits": digits}})
    runner = runner_with(params, folder, kept=entry)
    runner.run(runner.job("prepare", source="digits"))
    return runner


def test_a_stored_extractor_gives_the_features_of_the_trained_one(params, stored, tmp_path):
    runner = with_stored(params, tmp_path, stored_extractor(stored))
    runner.run(runner.job("extractor", extractor_id="kept"))
    ours = tmp_path / "results/extractors/kept.safetensors"
    assert ours.read_bytes() == stored.read_bytes()
    theirs = read_json(stored.with_suffix(".json"))
    about = read_json(ours.with_suffix(".json"))
    for told in ("kind", "hash", "trained_on", "test_accuracy", "channels"):
        assert about[told] == theirs[told]
    runner.run(runner.job("real_features", dataset="digits", extractor="kept"))
    features, _ = read_arrays(tmp_path / "results/real/digits.kept.safetensors")
    data, _ = read_arrays(tmp_path / "results/data/digits.safetensors")
    weights, _ = read_arrays(stored)
    net = load_extractor(TypeAdapter(ExtractorDescription).validate_python(about), weights)
    assert np.array_equal(features["test"], extract(net, data["test"], "cpu")[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"trained_on": "fashion-mnist"}, "'kept' knows 10 classes of 'fashion-mnist'"),
        ({"n_classes": 7}, "'kept' knows 7 classes of 'digits'"),
    ],
)
def test_a_classifier_of_other_classes_is_refused_before_the_first_job(
    params, stored, tmp_path, change, words
):
    copy = tmp_path / stored.name
    copy.write_bytes(stored.read_bytes())
    about = read_json(stored.with_suffix(".json")) | change
    copy.with_suffix(".json").write_text(json.dumps(about))
    params = with_stored(params, tmp_path, stored_extractor(copy)).params
    mistakes = [text for _, text in suite_mistakes(params, "quick", tmp_path / "results")]
    assert [words in text for text in mistakes] == ([True] if words else [])


def test_a_damaged_or_missing_stored_extractor_is_refused(params, stored, tmp_path):
    copies = [tmp_path / stored.name, tmp_path / stored.with_suffix(".json").name]
    for copy in copies:
        copy.write_bytes(stored.with_suffix(copy.suffix).read_bytes())
    entry = stored_extractor(copies[0])
    flipped = bytearray(copies[0].read_bytes())
    flipped[-1] ^= 1
    copies[0].write_bytes(flipped)

    def refusal(entry=entry):
        runner = with_stored(params, tmp_path, entry)
        with pytest.raises(GmganError) as error:
            runner.run(runner.job("extractor", extractor_id="kept"))
        return str(error.value)

    assert f"expected {entry.sha256}" in refusal()
    copies[0].write_bytes(stored.read_bytes())
    assert "feature_dim is 33" in refusal(stored_extractor(copies[0], feature_dim=33))
    copies[1].write_text("[]")
    assert "cannot be read as the description of a classifier" in refusal()
    copies[1].unlink()
    assert f"there is no {copies[1]}" in refusal()


def test_a_stored_extractor_of_other_images_is_refused(stored):
    about = read_json(stored.with_suffix(".json"))
    about = replace(ABOUT, sample_shape=about["sample_shape"])
    zeros = np.zeros((4, 28, 28, 1), np.uint8)
    data = Splits(zeros, np.zeros(4, np.int64), zeros, np.zeros(4, np.int64), ["0"])
    settings = RealFeatureSettings(dataset="mnist")
    with pytest.raises(GmganError, match="images of 1 x 28 x 28, the extractor is for 1 x 8 x 8"):
        real_features(data, {}, about, settings, torch.device("cpu"))


def arrays(weights):
    return {name: tensor.numpy() for name, tensor in weights.items()}


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    """A weights file of the right names and shapes with random values."""
    from gmgan.runtime.torch_setup import allow_torchvision_without_ops

    allow_torchvision_without_ops()
    from torch_fidelity import feature_extractor_inceptionv3 as module

    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            module.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None
        )
        torch.save({}, path)
        net = module.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=path
        )
    state = {}
    for name, tensor in net.state_dict().items():
        if not tensor.is_floating_point():
            state[name] = tensor
        elif name.endswith("running_var"):
            state[name] = torch.ones_like(tensor)
        elif tensor.dim() > 1:
            state[name] = torch.randn_like(tensor) * (2 / tensor[0].numel()) ** 0.5
        else:
            state[name] = 0.1 * torch.randn_like(tensor) + float("weight" in name)
    torch.save(state, path)
    return path


def sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_inception_agrees_with_torch_fidelitys_command_line(inception_file, tmp_path):
    """With random weights of the right shapes; 24 + 24 small images, FID and IS."""
    folders = []
    rng = np.random.default_rng(0)
    for name, high in (("fake", 256), ("real", 180)):
        folder = tmp_path / name
        folder.mkdir()
        for i in range(24):
            picture = rng.integers(0, high, (32, 32, 3), np.uint8)
            Image.fromarray(picture).save(folder / f"{i:03}.png")
        folders.append(folder)
    script = (
        "from gmgan.runtime.torch_setup import allow_torchvision_without_ops as allow; allow(); "
        "from torch_fidelity.fidelity import main; main()"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            "--input1",
            folders[0],
            "--input2",
            folders[1],
            "--cpu",
            "--isc",
            "--fid",
            "--json",
            "--silent",
            "--no-cache",
            "--isc-splits",
            "2",
            "--feature-extractor-weights-path",
            inception_file,
            "--batch-size",
            "8",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)

    net = inception(torch.load(inception_file, weights_only=True))
    sides = [
        extract(
            net,
            np.stack([np.asarray(Image.open(p)) for p in sorted(f.iterdir())]),
            "cpu",
            batch_size=8,
        )
        for f in folders
    ]
    (fake, logits), (real, _) = sides
    from gmgan.evaluation.frechet import frechet_distance

    fid = frechet_distance(
        fake.mean(0, dtype=np.float64),
        np.cov(fake, rowvar=False),
        real.mean(0, dtype=np.float64),
        np.cov(real, rowvar=False),
    )
    score = fidelity.inception_score(seen(None, logits), None, 2)[0]
    assert fid == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert score == pytest.approx(theirs["inception_score_mean"], rel=1e-4)


def test_inception_stage_checks_and_converts(params, inception_file, tmp_path):
    good = params.extractors["inception"].model_copy(
        update={"weights": str(inception_file), "sha256": sha256(inception_file)[:8]}
    )
    runner = runner_with(params, tmp_path, inception=good)
    runner.run(runner.job("extractor", extractor_id="inception"))
    about = read_json(tmp_path / "results/extractors/inception.json")
    assert about["hash"] == sha256(inception_file)
    stored, _ = read_arrays(tmp_path / "results/extractors/inception.safetensors")
    original = torch.load(inception_file, weights_only=True)
    assert all(np.array_equal(stored[name], original[name].numpy()) for name in original)


def test_grey_images_go_through_inception(inception_file):
    net = inception(torch.load(inception_file, weights_only=True))
    features, logits = extract(net, images(0, 2), "cpu", batch_size=2)
    assert features.shape == (2, 2048)
    assert logits.shape == (2, 1008)


def test_bad_inception_weights_give_plain_errors(params, inception_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def stage(**change):
        entry = params.extractors["inception"].model_copy(update=change)
        runner = runner_with(params, tmp_path, inception=entry)
        runner.run(runner.job("extractor", extractor_id="inception"))

    with pytest.raises(GmganError, match=r"no file .*missing.pth; fetch https://"):
        stage(weights="missing.pth")
    with pytest.raises(GmganError, match="expected 6726825d"):
        stage(weights=str(inception_file))
    text = tmp_path / "text.pth"
    text.write_bytes(b"not weights")
    with pytest.raises(GmganError, match="cannot be read as weights"):
        stage(weights=str(text), sha256=sha256(text)[:8])
    evil = tmp_path / "evil.pth"
    torch.save({"x": _Evil()}, evil)
    with pytest.raises(GmganError, match="cannot be read as weights"):
        stage(weights=str(evil), sha256=sha256(evil)[:8])
    assert not (tmp_path / "executed").exists()
    for wrong in ([1], torch.ones(2), None, {"a": [1]}, {1: torch.ones(2)}):
        torch.save(wrong, text)
        with pytest.raises(GmganError, match="cannot be read as weights"):
            stage(weights=str(text), sha256=sha256(text)[:8])
    other = tmp_path / "other.pth"
    torch.save({"a": torch.ones(2)}, other)
    with pytest.raises(GmganError, match="not the weights of inception-v3-compat"):
        stage(weights=str(other), sha256=sha256(other)[:8])
    assert not [p for p in (tmp_path / "results").rglob("*") if p.is_file()]


class _Evil:
    def __reduce__(self):
        import pathlib

        return pathlib.Path.touch, (pathlib.Path("executed"),)
