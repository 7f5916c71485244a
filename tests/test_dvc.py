"""DVC end to end: the commands of docs/dvc.md are run in order, then looked at one by one."""

import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from conftest import ROOT, Project, docs_script

pytest.importorskip("moto.server", reason="pip install -e '.[dev]' brings the S3 server moto")
pytest.importorskip("dvc_s3", reason="pip install -e '.[s3]' brings S3 to DVC")

pytestmark = pytest.mark.pipeline

FIRST = "dvc exp run -S suite=ci"
AGAIN = "dvc repro 2>&1 | grep"
DOCUMENT = ROOT / "docs" / "dvc.md"
UP_TO_DATE = "Data and pipelines are up to date."
CACHED = {"data", "extractors", "real", "runs", "report.html", "tables", "figures", "explorer"}
TARGETS = ("data", "benchmark", "all")  # rules without a job of their own


class Page:
    """The folder in which the commands of docs/dvc.md have run, and what each printed."""

    def __init__(self, folder, text):
        self.folder, self.repository = folder, folder / "gmgan"
        self.outputs = [
            tuple(piece.split("\n", 1))
            for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S)
            for piece in re.split(r"^\$ ", block, flags=re.M)
            if piece.strip()
        ]

    def of(self, start, nth=0):
        """What the nth command that starts with these words printed."""
        outputs = [output for command, output in self.outputs if f"{command}\n".startswith(start)]
        assert len(outputs) > nth, f"docs/dvc.md runs no `{start}` number {nth}"
        return outputs[nth]

    def read(self, path, revision):
        """The content of a file that DVC keeps, at a revision."""
        import dvc.api

        return dvc.api.read(path, repo=str(self.repository), rev=revision)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """docs/dvc.md, its commands run in a fresh repository."""
    folder = tmp_path_factory.mktemp("dvc")
    copy = folder / "dvc.md"
    # Without the lines that cut long outputs.
    copy.write_text(re.sub(r"^ \.\.\.\n(?:(?!\$ |```).*\n)*", "", DOCUMENT.read_text(), flags=re.M))
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "scripts" / "dvc_page.py", folder / "walk", copy],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Page(folder / "walk", copy.read_text())


@pytest.fixture
def pulled(page, tmp_path):
    """The colleague's clone as `dvc pull` left it: no file of Snakemake's, all results."""
    folder = tmp_path / "pulled"
    shutil.copytree(page.folder / "colleague", folder, ignore=shutil.ignore_patterns(".git"))
    shutil.rmtree(folder / ".snakemake", ignore_errors=True)
    return Project(folder)


def jobs(output):
    """{rule: number of jobs} of the lines that say what was planned."""
    planned = ", ".join(re.findall(r"^\d+ jobs: (.*)$", output, re.M))
    numbers = {rule: int(n) for rule, n in re.findall(r"(\w+) (\d+)", planned)}
    return {rule: n for rule, n in numbers.items() if rule not in TARGETS}


def test_stages_call_snakemake_and_all_that_is_cached_persists():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stages) == ["data", "benchmark", "report"]
    for stage in stages.values():
        settle, snakemake = stage["cmd"]
        assert settle == "python -m gmgan settle"
        assert snakemake.startswith("python -m snakemake ")
        for output in [*stage["outs"], *stage.get("metrics", [])]:
            [(path, options)] = output.items()
            assert options["persist"]
            assert options.get("cache", True) == (path.split("/")[1] in CACHED)


