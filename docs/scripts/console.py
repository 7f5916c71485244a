"""Run the commands in the documentation and write what they print beneath them.

    python docs/scripts/console.py FOLDER PAGE          writes the output into the page
    python docs/scripts/console.py FOLDER PAGE --check  fails if it would be other than it is

In a block ```console, a line `$ COMMAND` is run by bash in FOLDER, a copy of the project; the lines
up to the next command or the end of the block are its output, standard error included. A line
` ...` in the old output stands for lines left out: the new output is cut as the old one was. The
check ignores digits, since times and scores differ between machines.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
CUT = " ..."


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    old = options.page.read_text()
    new = BLOCK.sub(lambda block: _run_block(block[0], options.folder), old)
    if not options.check:
        options.page.write_text(new)
    elif _masked(old) != _masked(new):
        changed = difflib.unified_diff(
            _masked(old).splitlines(),
            _masked(new).splitlines(),
            "shown",
            "printed",
            n=1,
            lineterm="",
        )
        sys.exit(f"{options.page} does not show what its commands print:\n" + "\n".join(changed))


def _run_block(text, folder):
    pieces = re.split(r"^(?=\$ )", text, flags=re.MULTILINE)
    return "".join(_run(piece, folder) for piece in pieces if piece.strip())


def _run(piece, folder):
    first, _, shown = piece.partition("\n")
    command = first.removeprefix("$ ")
    change = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder.resolve()),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "90",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **change},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"$ {command}\n{done.stdout}\nended with {done.returncode}")
    return f"{first}\n{_cut(done.stdout, shown)}"


def _cut(output, shown):
    """The output, with as many lines at its ends as `shown` has around the line that cuts."""
    lines, kept = output.rstrip("\n").splitlines(), shown.rstrip("\n").splitlines()
    if CUT in kept:
        at = kept.index(CUT)
        tail = len(kept) - at - 1
        lines = [*lines[:at], CUT, *(lines[-tail:] if tail else [])]
    return "".join(f"{line}\n" for line in lines)


def _masked(text):
    """Without what differs between machines: numbers, hashes and the width of columns."""
    text = re.sub(r"\b[0-9a-f]{12,}\b|(?<=@)[0-9a-f]{8}\b", "#", text)
    return re.sub(r"[ \t]+", " ", re.sub(r"-?\d[\d.,]*(e[-+]?\d+)?", "#", text))


if __name__ == "__main__":
    main()
