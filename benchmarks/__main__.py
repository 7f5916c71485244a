"""Run benchmarks and print a table.

python -m benchmarks                     all, on two cores in about 15 minutes; writes the table
                                         into benchmarks/results.csv and results.md
python -m benchmarks training scoring    some, and writes nothing
"""

import argparse
import csv
import io
import sys
from dataclasses import astuple
from importlib import import_module
from pathlib import Path

from gmgan.pipeline.files import write_text
from gmgan.pipeline.provenance import provenance

PARTS = ("training", "scoring", "strict", "pipeline")
HEAD = ("name", "ours", "theirs", "unit", "limit", "goal", "ratio")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    chosen = parser.parse_args().parts
    parts = chosen or PARTS
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        sys.exit(f"benchmarks: no part '{unknown[0]}'; choose of {', '.join(PARTS)}")
    about = provenance()
    machine = "{processor}, {cores} cores, {system}".format(**about["host"])
    print(machine)
    results = []
    for part in parts:
        for result in import_module(f"benchmarks.{part}").run():
            results.append(result)
            print(line(result), flush=True)
    if chosen:
        return
    folder = Path(__file__).parent
    write_text(folder / "results.csv", as_csv(results))
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    head = f"Printed by `python -m benchmarks` on {machine}; {versions}."
    write_text(folder / "results.md", f"{head}\n\n{as_markdown(results)}")


def as_csv(results):
    """The table for programs."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerows((*astuple(result), result.ratio) for result in results)
    return buffer.getvalue()


def as_markdown(results):
    """The table for readers."""
    rows = [("what", "ours", "theirs", "unit", "ratio", "of the limit", "goal")]
    rows.append(("---", "---:", "---:", "---", "---:", "---:", "---"))
    for result in results:
        goal = ""
        if result.goal is not None:
            goal = f"{result.goal:g}, {'reached' if result.reached else '**missed**'}"
        rows.append(
            (
                result.name,
                number(result.ours),
                number(result.theirs),
                result.unit,
                number(result.ratio),
                "" if result.limit is None else f"{result.ours / result.limit:.0%}",
                goal,
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def number(value):
    """Three digits, whole where it is large; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def line(result):
    """One line of the printed table."""
    text = f"{result.name:92} {result.ours:9.3g} {result.unit:9}"
    if result.theirs is not None:
        text += f" theirs {result.theirs:8.3g}, ratio {result.ratio:5.2f}"
    if result.limit is not None:
        text += f", {result.ours / result.limit:.0%} of the limit {result.limit:.3g}"
    if result.goal is not None:
        text += f", goal {result.goal:g}: {'reached' if result.reached else 'MISSED'}"
    return text


if __name__ == "__main__":
    main()
