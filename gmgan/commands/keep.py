"""Keep the small results of a finished suite, to be committed: page, scores, tables, figures."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gmgan.commands.finished import check_finished
from gmgan.pipeline import grid
from gmgan.pipeline.files import atomic_folder, write_text
from gmgan.pipeline.runner import Runner
from gmgan.records import TrainingRecord

SCORES = {"collect": ("scores",)}
KEPT = {  # stages of the suite -> their outputs
    "collect": ("scores", "tradeoff", "metrics"),
    "report": ("page", "tables", "figures"),
}
# PDF copies of SVG figures; losses and counts of clusters, which the page shows; Snakemake's marks.
LEFT_OUT = (".pdf", ".training.csv", ".training.svg", ".clusters.csv", ".snakemake_timestamp")
LINK = re.compile(r'<a href="((?:figures|tables)/[^"]+)">(.*?)</a>')
ABOUT = """# {suite}: {title}

Written by `gmgan keep --suite {suite}`. To make it again:

```sh
snakemake --cores all --config suite={suite} -- all
```

- {runs} trained models; {status}
- {images:,.0f} thousand real images shown in training, {hours:.1f} hours of training in all
- code: {revisions}
- machine: {machines}
- libraries: {libraries}

`scores.csv` has a row for every score of every run, with its signature: compare a suite of your own
with it by `gmgan compare {suite} {place}`. `params.yaml` holds the settings.
"""


def keep(runner: Runner, suite: str, out: Path | None = None, only_scores: bool = False) -> Path:
    """Copy the results into `out`, by default results/reference/SUITE; returns that folder.

    only_scores: no page, tables and figures, which take 25 MB for 70 runs on images. Raises
    GmganError if the suite is not finished, its scores do not fit code and settings, or the folder
    exists.
    """
    out = out or runner.results / "reference" / suite
    paths = [
        runner.outputs(runner.job(stage, suite=suite))[output]
        for stage, outputs in (SCORES if only_scores else KEPT).items()
        for output in outputs
    ]
    check_finished(runner, suite, paths)
    records = [
        runner.read("train", "record", run=run) for run in grid.suite_runs(runner.params, suite)
    ]
    about = _about(runner, suite, out, records)
    with atomic_folder(out) as folder:
        for path in paths:
            if path.is_dir():
                shutil.copytree(path, folder / path.name, ignore=_left_out)
            else:
                shutil.copyfile(path, folder / path.name)
        for page in folder.glob("*.html"):
            write_text(page, without_dead_links(page.read_text(), folder))
        shutil.copyfile(runner.params_file, folder / "params.yaml")
        write_text(folder / "README.md", about)
    return out


def without_dead_links(page: str, folder: Path) -> str:
    """A page with plain text in place of links to files that are not in its folder."""
    return LINK.sub(lambda link: link[0] if (folder / link[1]).exists() else link[2], page)


def _left_out(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(LEFT_OUT)]


def _about(runner: Runner, suite: str, out: Path, records: list[TrainingRecord]) -> str:
    made_by = [record.stamp.provenance for record in records if record.stamp]
    hosts = (made["host"] for made in made_by)
    failed = Counter(record.status for record in records if record.status != "ok")
    status = ", ".join(f"{count} {status}" for status, count in failed.items())
    return ABOUT.format(
        suite=suite,
        title=runner.params.suites[suite].title,
        runs=len(records),
        status=status or "all finished",
        images=sum(record.kimg for record in records),
        hours=sum(record.seconds for record in records) / 3600,
        revisions=_each(made["revision"] or "not in a git checkout" for made in made_by),
        machines=_each(f"{host['processor']}, {host['cores']} cores" for host in hosts),
        libraries=_each(
            ", ".join(f"{name} {version}" for name, version in made["versions"].items())
            for made in made_by
        ),
        place=out,
    )


def _each(values: Iterable[str]) -> str:
    return "; ".join(sorted(set(values)))
