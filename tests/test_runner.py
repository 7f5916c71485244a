"""The page of stages and the runner: declarations agree with functions, damage is refused."""

import inspect
import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from conftest import ROOT, read_json, rewrite_json
from safetensors.numpy import load_file, save_file

from gmgan.config.loader import load
from gmgan.errors import GmganError
from gmgan.pipeline import files
from gmgan.pipeline.artifacts import Arrays, Damaged, Json, hash_file
from gmgan.pipeline.graph import Graph
from gmgan.pipeline.grid import parse_run
from gmgan.pipeline.runner import Runner
from gmgan.pipeline.stages import STAGES
from gmgan.pipeline.targets import job_of
from gmgan.records import Explored, Generated, Score, Scores

STAMP = {"fingerprint": "f", "provenance": {}, "files": {}}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_function_takes_exactly_what_the_page_declares(stage):
    module, _, name = stage.compute.partition(":")
    parameters = set(inspect.signature(getattr(import_module(module), name)).parameters)
    assert parameters == {*stage.reads, "settings", *stage.handles}


def test_every_stage_has_a_rule_and_the_profiles_group_those_of_runs(project):
    rules = project.snakemake("--list-rules").stdout.split()
    assert set(STAGES) <= set(rules)
    grouped = {name for name, stage in STAGES.items() if "run" in stage.per} - {"train"}
    for name in ("slurm", "cluster-generic"):
        profile = yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
        assert {entry.partition("=")[0] for entry in profile["groups"]} == grouped


def test_jobs_come_after_what_they_read(params):
    runner, seen = Runner(params), set()
    for job in runner.jobs("mnist-finetune"):
        assert seen.issuperset(runner.before(job))
        seen.add(job)
    parents = [job for job in seen if str(job).startswith("train mnist-finetune.gan-mlp")]
    assert len(parents) == 6  # two budgets, three seeds


@pytest.mark.parametrize(
    ("file", "near"),
    [
        ("runs/digits.gmgan-static.K7.s0/scores.csv", "runs/digits.gmgan-static.K7.s0/scores.json"),
        ("runs/digits.gan.K1.s0/history.cvs", "runs/digits.gan.K1.s0/history.csv"),
        ("runs/nonsense/scores.csv", None),
        ("score.csv", "scores.csv"),
        ("mnist/score.csv", "mnist/scores.csv"),
        ("archives/scores.csv", None),
    ],
)
def test_targets_that_no_stage_makes_name_only_near_ones_that_one_makes(params, file, near):
    suite = "mnist" if file.startswith("mnist/") else params.suite
    with pytest.raises(GmganError) as caught:
        job_of(Graph(params), Path("results") / file, suite)
    said, _, names = str(caught.value).partition("; did you mean ")
    assert said == f"no stage makes results/{file}"
    named = [name for name in names.removesuffix("?").split(" or ") if name]
    assert named[:1] == ([f"results/{near}"] if near else [])
    for name in named:
        job = job_of(Graph(params), Path(name), suite)
        assert name in map(str, Graph(params).outputs(job).values())


# --- artifacts ------------------------------------------------------------------------------------


def generated(n=6):
    rng = np.random.default_rng(0)
    return Generated(
        samples=rng.integers(0, 256, (n, 4, 4, 1), np.uint8),
        component=rng.integers(0, 3, n),
        class_=np.full(n, -1),
        status="ok",
    )


def test_records_survive_being_stored(tmp_path):
    path, arrays = tmp_path / "a", Arrays("a", Generated)
    arrays.write_stamped(path, generated(), STAMP)
    value, stamp = arrays.read_stamped(path)
    assert np.array_equal(value.samples, generated().samples)
    assert (value.status, stamp["fingerprint"]) == ("ok", "f")
    row = Score(metric="fid", value=float("nan"), extractor="e", extractor_hash="h", split="train")
    artifact = Json("b", Scores)
    artifact.write_stamped(path, Scores(run="r", status="ok", scores=[row]), STAMP)
    assert artifact.read_stamped(path)[0].scores[0].value is None  # JSON has no NaN
    arrays = Arrays("c", Explored)
    arrays.write_stamped(path, Explored(status="diverged"), STAMP)
    assert arrays.read_stamped(path)[0] == Explored(status="diverged")


