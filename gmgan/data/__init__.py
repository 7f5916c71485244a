"""Readers of data sets: each module turns a source into arrays.

A module has `read(source, archives) -> Splits`. `source` carries the fields of the data set's
`source:` in params.yaml; `archives(name)` gives the local path of a file that must exist, or None.
"""

MODULES = {
    "ring": "gmgan.data.points",
    "grid": "gmgan.data.points",
    "digits": "gmgan.data.digits",
    "mnist": "gmgan.data.official",
    "fashion-mnist": "gmgan.data.official",
    "cifar10": "gmgan.data.official",
    "stl10": "gmgan.data.official",
    "stl10-unlabelled": "gmgan.data.official",
    "images": "gmgan.data.images",
}
