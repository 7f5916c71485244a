"""Files that others may have made: regular ones only, bounded in size before they are read."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from gmgan.errors import GmganError

MOST_TEXT = 100_000_000  # bytes of a JSON, CSV or HTML file; a report has 10 MB
_LONGEST_REASON = 100  # characters of a library's error that a message shows


def open_regular(path: Path, most: int | None = None) -> BufferedReader:
    """Open a file to read its bytes.

    Raises FileNotFoundError if there is none, and GmganError if it is a folder, pipe or device, has
    more than `most` bytes or may not be read.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise GmganError(f"{path} is no regular file; replace it by one")
        if most is not None and info.st_size > most:
            size = f"has {info.st_size / 1e6:,.1f} MB, at most {most / 1e6:,.1f} are read"
            raise GmganError(f"{path} {size}; is it the right file?")
        return path.open("rb")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise GmganError(f"cannot read {path}: {reason(error)}") from error


def read_regular(path: Path, most: int = MOST_TEXT) -> bytes:
    """The content of a file, under the conditions of `open_regular`."""
    with open_regular(path, most) as file:
        return file.read()


@contextmanager
def parsing(place: object, what: str, cure: str) -> Iterator[None]:
    """Turns whatever a parser raises on bytes of others into one line that names their place.

    what: what they should be, such as `an image`; cure: what to do.
    """
    try:
        yield
    except GmganError:
        raise
    except Exception as error:
        text = f"cannot be read as {what} ({reason(error)}); {cure}"
        raise GmganError(f"{place} {text}") from error


def reason(error: Exception) -> str:
    """The start of an error's text, on one line; its type if it has no text."""
    text = getattr(error, "strerror", None) or " ".join(str(error).split())
    return text[:_LONGEST_REASON] or type(error).__name__
