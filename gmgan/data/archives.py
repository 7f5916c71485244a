"""Raw files from elsewhere: of the project, of a mirror folder, or downloaded once."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load

from gmgan.errors import GmganError
from gmgan.reading import parsing, read_regular

MOST_BYTES = 1_000_000_000  # (ours) of a fetched file; weights of extractors have 100 MB


class Archives:
    """Where raw files are looked for: the project, GMGAN_MIRROR, then earlier downloads.

    Call with a relative path for an existing file or folder, or None. New downloads go below
    `downloads`. Raises GmganError if GMGAN_MIRROR is no folder.
    """

    def __init__(self, downloads: str | Path):
        self.downloads = Path(downloads)
        mirror = os.environ.get("GMGAN_MIRROR")
        self.places = [Path("."), *([Path(mirror)] if mirror else []), self.downloads]
        if mirror and not Path(mirror).is_dir():
            raise GmganError(f"GMGAN_MIRROR is {mirror}, which is no folder; correct or unset it")

    def __call__(self, name: str) -> Path | None:
        return next((place / name for place in self.places if (place / name).exists()), None)

    def fetch(self, local: str | None, address: str, sha256: str) -> bytes:
        """The content of the file at `local`, or of the one at `address`, downloaded once.

        sha256: the start of the hash that the file must have. Raises GmganError if there is no such
        file, it cannot be downloaded, is too large, or its hash is another.
        """
        path = Path(local) if local else self(address.rsplit("/", 1)[1])
        if path is None:
            path = self._download(address, sha256)
        if not path.is_file():
            raise GmganError(f"no file {path}; fetch {address} and put it there")
        content = read_regular(path, MOST_BYTES)
        _checked(content, sha256, f"{path}", f"fetch {address} again")
        return content

    def trained(self, path: str, sha256: str) -> tuple[dict[str, np.ndarray], Any, str]:
        """Weights, what the .json file beside them says, and their hash, of an extractor.

        sha256: the start of the hash that the weights must have. Raises GmganError if a file is
        missing or damaged, or the hash is another.
        """
        weights, cure = Path(path), "take both files of the extractor again"
        try:
            content = read_regular(weights, MOST_BYTES)
            text = read_regular(weights.with_suffix(".json"))
        except FileNotFoundError as error:
            raise GmganError(f"there is no {error.filename}; {cure}") from error
        digest = _checked(content, sha256, f"{weights}", cure)
        with parsing(weights, "weights", cure):
            arrays = load(content)
        with parsing(weights.with_suffix(".json"), "JSON", cure):
            return arrays, json.loads(text), digest

    def _download(self, address: str, sha256: str) -> Path:
        import torch

        path = self.downloads / address.rsplit("/", 1)[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(address, str(path), hash_prefix=sha256)
        except (OSError, RuntimeError) as error:
            cure = "fetch it elsewhere and put it into the folder in GMGAN_MIRROR"
            raise GmganError(f"cannot download {address} ({error}); {cure}") from error
        return path


def _checked(content: bytes, sha256: str, place: str, cure: str) -> str:
    """The hash of a file's content; raises GmganError unless it starts with `sha256`."""
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(sha256):
        text = f"has SHA-256 {digest[:16]}..., expected {sha256}..."
        raise GmganError(f"{place} {text}; {cure}")
    return digest
