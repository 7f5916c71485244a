"""params.yaml: what is shipped, and that every mistake is named with its place."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, assert_refused

from gmgan.config.loader import load
from gmgan.config.run import Run
from gmgan.errors import GmganError, unknown_name
from gmgan.models.networks.dcgan import doublings
from gmgan.pipeline import grid

TEXT = (ROOT / "params.yaml").read_text()


def changed(tmp_path, old, new):
    assert old in TEXT
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    return path


def line_of(path, text):
    return next(i for i, line in enumerate(path.read_text().splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        (
            "suite: quick",
            "suite: quik",
            "suite",
            "unknown suite 'quik'; did you mean quick? known: ci",
        ),
        ("  threads: 1", "  threads: 0", "execution.threads", "got 0"),
        (
            "  threads: 1",
            "  thread: 1",
            "execution.thread",
            "unknown key 'thread'; did you mean threads?",
        ),
        ("      c: 0.5 ", "      c: -0.5 ", "datasets.toy-ring.latent.c", "got -0.5"),
        ("      sigma: 0.1 ", "      sigma: 0 ", "datasets.toy-ring.latent.sigma", "got 0"),
        ("kind: ring", "kind: rong", "datasets.toy-ring.source", "rong"),
        ("      modes: 8", "      modes: eight", "datasets.toy-ring.source.modes", "got 'eight'"),
        (
            "extends: digits",
            "extends: digit",
            "datasets.digits-rare-8.extends",
            "unknown dataset 'digit'; did you mean digits",
        ),
        (
            "network: dcgan-small",
            "network: dcgan-tiny",
            "datasets.mnist-short.network",
            "unknown network 'dcgan-tiny'; did you mean dcgan? known: dcgan, dcgan-small",
        ),
        (
            "extractors: classifier-digits",
            "extractors: clasifier",
            "datasets.digits.evaluation.extractors",
            "unknown extractor 'clasifier'",
        ),
        ("objective: acgan", "objective: wgan", "models.acgan.objective", "unknown kind 'wgan'"),
        (
            "      kind: dynamic\n      covariance: full",
            "      kind: dynamic",
            "models.gmgan-dynamic.prior",
            "covariance",
        ),
        (
            "init_from: gan-mlp",
            "init_from: nobody",
            "models.gmgan-finetuned-wide.init_from",
            "unknown model 'nobody'",
        ),
        (
            "    training:\n      kimg: 3000 ",
            "    training:\n      kimg: 5\n      kimg: 3000 ",
            "kimg",
            "given twice",
        ),
        (
            "    - gan\n",
            "    - gann\n",
            "suites.quick.models.0",
            "unknown model 'gann'",
        ),
        (
            "      seeds: 0-9",  # of a cell of precision
            "      sedes: 0-9\n      seeds: 0",
            "cells.0.sedes",
            "did you mean seeds?",
        ),
        ("  gmgan-dynamic-scalar:", "  Scalar:", "models.Scalar", "lower-case letters"),
        (
            "        - 0.25\n        - 1.0\n",
            "        - 0.25\n",
            "datasets.digits-ci.evaluation.sweep",
            "contain 1.0",
        ),
        ("        n: 700", "        n: 701", "datasets.digits.evaluation", "sweep.n is 701"),
        (
            "classifier: classifier-digits",
            "classifier: inception",
            "datasets.digits.evaluation.clustering.classifier",
            "kind classifier",
        ),
        (
            "fid_also_at: 1000\n",
            "fid_also_at: 10000\n",
            "datasets.mnist-finetune.evaluation",
            "fid_also_at must be below n_fake 10000",
        ),
    ],
)
def test_mistakes_name_file_line_key_and_value(tmp_path, old, new, key, message):
    assert_refused(changed(tmp_path, old, new), key, message)


def test_the_line_is_the_line(tmp_path):
    path = changed(tmp_path, "      c: 0.5 ", "      c: -0.5 ")
    with pytest.raises(GmganError, match=f":{line_of(path, 'c: -0.5')}: datasets.toy-ring"):
        load(path)


def test_all_mistakes_are_listed_each_with_its_own_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = changed(Path(), "threads: 1", "threads: 0")
    text = path.read_text()
    for old, new in (
        ("suite: quick", "suite: quik"),
        ("      kimg: 3000 ", "      kimg: -1 "),  # of mnist, which other entries extend
        ("      c: 0.467", "      c: wide"),
        (
            "    extends: cifar10-jpeg\n    title: CIFAR-10 (JPEG q75), 4",
            "    extends: cifar-jpeg\n    title: CIFAR-10 (JPEG q75), 4",
        ),
        ("      seeds: 0-9", "      seeds: 9-0"),
        ("      colour: rgb", f"      colour: {'x' * 1000}"),
    ):
        assert text.count(old) == 1 or old.startswith("    extends"), old
        text = text.replace(old, new)
    path.write_text(text)
    with pytest.raises(GmganError) as caught:
        load(path)
    assert [line.removeprefix(f"{path}:") for line in str(caught.value).split("\n")] == [
        f"{line_of(path, text)}: {message}"
        for text, message in (
            ("quik", f"suite: {unknown_name('suite', 'quik', yaml.safe_load(TEXT)['suites'])}"),
            ("threads: 0", "execution.threads: Input should be greater than 0 (got 0)"),
            ("kimg: -1", "datasets.mnist.training.kimg: Input should be greater than 0 (got -1)"),
            (
                "colour: x",
                "datasets.cifar10-jpeg.source.colour: Input should be 'grey' or 'rgb' "
                f"(got '{'x' * 99}...)",
            ),
            (
                "extends: cifar-jpeg",
                "datasets.cifar10-jpeg-short.extends: "
                + unknown_name("dataset", "cifar-jpeg", yaml.safe_load(TEXT)["datasets"]),
            ),
            (
                "c: wide",
                "models.gmgan-finetuned-wide.latent.c: Input should be a valid number, unable to "
                "parse string as a number (got 'wide')",
            ),
            (
                "seeds: 9-0",
                "suites.precision.cells.0.seeds: a seed is a number or a range such as 0-4, "
                "of at most 5,000 (got '9-0')",
            ),
        )
    ]


@pytest.mark.parametrize(
    ("model", "key", "message"),
    [
        ("      beta1: 1.5", "training.beta1", "Input should be less than 1 (got 1.5)"),
        (
            "      snapshot: 5",
            "training.snapshot",
            "unknown key 'snapshot'; did you mean snap",
        ),
        ("      kimg: []", "training.kimg", "Input should be a valid number (got [])"),
    ],
)
def test_what_a_model_changes_is_checked_at_its_own_line(tmp_path, model, key, message):
    path = changed(tmp_path, "title: AC-GAN\n", f"title: AC-GAN\n    training:\n{model}\n")
    with pytest.raises(GmganError) as caught:
        load(path)
    place = f"{path}:{line_of(path, model)}: models.acgan.{key}: "
    assert str(caught.value).startswith(place + message)
    assert "\n" not in str(caught.value)


def test_a_model_may_change_every_setting_of_training(tmp_path):
    change = "    training:\n      snapshots: 3\n      kimg_continued: 7\n    init_from: gan\n"
    params = load(changed(tmp_path, "title: AC-GAN\n", f"title: AC-GAN\n{change}"))
    training = params.training_of("digits", "acgan")
    assert (training.snapshots, training.kimg, training.kimg_continued) == (3, 7, None)
    assert params.training_of("digits", "gan") is params.datasets["digits"].training


def test_single_values_ranges_and_blocks(tmp_path):
    suite = """
  short:
    title: short
    datasets: digits
    seeds:
    - 0-2
    - 7
    cells:
      models: gmgan-static
      K: 10
