"""The loop over metric records: which scores it computes, from which samples, with which counts."""

import re
import subprocess
import sys
from dataclasses import asdict, fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import ROOT

from gmgan.data.points import centres
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation import metrics
from gmgan.evaluation.frechet import frechet_distance, moments
from gmgan.evaluation.metric import Metric, options_of
from gmgan.evaluation.metrics import METRICS, built_in, in_order, metric_of
from gmgan.evaluation.quality import calibrate, quality
from gmgan.evaluation.reference import real_images, reference_of
from gmgan.evaluation.samples import Samples
from gmgan.evaluation.score import floor, score, score_samples
from gmgan.evaluation.settings import ScoringSettings, SweepSettings, scoring_settings
from gmgan.evaluation.sweep import sweep
from gmgan.models import priors
from gmgan.models.model import Model
from gmgan.models.objectives import gan
from gmgan.pipeline import grid
from gmgan.pipeline.grid import Run
from gmgan.records import ExtractorDescription, Features, Floor, Generated, RealFeatures, Snapshots

N = 60
SETTINGS = {
    "extractors": ["small"],
    "n_real": N,
    "n_fake": N,
    "is_splits": 2,
    "kid_subsets": 3,
    "kid_subset_size": 20,
    "ms_ssim_pairs": 30,
    "dataset": "tiles",
    "run": Run("tiles", "gm", 3, 0),
    "modes": None,
    "std": None,
    "metrics": {},
}
NO_SNAPSHOTS = Snapshots(samples=np.empty((0, 0)), kimg=np.empty(0))
IMAGE_METRICS = {
    *(
        "inception_score",
        "fid",
        "fid_other_split",
        "kid",
        "quality",
        "diversity",
        "quality_diversity",
    ),
    *("diversity_intra", "diversity_inter", "precision_k3", "recall_k3"),
    *("density_k5", "coverage_k5", "vendi"),
}
CLASS_METRICS = {"within_class_diversity", "within_class_diversity_ratio"}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def images(rng, count):
    return rng.integers(0, 256, (count, 8, 8, 1), np.uint8)


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


@pytest.fixture
def tiles(rng):
    """Arguments of `score` for three components of an image data set of four classes."""
    labels = np.arange(200) % 4
    data = Splits(images(rng, 200), labels, images(rng, 90), labels[:90], list("abcd"))
    real = RealFeatures(
        train=normal(rng, 200, 5),
        train_logits=normal(rng, 200, 4),
        test=normal(rng, 90, 5),
        test_logits=normal(rng, 90, 4),
        held_out_distances=abs(normal(rng, 90, 1)),
        noise_distances=abs(normal(rng, 50, 1)) + 9,
    )
    components, logits = np.arange(N) % 3, normal(rng, N, 4)
    return {
        "samples": Generated(
            samples=images(rng, N), component=components, class_=components, status="ok"
        ),
        "snapshots": NO_SNAPSHOTS,
        "data": data,
        "features": {"small": Features(features=normal(rng, N, 5), logits=logits, status="ok")},
        "real": {"small": real},
        "extractors": {"small": ExtractorDescription(kind="classifier", hash="0123456789abcdef0")},
        "floor": Floor(dataset="tiles", status="ok", scores=[]),
        "settings": ScoringSettings(**SETTINGS),
    }


def with_settings(arguments, **change):
    return arguments | {"settings": ScoringSettings(**{**SETTINGS, **change})}


def by_name(scores):
    return {row.metric: row for row in scores}


def test_images_get_every_metric_that_fits(tiles):
    scores = score(**tiles)
    components = {"class_accuracy", "component_purity", "component_acc"}
    components.add("component_acc_chance")
    assert {row.metric for row in scores.scores} == IMAGE_METRICS | CLASS_METRICS | components
    seen = tiles["features"]["small"].logits.argmax(1)
    table = np.zeros((3, 4), int)
    np.add.at(table, (tiles["samples"].component, seen), 1)
    assert scores.groups == {"small": table.tolist()}
    rows = by_name(scores.scores)
    assert rows["component_purity"].value == pytest.approx(table.max(1).sum() / N)
    assert rows["class_accuracy"].value == np.mean(seen == tiles["samples"].class_)
    fid = rows["fid"]
    order = reference_of(tiles["data"], tiles["settings"]).order[:N]
    real = moments(tiles["real"]["small"].train[order])
    assert fid.value == frechet_distance(*moments(tiles["features"]["small"].features), *real)
    assert (fid.n_real, fid.n_fake, fid.split) == (N, N, "train")
    assert (fid.extractor, fid.extractor_hash) == ("small", "0123456789abcdef")
    assert rows["kid"].spread > 0 and fid.spread is None
    assert (scores.convergence, scores.reached_95_modes) == ([], None)


