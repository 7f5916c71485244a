"""Readers of data sets: each turns a source into arrays.

A reader is a function `(source, archives) -> Splits`. `source` carries the fields of the data set's
`source:` in params.yaml; `archives(name)` gives the local path of a file that must exist, or None.
"""

from typing import get_args

from gmgan.config.data import OfficialName

READERS = {
    **dict.fromkeys(("ring", "grid"), "gmgan.data.points:read"),
    **dict.fromkeys(get_args(OfficialName), "gmgan.data.official:read"),
    "digits": "gmgan.data.digits:read",
    "images": "gmgan.data.images:read",
}
