"""What changed between two score tables, and suites beside each other."""

import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, read_json
from scipy import stats

from gmgan.cli import commands
from gmgan.commands.compare import compare_results
from gmgan.errors import GmganError
from gmgan.pipeline.grid import suite_runs
from gmgan.pipeline.runner import Runner
from gmgan.report.compare import compare, only_in, summary


def table(values, seeds=10, model="gan", metric="fid", hash="h", dataset="digits"):
    """Scores of one model: `values` by seed."""
    rows = [
        {
            "dataset": dataset,
            "model": model,
            "K": 1,
            "varied": "",
            "seed": seed,
            "metric": metric,
            "value": value,
            "extractor": "classifier",
            "extractor_hash": hash,
            "n_real": 700,
            "n_fake": 700,
            "split": "train",
        }
        for seed, value in zip(range(seeds), values, strict=True)
    ]
    return pd.DataFrame(rows)


RNG = np.random.default_rng(3)
BEFORE, SHIFT = RNG.normal(5, 1, 10), RNG.normal(-1, 0.05, 10)


def test_a_change_is_tested_by_pairs_of_seeds():
    (row,) = compare(table(BEFORE), table(BEFORE + SHIFT)).to_dict("records")
    assert row["change"] == "better"  # FID went down
    assert row["p"] == pytest.approx(stats.ttest_rel(BEFORE + SHIFT, BEFORE).pvalue)
    assert row["difference"] == pytest.approx(SHIFT.mean())
    higher = compare(table(BEFORE, metric="quality"), table(BEFORE + SHIFT, metric="quality"))
    assert higher.change.tolist() == ["worse"]


def test_other_seeds_are_tested_by_welch_and_holm_counts_all_rows():
    a = pd.concat([table(BEFORE), table(BEFORE, metric="kid")])
    b = pd.concat([table(BEFORE + SHIFT), table([*BEFORE[:4], 9.0], seeds=5, metric="kid")])
    rows = compare(a, b).set_index("metric")
    expected = stats.ttest_ind([*BEFORE[:4], 9.0], BEFORE, equal_var=False).pvalue
    assert rows.p["kid"] == pytest.approx(expected)
    assert rows.p_holm["fid"] == pytest.approx(2 * rows.p["fid"])
    assert rows.change.to_dict() == {"fid": "better", "kid": "undecided"}


def test_what_cannot_be_tested_says_why():
    equal = compare(table(BEFORE), table(BEFORE))
    assert summary(equal) == "1 scores in both: 1 equal"
    (row,) = compare(table(BEFORE), table(BEFORE + 1, hash="other")).to_dict("records")
    assert (row["change"], row["note"]) == ("not tested", "the extractors have other weights")
    one = compare(table([1.0], seeds=1), table([2.0], seeds=1))
    assert one.note.tolist() == ["one seed: no test exists"]
    fewer = table(BEFORE).assign(n_fake=100)
    assert compare(table(BEFORE), fewer).empty  # another protocol is another score
    varied = table(BEFORE).assign(varied="latent.sigma=0.1")
    assert compare(table(BEFORE), varied).empty
    assert only_in(varied, table(BEFORE)) == ["digits.gan.K1.latent.sigma=0.1"]
    both = pd.concat([table(BEFORE), table(BEFORE, model="acgan")])
    assert only_in(both, table(BEFORE)) == ["digits.acgan.K1"]


def test_nothing_in_both_says_why(project):
    for name, rows in (("a", table(BEFORE)), ("b", table(BEFORE, dataset="mnist"))):
        rows.to_csv(project.folder / f"{name}.csv", index=False)
    done = project.gmgan("compare", "a.csv", "b.csv")
    assert done.stdout.splitlines()[0] == "0 scores in both: none"
    (said,) = (line for line in done.stderr.splitlines() if "nothing could be compared" in line)
    assert "the same data set, model, K, metric, extractor" in said
    assert "compared" not in project.gmgan("compare", "a.csv", "a.csv").stderr


def data_sets(params, name):
    """Those of a side of `gmgan compare` that a clone has or can make."""
    revision, _, place = name.rpartition(":")
    if revision or name.startswith("reference/"):
        return set(pd.read_csv(ROOT / "results" / place / "scores.csv").dataset)
    return {run.dataset for run in suite_runs(params, name)}


@pytest.mark.parametrize("page", ["README.md", "gmgan compare --help"])
def test_the_examples_compare_suites_that_share_a_data_set(params, page):
    text = commands.commands["compare"].epilog if "--help" in page else (ROOT / page).read_text()
    examples = re.findall(r"gmgan compare (\S+) (\S+)", text)
    assert examples
    for a, b in examples:
        assert data_sets(params, a) & data_sets(params, b), (a, b)


def test_two_seeds_are_pairs_and_fid_is_compared_by_differences():
    """The claims pair from ten seeds on only, and compare FID by ratios."""
    a, b = np.array([1.0, 4.0]), np.array([1.5, 4.4])
    (row,) = compare(table(a, seeds=2), table(b, seeds=2)).to_dict("records")
    assert (row["test"], row["difference"]) == ("paired t", pytest.approx(0.45))
    assert row["p"] == pytest.approx(stats.ttest_rel(b, a).pvalue)