def test_no_usage_data_and_no_look_for_updates():
    config = (ROOT / ".dvc" / "config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config


def test_setting_a_parameter_changes_one_line_of_params(tmp_path):
    """`-S` writes params.yaml anew, in DVC's own layout and without comments inside lists."""
    from dvc.utils.hydra import apply_overrides

    shutil.copy(ROOT / "params.yaml", tmp_path)
    apply_overrides(tmp_path / "params.yaml", ["suite=ci"])
    old, new = ((at / "params.yaml").read_text().splitlines() for at in (ROOT, tmp_path))
    changed = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    assert changed == [("suite: quick", "suite: ci")]


def test_a_failure_half_way_loses_nothing_and_a_second_try_completes_it(page):
    failed, again = page.of(FIRST), page.of(AGAIN)
    assert "failed to reproduce 'benchmark'" in failed
    assert re.search(r"exit status [1-9]", failed)
    assert jobs(failed)["train"] == 4
    assert jobs(again) == {"tradeoff": 4, "collect": 1, "report": 1}
    assert page.of("dvc exp run --name first-try").count("didn't change, skipping") == 3
    table = pd.read_csv(page.repository / "results" / "scores.csv")
    assert set(table.dataset) == {"toy-ring-ci", "digits-ci"}
    assert (table.status == "ok").all()


def test_exp_run_deletes_what_dvc_has_not_recorded(tmp_path):
    """DVC's own behaviour, which docs/dvc.md warns of; should it change, the warning can go."""
    dvc_page = docs_script("dvc_page")
    environment = dvc_page.clean_environment(tmp_path)
    folder = dvc_page.make_repository(tmp_path / "p", environment)
    results = folder / "results" / "runs"
    results.mkdir(parents=True)
    (results / "weights").write_text("by Snakemake")
    text = (folder / "dvc.yaml").read_text()
    (folder / "dvc.yaml").write_text(text.replace("python -m gmgan settle", "exit 7"))
    for command, kept in (("repro", True), ("exp run --temp", True), ("exp run", False)):
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *command.split()],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert "exited with 7" in done.stderr, done.stderr
        assert (results / "weights").exists() == kept, command


def test_afterwards_the_status_is_clean_and_repro_does_nothing(page):
    assert page.of("dvc status").strip() == UP_TO_DATE
    lines = page.of("dvc repro\n").strip().splitlines()
    skipped = [
        f"Stage '{name}' didn't change, skipping" for name in ("data", "benchmark", "report")
    ]
    assert lines == [*skipped, UP_TO_DATE]


def test_git_holds_metrics_and_plots_and_dvc_the_rest(page):
    shown = page.of("git show --stat")
    for name in ("dvc.lock", "params.yaml", "metrics.json", "scores.csv", "tradeoff.csv"):
        assert name in shown
    listed = subprocess.run(
        ["git", "ls-files", "results"], cwd=page.repository, capture_output=True, text=True
    ).stdout.split()
    small = {"results/metrics.json", "results/scores.csv", "results/tradeoff.csv"}
    made = {path for path in listed if not path.startswith("results/reference/")}
    assert made - {"results/.gitkeep"} == small
    lock = yaml.safe_load((page.repository / "dvc.lock").read_text())["stages"]
    kept = {out["path"] for stage in lock.values() for out in stage["outs"]}
    assert kept == {f"results/{name}" for name in CACHED} | small


def test_metrics_and_plots_are_shown(page):
    assert "results/metrics.json" in page.of("dvc metrics show")
    drawn = (page.repository / "dvc_plots" / "index.html").read_text()
    for text in ("Quality against diversity over sigma_scale", "Scores, mean over seeds"):
        assert text in drawn
    assert "toy-ring-ci.gmgan-dynamic.K8.s0" in drawn
    assert "<DVC_METRIC" not in drawn


def test_a_sweep_trains_only_what_it_changes(page):
    shown = page.of("dvc exp show")
    assert re.search(r"\[sigma-1\] .* 0\.05 ", shown)
    assert re.search(r"\[sigma-2\] .* 0\.2 ", shown)
    digits, ring = (
        f"results/runs/{run}/train.json"
        for run in ("digits-ci.gmgan-supervised.K10.s0", "toy-ring-ci.gmgan-dynamic.K8.s0")
    )
    # A record of training holds its seconds: trained again, it would be another.
    assert page.read(digits, "sigma-1") == page.read(digits, "main")
    records = [json.loads(page.read(ring, name)) for name in ("main", "sigma-1", "sigma-2")]
    assert len({record["fingerprint"] for record in records}) == 3
    changes = page.of("dvc metrics diff")
    assert "toy-ring-ci.gmgan-dynamic.K8.quality.data-space.mean" in changes
    assert "digits" not in changes
    assert re.search(r"datasets\.toy-ring\.latent\.sigma +0\.1 +0\.2", page.of("dvc params diff"))


def test_an_experiment_is_taken_over_and_left_again(page):
    assert "sigma-2" in page.of("dvc exp apply")
    assert page.of("dvc status", 1).strip() == UP_TO_DATE
    assert page.of("git checkout --quiet . && dvc checkout").strip() == UP_TO_DATE


