"""The short form of `make torture`: a kill, a flipped bit in every file, changed parameters."""

import shutil

import pytest
from conftest import ROOT

from torture import kills, stale
from torture.__main__ import PARTS, with_part
from torture.faults import DAMAGES, damaged_files
from torture.outcome import Outcome, as_markdown
from torture.project import Project

pytestmark = pytest.mark.pipeline


def test_a_killed_snakemake_and_flipped_bits_change_no_result(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "KINDS", [("snakemake", kills.KILL)])
    (outcome,) = kills.kills(tmp_path, 1)
    assert (outcome.tried, outcome.wrong) == (1, {})
    project, (title, damage) = Project(tmp_path / "kills"), next(iter(DAMAGES.items()))
    outcome = damaged_files(project, title, damage)
    assert outcome.tried > 10 and not outcome.wrong


def test_the_table_shows_what_went_wrong():
    outcome = Outcome("a kill")
    outcome.add()
    outcome.add("hung")
    assert as_markdown([outcome]).splitlines()[-1] == "| a kill | 2 | **hung** (1) |"
    page = (ROOT / "docs" / "reliability.md").read_text()
    for part in PARTS:
        assert "\nnew\n" in with_part(page, part, "new")


def test_what_went_wrong_is_named():
    begin, end = "log\nTraceback (most recent call last):\n", "    y\nOSError: no\nmore\n"
    ours, theirs = (f'  File "/x/{of}/cli.py", line 1\n' for of in ("gmgan", "snakemake"))
    assert kills.traceback_in(begin + ours + end, True) == "OSError: no"
    assert kills.traceback_in(begin + theirs + end + begin + ours + end, True) == "OSError: no"
    assert kills.traceback_in(begin + theirs + ours + end, True) == ""
    assert kills.traceback_in(begin + theirs + end, False) == "OSError: no"
    assert kills.traceback_in("log\n", False) == ""
    assert kills.difference(b'{"a": 1, "b": 2}', b'{"a": 1, "b": 3}') == "; b: 2 != 3"
    assert kills.difference(b"weights", b"others") == ""


def test_a_changed_parameter_that_plans_nothing_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(stale, "SECTIONS", ("networks",))
    file = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", file)
    stale.use_covering_suite(file)
    outcome = stale.changed_parameters(file)
    assert outcome.tried > 20 and not outcome.wrong
    monkeypatch.setattr(stale, "fingerprints", lambda _: [])
    outcome = stale.changed_parameters(file)
    assert sum(outcome.wrong.values()) == outcome.tried
