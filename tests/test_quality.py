"""Quality and diversity: closed forms, the definition written twice, and known orders."""

import numpy as np
import pytest
from conftest import read_arrays
from scipy.ndimage import correlate1d

from gmgan.config.loader import load
from gmgan.errors import GmganError
from gmgan.evaluation import quality
from gmgan.evaluation.extractors import extract, load_extractor
from gmgan.evaluation.neighbours import nearest_distances
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
    overlapping = quality.calibrate(near, near, 0.95)
    assert quality.quality([np.quantile(near, 0.99)], overlapping) == pytest.approx(0.05)


def test_class_entropy():
    assert quality.class_entropy(np.arange(40) % 10, 10) == pytest.approx(1)
    assert str(quality.class_entropy(np.zeros(40, int), 10)) == "0.0"
    assert quality.class_entropy(np.arange(40) % 5, 10) == pytest.approx(np.log(5) / np.log(10))


def ssim(a, b, sigma, window):
    """Structural similarity of two grey images (Wang et al. 2004), mirrored at the border."""
    offsets = np.arange(window) - window // 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()

    def blur(x):
        return correlate1d(correlate1d(x, weights, 0, mode="mirror"), weights, 1, mode="mirror")

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    image = (
        (2 * mean_a * mean_b + c1)
        / (mean_a**2 + mean_b**2 + c1)
        * (2 * covariance + c2)
        / (var_a + var_b + c2)
    )
    return image.mean()


def test_one_scale_of_ms_ssim_is_ssim(rng):
    pair = rng.integers(0, 256, (2, 8, 8, 1), np.uint8)
    pair[1] = (0.7 * pair[0] + 0.3 * pair[1]).astype(np.uint8)
    similarity = 1 - quality.pairwise_diversity(pair, pairs=3, scales=1, seed=0)
    a, b = (image[:, :, 0].astype(float) for image in pair)
    assert similarity == pytest.approx(ssim(a, b, 0.5, 5), abs=1e-5)


@pytest.mark.parametrize(
    ("size", "scales"), [(8, 1), (28, 2), (32, 2), (48, 3), (96, 3), (176, 5), (256, 5)]
)
def test_scales_that_a_size_allows(rng, size, scales):
    assert quality.most_scales(size) == scales
    images = rng.integers(0, 256, (3, size, size, 1), np.uint8)
    value = quality.pairwise_diversity(images, 2, scales, seed=0)
    assert np.isfinite(value)
    if scales < 5:
        with pytest.raises(GmganError, match=f"allow at most {scales} scales"):
            quality.pairwise_diversity(images, 2, scales + 1, seed=0)


def test_pairs_are_of_different_samples(rng):
    images = rng.integers(0, 256, (2, 8, 8, 1), np.uint8)
    one = quality.pairwise_diversity(images, 1, 1, seed=0)
    many = quality.pairwise_diversity(images, 200, 1, seed=0)
    assert many == pytest.approx(one, abs=1e-6)
    with pytest.raises(GmganError, match="got 1 sample"):
        quality.pairwise_diversity(images[:1], 5, 1, seed=0)


@pytest.fixture(scope="module")
def digits(finished):
    """Real digits, and a function from images to features and classes by the trained extractor."""
    runner = Runner(load(finished.folder / "params.yaml"), finished.folder / "results")
    weights, description = (
        runner.read("extractor", output, extractor_id="digits.classifier-digits")
        for output in ("weights", "description")
    )
    net = load_extractor(description, weights)
    data, _ = read_arrays(finished.folder / "results" / "data" / "digits.safetensors")
    return data, lambda images: extract(net, images, "cpu")


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
    assert values[0] > 0.8
    assert values[-1] < 0.5
    assert quality.quality(distances(pure), calibration) < 0.2


def test_diversity_falls_with_lost_classes_and_with_duplicates(digits):
    data, features_of = digits
    images, labels = data["train"], data["train_labels"]

    def diversity(chosen):
        inter = quality.class_entropy(features_of(chosen)[1].argmax(1), 10)
        return np.sqrt(quality.pairwise_diversity(chosen, 2000, 1, seed=0) * inter)

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
