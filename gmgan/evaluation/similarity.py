"""Multi-scale structural similarity (MS-SSIM) by its reference definition, and pairs of images.

Wang, Simoncelli and Bovik 2003: windows that lie wholly within the image, one product over scales
per channel, and the mean over channels last. Libraries differ: torchmetrics reflects the borders of
the last scale and averages channels before the product.
"""

import numpy as np

from gmgan.errors import GmganError

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
PAIRS_AT_ONCE = 100  # fits a processor's cache


def window_of(size: int) -> tuple[int, float]:
    """(pixels, standard deviation) of the Gaussian window for images of `size` pixels.

    The reference's 11 and 1.5. Images below 16 pixels have 5 and 1.5 x 5 / 11: ours.
    """
    pixels = 11 if size >= 16 else 5
    return pixels, 1.5 * pixels / 11


def most_scales(size: int) -> int:
    """The most scales whose images hold one window; the usual five need 161 pixels."""
    pixels, _ = window_of(size)
    return sum(-(-size // 2**level) >= pixels for level in range(len(WEIGHTS)))


def ms_ssim(left: np.ndarray, right: np.ndarray, scales: int) -> np.ndarray:
    """MS-SSIM of each pair of images: float64 N, in [0, 1].

    left, right (array): uint8 N x H x W x C, H = W; scales (int): the first of the usual weights,
    made to sum to 1. Means over windows below 0 count as 0: their powers are not real. Raises
    GmganError for more scales than the size allows.
    """
    size = left.shape[1]
    if not 1 <= scales <= most_scales(size):
        raise GmganError(
            f"images of {size} pixels allow at most {most_scales(size)} scales of "
            f"MS-SSIM, got {scales}; lower evaluation.ms_ssim_scales"
        )
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    window = window_of(size)
    x, y = (np.moveaxis(side, 3, 1).astype(np.float64) for side in (left, right))  # N x C x H x W
    product = np.ones(x.shape[:2])
    for level, weight in enumerate(weights):
        luminance, contrast = _ssim_maps(x, y, *window)
        last = level == scales - 1
        mean = (luminance * contrast if last else contrast).mean((2, 3))
        product *= np.clip(mean, 0, None) ** weight
        if not last:
            x, y = _halved(x), _halved(y)
    return product.mean(1)


def _ssim_maps(
    x: np.ndarray, y: np.ndarray, pixels: int, std: float
) -> tuple[np.ndarray, np.ndarray]:
    """Luminance, and contrast times structure, at every position of the window (equations 1-3)."""
    offsets = np.arange(pixels) - pixels // 2
    weights = np.exp(-(offsets**2) / (2 * std**2))
    size = x.shape[2]
    blur = np.zeros((size - pixels + 1, size))
    for row in range(len(blur)):
        blur[row, row : row + pixels] = weights / weights.sum()

    def mean(image: np.ndarray) -> np.ndarray:
        return blur @ image @ blur.T

    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return luminance, (2 * covariance + C2) / (variances + C2)


def _halved(images: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels; an odd last row or column is repeated."""
    odd = images.shape[2] % 2
    images = np.pad(images, ((0, 0), (0, 0), (0, odd), (0, odd)), mode="edge")
    return (
        images[:, :, ::2, ::2]
        + images[:, :, 1::2, ::2]
        + images[:, :, ::2, 1::2]
        + images[:, :, 1::2, 1::2]
    ) / 4


def dissimilarity(
    images: np.ndarray, pairs: int, scales: int | None, rng: np.random.Generator
) -> float:
    """1 - mean MS-SSIM over `pairs` random pairs of different images (uint8 N x H x W x C).

    scales None: as many as fit. Raises GmganError for fewer than two images.
    """
    if len(images) < 2:
        raise GmganError(f"diversity needs pairs of samples, got {len(images)} sample")
    first = rng.integers(len(images), size=pairs)
    second = (first + rng.integers(1, len(images), size=pairs)) % len(images)
    scales = scales or most_scales(images.shape[1])
    similarities = [
        ms_ssim(
            images[first[start:][:PAIRS_AT_ONCE]], images[second[start:][:PAIRS_AT_ONCE]], scales
        )
        for start in range(0, pairs, PAIRS_AT_ONCE)
    ]
    return float(1 - np.concatenate(similarities).mean())