def test_a_network_that_knows_other_classes_judges_none(tiles):
    tiles["extractors"]["small"] = ExtractorDescription(kind="inception", hash="h")
    scores = score(**tiles)
    assert {row.metric for row in scores.scores} == IMAGE_METRICS
    assert scores.groups == {}


def test_plain_gans_have_no_scores_of_components(tiles):
    tiles = with_settings(tiles, run=Run("tiles", "gan", 1, 0))
    names = {row.metric for row in score(**tiles).scores}
    assert names == IMAGE_METRICS | CLASS_METRICS | {"class_accuracy"}
    tiles["samples"].class_[:] = -1
    scores = score(**tiles)
    assert {row.metric for row in scores.scores} == IMAGE_METRICS | CLASS_METRICS
    assert np.shape(scores.groups["small"]) == (1, 4)


def test_a_run_without_samples_has_a_status_and_no_numbers(tiles):
    none = np.empty(0, np.int64)
    failed = Generated(samples=none, component=none, class_=none, status="diverged")
    empty = Features(features=none, logits=none, status="diverged")
    scores = score(**tiles | {"samples": failed, "features": {"small": empty}})
    assert (scores.status, scores.scores, scores.groups) == ("diverged", [], {})


def test_fid_at_other_counts_allows_fewer_samples_than_dimensions(tiles):
    scores = score(**with_settings(tiles, fid_also_at=[30, 4]))
    values = {row.n_fake: row.value for row in scores.scores if row.metric == "fid"}
    assert list(values) == [N, 30, 4]
    features = tiles["features"]["small"].features
    order = reference_of(tiles["data"], tiles["settings"]).order[:N]
    real = moments(tiles["real"]["small"].train[order])
    assert values[4] == frechet_distance(*moments(features[:4], singular=True), *real)


def test_fid_of_the_other_split_compares_with_held_out_images(tiles):
    real, settings = tiles["real"]["small"], tiles["settings"]
    made = moments(tiles["features"]["small"].features)
    fid = by_name(score(**tiles).scores)["fid_other_split"]
    other = reference_of(tiles["data"], settings.model_copy(update={"split": "test"})).order[:N]
    assert fid.value == frechet_distance(*made, *moments(real.test[other]))
    assert (fid.n_real, fid.n_fake, fid.split) == (N, N, "test")
    assert "|n:60/60|split:test" in fid.signature
    few = replace(real, test=real.test[:5], test_logits=real.test_logits[:5])
    data = tiles["data"]
    tiles["data"] = replace(data, test=data.test[:5], test_labels=data.test_labels[:5])
    assert "fid_other_split" not in by_name(score(**tiles | {"real": {"small": few}}).scores)


def test_parameters_give_members_of_families_their_names(tiles):
    scores = score(**with_settings(tiles, neighbours=5, density_neighbours=2))
    names = {row.metric for row in scores.scores}
    assert {"precision_k5", "recall_k5", "density_k2", "coverage_k2"} <= names
    assert not {"precision_k3", "density_k5"} & names
    assert metric_of("precision_k5").label == "precision (k = 5)"
    assert metric_of("precision_k5").group == "samples"


def test_the_reference_split_decides_what_is_compared_and_training_stays_training(tiles):
    real = tiles["real"]["small"]
    arguments = ("small", tiles["data"], real, tiles["extractors"]["small"])
    (near,) = real_images(*arguments, ScoringSettings(**SETTINGS))
    change = {"split": "test", "n_fake": 30}
    (swapped,) = real_images(*arguments, ScoringSettings(**SETTINGS | change))
    assert np.array_equal(near.training, real.train)
    assert np.array_equal(swapped.training, real.train)
    assert len(swapped.samples) == 90
    assert {tuple(row) for row in swapped.features} == {tuple(row) for row in real.test}


def test_the_floor_is_of_disjoint_real_samples(tiles):
    names = ("data", "real", "extractors", "settings")
    scores = floor(**{name: tiles[name] for name in names})
    rows = by_name(scores.scores)
    assert set(rows) == IMAGE_METRICS | CLASS_METRICS
    assert (scores.dataset, scores.status) == ("tiles", "ok")
    features = tiles["real"]["small"].train[reference_of(tiles["data"], tiles["settings"]).order]
    exact = frechet_distance(*moments(features[N:]), *moments(features[:N]))
    assert rows["fid"].value == exact
    order = reference_of(tiles["data"], tiles["settings"]).order
    others = np.delete(tiles["real"]["small"].train, order[N:], axis=0)
    apart = [np.linalg.norm(others - own, axis=1).min() for own in features[N:]]
    record = tiles["real"]["small"]
    calibration = calibrate(record.held_out_distances, record.noise_distances, 0.95)
    assert rows["quality"].value == pytest.approx(quality(np.array(apart), calibration))
    assert scores.anchors["small"]["held-out"] > 0.9 > 0.1 > scores.anchors["small"]["noise"]