"""
    path = tmp_path / "params.yaml"
    path.write_text(TEXT + suite.removeprefix("\n"))
    runs = grid.suite_runs(load(path), "short")
    assert runs == [Run("digits", "gmgan-static", 10, seed) for seed in (0, 1, 2, 7)]


def nested(before, after, count):
    """A key `more` with so many levels."""
    return f"more: {before * count}1{after * count}\n"


BOMB = "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]\n" for i in range(1, 12))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (f"a0: &a0 [x, x]\n{BOMB}", "more than 300,000 characters with aliases written out"),
        ("more: &a [*a]\n", "an alias stands for what is around it, or for nothing"),
        ("more: *nothing\n", "an alias stands for what is around it, or for nothing"),
        (nested("{a: ", "}", 3000), "more than 30 levels"),
        (nested("[", "]", 100_000), "more than 30 levels"),
        (nested("[", "", 100_000), "more than 30 levels"),
        ("more: [" + "x, " * 301 + "]\n", "more than 300 entries"),
        ("more: [[" + "x, " * 1001 + "]]\n", "more than 1000 entries"),
        ("# " + "x" * 300_000, "MB, at most 0.3 are read"),
        ("more: 2001-99-99\n", "not valid YAML: month must be in 1..12"),
        (f"more: {'9' * 5000}\n", "not valid YAML: Exceeds the limit (4300 digits)"),
        (b"more: \xff\n", "not valid YAML: 'utf-8' codec can't decode byte 0xff"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_built_is_refused_before(tmp_path, more, message):
    path = tmp_path / "params.yaml"
    path.write_bytes(TEXT.encode() + (more if isinstance(more, bytes) else more.encode()))
    with pytest.raises(GmganError, match=re.escape(message)) as caught:
        load(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 300


def test_aliases_may_be_used(tmp_path):
    path = changed(tmp_path, "      c: 0.5 ", "      c: &c 0.5 ")
    path.write_text(path.read_text().replace("      sigma: 0.1 ", "      sigma: *c ", 1))
    assert load(path).datasets["toy-ring"].latent.sigma == 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("      kimg: 100\n", "      kimg: .inf\n", "Input should be a finite number (got inf)"),
        ("      kimg: 100\n", "      kimg: 1.0e+300\n", "at most 10,000,000: that takes years"),
        ("learning_rate: 1.0e-3", "learning_rate: 1000", "at most 10: Adam moves"),
        ("      sigma: 0.1 ", "      sigma: .inf ", "Input should be a finite number (got inf)"),
        ("      dim: 16 ", "      dim: 1000000000 ", "at most 16,384: a layer of this width"),
        ("      n_fake: 10000", f"      n_fake: {10**12}", "at most 10,000,000: so many samples"),
        ("      batch_size: 128", "      batch_size: 1000000000", "at most 65,536: a batch"),
        ("      modes: 8", "      modes: 1000000000", "at most 10,000: every component or class"),
        ("      modes: 8", "      modes: '8'", "Input should be a valid integer (got '8')"),
        ("      side: 3", "      side: 101", "at most 100: every mode needs samples of its own"),
        ("  threads: 1", "  threads: 1000000", "at most 1,024: no machine has so many cores"),
        ("  threads: 1", "  threads: true", "Input should be a number (got True)"),
        ("    seeds: 0-2", "    seeds: 0-200000", "or a range such as 0-4, of at most 5,000"),
        ("    seeds: 0-2", "    seeds: 0-4200", "at most 5,000 together"),
        ("    seeds: 0-2", f"    seeds: {2**70}", "at most 4,294,967,295: a seed has 32 bits"),
        ("    seeds: 0-2", "    seeds: [1, 0-2]", "1 is given twice; keep one"),
        ("    seeds: 0-2", "    seeds: [true]", "Input should be a number (got True)"),
        ("    K: 10\n", "    K: 1000000000000\n", "at most 10,000: every component or class"),
        ("    - gan\n", "    - gan\n    - gan\n", "'gan' is given twice; keep one"),
        ("    baseline: gan\n", "    baseline: gmgan-static\n", "it is the model itself"),
        ("init_from: gan-mlp", "init_from: gmgan-finetuned-wide", "it is the model itself"),
        (
            "extractors: classifier-digits",
            "extractors: [classifier-digits, classifier-digits]",
            "'classifier-digits' is given twice",
        ),
        ("title: 8 Gaussians on a circle\n", "title: ' '\n", "a title is one line of text"),
        ("suite: quick", f"suite: {'q' * 100_000}", "unknown suite 'qqq"),
    ],
)
def test_nonsense_is_refused_with_the_reason(tmp_path, old, new, message):
    with pytest.raises(GmganError, match=re.escape(message)) as caught:
        load(changed(tmp_path, old, new))
    assert all(len(line) <= 300 for line in str(caught.value).split("\n"))


def test_long_chains_are_refused(tmp_path):
    entries = (
        "".join(f"  m{i}:\n    extends: m{i + 1}\n    title: M{i}\n" for i in range(25))
        + "  m25:\n    extends: gan\n    title: M\n"
    )
    with pytest.raises(GmganError, match="more than 20 models extend each other"):
        load(changed(tmp_path, "models:\n", f"models:\n{entries}"))


def test_broken_yaml_and_missing_file(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("suite: quick\n  datasets: {")
    with pytest.raises(GmganError, match=r"params.yaml:2: not valid YAML"):
        load(path)
    with pytest.raises(GmganError, match=r"cannot read .*none.yaml"):
        load(tmp_path / "none.yaml")


def test_circles_are_refused(tmp_path):
    path = changed(
        tmp_path,
        "    title: handwritten digits, 8 x 8 (scikit-learn)",
        "    title: digits\n    extends: digits-ci",
    )
    with pytest.raises(GmganError, match="extend each other in a circle"):
        load(path)


def test_extending_shares_the_data_unless_the_source_changes(params):
    names = params.source_names
    assert names["mnist-short"] == "mnist"
    assert names["digits-ci"] == "digits"
    assert names["fashion-mnist"] == "fashion-mnist"
    assert names["toy-grid"] == "toy-grid"
    assert params.datasets["mnist-short"].latent == params.datasets["mnist"].latent


def test_named_suites_and_models_are_shipped(params):
    assert {"quick", "ci", "mnist", "fashion-mnist", "cifar10", "stl10", "paper"} <= set(
        params.suites
    )
    assert {"gan", "acgan", "gmgan-static", "gmgan-dynamic", "gmgan-supervised"} <= set(
        params.models
    )
    for suite in params.suites:
        assert grid.suite_runs(params, suite)


def test_quick_has_five_models_on_two_sets_with_ten_seeds_and_two_more_values_of_K(params):
    runs = grid.suite_runs(params, "quick")
    assert len(runs) == len(set(runs)) == 2 * (5 * 10 + 2 * 3)
    assert all(run.K == 1 for run in runs if run.model in ("gan", "acgan"))


def test_paper_is_the_whole_grid(params):
    runs = set(grid.suite_runs(params, "paper"))
    for dataset in ("mnist", "fashion-mnist", "cifar10", "stl10"):
        for model in ("gmgan-static", "gmgan-dynamic", "gmgan-supervised"):
            for K in (10, 20, 30):
                for seed in range(5):
                    assert Run(dataset, model, K, seed) in runs
        assert sum(run.dataset == dataset for run in runs) == 5 * (2 + 3 * 3)


def test_every_suite_has_the_runs_that_it_is_meant_to_have(params):
    counts = {suite: len(grid.suite_runs(params, suite)) for suite in params.suites}
    assert counts == {
        "quick": 112,
        "ci": 4,
        "precision": 10 * 6 + 3 * 4,
        "models": 114,
        "modern-loss": 30,
        "sigma-loss": 36,
        "mnist-search": 8 * 8 + 5,
        "mnist-reference": 7 * 5,
        "mnist-reference-long": 7 * 5,
        "mnist-reference-clustergan": 5,
        "mnist-search-rivals": 3 * 8,
        "mnist-reference-rivals": 4 * 5,
        "mnist-reference-components": 4 * 5,
        "mnist-reference-imbalance": 2 * 5,
        "mnist-reference-r3gan": 3 * 5,
        "fashion-reference": 6 * 5,
        "fashion-search": 4 * 2 + 4 * 2,
        "fashion-reference-tuned": 4 * 5,
        "fashion-reference-rivals": 5 * 5,
        "fashion-reference-components": 4 * 5,
        "cifar10-jpeg-search": 4 * 2 + 4 * 2,
        "cifar10-jpeg-reference": 5 * 3,
        "information": 2,
        "imbalance": 20,
        "mnist-short": 6,
        "cifar10-jpeg-short": 2,
        "mnist": 24,
        "mnist-finetune": 12,
        "mnist-finetune-short": 12,
        "fashion-mnist": 24,
        "cifar10": 15,
        "stl10": 15 + 9,
        "paper": 3 * 25 + 4 * 55 + 5 * 7,
    }


def test_run_names_go_both_ways(params):
    for run in grid.suite_runs(params, "paper"):
        assert grid.parse_run(params, run.name) == run


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits", "is no run"),
        ("digits.gan.K1", "is no run"),
        (
            "digit.gan.K1.s0",
            "unknown dataset 'digit'; did you mean digits or digits-ci?",
        ),
        (
            "digits.gann.K1.s0",
            "unknown model 'gann'; did you mean gan or sngan or r3gan? kno",
        ),
        ("digits.gmgan-static.K0.s0", "K must be at least 1, got 0"),
        ("digits.gan.K3.s0", "K must be 1, got 3"),
        ("digits.gmgan-supervised.K9.s0", "K = 9 is below the number of classes 10"),
        ("stl10-unlabelled.acgan.K1.s0", "needs class labels"),
        (
            "digits.gmgan-static.K10001.s0",
            "K: at most 10,000: every component or class needs samples of its own (got 10001)",
        ),
        ("digits.gmgan-static.K10000000000000.s0", "K: at most 10,000: every component or cl"),
        ("digits.gan.K1.s4294967296", "seed: at most 4,294,967,295: a seed has 32 bits (got 429"),
        (f"digits.gan.K1.s{'9' * 5000}", "with PARAMETER=VALUE before .s<seed> if it varies some"),
    ],
)
def test_impossible_runs(params, name, message):
    with pytest.raises(GmganError, match=re.escape(message)):
        grid.parse_run(params, name)


def test_the_largest_numbers_of_params_may_stand_in_a_name(params):
    for name in ("digits.gmgan-static.K10000.s0", "digits.gan.K1.s4294967295"):
        assert grid.parse_run(params, name).name == name


def test_a_network_for_images_is_refused_for_points(params):
    with pytest.raises(GmganError, match="a dcgan makes square images, the data are") as caught:
        grid.with_changes(params, "toy-ring.gan.K1.s0", ["network=dcgan"])
    assert str(caught.value).startswith("toy-ring.gan.K1.network=dcgan.s0: ")
    assert "\n" not in str(caught.value)


def test_a_dcgan_is_refused_for_exactly_the_sizes_that_its_code_refuses(params):
    def refusal(call, *arguments):
        try:
            call(*arguments)
        except GmganError as error:
            return str(error).removeprefix("mnist.gan.K1.s0: ").partition(";")[0]

    entry, refused = params.datasets["mnist"], []
    for size in range(4, 1025):
        source = entry.source.model_copy(update={"size": size})
        for network in ("dcgan", "mlp-small"):
            sized = entry.model_copy(update={"source": source, "network": network})
            sized = params.model_copy(update={"datasets": {"mnist": sized}})
            text = refusal(grid.parse_run, sized, "mnist.gan.K1.s0")
            assert text == (refusal(doublings, size) if network == "dcgan" else None), size
            refused += [size] if text else []
    assert len(refused) == 1021 - 4 * 7 - 1  # 1024 too


def test_settings_are_the_data_sets_changed_by_the_models(params):
    base = grid.settings(params, grid.parse_run(params, "mnist.gmgan-static.K10.s0"))
    tuned = grid.settings(params, grid.parse_run(params, "mnist.gmgan-finetuned-wide.K10.s3"))
    assert base.latent.c == 0.1
    assert tuned.latent.model_dump() == {"dim": 100, "c": 0.467, "sigma": 0.7, "sigma_is": "std"}
    assert tuned.network.generator_widths == [256, 512, 1024]
    assert tuned.init_from == Run("mnist", "gan-mlp", 1, 3)
    assert base.init_from is None
    parent, child = (
        grid.settings(params, grid.parse_run(params, f"mnist-finetune.{name}.s0")).training.kimg
        for name in ("gan-mlp.K1", "gmgan-finetuned-narrow.K10")
    )
    assert (parent, child) == (3000, 6000)


def test_params_are_in_block_style():
    """DVC rewrites the file in block style: written so, its diffs stay small."""
    assert not re.search(r":\s*[\[{]", TEXT)
    assert yaml.safe_load(TEXT)


MODEL = "models:\n"


def test_models_extend_models(tmp_path):
    entry = """  other:
    extends: gmgan-dynamic
    title: Other
    prior:
      covariance: scalar
    latent:
      sigma: 2
"""
    params = load(changed(tmp_path, MODEL, MODEL + entry))
    other, parent = params.models["other"], params.models["gmgan-dynamic"]
    assert other.prior.covariance == "scalar"
    assert (other.objective, other.baseline) == (parent.objective, "gan")
    assert params.latent_of("digits", "other").sigma == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("  other:\n    extends: gann\n    title: O\n", "models.other.extends: unknown model"),
        ("  other:\n    extends: gan\n", "models.other.extends: its title is the one of 'gan'"),
        (
            "  other:\n    extends: gan\n    title: O\n    latent:\n      sigma: 0\n",
            "models.other.latent.sigma: Input should be greater than 0 (got 0)",
        ),
    ],
)
def test_mistakes_in_models_that_extend(tmp_path, entry, message):
    with pytest.raises(GmganError, match=re.escape(message)):
        load(changed(tmp_path, MODEL, MODEL + entry))
