"""Shared helpers: a copy of the project to work in, and its command line."""

import fcntl
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gmgan.config.loader import load
from gmgan.errors import GmganError

ROOT = Path(__file__).resolve().parent.parent
PROJECT_FILES = ["Snakefile", "params.yaml", "workflow", "profiles", "gmgan"]

torch.set_num_threads(1)


def docs_script(name):
    """The module docs/scripts/NAME.py, which may import others that lie there."""
    folder = str(ROOT / "docs" / "scripts")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


class Project:
    """A project folder with its own copy of code and params."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def run(self, *command, check=True, **environment):
        """Run a command in the folder; returns the finished process with its text."""
        done = subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), **environment},
            capture_output=True,
            text=True,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def gmgan(self, *arguments, check=True, **environment):
        return self.run("gmgan", *arguments, check=check, **environment)

    def snakemake(self, *arguments, cores=2, check=True, **environment):
        return self.run("snakemake", "--cores", cores, *arguments, check=check, **environment)

    def plan(self, *arguments):
        """{rule: [run or data set, ...]} of the jobs that a dry run would start."""
        done = self.snakemake("-n", "-p", *arguments)  # -p: Snakemake's own lines
        jobs, rule = {}, None
        for line in done.stdout.splitlines():
            words = line.split()
            if len(words) == 2 and words[0] in ("rule", "localrule") and words[1].endswith(":"):
                rule = words[1][:-1]
                jobs.setdefault(rule, []).append(None)
            elif line.strip().startswith("wildcards:") and rule:
                jobs[rule][-1] = line.split("=", 1)[1].strip()
        jobs.pop("all", None)
        return jobs

    def edit(self, file, old, new):
        """Replace text in one of the project's files; fails if it is not there."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new))

    def copy(self, folder):
        """The same project, results and Snakemake's memory included, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def files(self):
        """All files under results, relative to it."""
        results = self.folder / "results"
        return {p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()}


def assert_refused(params_file, key, message):
    """A file of parameters is refused in one line: the file, the line, the key and the message."""
    with pytest.raises(GmganError) as caught:
        load(params_file)
    text = str(caught.value)
    assert "\n" not in text
    assert re.match(rf"{re.escape(str(params_file))}:\d+: ", text)
    assert key in text
    assert message in text


def make_project(folder):
    """A fresh project folder without results."""
    for name in PROJECT_FILES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return Project(folder)


def read_arrays(path, names=None):
    """The arrays of a safetensors file, and the JSON object in its header."""
    with safe_open(path, framework="numpy") as file:
        wanted = file.keys() if names is None else names
        about = json.loads((file.metadata() or {}).get("about", "{}"))
        return {name: file.get_tensor(name) for name in wanted}, about


def read_json(path):
    """The JSON object in a file."""
    return json.loads(Path(path).read_text())


def rewrite_json(path, **changes):
    """Change fields of a stamped JSON file, and its hash of itself with them."""
    content = {**read_json(path), **changes}
    content.pop("content")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["content"] = hashlib.sha256(text.encode()).hexdigest()
    Path(path).write_text(json.dumps(content, indent=1))


@pytest.fixture
def project(tmp_path):
    """A fresh project folder without results."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """A project whose suite `ci` has run on two cores; copy it before changing it.

    The workers of one call of pytest share it: the first one makes it, the others wait.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "finished"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.with_suffix(".done").exists():
            return Project(folder)
        shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
        folder.mkdir()
        project = make_project(folder)
        project.edit("params.yaml", "suite: quick", "suite: ci")
        project.snakemake("all")
        folder.with_suffix(".done").touch()
        return project


def seen(features, logits=None):
    """Samples for scores that use only features or logits."""
    from gmgan.evaluation.samples import Samples

    features = logits if features is None else features
    return Samples(features, features, logits)


@pytest.fixture(scope="session")
def params():
    """The project's own params."""
    return load(ROOT / "params.yaml")
