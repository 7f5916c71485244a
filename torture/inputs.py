"""Mutated files of parameters and mutated inputs, by the long form of tests/test_mutated.py."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from torture.outcome import Outcome
from torture.project import ROOT

GOOD = "a result, or one line of at most 300 characters; at most 10 s and 2 GB"
TESTS = "tests/test_mutated.py"
COUNTED = re.compile(r"^\.?mutated (\S+): (\{.*\})$", re.MULTILINE)


def inputs(folder: Path) -> list[Outcome]:
    """1,000 files of parameters, and 500 images, archives and results through their readers."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-qs", f"--basetemp={folder / 'inputs'}", TESTS],
        cwd=ROOT,
        env=os.environ | {"GMGAN_TORTURE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):  # all passed, or some failed
        sys.exit(f"torture: {TESTS} did not run: {done.stdout.strip()[-300:]}")
    counts = {name: Counter(ast.literal_eval(text)) for name, text in COUNTED.findall(done.stdout)}
    params = Outcome("a mutated params.yaml, up to all fingerprints", GOOD)
    params.tried = counts.pop("params.yaml", Counter()).total()
    readers = Outcome(f"a mutated file of each of {len(counts)} kinds through its reader", GOOD)
    readers.tried = sum(each.total() for each in counts.values())
    for test, line in re.findall(r"^FAILED \S+::(\S+) - (.*)$", done.stdout, re.MULTILINE):
        (params if test == "test_mutated_params" else readers).wrong[line] += 1
    return [params, readers]
