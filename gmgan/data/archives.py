"""Raw files from elsewhere: of the project, of a mirror folder, or downloaded once."""

import hashlib
import os
from pathlib import Path

from gmgan.errors import GmganError
from gmgan.reading import read_regular

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
        digest = hashlib.sha256(content).hexdigest()
        if not digest.startswith(sha256):
            text = f"has SHA-256 {digest[:16]}..., expected {sha256}..."
            raise GmganError(f"{path} {text}; fetch {address} again")
        return content

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
