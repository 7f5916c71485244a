"""Disturb the pipeline on purpose, and write the table of outcomes into docs/reliability.md.

python -m torture                    everything: about half an hour on two idle cores
python -m torture --kills 1000       more kills
python -m torture faults             only these
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from gmgan.pipeline.provenance import provenance
from torture.faults import faults
from torture.inputs import inputs
from torture.kills import kills
from torture.outcome import as_markdown
from torture.stale import stale

PARTS = {"kills": kills, "faults": faults, "stale": stale, "inputs": inputs}
PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- begin: python -m torture {} -->\n", "<!-- end of {} -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="torture", description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="default: 100")
    arguments = parser.parse_args()
    parts = arguments.parts or PARTS
    if unknown := sorted(set(parts) - PARTS.keys()):
        sys.exit(f"torture: no part '{unknown[0]}'; choose of {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="gmgan-torture-") as folder:
        for part in parts:
            began = time.monotonic()
            options = [arguments.kills] if part == "kills" else []
            made = PARTS[part](Path(folder), *options)
            text = f"{header(time.monotonic() - began)}\n\n{as_markdown(made)}"
            print(text)
            PAGE.write_text(with_part(PAGE.read_text(), part, text))


def header(seconds: float) -> str:
    """Where, when and of which revision the table is, and how long it took."""
    about = provenance()
    machine = "{processor}, {cores} cores, {system}".format(**about["host"])
    revision = about["revision"] or "unknown"
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, revision `{revision}`, {machine}, load {load:.1f}; "
        f"{seconds / 60:.0f} minutes."
    )


def with_part(page: str, part: str, text: str) -> str:
    """The page with another text between the marks of a part."""
    begin, end = BEGIN.format(part), END.format(part)
    before, rest = page.split(begin)
    return f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    main()
