"""Conversion between stored samples and the range of the networks; pictures of many samples."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

# Okabe-Ito colours: distinguishable with every common form of colour blindness.
PALETTE = np.array(
    [
        [0, 114, 178],
        [230, 159, 0],
        [0, 158, 115],
        [213, 94, 0],
        [86, 180, 233],
        [204, 121, 167],
        [240, 228, 66],
        [120, 120, 120],
        [0, 0, 0],
        [150, 75, 0],
    ],
    np.uint8,
)


def to_model_range(samples: "Tensor") -> "Tensor":
    """uint8 pixels (N x C x H x W tensor) to [-1, 1] by x / 127.5 - 1; points pass unchanged."""
    if samples.is_floating_point():
        return samples
    return samples.float().div_(127.5).sub_(1)


def to_stored_range(outputs: "Tensor") -> np.ndarray:
    """Network outputs back to storage: the inverse of `to_model_range`, rounded and clipped.

    outputs (Tensor): N x C x H x W in [-1, 1], or N x 2 points. Returns a numpy array, uint8
    N x H x W x C for images and float32 N x 2 for points.
    """
    if outputs.dim() == 2:
        return outputs.float().cpu().numpy()
    pixels = outputs.float().add(1).mul(127.5).round().clamp(0, 255).byte()
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def tile(images: np.ndarray, columns: int, pad: int = 1, scale: int = 1) -> np.ndarray:
    """One picture from `images`, row by row.

    images (array): uint8, N x H x W x C with C of 1 or 3. Returns uint8 rows x cols x 3. `scale`
    repeats every pixel, so that 8 x 8 images can be seen.
    """
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (height + pad) + pad, columns * (width + pad) + pad, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top = pad + (i // columns) * (height + pad)
        left = pad + (i % columns) * (width + pad)
        canvas[top : top + height, left : left + width] = image
    return canvas.repeat(scale, axis=0).repeat(scale, axis=1)


def plot_points(
    points: np.ndarray, colour_index: np.ndarray, extent: float, size: int = 320
) -> np.ndarray:
    """A raster picture of 2-D points, coloured by `colour_index`; [-extent, extent] on both axes.

    points (array): N x 2; colour_index (array): N integers. Returns uint8 size x size x 3.
    """
    canvas = np.full((size, size, 3), 255, np.uint8)
    columns = np.floor((points[:, 0] / extent + 1) / 2 * size).astype(int)
    rows = np.floor((1 - points[:, 1] / extent) / 2 * size).astype(int)
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    canvas[rows[inside], columns[inside]] = PALETTE[colour_index[inside] % len(PALETTE)]
    return canvas
