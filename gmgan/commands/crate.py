"""Pack a finished suite as an RO-Crate (researchobject.org): results with who, what and how."""

from pathlib import Path
from typing import Any

from gmgan import __version__
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.files import atomic_folder
from gmgan.pipeline.provenance import CHANGES
from gmgan.pipeline.runner import Runner
from gmgan.pipeline.stage import Ref

LICENSE = "https://spdx.org/licenses/MIT"
REPORT = {  # outputs of the suite's stages: (stage, output) -> what it is
    ("report", "page"): "Report of the suite",
    ("report", "tables"): "Tables of the report",
    ("report", "figures"): "Figures of the report",
    ("collect", "scores"): "Every score of every run",
    ("collect", "tradeoff"): "Scores over the sweep of sigma_scale",
    ("collect", "metrics"): "Means over seeds",
}
RUN = {  # outputs of each run
    ("train", "record"): "Training: settings, duration, machine",
    ("train", "history"): "Losses during training",
    ("score", "scores"): "Scores",
}
WEIGHTS = {("train", "weights"): "Weights"}


def crate(runner: Runner, suite: str, out: Path, weights: bool) -> None:
    """Write the folder `out`; weights: whether those of the models go in too.

    Raises GmganError if the suite is not finished, a file of a run is damaged or out of date, or
    the library rocrate is missing.
    """
    try:
        from rocrate.rocrate import ROCrate
    except ImportError as error:
        raise GmganError("gmgan crate needs rocrate; pip install 'gmgan[crate]'") from error
    runs = grid.suite_runs(runner.params, suite)
    chosen = [(runner.job(*key[:1], suite=suite), key[1], text) for key, text in REPORT.items()]
    for run in runs:
        for (stage, output), text in {**RUN, **(WEIGHTS if weights else {})}.items():
            chosen.append((runner.job(stage, run=run), output, f"{text} of {run}"))
    missing = [
        path for job, output, _ in chosen if not (path := runner.outputs(job)[output]).exists()
    ]
    if missing:
        cure = f"snakemake --cores all --config suite={suite} -- all"
        raise GmganError(f"suite {suite} is not finished: no {missing[0]}; {cure}")
    for job, output, _ in chosen:
        if job.stage.carrier:  # tables and page have no stamp
            runner.load(Ref(job.stage, output, job.key))
    records = [runner.read("train", "record", run=run).stamp.provenance for run in runs]
    packed: Any = ROCrate()
    packed.name = f"gmgan: {runner.params.suites[suite].title}"
    packed.description = (
        f"Results of the suite {suite} of the gmgan benchmark: {len(runs)} trained models, scored."
    )
    packed.license = LICENSE
    results = [
        _add(packed, runner.outputs(job)[output], text, runner) for job, output, text in chosen
    ]
    made_from = [_add(packed, Path(runner.params_file), "Settings of the benchmark", runner)]
    for changes in sorted({record["changes"] for record in records if record.get("changes")}):
        patch = runner.results / CHANGES.format(changes=changes)
        if patch.exists():
            made_from.append(_add(packed, patch, "What was not committed", runner))
    packed.add_action(_software(packed, records), object=made_from, result=results)
    with atomic_folder(out) as folder:
        packed.write(folder)


def _add(packed: Any, path: Path, description: str, runner: Runner) -> Any:
    inside = path.relative_to(runner.results) if path.is_relative_to(runner.results) else path
    about = {"name": f"{inside.name}", "description": description}
    if path.is_dir():
        return packed.add_dataset(path, inside.as_posix(), properties=about)
    kinds = {".csv": "text/csv", ".json": "application/json", ".html": "text/html"}
    kind = kinds.get(path.suffix)
    return packed.add_file(
        path,
        inside.name if path == inside else inside.as_posix(),
        properties=about | ({"encodingFormat": kind} if kind else {}),
    )


def _software(packed: Any, records: list[dict[str, Any]]) -> Any:
    """The program that made the results, with its revisions."""
    from rocrate.model.softwareapplication import SoftwareApplication

    revisions = sorted({record["revision"] or "not in a git checkout" for record in records})
    about = {"name": "gmgan", "softwareVersion": __version__, "description": ", ".join(revisions)}
    return packed.add(SoftwareApplication(packed, "#gmgan", properties=about))
