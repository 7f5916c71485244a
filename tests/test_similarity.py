"""MS-SSIM against the reference formula, written again pixel by pixel with scipy."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from scipy.signal import convolve2d

from gmgan.errors import GmganError
from gmgan.evaluation.similarity import dissimilarity, most_scales, ms_ssim, window_of


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def reference(a, b, scales, pixels, std):
    """Wang, Simoncelli and Bovik 2003, for two images H x W x C in [0, 255].

    As their msssim.m: a two-dimensional window over positions where it fits (`valid`), a 2 x 2 mean
    filter and every second pixel between scales; then the mean over channels.
    """
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    weights /= weights.sum()
    grid = np.arange(pixels) - (pixels - 1) / 2
    window = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * std**2))
    window /= window.sum()
    c1, c2 = 2.55**2, 7.65**2
    channels = []
    for x, y in zip(np.moveaxis(a, 2, 0).astype(float), np.moveaxis(b, 2, 0).astype(float)):  # noqa: B905
        value = 1.0
        for level in range(scales):

            def mean(image):
                return convolve2d(image, window, mode="valid")

            mx, my = mean(x), mean(y)
            sx, sy, sxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
            contrast = (2 * sxy + c2) / (sx + sy + c2)
            luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
            term = contrast.mean() if level < scales - 1 else (luminance * contrast).mean()
            value *= max(term, 0) ** weights[level]
            x, y = (uniform_filter(side, 2, mode="reflect", origin=-1)[::2, ::2] for side in (x, y))
        channels.append(value)
    return np.mean(channels)


@pytest.mark.parametrize(
    ("size", "channels", "scales"), [(8, 1, 1), (28, 1, 2), (33, 3, 2), (48, 3, 3), (176, 1, 5)]
)
def test_ms_ssim_is_the_reference_formula(rng, size, channels, scales):
    smooth = np.linspace(0, 200, size)[:, None, None] + np.zeros((size, size, channels))
    for noise in (5, 60):
        a = np.clip(smooth + noise * rng.standard_normal(smooth.shape), 0, 255).astype(np.uint8)
        b = np.clip(a + noise * rng.standard_normal(smooth.shape), 0, 255).astype(np.uint8)
        exact = reference(a, b, scales, *window_of(size))
        assert 0 < exact < 1
        assert ms_ssim(a[None], b[None], scales)[0] == pytest.approx(exact, abs=1e-10)


def test_channels_are_averaged_after_the_product(rng):
    images = rng.integers(0, 256, (2, 28, 28, 3), np.uint8)
    images[1, :, :, 0] = images[0, :, :, 0]
    a, b = images
    alone = [ms_ssim(a[None, :, :, c : c + 1], b[None, :, :, c : c + 1], 2)[0] for c in range(3)]
    assert alone[0] == pytest.approx(1) and max(alone[1:]) < 0.2
    assert ms_ssim(a[None], b[None], 2)[0] == pytest.approx(np.mean(alone))


@pytest.mark.parametrize(
    ("size", "scales"), [(8, 1), (15, 2), (16, 1), (28, 2), (32, 2), (48, 3), (96, 4), (161, 5)]
)
def test_scales_that_a_size_allows(rng, size, scales):
    assert most_scales(size) == scales
    images = rng.integers(0, 256, (2, size, size, 1), np.uint8)
    assert np.isfinite(ms_ssim(images, images[::-1], scales)).all()
    if scales < 5:
        with pytest.raises(GmganError, match=f"allow at most {scales} scales"):
            ms_ssim(images, images, scales + 1)


def test_pairs_are_of_different_samples(rng):
    images = rng.integers(0, 256, (2, 8, 8, 1), np.uint8)
    one = 1 - ms_ssim(images[:1], images[1:], 1)[0]
    assert dissimilarity(images, 200, None, rng) == pytest.approx(one)
    with pytest.raises(GmganError, match="got 1 sample"):
        dissimilarity(images[:1], 5, 1, rng)
