"""Scores against what a suite varies: numbers by hand, and what the figures show of them."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from gmgan.config.run import Run
from gmgan.evaluation.metrics import metric_of
from gmgan.report import effect_figures, effects, tables

TITLES = {"gan": "GAN", "static": "static", "dynamic": "dynamic"}
SIGMA, LOSS = "latent.sigma", "objective"


def rows_of(*runs, metric="fid", n_fake=100):
    """Rows of the score table: runs (model, K, {parameter: value}, [value of seed 0, 1, ...])."""
    rows = [
        {
            "model": model,
            "K": K,
            "varied": "+".join(f"{path}={each}" for path, each in values.items()),
            "seed": seed,
            "metric": metric,
            "value": value,
            "n_fake": n_fake,
            "extractor": "classifier",
            **values,
        }
        for model, K, values, seeds in runs
        for seed, value in enumerate(seeds)
    ]
    table = pd.DataFrame(rows).astype({"K": "Int64", "n_fake": "Int64"})
    return table.reindex(columns=dict.fromkeys([*table, SIGMA, LOSS]))


OVER_K = rows_of(
    ("gan", 1, {}, [5.0, 5.1, 4.9]),
    ("static", 10, {}, [3.0, 3.2, 3.1]),
    ("static", 20, {}, [3.1, 3.1, 3.3]),
)
OVER_SIGMA = rows_of(
    ("gan", 1, {}, [5.0, 7.0]),
    ("static", 10, {SIGMA: 2.0}, [3.0, 3.4]),
    ("static", 10, {SIGMA: 0.5}, [2.0, 4.0]),
    ("static", 10, {SIGMA: 10.0}, [1.0, 1.0]),
    ("dynamic", 10, {SIGMA: 0.5}, [9.0, 9.0]),
)
TO_GAN = {("static", f"{SIGMA}={each}"): ("gan", "") for each in (2.0, 0.5, 10.0)}


def columns_of(scores, *names):
    return scores[list(names)].astype(object).to_numpy().tolist()


def test_the_effect_of_k_has_the_baseline_as_a_line():
    compared = {("static", ""): ("gan", "")}
    result = effects.effect(OVER_K, "K", [], TITLES, compared)
    assert columns_of(result, "title", "K", "is_baseline") == [
        ["GAN", 1, True],
        ["static", 10, False],
        ["static", 20, False],
    ]
    # 95 % interval of three values: t(0.975, 2) * 0.1 / sqrt(3)
    assert result["mean"].tolist() == pytest.approx([5.0, 3.1, 19 / 6])
    assert result.interval95.iloc[0] == pytest.approx(4.302653 * 0.1 / np.sqrt(3))
    (figure,) = effect_figures.effects_of(OVER_K, [], TITLES, compared)
    assert figure.name == "effect-of-k"
    assert {"K", "10", "20", "FID", "GAN", "static"} <= set(texts_of(figure.draw()))
    assert effects.axes_of(OVER_K, []) == ["K"]
    assert effects.axes_of(OVER_K[OVER_K.K != 20], []) == []


def test_the_effect_of_a_parameter_has_its_values_in_order_and_the_baseline_across():
    result = effects.effect(OVER_SIGMA, SIGMA, [SIGMA], TITLES, TO_GAN)
    assert columns_of(result, "title", SIGMA, "is_baseline")[1:] == [
        ["static, K = 10", 0.5, False],
        ["static, K = 10", 2.0, False],
        ["static, K = 10", 10.0, False],
    ]
    assert columns_of(result, "title", "is_baseline")[0] == ["GAN", True]
    assert result["mean"].tolist() == [6.0, 3.0, 3.2, 1.0]
    # two values: t(0.975, 1) * half their distance
    half = [12.706205 * each for each in (1.0, 1.0, 0.2, 0.0)]
    assert result.interval95.tolist() == pytest.approx(half, rel=1e-6)
    assert "dynamic" not in set(result.model)  # it has one value


RATE = "training.learning_rate"


def test_a_baseline_that_depends_on_the_axis_is_a_line_like_any_other():
    runs = [("gan", 1, {SIGMA: rate}, [rate]) for rate in (1.0, 2.0)]
    runs += [("static", 10, {SIGMA: rate}, [10 * rate]) for rate in (1.0, 2.0)]
    rows = rows_of(*runs).rename(columns={SIGMA: RATE})
    compared = {(each.model, each.varied): ("gan", each.varied) for each in rows.itertuples()}
    result = effects.effect(rows, RATE, [RATE], TITLES, compared)
    assert not result.is_baseline.any()
    assert columns_of(result, "title", RATE, "mean") == [
        ["GAN", 1.0, 1.0],
        ["static, K = 10", 1.0, 10.0],
        ["GAN", 2.0, 2.0],
        ["static, K = 10", 2.0, 20.0],
    ]


def test_two_parameters_make_lines_at_each_value_of_the_other():
    runs = [
        ("static", 10, {LOSS: loss, SIGMA: sigma}, [sigma + (loss == "hinge")])
        for sigma in (1.0, 2.0)
        for loss in ("hinge", "gan")
    ]
    rows = rows_of(*runs)
    assert effects.axes_of(rows, [SIGMA, LOSS]) == [SIGMA, LOSS]
    result = effects.effect(rows, SIGMA, [SIGMA, LOSS], TITLES, {})
    assert columns_of(result, "title", SIGMA, "mean") == [
        ["static, K = 10, objective = hinge", 1.0, 2.0],
        ["static, K = 10, objective = gan", 1.0, 1.0],
        ["static, K = 10, objective = hinge", 2.0, 3.0],
        ["static, K = 10, objective = gan", 2.0, 2.0],
    ]
    by_loss = effects.effect(rows, LOSS, [SIGMA, LOSS], TITLES, {})
    assert by_loss[LOSS].tolist() == ["hinge", "hinge", "gan", "gan"]  # as in the suite


def test_sample_counts_are_chosen_by_metric():
    """Clustering counts its generated samples otherwise; FID must not fall out for that."""
    clusters = rows_of(("static", 10, {}, [0.5]), metric="cluster_acc", n_fake=5000)
    few = rows_of(("static", 10, {}, [9.0]), ("static", 20, {}, [9.0]), n_fake=50)
    result = effects.effect(pd.concat([OVER_K, clusters, few]), "K", [], TITLES, {})
    assert set(result.metric) == {"fid", "cluster_acc"}
    assert result[result.metric == "fid"]["mean"].tolist() == pytest.approx([3.1, 19 / 6])


GRID = [
    ("static", 10, {LOSS: loss, SIGMA: sigma}, [10 * sigma + place, 10 * sigma + place + 1])
    for place, loss in enumerate(("hinge", "gan"))
    for sigma in (1.0, 2.0, 3.0)
]
BASELINES = [("gan", 1, {LOSS: loss}, [each]) for loss, each in (("hinge", 50), ("gan", 60))]
TO_LOSS = {
    ("static", f"{LOSS}={loss}+{SIGMA}={sigma}"): ("gan", f"{LOSS}={loss}")
    for loss in ("hinge", "gan")
    for sigma in (1.0, 2.0, 3.0)
}


def grid(rows, compared=TO_LOSS):
    return effects.grid(rows, SIGMA, LOSS, [SIGMA, LOSS], TITLES, compared)


def test_a_grid_holds_means_and_the_baseline_of_each_row():
    result = grid(rows_of(*GRID, *BASELINES))
    cells = {(row[1], row[0]): row[2] for row in columns_of(result, SIGMA, LOSS, "mean")}
    ours = {key: mean for key, mean in cells.items() if not pd.isna(key[1])}
    assert ours == {
        ("hinge", 1.0): 10.5,
        ("hinge", 2.0): 20.5,
        ("hinge", 3.0): 30.5,
        ("gan", 1.0): 11.5,
        ("gan", 2.0): 21.5,
        ("gan", 3.0): 31.5,
    }
    theirs = result[result.is_baseline]
    assert columns_of(theirs, LOSS, "mean") == [["hinge", 50.0], ["gan", 60.0]]
    assert theirs[SIGMA].isna().all()


def test_a_cross_of_values_is_no_grid_and_a_grid_may_have_holes():
    cross = [run for run in GRID if run[2][LOSS] == "gan" or run[2][SIGMA] == 1.0]
    assert grid(rows_of(*cross)).empty
    assert len(grid(rows_of(*GRID[:-1]))) == 0  # sigma = 3 has one loss only
    more = ("static", 10, {LOSS: "wasserstein", SIGMA: 1.0}, [1.0])
    again = ("static", 10, {LOSS: "wasserstein", SIGMA: 2.0}, [1.0])
    assert len(grid(rows_of(*GRID, more, again))) == 8


def texts_of(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_heat_map_shows_every_mean_once_and_the_baseline_beside():
    result = grid(rows_of(*GRID, *BASELINES))
    texts = texts_of(effect_figures.heat_maps(result, SIGMA, LOSS))
    digits = [text for text in texts if re.fullmatch(r"\d+\.\d\d", text)]
    assert sorted(map(float, digits)) == [10.5, 11.5, 20.5, 21.5, 30.5, 31.5, 50, 60]
    assert {"1", "2", "3", "baseline", "hinge", "gan", SIGMA, LOSS, "FID"} <= set(texts)


def test_a_baseline_that_depends_on_neither_axis_stands_above_the_map():
    result = grid(rows_of(*GRID, ("gan", 1, {}, [44.0])), dict.fromkeys(TO_LOSS, ("gan", "")))
    (baseline,) = result[result.is_baseline].itertuples()
    assert baseline.mean == 44
    assert result[[SIGMA, LOSS]].isna().all(axis=1).tolist() == result.is_baseline.tolist()
    texts = texts_of(effect_figures.heat_maps(result, SIGMA, LOSS))
    assert "baseline: 44.00" in texts
    assert "baseline" not in texts


def cells_of(result, x, y):
    """The table that a heat map draws, by the colours of its cells: the brightest is the best."""
    figure, panel = plt.subplots()
    effect_figures._heat_map(
        panel,
        result,
        metric_of(result.metric.iloc[0]),
        (x, effects.values_of(result, x)),
        (y, effects.values_of(result, y)),
    )
    picture = panel.images[0]
    light = picture.to_rgba(picture.get_array())[..., :3].sum(-1)
    plt.close(figure)
    return np.asarray(picture.get_array()), light


def test_the_best_cell_is_the_brightest_in_either_direction():
    table, light = cells_of(grid(rows_of(*GRID)), SIGMA, LOSS)
    assert table.tolist() == [[10.5, 20.5, 30.5], [11.5, 21.5, 31.5]]
    assert light.argmax() == table.argmin()  # FID
    table, light = cells_of(grid(rows_of(*GRID, metric="quality")), SIGMA, LOSS)
    assert light.argmax() == table.argmax()


def test_lines_have_the_values_as_labels_and_all_titles_in_the_legend():
    result = effects.effect(OVER_SIGMA, SIGMA, [SIGMA], TITLES, TO_GAN)
    (line,) = [
        each
        for each in effect_figures.effects_of(OVER_SIGMA, [SIGMA], TITLES, TO_GAN)
        if each.name == "effect-of-latent.sigma"
    ]
    pd.testing.assert_frame_equal(line.scores, result)
    texts = texts_of(line.draw())
    assert {"0.5", "2", "10", SIGMA, "FID", "GAN", "static, K = 10"} <= set(texts)
    assert "does not depend on latent.sigma" in line.caption


def test_labels_tell_runs_apart_by_what_differs_among_runs_of_their_model():
    runs = [Run("d", "gan", 1, 0), Run("d", "static", 10, 0)]
    runs += [Run("d", "static", 10, 0, f"{SIGMA}=0.5"), Run("d", "dynamic", 5, 0, f"{SIGMA}=0.5")]
    values = {"static": 0.3, "dynamic": 0.5}
    parameters = {
        SIGMA: {run.name: 0.5 if run.varied else values[run.model] for run in runs[1:]},
        "training.kimg": {run.name: 3.0 for run in runs},
    }
    labels = tables.run_labels(runs, parameters, TITLES)
    assert list(labels.values()) == [
        "GAN",
        "static, K = 10, sigma = 0.3",
        "static, K = 10, sigma = 0.5",
        "dynamic, K = 5",
    ]
    same = tables.parameter_names(["generator.batch_norm", "discriminator.batch_norm", SIGMA])
    assert list(same.values()) == ["generator.batch_norm", "discriminator.batch_norm", "sigma"]


def test_rows_of_a_table_are_runs_of_different_values():
    rows = OVER_SIGMA.assign(n_real=100, extractor_hash="h", split="train")
    (table,) = tables.score_tables(
        rows, "samples", TITLES, labels={("static", 10, f"{SIGMA}=2.0"): "static, sigma = 2"}
    )
    labels = [label for label, _, _ in table.rows]
    assert len(labels) == 5
    assert labels[1] == "static, sigma = 2"
    assert table.rows[1][2][0].mean == pytest.approx(3.2)
    assert table.rows[1][2][0].key["varied"] == f"{SIGMA}=2.0"
