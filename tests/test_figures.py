"""Lines of one figure can be told apart with every common form of colour blindness and in grey."""

import re
from itertools import combinations

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

from gmgan.report import figures, style

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
JUST_NOTICEABLE = 2.3  # of CIE 1976 Delta E


def lab(linear):
    ratio = XYZ @ np.clip(linear, 0, 1) / XYZ.sum(1)
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def linear(colour):
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("matrix", DEFICIENCIES.values(), ids=DEFICIENCIES)
def test_the_colours_of_the_five_models_stay_apart(matrix):
    seen = [lab(np.array(matrix) @ linear(colour)) for colour in style.LINE_COLOURS[:5]]
    for a, b in combinations(seen, 2):
        assert np.linalg.norm(a - b) > 4 * JUST_NOTICEABLE


def test_without_colour_markers_and_dashes_tell_lines_apart():
    models = ["gan", "acgan", "static", "dynamic", "supervised"]
    cells = [(f"{model} {K}", model, K) for model in models for K in (5, 10, 20)]
    styles = style.looks(cells).values()
    assert len({(each["marker"], each["ls"]) for each in styles}) == len(cells)


def test_coordinates_are_hundredths_and_labels_keep_their_digits():
    figure, axis = style.plt.subplots()
    axis.plot(np.linspace(0, 1, 7), np.sqrt(np.linspace(0, 1, 7)))
    axis.set_title("p = 0.00123")
    drawn = style.svg(figure, style.TightLayoutEngine())
    paths = re.findall(r' d="([^"]*)"', drawn)
    assert any("." in path for path in paths)
    assert not any(re.search(r"\.\d{3}", path) for path in paths)
    assert "p = 0.00123" in drawn


def test_titles_of_neighbouring_panels_do_not_meet():
    title = "GM-GAN, static, encoder, K = 10, sigma = 0.15, objective = hinge"
    lines = style.wrapped(title, 2.4).splitlines()
    assert " ".join(lines) == title
    _, axes = style.make_panels(2, 2, (2.4, 2.0))
    for axis in axes:
        axis.set_title("\n".join(lines), fontsize=8)
    left, right = (axis.title.get_window_extent() for axis in axes)
    assert left.x1 < right.x0


def test_a_sweep_by_two_extractors_shows_the_first_one():
    rows = [
        {"title": "GAN", "sigma_scale": scale, "metric": metric, "extractor": extractor}
        | dict.fromkeys(("mean", "low", "high"), scale / 10 + offset)
        for extractor, offset in (("first", 0.1), ("second", 0.5))
        for metric in ("quality", "diversity")
        for scale in (0.5, 1.0, 2.0)
    ]
    points, styles = pd.DataFrame(rows), style.looks([("GAN", "gan", 1)])
    both = figures.sweep(points, styles)
    assert both == figures.sweep(points[points.extractor == "first"], styles)
    assert both != figures.sweep(points[points.extractor == "second"], styles)
