"""Run all benchmarks, print a table and write benchmarks/results.csv.

python -m benchmarks                     all, on two cores in about 15 minutes
python -m benchmarks training scoring    some
"""

import argparse
import csv
import io
import sys
from dataclasses import astuple
from importlib import import_module
from pathlib import Path

from gmgan.artifacts import provenance, write_text

PARTS = ("training", "scoring", "pipeline")
HEAD = ("name", "ours", "theirs", "unit", "limit", "goal", "ratio")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parts = parser.parse_args().parts or PARTS
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        sys.exit(f"benchmarks: no part '{unknown[0]}'; choose of {', '.join(PARTS)}")
    host = provenance()["host"]
    print(f"{host['processor']}, {host['cores']} cores, {host['system']}")
    rows = []
    for part in parts:
        for result in import_module(f"benchmarks.{part}").run():
            rows.append((*astuple(result), result.ratio))
            print(line(result), flush=True)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([HEAD, *rows])
    write_text(Path(__file__).parent / "results.csv", buffer.getvalue())


def line(result):
    """One line of the printed table."""
    text = f"{result.name:66} {result.ours:9.3g} {result.unit:9}"
    if result.theirs is not None:
        text += f" theirs {result.theirs:8.3g}, ratio {result.ratio:5.2f}"
    if result.limit is not None:
        text += f", {result.ours / result.limit:.0%} of the limit {result.limit:.3g}"
    if result.goal is not None:
        text += f", goal {result.goal:g}: {'reached' if result.reached else 'MISSED'}"
    return text


if __name__ == "__main__":
    main()
