"""The documentation shows what its commands print."""

import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize("page", ["commands.md"])
def test_commands_print_what_the_page_shows(finished, tmp_path, page):
    project = finished.copy(tmp_path / "p")
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "docs" / "console.py",
            project.folder,
            ROOT / "docs" / page,
            "--check",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
