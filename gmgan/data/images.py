"""Images in a folder or a zip: a data set sorted by class, and images from anywhere."""

import hashlib
import io
import unicodedata
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from gmgan.config.data import ImagesSource
from gmgan.data.archives import Archives
from gmgan.data.resizing import fit
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.reading import open_regular, parsing, read_regular

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")  # of Pillow, for these suffixes
MOST_IMAGE_BYTES = 256_000_000  # (ours) of the file of one image
BACKGROUND = "white"  # (ours) what is seen through transparent pixels
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
REFUSED = ("I", "F")  # Pillow's modes of 32 bits; their scale is not known
Files = dict[str, Callable[[], bytes]]  # name -> function that gives the content


def read(source: ImagesSource, archives: Archives) -> Splits:
    """Read `source.path`, a folder or a zip, in the order of the file names.

    Raises GmganError when the path is missing, its hash is not the expected one, the archive or an
    image cannot be read, or the layout is neither SPLIT/CLASS/image nor CLASS/image.
    """
    path = archives(source.path)
    if path is None:
        cure = "put it there or set GMGAN_MIRROR to the folder that holds it"
        raise GmganError(f"source.path: no {source.path}; {cure}")
    if source.sha256:
        _check_hash(path, source.sha256)
    with image_files(path) as files:
        is_test = assign(path, files, source.test_fraction)
        names = [PurePosixPath(name).parts[-2] for name in files]
        classes, labels = np.unique(names, return_inverse=True)
        if source.classes not in (None, len(classes)):
            text = f"has {len(classes)} classes, source.classes says {source.classes}"
            raise GmganError(f"{path} {text}")
        images = decode(path, files, source.sample_shape, source.resize)
    train, test = ~is_test, is_test
    return Splits(images[train], labels[train], images[test], labels[test], classes.tolist())


def assign(path: Path, names: Iterable[str], fraction: float) -> np.ndarray:
    """Which of the images called `names` belong to the test split (bool, N).

    By their folder, or a `fraction` of them by a hash of the name. Raises GmganError if the layout
    is neither SPLIT/CLASS/image nor CLASS/image; `path` names the folder.
    """
    parts = [PurePosixPath(name).parts for name in names]
    if all(len(part) == 3 and part[0] in ("train", "test") for part in parts):
        return np.array([part[0] == "test" for part in parts])
    if all(len(part) == 2 for part in parts):
        return np.array([_held_out("/".join(part), fraction) for part in parts])
    odd = next(name for name, part in zip(names, parts, strict=True) if len(part) != 2)
    raise GmganError(
        f"{path}: expected CLASS/image, or train/CLASS/image and test/CLASS/image (got {odd})"
    )


def _check_hash(path: Path, expected: str) -> None:
    if path.is_dir():
        raise GmganError(f"{path}: source.sha256 is for zip files, not for folders; remove it")
    with open_regular(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected:
        text = f"has SHA-256 {digest[:16]}..., expected {expected[:16]}..."
        raise GmganError(f"{path} {text}; fetch it again or correct source.sha256")


def _held_out(name: str, fraction: float) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) < fraction * 2**32


@contextmanager
def image_files(path: Path) -> Iterator[Files]:
    """The images of a folder (searched through) or a zip, in the order of their names.

    Raises GmganError if it holds none, is no whole zip, or a name is not UTF-8 or has control
    characters.
    """
    if path.is_dir():
        files = (file for file in path.rglob("*") if not file.is_dir())
        named = {file.relative_to(path).as_posix(): file for file in files}
        yield _images(
            path, {n: partial(read_regular, f, MOST_IMAGE_BYTES) for n, f in named.items()}
        )
        return
    with open_regular(path) as file:
        with parsing(path, "a whole zip file", "fetch it again"):
            archive = zipfile.ZipFile(file)
        members = archive.infolist()
        yield _images(path, {info.filename: partial(_member, archive, info) for info in members})


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The content of a file in a zip; raises ValueError if it is too large."""
    if info.file_size > MOST_IMAGE_BYTES:
        raise ValueError(f"{info.file_size:,} bytes, at most {MOST_IMAGE_BYTES:,}")
    return archive.read(info.filename)


def _images(path: Path, files: Files) -> Files:
    names = [name for name in sorted(files) if not name.startswith("__MACOSX/")]
    images = {n: files[n] for n in names if PurePosixPath(n).suffix.lower() in SUFFIXES}
    if not images:
        raise GmganError(f"{path} holds no images ({', '.join(sorted(SUFFIXES))})")
    for name in images:
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            text = f"the name {name!a} is not UTF-8 or has control characters; rename it"
            raise GmganError(f"{path}: {text}")
    return images


def decode(path: Path, files: Files, shape: tuple[int, ...], rule: str) -> np.ndarray:
    """Images as uint8 N x H x W x C of `shape` (H, W, C; H = W), in the order of `files`.

    rule: of `gmgan.data.resizing.fit`. Raises GmganError with the image's name if one is unreadable
    or, under the rule `none`, of another size.
    """
    images = np.empty((len(files), *shape), np.uint8)
    for i, (name, read_bytes) in enumerate(files.items()):
        place = f"{path}/{name}"
        with parsing(place, "an image", "repair or remove it"):
            image, _ = upright(read_bytes())
            converted = image.convert("L" if shape[2] == 1 else "RGB")
        images[i] = fit(converted, shape[0], rule, place)
    return images


def upright(content: bytes) -> tuple[Image.Image, str]:
    """An image with 8 bits per channel and without transparency, and Pillow's mode of the file.

    It is turned as its EXIF tag says. 16 bits are scaled to 8, rounded; transparent pixels show
    BACKGROUND. Raises ValueError for 32 bits, and whatever Pillow raises for what is no image or
    has more pixels than `Image.MAX_IMAGE_PIXELS`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    mode = image.mode
    ImageOps.exif_transpose(image, in_place=True)
    if mode in SIXTEEN_BITS:
        _check_sixteen_bits(image)
        wide = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8)), mode  # 65535 = 255 * 257
    if mode in REFUSED:
        raise ValueError(f"mode {mode}, 32 bits per pixel; save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image)
    return image, mode


def _check_sixteen_bits(image: Image.Image) -> None:
    """Raise ValueError for 16 bits that are no grey level from 0 (black) to 65535."""
    tags = getattr(image, "tag_v2", {})  # of TIFF: 262 is 0 where 0 is white, 258 counts the bits
    if "transparency" in image.info or tags.get(262) == 0 or tags.get(258, (16,)) != (16,):
        raise ValueError("16 bits with a transparent colour, 0 for white, or fewer bits in use")
