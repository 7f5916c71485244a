"""The documentation shows what its commands print."""

import re
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from gmgan.config import load
from gmgan.pipeline.grid import suite_runs

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


def test_the_entry_for_ones_own_images_is_valid(tmp_path):
    (block,) = re.findall("```yaml\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL)
    entries = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, added in yaml.safe_load(block).items():
        entries[section] |= added
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(entries))
    params = load(tmp_path / "params.yaml")
    assert len(suite_runs(params, "photos")) == 6
    assert params.datasets["photos"].source.sample_shape == (32, 32, 3)