def test_a_committee_reports_mean_and_spread_of_its_members(tiles):
    """Two members side by side score as each alone; mean and standard deviation are reported."""

    def alone(member):
        parts = {
            name: np.split(getattr(tiles["real"]["small"], name), 2, axis=1)[member]
            for name in vars(tiles["real"]["small"])
        }
        seen = vars(tiles["features"]["small"])
        own = {name: np.split(seen[name], 2, axis=1)[member] for name in ("features", "logits")}
        return by_name(
            score(
                **tiles
                | {
                    "real": {"small": RealFeatures(**parts)},
                    "features": {"small": Features(**own, status="ok")},
                    "extractors": {"small": ExtractorDescription(kind="classifier", hash="0")},
                }
            ).scores
        )

    rng = np.random.default_rng(1)
    for record in (tiles["real"]["small"], tiles["features"]["small"]):
        for name, array in vars(record).items():
            if isinstance(array, np.ndarray):
                other = array + 0.3 * normal(rng, *array.shape)
                object.__setattr__(record, name, np.concatenate([array, abs(other)], 1))
    members = [alone(0), alone(1)]
    tiles["extractors"]["small"] = ExtractorDescription(kind="classifier", hash="0", members=2)
    for name, row in by_name(score(**tiles).scores).items():
        values = [member[name].value for member in members]
        assert row.value == pytest.approx(np.mean(values)), name
        assert row.spread == pytest.approx(np.std(values, ddof=1)), name
    assert members[0]["fid"].value != members[1]["fid"].value


def test_metrics_that_need_more_samples_raise_or_are_left_out(tiles):
    settings = ScoringSettings(**SETTINGS)
    (everything,) = real_images(
        "small", tiles["data"], tiles["real"]["small"], tiles["extractors"]["small"], settings
    )
    real = reference_of(tiles["data"], settings).reference(everything)
    seen = tiles["features"]["small"]
    few = Samples(tiles["samples"].samples, seen.features, seen.logits)[:4]
    with pytest.raises(GmganError, match="more than 5 samples, got 4"):
        score_samples([few], [real], settings, METRICS)
    errors = []
    rows = score_samples([few], [real], settings, METRICS, errors.append)
    assert len(errors) == 3  # FID against both splits, KID
    without = {"fid", "fid_other_split", "kid"}
    assert {row.metric for row in rows} == (IMAGE_METRICS | CLASS_METRICS) - without
    swept = {row.metric for row in score_samples([real], [real], settings, metrics.SWEPT)}
    assert swept == {n for n in IMAGE_METRICS | CLASS_METRICS if built_in(n).swept}
    seen.features[0, 0] = np.nan
    with pytest.raises(GmganError, match="tiles: extractor small gave features that are not fin"):
        score_samples([few], [real], settings, METRICS)


RING = "toy-ring-ci"


@pytest.fixture
def ring(params, rng):
    """Arguments of `score` for points: two snapshots, of nothing and of real points."""
    entry = params.datasets[RING]
    modes = centres(entry.source)
    labels = rng.integers(8, size=2000)
    points = (modes[labels] + entry.source.std * rng.standard_normal((2000, 2))).astype(np.float32)
    data = Splits(points[:1000], labels[:1000], points[1000:], labels[1000:], list("abcdefgh"))
    return {
        "samples": Generated(
            samples=points[:1000],
            component=labels[:1000],
            class_=labels[:1000] * 0 - 1,
            status="ok",
        ),
        "snapshots": Snapshots(
            samples=np.stack([0 * points[:500], points[:500]]), kimg=np.array([0.0, 60.0])
        ),
        "data": data,
        "features": {},
        "real": {},
        "extractors": {},
        "floor": Floor(dataset=RING, status="ok", scores=[]),
        "settings": scoring_settings(RING, entry, Run(RING, "gm", 8, 0)),
    }


def test_points_are_scored_by_their_modes(ring):
    scores = score(**ring)
    rows = by_name(scores.scores)
    assert set(rows) == {
        *("modes_captured", "high_quality_share", "frechet_distance", "quality", "diversity"),
        *("quality_diversity", "component_purity", "component_acc", "component_acc_chance"),
        *CLASS_METRICS,
        *("kimg_to_95_modes", "high_quality_over_training"),
    }
    assert rows["modes_captured"].value == 8
    assert rows["component_acc"].value == pytest.approx(1)
    assert rows["kimg_to_95_modes"].value == 60
    assert (rows["kimg_to_95_modes"].n_fake, rows["quality"].n_fake) == (500, 1000)
    assert [point.modes_captured for point in scores.convergence] == [0, 8]
    assert scores.reached_95_modes is True
    assert np.diag(scores.groups["data-space"]).sum() == 1000
    assert {row.extractor for row in scores.scores} == {"data-space"}


