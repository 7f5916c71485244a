"""Quality and diversity: closed forms, the definition written twice, and known orders."""

import numpy as np
import pytest
from conftest import read_arrays

from gmgan.config.loader import load
from gmgan.evaluation import quality
from gmgan.evaluation.extractors import extract, load_extractor
from gmgan.evaluation.neighbours import nearest_distances
from gmgan.evaluation.similarity import dissimilarity
from gmgan.pipeline.runner import Runner


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_quality_is_the_formula(rng):
    d, a = rng.uniform(0, 4, 50), 12.5
    exact = np.mean(1 - np.exp(d / 0.7) / (np.exp(d / 0.7) + a))
    calibration = quality.Calibration(0.7, np.log(a))
    assert quality.quality(d, calibration) == pytest.approx(exact, rel=1e-12)
    assert quality.quality(np.array([1e4]), calibration) == 0.0  # no overflow far away


def test_calibration_puts_the_medians_at_both_ends(rng):
    near, far = rng.gamma(5, 1, 401), rng.gamma(5, 1, 301) + 20
    for top in (0.8, 0.95):
        calibration = quality.calibrate(near, far, top)
        assert quality.quality([np.median(near)], calibration) == pytest.approx(top)
        assert quality.quality([np.median(far)], calibration) == pytest.approx(1 - top)
        scaled = quality.calibrate(3 * near, 3 * far, top)
        assert quality.quality(3 * near, scaled) == pytest.approx(
            quality.quality(near, calibration)
        )
    close = quality.calibrate(near, near + 0.1, 0.95)  # noise among the real samples
    assert quality.quality([np.median(near) + 0.1], close) == pytest.approx(0.05, abs=1e-5)
    same = quality.calibrate(near, near, 0.95)
    assert quality.quality([np.median(near) * 0.9], same) == pytest.approx(1)


def test_class_entropy():
    assert quality.class_entropy(np.arange(40) % 10, 10) == pytest.approx(1)
    assert str(quality.class_entropy(np.zeros(40, int), 10)) == "0.0"
    assert quality.class_entropy(np.arange(40) % 5, 10) == pytest.approx(np.log(5) / np.log(10))


@pytest.fixture(scope="module")
def digits(finished):
    """Real digits, and a function from images to features and classes by the trained extractor."""
    runner = Runner(load(finished.folder / "params.yaml"), finished.folder / "results")
    weights, description = (
        runner.read("extractor", output, extractor_id="digits.classifier-digits-ci")
        for output in ("weights", "description")
    )
    net = load_extractor(description, weights)
    data, _ = read_arrays(finished.folder / "results" / "data" / "digits.safetensors")
    first = net.classifier.__class__(list(net.classifier.members())[:1])
    return data, lambda images: extract(first, images, "cpu")


def quality_of_each(distances, calibration):
    return [quality.quality(d, calibration) for d in distances]


def test_quality_is_high_for_real_low_for_noise_and_falls_between(digits, rng):
    data, features_of = digits
    training = features_of(data["train"][:700])[0]
    held_out = data["test"]

    def distances(images):
        return nearest_distances(features_of(images)[0], training)

    pure = rng.integers(0, 256, (500, 8, 8, 1), np.uint8)
    calibration = quality.calibrate(distances(held_out), distances(pure), 0.95)
    noise = rng.standard_normal(held_out.shape)
    values = []
    for level in (0, 30, 60, 90, 120):
        noisy = np.clip(held_out + level * noise, 0, 255).astype(np.uint8)
        values.append(quality.quality(distances(noisy), calibration))
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.7
    assert values[-1] < values[0] / 2
    typical = np.median(distances(pure))
    assert quality.quality([typical], calibration) == pytest.approx(0.05, abs=1e-5)


def test_diversity_falls_with_lost_classes_and_with_duplicates(digits):
    data, features_of = digits
    images, labels = data["train"], data["train_labels"]

    def diversity(chosen):
        inter = quality.class_entropy(features_of(chosen)[1].argmax(1), 10)
        return np.sqrt(dissimilarity(chosen, 2000, 1, np.random.default_rng(0)) * inter)

    everything = diversity(images)
    by_classes = [diversity(images[labels < n]) for n in (8, 5, 2, 1)]
    assert [everything, *by_classes] == sorted([everything, *by_classes], reverse=True)
    by_copies = [diversity(np.repeat(images[:n], 1000 // n, axis=0)) for n in (100, 20, 5, 1)]
    assert [everything, *by_copies] == sorted([everything, *by_copies], reverse=True)
    assert by_copies[-1] == pytest.approx(0, abs=1e-6)


def test_point_diversity():
    nearest = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    good = np.ones(8, bool)
    assert quality.point_diversity(nearest, good, 4) == pytest.approx(1)
    good[6:] = False  # mode 3 has no high-quality sample
    assert quality.point_diversity(nearest, good, 4) == pytest.approx(np.sqrt(0.75))
    assert quality.point_diversity(np.zeros(8, int), np.ones(8, bool), 4) == 0