def test_a_colleague_gets_everything_without_training(page):
    shown = page.of("cd ../colleague && dvc status && dvc repro")
    assert shown.startswith(UP_TO_DATE)
    assert shown.count("didn't change, skipping") == 3
    ours, theirs = (page.folder / name / "results" for name in ("gmgan", "colleague"))
    for name in ("weights.safetensors", "train.json", "scores.json"):
        files = sorted(theirs.glob(f"runs/*/{name}"))
        assert len(files) == 4
        assert all(
            file.read_bytes() == (ours / file.relative_to(theirs)).read_bytes() for file in files
        )
    assert (theirs / "report.html").exists()
    assert list(theirs.glob("data/*.safetensors"))


def test_after_settling_snakemake_trains_nothing(page):
    assert "fit params and code\n" in page.of("cd ../colleague && python -m gmgan settle")
    planned = jobs(page.of("cd ../colleague && snakemake -n all | grep"))
    assert planned == {"collect": 1, "report": 1}


def test_an_s3_server_is_a_remote(page):
    assert re.search(r"\d+ files? pushed", page.of("dvc push --remote s3"))
    shown = page.of("cd ../elsewhere && dvc pull --remote s3")
    assert re.search(r"\d+ files? (fetched|added)", shown)
    assert page.of("cd ../elsewhere && dvc status").strip() == UP_TO_DATE
    results = page.folder / "elsewhere" / "results"
    assert len(list(results.glob("runs/*/weights.safetensors"))) == 4
    assert list(results.glob("data/*.safetensors"))


def test_settle_knows_every_result(pulled):
    from gmgan.config.loader import load
    from gmgan.pipeline.graph import Graph

    graph = Graph(load(pulled.folder / "params.yaml"), pulled.folder / "results")
    jobs = [job for job in graph.jobs("ci") if job.stage.carrier]
    known = {path for job in jobs for path in graph.outputs(job).values()}
    there = {
        path
        for folder in ("data", "extractors", "real", "runs")
        for path in (pulled.folder / "results" / folder).rglob("*")
        if path.is_file()
    }
    assert there == known


def test_settle_removes_what_would_be_trusted_wrongly(pulled):
    """A changed data set after `dvc pull`: nothing else would make Snakemake prepare it again."""
    pulled.edit("params.yaml", "test_fraction: 0.2", "test_fraction: 0.25")
    done = pulled.gmgan("settle")
    assert "of other params or code removed" in done.stdout
    results = pulled.folder / "results"
    assert not (results / "data" / "digits.safetensors").exists()
    assert (results / "data" / "toy-ring.safetensors").exists()
    plan = pulled.plan("all")
    assert plan["prepare"] == ["digits"]
    assert {run.split(".")[0] for run in plan["train"]} == {"digits-ci"}


def test_settle_takes_no_damaged_file(pulled):
    run = pulled.folder / "results" / "runs" / "toy-ring-ci.gan.K1.s0"
    (run / "samples.safetensors").write_bytes(b"nonsense")
    (run / "tradeoff.json").write_text("{")
    pulled.gmgan("settle")
    cut = pulled.folder / "results" / "data" / "toy-ring.safetensors"
    assert not (run / "tradeoff.json").exists()
    assert cut.exists()
    plan = pulled.plan("all")
    assert "train" not in plan
    assert set(plan["sample"]) == set(plan["tradeoff"]) == {"toy-ring-ci.gan.K1.s0"}


def test_settle_without_results_says_so(tmp_path):
    from conftest import make_project

    project = make_project(tmp_path)
    assert project.gmgan("settle").stdout == "0 results fit params and code\n"


def test_results_in_git_do_not_count_as_changes_of_code(page):
    """The scores of a later run lie in the work tree while the page is written."""
    lines = json.loads(
        (page.repository / "results/runs/digits-ci.acgan.K1.s0/train.json").read_text()
    )
    assert lines["provenance"]["revision"].endswith("+changes")  # -S had changed params.yaml
    (page.repository / "results" / "metrics.json").write_text("{}")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from gmgan.pipeline.provenance import provenance as p; print(p()['revision'])",
        ],
        cwd=page.repository,
        capture_output=True,
        text=True,
    )
    subprocess.run(["git", "checkout", "results"], cwd=page.repository, check=True)
    assert re.fullmatch(r"[0-9a-f]{40}\n", done.stdout)