@pytest.mark.parametrize("seed", range(20))
def test_no_flipped_bit_of_an_artifact_goes_unnoticed(tmp_path, seed):
    rng = np.random.default_rng(seed)
    row = Score(metric="fid", value=1.25, extractor="e", extractor_hash="h", split="train")
    for artifact, value in (
        (Arrays("a", Generated), generated()),
        (Json("b", Scores), Scores(run="r", status="ok", scores=[row])),
    ):
        path = tmp_path / "file"
        artifact.write_stamped(path, value, STAMP)
        whole = bytearray(path.read_bytes())
        before = artifact.read_stamped(path)
        whole[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(whole)
        try:
            after = artifact.read_stamped(path)
        except Damaged:
            continue
        # A flipped bit may turn white space of JSON into other white space: the content is equal.
        assert json.dumps(after, default=str) == json.dumps(before, default=str)


@pytest.mark.parametrize("content", ["{}", "[]", "null", "", "1", '{"fingerprint": "f"}'])
def test_json_of_another_shape_is_damaged(tmp_path, content):
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(Damaged):
        Json("b", Scores).read_stamped(path)


# --- locks ----------------------------------------------------------------------------------------


def test_a_lock_is_held_by_one_and_ends_with_a_killed_holder(tmp_path, monkeypatch):
    path = tmp_path / "locks" / "train.a"
    monkeypatch.setattr(files, "PATIENCE", 0.0)
    code = (
        "import pathlib, time\nfrom gmgan.pipeline.files import locked\n"
        f"with locked(pathlib.Path({str(path)!r}), 'train a'): print(1, flush=True), time.sleep(99)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    holder.stdout.read(1)
    message = rf"train a: process {holder.pid} on .* is making it now"
    with pytest.raises(GmganError, match=message), files.locked(path, "train a"):
        pass
    holder.kill()
    holder.wait()
    assert path.exists()
    with files.locked(path, "train a"):
        assert path.exists()
    assert not path.exists()


def test_a_job_is_not_run_twice_at_a_time(tmp_path, params, monkeypatch):
    runner = Runner(params, tmp_path)
    job = runner.job("prepare", source="toy-ring")
    monkeypatch.setattr(files, "PATIENCE", 0.0)
    killed = tmp_path / "data" / ".toy-ring.safetensors.abcd"
    killed.parent.mkdir()
    killed.touch()
    with files.locked(tmp_path / "locks" / "prepare.toy-ring", "it"):
        with pytest.raises(GmganError, match=r"prepare toy-ring: process .* is making it now"):
            runner.run(job)
        assert killed.exists()
    runner.run(job)
    assert runner.fits(job) and not killed.exists()


# --- files of a finished project ------------------------------------------------------------------

RUN = "digits-ci.gmgan-supervised.K10.s0"
SCORES = f"runs/{RUN}/scores.json"


@pytest.fixture
def results(finished, tmp_path):
    """Results that may be damaged, and a runner for them."""
    project = finished.copy(tmp_path / "p")
    runner = Runner(load(project.folder / "params.yaml"), project.folder / "results")
    return runner


def flip(path):
    """Flip the lowest bit of the last byte; of JSON in the last digit of its hash."""
    content = bytearray(path.read_bytes())
    content[-1 if path.suffix != ".json" else content.rindex(b'"') - 1] ^= 1
    path.write_bytes(content)


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("data/digits.safetensors", "train"),
        (f"runs/{RUN}/weights.safetensors", "sample"),
        (f"runs/{RUN}/snapshots.safetensors", "score"),
        (f"runs/{RUN}/samples.safetensors", "score"),
        (f"runs/{RUN}/features.classifier-digits-ci.safetensors", "score"),
        ("real/digits-ci.classifier-digits-ci.safetensors", "score"),
        ("extractors/digits.classifier-digits-ci.safetensors", "tradeoff"),
    ],
)
def test_a_flipped_bit_stops_the_stage_that_reads_it(results, file, stage, monkeypatch):
    monkeypatch.chdir(results.results.parent)  # as users have it: messages have short paths
    in_its_folder = Runner(results.params, "results")
    flip(results.results / file)
    with pytest.raises(GmganError, match=rf"{file} is damaged .*; make it again: "):
        in_its_folder.run(in_its_folder.job(stage, run=RUN))


@pytest.mark.pipeline
def test_every_output_that_is_read_is_checked(results):
    """All files of the suite, one after the other: flipped, refused, mended, accepted."""
    for job in results.jobs("ci"):
        for name, path in results.outputs(job).items() if job.stage.carrier else []:
            whole = path.read_bytes()
            flip(path)
            assert not Runner(results.params, results.results).fits(job), name
            path.write_bytes(whole)
            assert Runner(results.params, results.results).fits(job), name


@pytest.mark.pipeline
def test_samples_cut_short_are_refused(results):
    path = results.results / f"runs/{RUN}/samples.safetensors"
    arrays = load_file(path)
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        about = file.metadata()
    save_file({name: array[:10].copy() for name, array in arrays.items()}, path, about)
    with pytest.raises(GmganError, match="its arrays are not the ones that were written"):
        results.run(results.job("score", run=RUN))


@pytest.mark.pipeline
def test_hand_edited_and_foreign_scores_do_not_reach_the_tables(results):
    path = results.results / SCORES
    whole = path.read_text()
    path.write_text(whole.replace('"value": ', '"value": 1', 1))
    with pytest.raises(GmganError, match="damaged"):
        results.run(results.job("collect", suite="ci"))
    path.write_text(whole)
    rewrite_json(path, fingerprint="0" * 16)
    with pytest.raises(GmganError, match="was made from other parameters or other code"):
        Runner(results.params, results.results).run(results.job("collect", suite="ci"))


def write_again(runner, stage, change, **names):
    """Write a job's outputs once more with changed values, as another machine might make them."""
    job = runner.job(stage, **names)
    values = {name: runner.read(stage, name, **names) for name in job.stage.writes}
    runner.write(job, SimpleNamespace(**{**values, **change(values)}))


