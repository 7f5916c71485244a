"""Published numbers beside ours: shown together only where the protocol allows."""

import pandas as pd
import pytest

from gmgan.evaluation.clustering import BASELINES
from gmgan.evaluation.metrics import built_in
from gmgan.report import published

KINDS = {"cifar10": "cifar10", "digits": "digits"}
TITLES = {"gan": "GAN", "gmgan-static": "GM-GAN, static"}


def table(extractor="inception", n_fake=50000, **change):
    rows = [
        {"dataset": "cifar10", "model": "gan", "K": 1, "seed": seed, "value": 5.0 + seed}
        for seed in (0, 1, 2)
    ]
    common = {
        "varied": "",
        "metric": "inception_score",
        "n_fake": n_fake,
        "extractor": extractor,
        **change,
    }
    return pd.DataFrame([{**row, **common} for row in rows])


def row_of(result, method="GAN", data="cifar10"):
    rows = result[(result.method == method) & (result.data == data)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_shipped_numbers_are_complete(params):
    content = published.load_published()
    assert len(content["results"]) >= 20
    for result in content["results"]:
        assert result["source"] in content["sources"]
        assert built_in(result["metric"])
        assert set(result["models"]) <= {*params.models, *BASELINES}
        assert result["value"] > 0
    scores = {
        (r["data"], r["method"], r["K"]): r["value"]
        for r in content["results"]
        if r["metric"] == "inception_score"
    }
    assert len(scores) == 16
    assert scores["cifar10", "GAN", 1] == 5.71
    assert scores["stl10", "GM-GAN, supervised", 10] == 8.32


def test_ours_stands_beside_with_the_same_extractor():
    result = published.beside(published.load_published(), table(), KINDS, TITLES)
    row = row_of(result)
    assert (row.ours, row.seeds, row.comparable) == (pytest.approx(6.0), 3, True)
    assert "theirs not stated" in row.reason


def test_another_extractor_or_count_is_not_comparable():
    content = published.load_published()
    row = row_of(published.beside(content, table("classifier"), KINDS, TITLES))
    assert not row.comparable
    assert "ours by classifier, theirs by inception" in row.reason
    content["results"][0]["n"] = 10000
    row = row_of(published.beside(content, table(), KINDS, TITLES))
    assert not row.comparable
    assert "ours at n = 50,000, theirs at n = 10,000" in row.reason


def test_what_this_suite_lacks_says_so():
    result = published.beside(published.load_published(), table(), KINDS, TITLES)
    assert set(result.data) == {"cifar10"}  # only what is published on the suite's data
    missing = result[(result.data == "cifar10") & (result.method == "AC-GAN")].iloc[0]
    assert missing.reason == "no such run in this suite"
    assert missing.ours != missing.ours  # NaN
    numbers = published.beside(published.load_published(), table(), {"mnist": "mnist"}, TITLES)
    dec = numbers[numbers.method == "DEC"].iloc[0]
    assert "outside this benchmark" in dec.reason


def test_cluster_scores_have_no_count_and_stand_beside():
    """Ours are those with as many clusters as the published ones, under the same images."""
    clusters = dict(extractor="clusters", n_fake=pd.NA, dataset="mnist", K=10)
    ours = pd.concat(
        [
            table(model="kmeans", metric="cluster_acc_all", **clusters),
            table(model="kmeans", metric="cluster_acc_all", **clusters | {"K": 20}),
            table(model="clustergan", metric="cluster_purity", **clusters),
        ]
    ).astype({"n_fake": "Int64"})
    numbers = published.beside(published.load_published(), ours, {"mnist": "mnist"}, TITLES)
    found = numbers[numbers.ours.notna()].set_index("method")
    assert found.loc["k-means on pixels", ["ours", "cell"]].tolist() == [6.0, "kmeans.K10"]
    assert found.model["k-means on pixels"] == "k-means, K = 10"
    assert found.comparable.to_dict() == {"k-means on pixels": True, "ClusterGAN": False}
    assert found.reason["k-means on pixels"] == ""
    assert "theirs by the encoder's codes" in found.reason["ClusterGAN"].iloc[0]
    missing = numbers[numbers.ours.isna() & numbers.method.isin(found.index)]
    assert set(missing.reason) == {"no such run in this suite"}


def test_a_suite_on_own_data_has_none():
    numbers = published.beside(published.load_published(), table(), {"mine": "images"}, TITLES)
    assert numbers.empty and list(numbers) == published.COLUMNS


def test_texts():
    assert published.text_of("inception_score", 5.714, 0.06) == "5.71 ± 0.06"
    assert published.text_of("cluster_acc", 0.53, None) == "0.530"
    assert published.text_of("fid", None, None) == ""
