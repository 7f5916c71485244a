"""What Snakemake shows of a suite: one screen, one line per failure, whatever the verbosity."""

import io
import logging
import re
from pathlib import Path

import pytest

from gmgan.pipeline.view import Job, View, duration, last_line, summary

JOBS = [Job("train", {"run": f"digits.gan.K1.s{seed}"}) for seed in range(3)]
JOBS += [Job("score", dict(job.wildcards)) for job in JOBS]


COMMAND_FAILED = """RuleException:
CalledProcessError in file "/home/me/gmgan/workflow/rules/runs.smk", line 24:
Command 'export PATH=/home/me; gmgan train x > results/logs/train/x.log 2>&1' {}"""


def event(name, **fields):
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, fields.pop("msg", ""), (), None)
    record.__dict__.update(event=name, **fields)
    return record


def started(jobid, job, log="none.log"):
    return event(
        "job_info", jobid=jobid, rule_name=job.rule, wildcards=job.wildcards, log=[str(log)]
    )


def shown(tmp_path, **options):
    """What a view prints of two jobs, one of which fails."""
    stream, log = io.StringIO(), tmp_path / "train.log"
    log.write_text("x: 3 of 150 kimg\ngmgan: error: no space left; free some\n")
    seconds = {"train": 60.0, "score": 5.0}
    view = View("suite s", lambda: JOBS, lambda job: seconds[job.rule], 2, stream=stream, **options)
    for record in (
        event("run_info", stats={}),
        event("", msg="Select jobs to execute..."),
        started(0, JOBS[0]),
        started(1, JOBS[1], log),
        event("job_finished", job_id=0),
        event("error", msg=COMMAND_FAILED.format("returned non-zero exit status 1.")),
        event("job_error", jobid=1, rule_name="train", log=[str(log)]),
        event(
            "error", msg="WorkflowError in file x:\ngmgan: error: a mistake\nWildcards:\n  run=x"
        ),
    ):
        view.emit(record)
    view.finish()
    return stream.getvalue().splitlines()


def test_a_log_gets_plain_lines_and_each_failure_at_once(tmp_path):
    lines = shown(tmp_path)
    failed = f"failed: train digits.gan.K1.s1: no space left; free some ({tmp_path / 'train.log'})"
    assert lines[0] == "suite s"
    assert lines[1] == "6 jobs: score 3, train 3"
    assert lines[2] == "0 of 6 jobs done, about 1 min 38 s left"  # 3 x 65 s, two cores
    assert lines[3] == failed
    assert lines[4] == "gmgan: error: a mistake"
    assert re.fullmatch(r"1 of 6 jobs done in .* s, 1 failed", lines[5])
    assert len(lines) == 6


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        "Terminating processes on user request, this might take some time.",
        "Will exit after finishing currently running jobs (scheduler).",
        None,  # the job ends first
    ],
)
def test_an_interruption_is_no_failure(tmp_path, said, quiet):
    stream, log = io.StringIO(), tmp_path / "train.log"
    log.write_text("x: 3 of 150 kimg\n" + ("" if said else "gmgan: interrupted\n"))
    view = View("suite s", lambda: JOBS, lambda job: None, quiet=quiet, stream=stream)
    for record in (
        event("run_info", stats={}),
        started(0, JOBS[0]),
        event("job_finished", job_id=0),
        started(1, JOBS[1], log),
        *[event("", msg=said)] * (2 if said else 0),
        event("error", msg=COMMAND_FAILED.format("died with <Signals.SIGTERM: 15>.")),
        event("job_error", jobid=1, rule_name="train", log=[str(log)]),
    ):
        view.emit(record)
    view.finish()
    view.emit(event("error", msg="WorkflowError:\nAt least one job did not complete successfully."))
    lines = stream.getvalue().splitlines()
    shown = [] if quiet else ["suite s", "6 jobs: score 3, train 3", "0 of 6 jobs done"]
    assert lines[:-1] == [*shown, *([said] if said and not quiet else [])]
    assert re.fullmatch(
        r"interrupted: 1 of 6 jobs done in .* s; the same command goes on where it stopped",
        lines[-1],
    )


@pytest.mark.parametrize(("rule", "end"), [("report", ": report.html"), ("collect", "")])
def test_the_last_line_names_the_page_if_it_was_made(rule, end):
    stream, job = io.StringIO(), Job(rule, {"suite": "s"})
    view = View("suite s", lambda: [job], lambda job: None, stream=stream)
    for record in (event("run_info", stats={}), started(0, job), event("job_finished", job_id=0)):
        view.emit(record)
    view.finish(Path("report.html"))
    assert re.fullmatch(rf"1 of 1 jobs done in .* s{end}", stream.getvalue().splitlines()[-1])


def test_failures_are_shown_even_if_quiet(tmp_path):
    lines = shown(tmp_path, quiet=True)
    assert len(lines) == 2
    assert lines[0].startswith("failed: train digits.gan.K1.s1: no space left")


def test_a_dry_run_is_one_screen():
    many = [
        Job(rule, {"run": f"data-{i}.model-{j}.K1.s{seed}"})
        for rule in ("train", "sample", "score")
        for i in range(40)
        for j in range(5)
        for seed in range(10)
    ]
    lines = summary("suite paper", many, lambda job: 3600.0 if job.rule == "train" else None)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 200
    assert lines[1] == "6,000 jobs: sample 2,000, score 2,000, train 2,000"
    assert lines[-2] == (
        "4,000 of 6,000 jobs were never measured here; the others take 2000 h 0 min on one core by "
        "measured times"
    )
    assert summary("s", [], lambda job: None)[1].startswith("nothing to do")


@pytest.mark.parametrize(
    ("train", "score", "said"),
    [
        (None, None, "no such job was measured here yet"),
        (0.1, None, "3 of 7 jobs were never measured here; the others take under 1 s on one core"),
        (90.0, 10.0, "by measured times 5 min 0 s on one core"),
    ],
)
def test_a_dry_run_gives_no_time_where_nothing_was_measured(train, score, said):
    seconds = {"train": train, "score": score, "all": 0.0}  # `all` runs nothing
    lines = summary("suite s", [*JOBS, Job("all", {})], lambda job: seconds[job.rule])
    assert lines[-2].startswith(said)
    assert " 0 s" not in lines[-2].replace("5 min 0 s", "")


def test_the_last_line_of_a_log_is_the_reason(tmp_path):
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_bytes(
        b"a" * 10_000 + b"\nValueError: no\xff\n\ngmgan train: 3.1 s, peak memory 5 MiB\n"
    )
    assert last_line(log).startswith("ValueError: no")


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.2, "3 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.pipeline
def test_snakemake_shows_it(project):
    done = project.snakemake("-n", "--quiet", "all", "--config", "suite=paper", "--", "all")
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert lines[0] == "suite paper: the paper's grid, five seeds"
    target = ("--quiet", "all", "--", "results/data/cifar10-jpeg.json")
    done = project.snakemake(*target, check=False, GMGAN_MIRROR="")
    assert done.returncode == 1
    (failure,) = (line for line in done.stderr.splitlines() if line.startswith("failed: prepare"))
    assert "no CIFAR10/cifar10_jpeg_q75.zip; put it there or set GMGAN_MIRROR" in failure
