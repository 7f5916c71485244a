"""Pack a finished suite as an RO-Crate (researchobject.org): results with who, what and how."""

import mimetypes
from pathlib import Path
from typing import Any

from gmgan import __version__
from gmgan.commands.finished import check_finished
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.files import atomic_folder
from gmgan.pipeline.provenance import CHANGES, web_address
from gmgan.pipeline.runner import Runner
from gmgan.pipeline.stage import Ref

LICENSE = "https://spdx.org/licenses/MIT"
ABOUT_LICENSE = {
    "@type": "CreativeWork",
    "name": "MIT License",
    "description": "Use, copies and changes are free; the copyright notice has to stay.",
}
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
OTHER_KINDS = {".yaml": "application/yaml", ".patch": "text/x-diff"}  # that Python does not know
WEIGHTS = {("train", "weights"): "Weights"}


def crate(runner: Runner, suite: str, out: Path, weights: bool) -> None:
    """Write the folder `out`; weights: whether those of the models go in too.

    Raises GmganError if the suite is not finished, a file of a run is damaged or out of date, its
    scores do not fit code and settings, or the library rocrate is missing.
    """
    try:
        from rocrate.model.contextentity import ContextEntity
        from rocrate.rocrate import ROCrate
    except ImportError as error:
        raise GmganError("gmgan crate needs rocrate; pip install 'gmgan[crate]'") from error
    runs = grid.suite_runs(runner.params, suite)
    chosen = [(runner.job(*key[:1], suite=suite), key[1], text) for key, text in REPORT.items()]
    for run in runs:
        for (stage, output), text in {**RUN, **(WEIGHTS if weights else {})}.items():
            chosen.append((runner.job(stage, run=run), output, f"{text} of {run}"))
    check_finished(runner, suite, [runner.outputs(job)[output] for job, output, _ in chosen])
    for job, output, _ in chosen:
        if job.stage.carrier:  # tables and page have no stamp
            runner.load(Ref(job.stage, output, job.key))
    records = [runner.read("train", "record", run=run).stamp.provenance for run in runs]
    packed: Any = ROCrate()
    packed.name = f"gmgan: {runner.params.suites[suite].title}"
    packed.description = (
        f"Results of the suite {suite} of the gmgan benchmark: {len(runs)} trained models, scored."
    )
    packed.license = packed.add(ContextEntity(packed, LICENSE, properties=ABOUT_LICENSE))
    results = [
        _add(packed, runner.outputs(job)[output], text, runner) for job, output, text in chosen
    ]
    made_from = [_add(packed, Path(runner.params_file), "Settings of the benchmark", runner)]
    for changes in sorted({record["changes"] for record in records if record.get("changes")}):
        patch = runner.results / CHANGES.format(changes=changes)
        if patch.exists():
            made_from.append(_add(packed, patch, "What was not committed", runner))
    made_from = made_from if len(made_from) > 1 else made_from[0]  # as the specification asks
    training = f"Training and scoring of the suite {suite}"
    about = {"name": training, "description": f"snakemake -- all, {len(runs)} models"}
    action = packed.add_action(
        _software(packed, records), object=made_from, result=results, properties=about
    )
    packed.root_dataset["mentions"] = action
    with atomic_folder(out) as folder:
        packed.write(folder)


def _add(packed: Any, path: Path, description: str, runner: Runner) -> Any:
    """A file, or a folder with all its files, as an entity of the crate."""
    inside = path.relative_to(runner.results) if path.is_relative_to(runner.results) else path
    about = {"name": f"{inside.name}", "description": description}
    if path.is_dir():
        folder = packed.add_dataset(dest_path=inside.as_posix(), properties=about)
        folder["hasPart"] = [
            _add(packed, each, description, runner) for each in sorted(path.glob("[!.]*"))
        ]
        return folder
    kind = mimetypes.guess_type(path.name)[0] or OTHER_KINDS.get(path.suffix)
    about["encodingFormat"] = kind or "application/octet-stream"
    about["contentSize"] = str(path.stat().st_size)
    return packed.add_file(
        path, inside.name if path == inside else inside.as_posix(), properties=about
    )


def _software(packed: Any, records: list[dict[str, Any]]) -> Any:
    """The program that made the results, with its revisions."""
    from rocrate.model.softwareapplication import SoftwareApplication

    revisions = sorted({record["revision"] or "not in a git checkout" for record in records})
    about = {"name": "gmgan", "version": __version__, "description": ", ".join(revisions)}
    if address := web_address():
        about["url"] = address
    return packed.add(SoftwareApplication(packed, "#gmgan", properties=about))
