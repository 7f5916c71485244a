"""Tables of the report: which numbers they hold, what they mark, and their LaTeX and Markdown."""

import numpy as np
import pandas as pd
import pytest

from gmgan.config.evaluation import PluginMetric
from gmgan.evaluation.metrics import shown_metrics
from gmgan.report import opening, tables

TITLES = {"gan": "GAN", "gmgan-static": "GM-GAN & static"}


def rows_of(values, metric="fid", n_fake=100):
    """Rows of the score table: values {(model, K): [value of seed 0, 1, ...]}."""
    return [
        {
            "dataset": "digits",
            "model": model,
            "K": K,
            "varied": "",
            "seed": seed,
            "metric": metric,
            "value": value,
            "n_real": 100,
            "n_fake": n_fake,
            "extractor": "classifier",
            "extractor_hash": "h",
            "split": "train",
        }
        for (model, K), seeds in values.items()
        for seed, value in enumerate(seeds)
    ]


def frame(*parts):
    table = pd.DataFrame([row for part in parts for row in part])
    return table.astype({"K": "Int64", "seed": "Int64", "n_fake": "Int64"})


FID = {
    ("gan", 1): [5.0, 5.1, 4.9],
    ("gmgan-static", 10): [3.0, 3.2, 3.1],
    ("gmgan-static", 20): [3.1, 3.1, 3.3],
}


def only(rows, kind="samples", own=()):
    (table,) = tables.score_tables(rows, kind, TITLES, own)
    return table


def test_texts_that_a_spreadsheet_would_run_are_escaped():
    texts = ["=1+1", "+1", "-x", "@x", "\tx", "plain", None]
    frame = pd.DataFrame({"class": texts, "count": range(-3, 4), "mean": -0.5})
    lines = tables.as_csv(frame).splitlines()
    starts = ["'=1+1", "'+1", "'-x", "'@x", "'\tx", "plain", ""]
    assert lines[1:] == [f"{text},{i - 3},-0.5" for i, text in enumerate(starts)]


def test_cells_are_means_with_intervals_and_marks():
    table = only(frame(rows_of(FID)))
    result = {label: cells[0] for label, _, cells in table.rows}
    assert result["GAN"].mean == pytest.approx(5)
    assert result["GAN"].text == "5.00 ± 0.25"  # t(0.975, 2) * 0.1 / sqrt(3) = 0.248
    marks = {label: cell.mark for label, cell in result.items()}
    assert marks == {
        "GAN": "",
        "GM-GAN & static, K = 10": "best",
        "GM-GAN & static, K = 20": "close",
    }


def test_close_is_shown_and_not_merely_undecided():
    """The noisy third model lies as far from the best as the second does, and shows nothing."""
    noisy = {**FID, ("gmgan-static", 30): [1.2, 3.2, 6.2]}
    marks = [cells[0].mark for _, _, cells in only(frame(rows_of(noisy))).rows]
    assert marks == ["", "best", "close", ""]
    unknown = only(frame(rows_of(FID, "kid")))  # no smallest effect is stated
    assert [cells[0].mark for _, _, cells in unknown.rows] == ["", "best", ""]


def test_an_interval_ends_where_the_range_of_the_score_does():
    captured = rows_of({("gan", 1): [8.0, 8.0, 1.0], ("gmgan-static", 8): [7.0, 6.0, 6.5]})
    rows = frame([{**row, "metric": "modes_captured"} for row in captured])
    (table,) = tables.score_tables(rows, "samples", TITLES, classes=8)
    assert [cells[0].text for _, _, cells in table.rows] == ["5.7 [0.0, 8.0]", "6.5 ± 1.2"]


def test_higher_is_best_where_it_should_be_and_one_seed_marks_nothing_close():
    up = only(frame(rows_of(FID, "inception_score")))
    assert [cells[0].mark for _, _, cells in up.rows] == ["best", "", ""]
    one = only(frame(rows_of({key: values[:1] for key, values in FID.items()})))
    assert sorted(cells[0].mark for _, _, cells in one.rows) == ["", "", "best"]
    none = only(frame(rows_of(FID, "density_k5")))  # has no better direction
    assert {cells[0].mark for _, _, cells in none.rows} == {""}


def test_columns_are_the_metrics_of_a_kind_in_the_order_of_their_list():
    """Other parameters of a family are shown, too, and the user's own metrics come last."""
    names = ["sharpness", "component_acc", "recall_k5", "precision_k5", "fid", "quality"]
    rows = frame(*(rows_of(FID, name) for name in names))
    own = shown_metrics({"sharpness": PluginMetric(kind="a:b", title="sharp {", better="lower")})
    assert only(rows, own=own).columns == [
        ("fid", "FID", -1),
        ("recall_k5", "recall (k = 5)", 1),
        ("precision_k5", "precision (k = 5)", 1),
        ("quality", "quality", 1),
        ("sharpness", "sharp {", -1),
    ]
    columns = [("component_acc", "component accuracy, one-to-one", 1)]
    assert only(rows, "components").columns == columns


def test_two_sample_counts_are_two_columns():
    floor = rows_of({("real", pd.NA): [0.1]})
    table = only(frame(rows_of(FID), rows_of({("gan", 1): [6.0]}, n_fake=50), floor))
    assert [cell.text for cell in table.rows[-1][2]] == ["0.10", "–"]
    assert [label for _, label, _ in table.columns] == ["FID, n = 100", "FID, n = 50"]
    cells = {label: [cell.text for cell in cells] for label, _, cells in table.rows}
    assert cells["GAN"] == ["5.00 ± 0.25", "6.00"]
    assert cells["GM-GAN & static, K = 10"][1] == "–"
    assert table.protocol["n_fake"] == 100


def test_markdown_and_latex():
    table = only(frame(rows_of(FID)))
    markdown = tables.to_markdown(table).splitlines()
    assert markdown[0] == "| model | FID ↓ |"
    assert markdown[2] == "| GAN | 5.00 ± 0.25 |"
    assert markdown[3].endswith("**3.10 ± 0.25** |")
    latex = tables.to_latex(table)
    assert r"GM-GAN \& static, K = 10 & \textbf{3.10 $\pm$ 0.25} \\" in latex
    assert latex.count(r"\begin{tabular}{lr}") == latex.count(r"\end{tabular}") == 1


def test_over_seeds():
    result = tables.over_seeds(frame(rows_of(FID)), ["model", "K"])
    assert result["mean"].tolist() == pytest.approx([5, 3.1, 3.1 + 1 / 15])
    assert result.low.tolist() == [4.9, 3.0, 3.1]
    assert result.seeds.tolist() == [3, 3, 3]
    with_gap = frame(rows_of({("gan", 1): [1.0, np.nan, 3.0]}))
    assert tables.over_seeds(with_gap, ["model", "K"]).seeds.tolist() == [2]


def test_an_answer_that_other_scores_contradict_has_a_footnote():
    quality = {("gan", 1): [0.5, 0.52, 0.51], ("gmgan-static", 10): [0.9, 0.95, 0.92]}
    rows = frame(rows_of(quality, metric="quality"))
    rows["flag"] = ["", "", "", "near, but few (recall 0.010)", "", "near, but few (recall 0.020)"]
    found = list(opening.answers("digits", {"samples": [only(rows)]}))
    *table, _, footnote = opening.as_markdown(found).splitlines()
    assert table[-1].split(" | ")[3].endswith(" †")
    assert footnote == "† digits, quality of GM-GAN & static, K = 10: near, but few (2 of 3 seeds)."
