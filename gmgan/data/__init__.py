"""Readers of data sets: each turns a source into arrays.

A reader is a function `(source, archives) -> Splits`. `source` carries the fields of the data set's
`source:` in params.yaml; `archives(name)` gives the local path of a file that must exist, or None.
"""

READERS = {
    "ring": "gmgan.data.points:read",
    "grid": "gmgan.data.points:read",
    "digits": "gmgan.data.digits:read",
    "mnist": "gmgan.data.official:read",
    "fashion-mnist": "gmgan.data.official:read",
    "cifar10": "gmgan.data.official:read",
    "stl10": "gmgan.data.official:read",
    "stl10-unlabelled": "gmgan.data.official:read",
    "images": "gmgan.data.images:read",
}
