"""Bring images to one size by a stated rule."""

import numpy as np
from PIL import Image

from gmgan.errors import GmganError


def fit(image: Image.Image, size: int, rule: str, place: str) -> np.ndarray:
    """A PIL image as uint8 size x size x C.

    rule: `crop` scales the short side to `size` (Lanczos) and crops the centre; `stretch`
    ignores the aspect ratio; `none` demands the right size already. `place` names the image in
    errors. Raises GmganError when `none` meets another size.
    """
    if image.size != (size, size):
        if rule == "none":
            width, height = image.size
            raise GmganError(
                f"{place} is {width} x {height} pixels, expected {size} x {size}; "
                "resize it, or for a data set's source set source.resize to crop or stretch"
            )
        if rule == "crop":
            scale = size / min(image.size)
            width, height = (max(size, round(side * scale)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.LANCZOS)
            left, top = (width - size) // 2, (height - size) // 2
            image = image.crop((left, top, left + size, top + size))
        else:
            image = image.resize((size, size), Image.Resampling.LANCZOS)
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array


def resize_all(images: np.ndarray, size: int) -> np.ndarray:
    """Square uint8 images N x H x W x C to N x size x size x C; unchanged if they fit already."""
    if images.shape[1] == size:
        return images
    resized = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    for i, image in enumerate(images):
        picture = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
        resized[i] = fit(picture, size, "stretch", f"image {i}")
    return resized
