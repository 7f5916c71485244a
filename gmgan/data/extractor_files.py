"""The two files of an extractor that the pipeline trained: weights, and what they are."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load

from gmgan.data.archives import MOST_BYTES
from gmgan.errors import GmganError
from gmgan.reading import parsing, read_regular

CURE = "take both files of the extractor again"


def read_extractor(path: str, sha256: str) -> tuple[dict[str, np.ndarray], Any, str]:
    """The weights at `path`, what the .json file beside them says, and the hash of the weights.

    sha256: the start of the hash that the weights must have. Raises GmganError if a file is missing
    or damaged, or the hash is another.
    """
    weights = Path(path)
    description = weights.with_suffix(".json")
    try:
        content, text = read_regular(weights, MOST_BYTES), read_regular(description)
    except FileNotFoundError as error:
        raise GmganError(f"there is no {error.filename}; {CURE}") from error
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(sha256):
        wrong = f"has SHA-256 {digest[:16]}..., expected {sha256}..."
        raise GmganError(f"{path} {wrong}; {CURE}")
    with parsing(weights, "weights", CURE):
        arrays = load(content)
    with parsing(description, "JSON", CURE):
        return arrays, json.loads(text), digest
