"""Seeds that depend on exactly the axes they are given."""

import hashlib
import json


def derive_seed(*axes: str | int) -> int:
    """A seed in [0, 2**63) that is a hash of `axes` and of nothing else.

    Two random streams are equal if and only if their axes are: name the purpose first
    (`"order"`, `"noise"`, ...), then the axes the stream may depend on. Leaving the model's name
    out is what makes two models see the same order of data.
    """
    digest = hashlib.sha256(json.dumps(axes, separators=(",", ":")).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