def test_never_reaching_the_modes_counts_as_the_budget(ring):
    ring["snapshots"].samples[1] = 0
    scores = score(**ring)
    assert by_name(scores.scores)["kimg_to_95_modes"].value == 60
    assert scores.reached_95_modes is False


def test_plug_ins_are_called_in_the_same_loop(ring, tmp_path, monkeypatch):
    (tmp_path / "reach.py").write_text(
        "def score(fake, real, power):\n"
        "    return float(abs(fake.samples).max() ** power), float(len(real.samples))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = {"reach": {"kind": "reach:score", "options": {"power": 2}}}
    settings = ScoringSettings(**{**dict(ring["settings"]), "metrics": own})
    row = score(**ring | {"settings": settings}).scores[-1]
    value = float(abs(ring["samples"].samples).max() ** 2)
    assert (row.metric, row.value, row.spread) == ("reach", value, 1000)
    assert floor(ring["data"], {}, {}, settings).scores[-1].metric == "reach"


def test_a_title_is_no_setting_of_scores(params):
    entry = params.datasets["digits"]
    change = {"sharp": {"kind": "a:b", "title": "one", "options": {"power": 1}}}

    def settings(title):
        content = entry.evaluation.model_dump() | {
            "metrics": {"sharp": change["sharp"] | {"title": title}}
        }
        evaluation = type(entry.evaluation).model_validate(content)
        return scoring_settings("digits", entry.model_copy(update={"evaluation": evaluation}))

    assert settings("one") == settings("two")
    assert settings("one").metrics["sharp"].options == {"power": 1}


class OnePoint(torch.nn.Module):
    """A generator that gives its latent vector: the prior itself."""

    def forward(self, z):
        return z


def test_the_sweep_scores_every_scale_of_the_same_noise(ring, params, monkeypatch):
    prior = priors.Normal(2)
    model = Model(OnePoint(), OnePoint(), prior, gan.Objective({}, 0, 1), 0)
    monkeypatch.setattr("gmgan.evaluation.sweep.restore_model", lambda *_: model)
    evaluation = params.datasets[RING].evaluation
    run = grid.settings(params, grid.parse_run(params, f"{RING}.gan.K1.s0"))

    def swept(status):
        return sweep(
            weights={},
            record=SimpleNamespace(status=status),
            data=ring["data"],
            description=None,
            real=ring["real"],
            extractor_weights={},
            extractors=ring["extractors"],
            settings=SweepSettings(run=run, scoring=ring["settings"], sweep=evaluation.sweep),
            device=torch.device("cpu"),
        )

    tradeoff = swept("ok")
    assert {point.sigma_scale for point in tradeoff.points} == set(evaluation.sweep.sigma_scales)
    assert {point.n_real for point in tradeoff.points} == {evaluation.sweep.n}
    modes = [point.value for point in tradeoff.points if point.metric == "frechet_distance"]
    assert modes[-1] > modes[0]
    assert not {"component_acc", "kimg_to_95_modes"} & {point.metric for point in tradeoff.points}
    failed = swept("diverged")
    assert (failed.status, failed.points) == ("diverged", [])


def test_records_name_settings_and_samples_that_exist():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    settings = ScoringSettings(**SETTINGS)
    for metric in METRICS:
        assert metric.source and metric.label and metric.version >= 1, metric.name
        assert metric.needs in {None, "classes", *(field.name for field in fields(Samples))}
        if metric.score:
            options_of(metric.score, settings)
        else:
            assert metric.group == "clusters"
        for parameter in re.findall(r"{(\w+)}", metric.name):
            assert parameter in settings.model_fields_set | set(ScoringSettings.model_fields)


def test_names_find_their_records():
    assert built_in("precision_k12").label == "precision (k = 12)"
    assert built_in("precision_k") is built_in("precision_kx") is built_in("fid2") is None
    assert metric_of("my_own") == Metric(name="my_own", label="my own")
    own = [Metric(name="z", label="Z"), Metric(name="a", label="A")]
    names = [metric.name for metric in in_order(["a", "z", "kid", "unknown", "fid"], own)]
    assert names == ["fid", "kid", "z", "a"]


def test_records_need_no_torch():
    script = (
        "import sys; from gmgan.evaluation import metrics, score, settings; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


def test_scores_are_plain_numbers(tiles):
    for row in score(**tiles).scores:
        content = asdict(row)
        assert type(content["value"]) is float, content
        assert content["spread"] is None or type(content["spread"]) is float, content