def shuffled(values):
    data, description = values["data"], values["description"]
    return dict(
        data=replace(data, train=data.train[::-1]), description=replace(description, sha256="")
    )


@pytest.mark.pipeline
def test_what_was_made_from_other_inputs_is_refused(results):
    """Same parameters and code, other content: of another machine, or copied in."""
    write_again(Runner(results.params, results.results), "prepare", shuffled, source="digits")
    for stage, output in (("train", "record"), ("train", "history"), ("score", "scores")):
        with pytest.raises(GmganError, match=r"was made from another data/digits\.safetensors; "):
            results.read(stage, output, run=RUN)
    assert results.state_of(parse_run(results.params, RUN)) == "to be made again"
    results.read("train", "record", run="toy-ring-ci.gan.K1.s0")


@pytest.mark.pipeline
def test_a_chain_of_inputs_is_checked_and_missing_ones_are_not(results):
    """Samples that were removed to save space say nothing against the scores made from them."""
    paths = results.outputs(results.job("sample", run=RUN))
    paths["samples"].unlink()
    assert results.fits(results.job("score", run=RUN))
    record = results.results / f"runs/{RUN}/train.json"
    rewrite_json(record, fingerprint="0" * 16)
    again = Runner(results.params, results.results)
    with pytest.raises(GmganError, match=r"train\.json was made from other parameters"):
        again.read("score", "scores", run=RUN)


@pytest.mark.pipeline
def test_a_job_of_snakemake_sets_aside_what_it_cannot_use(results):
    folder = results.results / "runs" / RUN
    flip(folder / "weights.safetensors")
    flip(results.results / "data/digits.safetensors")
    runner = Runner(results.params, results.results, set_aside=True)
    message = r"set aside as weights\.safetensors\.aside \(and 1 more\); run snakemake again"
    with pytest.raises(GmganError, match=message):
        runner.run(runner.job("tradeoff", run=RUN))
    assert not (folder / "weights.safetensors").exists()


def damage(project):
    """Three files that Snakemake takes for up to date, or cannot know."""
    results = project.folder / "results" / "runs"
    flip(results / "digits-ci.acgan.K1.s0" / "scores.json")
    shutil.copy2(results / "toy-ring-ci.gan.K1.s0" / "tradeoff.json", results / RUN)
    (results / "toy-ring-ci.gmgan-dynamic.K8.s0" / "scores.json").unlink()


@pytest.mark.pipeline
def test_every_printed_command_repairs(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    damage(project)
    commands = []
    while (done := project.gmgan("collect", check=False)).returncode:
        command = done.stderr.splitlines()[0].split("; make it")[1].partition(": ")[2]
        assert command not in commands, done.stderr
        commands.append(command)
        module, *arguments = shlex.split(command)
        project.run(module, *arguments)
    assert len(commands) == 3


@pytest.mark.pipeline
def test_a_plain_run_of_snakemake_makes_again_what_a_job_refused(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    damage(project)
    (project.folder / "results" / "scores.csv").unlink()
    table = "results/scores.csv"
    before = (finished.folder / table).read_text()
    first = project.snakemake(table, check=False)
    assert "set aside as scores.json.aside (and 1 more); run snakemake again" in first.stderr
    project.snakemake(table)
    seconds = [line.rpartition(",")[0] for line in before.splitlines()]
    now = (project.folder / table).read_text()
    assert [line.rpartition(",")[0] for line in now.splitlines()] == seconds


@pytest.mark.pipeline
def test_results_elsewhere_are_made_again_by_our_own_command(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    (project.folder / "results").rename(project.folder / "else where")
    (project.folder / "else where" / "real" / "toy-ring-ci.floor.json").unlink()
    command = ("--results", "else where", "collect")
    done = project.gmgan(*command, check=False)
    cure = "gmgan --params params.yaml --results 'else where' floor toy-ring-ci"
    assert done.stderr.strip().endswith(f"make it: {cure}")
    project.gmgan(*shlex.split(cure)[1:])
    project.gmgan(*command)


def test_a_folder_that_cannot_be_written_is_named_before_any_work(params, tmp_path, monkeypatch):
    """A file in the place of a folder stands in for a disk that is mounted read-only."""
    (tmp_path / "data").write_text("")
    monkeypatch.setattr("gmgan.data.prepare.prepare", lambda **_: pytest.fail("worked first"))
    runner = Runner(params, tmp_path)
    with pytest.raises(GmganError, match=f"cannot write {tmp_path}/data: Not a directory; "):
        runner.run(runner.job("prepare", source="toy-ring"))


@pytest.mark.pipeline
def test_hashes_in_the_stamp_are_those_of_the_files(results):
    record = read_json(results.results / f"runs/{RUN}/train.json")
    folder = results.results / "runs" / RUN
    names = {"weights": "weights.safetensors", "history": "history.csv", "preview": "grid.png"}
    for output, name in names.items():
        assert record["files"][output] == hash_file(folder / name)
    assert record["weights_sha256"] == record["files"]["weights"]
    assert record["data_sha256"] == hash_file(results.results / "data/digits.safetensors")