def test_tables_that_are_not_of_scores_are_refused(tmp_path, params):
    scores = table(BEFORE)
    swept = pd.concat([scores.assign(sigma_scale=scale) for scale in (0.5, 1.0)])
    for name, content in (
        ("scores", scores),
        ("tradeoff", swept),
        ("twice", pd.concat([scores, scores.tail(1)])),
    ):
        content.to_csv(tmp_path / f"{name}.csv", index=False)
    runner = Runner(params, tmp_path / "results")
    for name, reason in (
        ("tradeoff", "is no table of scores: it has sigma_scale; name its scores.csv"),
        ("twice", "has two rows of digits gan fid seed 9 under one protocol; keep one of them"),
    ):
        for pair in (("scores", name), (name, "scores")):
            with pytest.raises(GmganError) as caught:
                compare_results(runner, *(str(tmp_path / f"{side}.csv") for side in pair))
            assert str(caught.value) == f"{tmp_path / name}.csv {reason}"
    assert compare_results(runner, *[str(tmp_path / "scores.csv")] * 2)[0].endswith("1 equal")


@pytest.mark.pipeline
def test_suites_stand_beside_each_other_and_compare(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    kept = {name for name in project.files() if name.startswith(("tables/", "figures/"))}
    project.edit(
        "params.yaml",
        "  precision:\n    title: float32",
        "  pair:\n    title: two of ci\n    datasets: toy-ring-ci\n"
        "    models: [gan, gmgan-dynamic]\n    K: 8\n    seeds: 0\n"
        "  precision:\n    title: float32",
    )
    project.snakemake("all", "--config", "suite=pair")
    files = project.files()
    assert {"pair/report.html", "pair/scores.csv", "report.html", "index.html"} <= files
    assert kept <= files
    index = (project.folder / "results" / "index.html").read_text()
    assert 'href="report.html"' in index and 'href="pair/report.html"' in index
    assert project.plan("all") == {}  # the default suite is as it was
    done = project.gmgan("compare", "ci", "pair")
    lines = done.stdout.splitlines()
    assert lines[0].endswith(" equal")
    assert "only in ci: digits-ci.acgan.K1, digits-ci.gmgan-supervised.K10" in lines
    assert (project.folder / lines[-1]).is_file()
    assert "compare/ci..pair.html" in (project.folder / "results" / "index.html").read_text()
    done = project.gmgan("compare", "ci", "quick", check=False)
    assert "make it (snakemake --cores all --config suite=quick" in done.stderr
    done = project.gmgan("compare", "ci", "pear", check=False)
    assert "unknown suite 'pear'; did you mean pair or paper?" in done.stderr


def test_kept_results_compare_with_the_suite_that_they_are_copies_of(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    kept = project.folder / project.gmgan("keep", "--suite", "ci").stdout.strip()
    linked = re.findall(r'href="((?:figures|tables)/[^"]+)"', (kept / "report.html").read_text())
    assert linked
    assert all((kept / path).exists() for path in linked)
    assert kept == project.folder / "results/reference/ci"
    suite = project.folder / "results"
    for name in ("scores.csv", "tradeoff.csv", "metrics.json"):
        assert (kept / name).read_bytes() == (suite / name).read_bytes()
    assert (kept / "params.yaml").read_bytes() == (project.folder / "params.yaml").read_bytes()
    figures = [path for path in (kept / "figures").rglob("*") if path.is_file()]
    assert figures
    assert {path.suffix for path in figures} == {".svg"}
    assert not [path for path in kept.rglob("*") if ".training." in path.name]
    assert not list(kept.rglob("*.clusters.csv"))
    about = (kept / "README.md").read_text()
    trained = [read_json(path) for path in sorted(suite.glob("runs/*/train.json"))]
    assert f"{len(trained)} trained models; all finished" in about
    assert f"{sum(each['kimg'] for each in trained):,.0f} thousand real images" in about
    said = project.gmgan("compare", "ci", "reference/ci").stdout
    counts = re.search(r"(\d+) scores in both: (\d+) equal\n", said)
    assert counts
    assert counts[1] == counts[2] != "0"
    small = tmp_path / "small"
    project.gmgan("keep", "--suite", "ci", "--only-scores", "--out", small)
    assert {path.name for path in small.iterdir()} == {"README.md", "params.yaml", "scores.csv"}
    done = project.gmgan("keep", "--suite", "ci", check=False)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    done = project.gmgan("keep", "--suite", "quick", check=False)
    assert "suite quick is not finished" in done.stderr


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("edited", "old", "new", "stage", "file"),
    [
        ("gmgan/evaluation/generate.py", '"images": 1.0', '"images": 1.25', "score", "scores.json"),
        ("params.yaml", "        - 0.25\n", "        - 0.5\n", "tradeoff", "tradeoff.json"),
        ("params.yaml", "n_generated: 1000", "n_generated: 900", "cluster", "clusters.json"),
    ],
)
def test_stale_scores_are_not_passed_on(finished, tmp_path, edited, old, new, stage, file):
    project = finished.copy(tmp_path / "p")
    project.edit(edited, old, new)
    plan = project.plan("all")
    assert stage in plan and "train" not in plan
    for command in ("keep", "crate"):
        out = tmp_path / command
        done = project.gmgan(command, "--suite", "ci", "--out", out, check=False)
        assert done.returncode == 2, command
        assert f"{file} was made from other parameters or other code" in done.stderr
        assert not out.exists()


@pytest.mark.pipeline
@pytest.mark.parametrize("name", ["scores.csv", "tradeoff.csv"])
def test_a_table_that_is_older_than_its_scores_is_not_passed_on(finished, tmp_path, name):
    project = finished.copy(tmp_path / "p")
    table = project.folder / "results" / name
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-1]))
    for command in ("keep", "crate"):
        done = project.gmgan(command, "--suite", "ci", "--out", tmp_path / "out", check=False)
        assert done.returncode == 2, command
        assert f"{name} is not what the scores of its runs give now; snakemake" in done.stderr
