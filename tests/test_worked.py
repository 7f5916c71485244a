"""The worked numbers of docs/metrics.md: by the package, by independent formulas, as printed."""

from dataclasses import replace
from itertools import combinations, permutations
from math import exp, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm
from test_golden import SETTINGS

from gmgan.evaluation.clustering import clustering_scores
from gmgan.evaluation.metrics import METRICS
from gmgan.evaluation.samples import Modes, Real, Samples
from gmgan.evaluation.score import score_samples
from gmgan.records import Snapshots

PAGE = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text()
Y = np.array([[0, 0], [2, 0], [0, 2], [2, 2]], np.float32)
X = np.array([[3, 0], [5, 0], [3, 2], [2, 1]], np.float32)
P = np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], np.float32)
ASKED, COMPONENTS = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])
GREY = {"x": [100, 200, 100, 100], "y": [100, 200, 100, 200]}
CENTRES = np.array([[0.0, 0.0], [4.0, 0.0]])
POINTS = np.array([[0, 0], [1, 0], [0, 1], [4, 3.5]], np.float32)
CLASSES, CLUSTERS = [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]
OPTIONS = {"neighbours": 1, "density_neighbours": 1, "kid_subsets": 1, "kid_subset_size": 4}


def flat(values):
    return np.array(values, np.uint8)[:, None, None, None] * np.ones((4, 16, 16, 1), np.uint8)


def of_package():
    """{metric: value} as the package computes them."""
    told = {"extractor": "worked", "extractor_hash": "0", "extractor_id": "worked"}
    told |= {"held_out_distances": np.ones(3), "noise_distances": np.full(3, 3.0)}
    settings = SETTINGS.model_copy(update={**OPTIONS, "held_out_quality": 0.95})

    def scores(fake, **real):
        real = Real(**real, training=Y, **told, knows_classes=True)
        real = replace(real, other_split=replace(real, features=Y + 1))
        return {s.metric: s.value for s in score_samples([fake], [real], settings, METRICS)}

    fake = Samples(flat(GREY["x"]), X, np.log(P), ASKED, COMPONENTS)
    classes = np.log(P[[0, 0, 2, 2]])
    images = scores(fake, samples=flat(GREY["y"]), features=Y, logits=classes)
    curve = np.stack([POINTS + 9, CENTRES[[0, 0, 1, 1]]]).astype(np.float32)
    points = Samples(
        POINTS,
        POINTS,
        components=COMPONENTS,
        snapshots=Snapshots(samples=curve, kimg=np.array([0.0, 10.0])),
    )
    plane = scores(points, samples=Y, features=Y, modes=Modes(CENTRES, 1.0))
    shared = ("diversity", "within_class_diversity")
    of_points = {f"{name} of points": plane[name] for name in shared}
    own = ("frechet_distance", "modes_captured", "high_quality_share")
    own += ("kimg_to_95_modes", "high_quality_over_training")
    clusters = clustering_scores(np.array(CLASSES), np.array(CLUSTERS), 2, 2)
    return images | {name: plane[name] for name in own} | of_points | clusters


def entropy(shares):
    return -sum(p * log(p) for p in shares if p > 0)


def frechet(x, y):
    a, b = np.cov(x.T.astype(float)), np.cov(y.T.astype(float))
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real))


def reach(points):
    """Distance of each to its nearest other one."""
    return [min(np.linalg.norm(p - q) for j, q in enumerate(points) if j != i)
            for i, p in enumerate(points)]  # fmt: skip


def independent():
    """{metric: value} by loops, sums and other libraries, from the formulas of the page."""
    apart = np.array([[np.linalg.norm(x - y) for y in Y] for x in X])
    near, far = reach(Y), reach(X)
    kernel = lambda a, b: (a @ b / 2 + 1) ** 3  # noqa: E731
    mmd = sum(kernel(s[i], s[j]) for s in (X, Y) for i, j in permutations(range(4), 2)) / 12
    mmd -= 2 * sum(kernel(x, y) for x in X for y in Y) / 16
    mean = P.mean(0)
    inception = exp(sum(float(p @ np.log(p / mean)) for p in P) / 4)
    gauss = np.array([[exp(-((a - b) ** 2).sum() / 2) for b in X] for a in X]) / 4
    quality = sum(1 / (1 + exp((d - 2) * log(19))) for d in apart.min(1)) / 4
    c1 = (0.01 * 255) ** 2
    contrast = 1 - (2 * 100 * 200 + c1) / (100**2 + 200**2 + c1)
    shares = [0.5, 0.25, 0.25]
    agree = sum(
        (CLASSES[i] == CLASSES[j]) and (CLUSTERS[i] == CLUSTERS[j])
        for i, j in combinations(range(6), 2)
    )
    by_class, by_cluster = 3 + 3, 1 + 6
    expected = by_class * by_cluster / 15
    mutual = 2 / 6 * log(2 / (3 * 2 / 6)) + 1 / 6 * log(1 / (3 * 4 / 6)) + 3 / 6 * log(3 / 2)
    spread = sqrt(np.var(POINTS[:3].astype(float), axis=0, ddof=1).mean()) / 2
    return {
        "inception_score": inception,
        "fid": frechet(X, Y),
        "fid_other_split": frechet(X, Y + 1),
        "kid": mmd,
        "precision_k1": np.mean([any(d <= r for d, r in zip(a, near, strict=True)) for a in apart]),
        "recall_k1": np.mean([any(a <= r for a, r in zip(c, far, strict=True)) for c in apart.T]),
        "density_k1": sum(d < r for a in apart for d, r in zip(a, near, strict=True)) / 4,
        "coverage_k1": np.mean([any(c < r) for c, r in zip(apart.T, near, strict=True)]),
        "vendi": exp(entropy(np.linalg.eigvals(gauss).real)),
        "quality": quality,
        "diversity_inter": entropy(shares) / log(3),
        "class_accuracy": 3 / 4,
        "component_purity": 3 / 4,
        "component_acc": 3 / 4,
        "within_class_diversity": contrast / 3,
        "within_class_diversity_ratio": 0.5,
        "frechet_distance": frechet(POINTS, Y),
        "modes_captured": 1,
        "high_quality_share": 3 / 4,
        "diversity of points": sqrt(1 / 2 * entropy([3 / 4, 1 / 4]) / log(2)),
        "within_class_diversity of points": spread,
        "kimg_to_95_modes": 10,
        "high_quality_over_training": 0.5,
        "cluster_acc": 5 / 6,
        "cluster_purity": 5 / 6,
        "cluster_nmi": mutual / ((log(2) + entropy([1 / 3, 2 / 3])) / 2),
        "cluster_ari": (agree - expected) / ((by_class + by_cluster) / 2 - expected),
    }  # fmt: skip


def printed():
    """{metric: number} of the table of worked numbers."""
    table = PAGE.split("## Worked numbers")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return {row[0].replace("`", ""): row[-1] for row in rows}


def test_worked_numbers_are_those_of_the_package_and_of_the_formulas():
    package, numbers = of_package(), printed()
    for name, value in independent().items():
        assert package[name] == pytest.approx(value, rel=1e-5, abs=1e-9), name
        assert float(numbers[name]) == pytest.approx(value, abs=0.00051), name
    assert numbers.keys() == independent().keys()
    both = sqrt(package["diversity_intra"] * package["diversity_inter"])
    assert package["diversity"] == pytest.approx(both)
    assert package["quality_diversity"] == pytest.approx(sqrt(package["quality"] * both))
