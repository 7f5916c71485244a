# Shared by all rules: the params, the runs of the suite, and the files, fingerprint and needs of a
# stage, as declared in gmgan/pipeline/stages.py.

import os
import sys
from functools import cache
from pathlib import Path
from shlex import quote

sys.path.insert(0, workflow.basedir)

from gmgan.config.loader import load
from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import Folder
from gmgan.pipeline import view
from gmgan.pipeline.checks import suite_mistakes
from gmgan.pipeline.costs import expected_seconds
from gmgan.pipeline.graph import Graph
from gmgan.pipeline.grid import extractor_owner, suite_runs
from gmgan.pipeline.index import write_index
from gmgan.pipeline.runner import Runner
from gmgan.pipeline.settle import recover, remove_dead_locks
from gmgan.pipeline.stages import STAGES
from gmgan.pipeline.targets import job_of
from gmgan.runtime import gpu, worker
from snakemake.logging import logger


def mistakes_of_the_suite(params):
    """What the suite's data do not allow; jobs of a scheduler need not look again."""
    if not workflow.is_main_process:
        return []
    return suite_mistakes(params, str(config.get("suite", params.suite)))


try:
    PARAMS_FILE = config.get("params", "params.yaml")
    PARAMS = load(PARAMS_FILE, mistakes_of_the_suite)
    unknown = sorted(set(config) - {"suite", "params"})
    if unknown:
        raise GmganError(
            f"--config {unknown[0]}: only suite=NAME and params=FILE can be given here; "
            f"edit {PARAMS_FILE} for everything else"
        )
    SUITE = str(config.get("suite", PARAMS.suite))
    RUNS = suite_runs(PARAMS, SUITE)
    GRAPH = Graph(PARAMS)
    if workflow.is_main_process:
        remove_dead_locks()
    if workflow.is_main_process and any(Path(".snakemake/incomplete").glob("*")):
        for kept in recover(Runner(PARAMS), SUITE, PARAMS_FILE):
            print(f"gmgan: kept what an interrupted call made: {kept}", file=sys.stderr)
    # Missing or invalid plug-ins fail here, before any job starts.
    GRAPH.fingerprint(GRAPH.job("report", suite=SUITE))
    # So do targets that no stage makes (Snakemake knows its targets only later).
    for target in sys.argv[1:] if workflow.is_main_process else []:
        if target.startswith(f"{GRAPH.results}/"):
            job_of(GRAPH, Path(target), SUITE)
except GmganError as error:
    raise WorkflowError(f"gmgan: error: {error}")

DATASETS = list(dict.fromkeys(run.dataset for run in RUNS))

# In every job `gmgan` is this package, run by this interpreter, with the chosen params: no
# activation of the environment is needed. Jobs end with the Snakemake that runs them
# (gmgan/runtime/lifetime.py). (Snakemake formats the prefix once more: {{{{ is {.)
shell.prefix(
    f"export PATH={quote(os.path.dirname(sys.executable))}:$PATH "
    f"PYTHONPATH={quote(str(workflow.basedir))} GMGAN_SNAKEMAKE={os.getpid()}; "
    f'gmgan() {{{{ python -S -m gmgan --params {quote(PARAMS_FILE)} --set-aside "$@"; }}}}; '
)


def jobs_to_run():
    """The jobs of this call, once Snakemake knows them."""
    return [
        view.Job(job.rule.name, dict(job.wildcards.items()))
        for job in workflow.dag.needrun_jobs()
    ]


def attach_view():
    """Show this project's view instead of Snakemake's lines, unless these are asked for."""
    settings = workflow.output_settings
    asked = settings.printshellcmds or settings.verbose or settings.debug_dag
    if not workflow.is_main_process or settings.log_handler_settings or asked:
        return None
    seconds = cache(lambda: expected_seconds(GRAPH, SUITE))
    shown = view.View(
        title=f"suite {SUITE}: {PARAMS.suites[SUITE].title}",
        planned=jobs_to_run,
        expected=lambda job: seconds()(job.rule, job.wildcards),
        cores=workflow.resource_settings.cores or 1,
        dry_run=settings.dryrun,
        quiet="all" in map(str, settings.quiet or ()) and not settings.dryrun,
        stream=sys.stdout if settings.stdout else sys.stderr,
    )
    for handler in list(logger.handlers):
        if handler.name == "DefaultStreamHandler":
            logger.removeHandler(handler)
            logger.addHandler(shown)
    return shown


def finish_view(page=None):
    """End the view, if there is one."""
    if VIEW:
        VIEW.finish(page)


def start_worker():
    """Local jobs on the CPU start as forks of one process that has loaded the libraries."""
    if workflow.local_exec and not gpus() and sys.platform == "linux":
        worker.start(PARAMS.execution.threads)


def schedule_on_events():
    """Lift Snakemake's own limit of 100 jobs a second, unless another one was asked for.

    With a limit the scheduler looks again every second, and once more for every job that has ever
    ended (Snakemake 9.27): after 190 jobs of the suite `quick` that took half a core. Without one
    it looks when a job has ended. No option of Snakemake says "no limit".
    """
    scheduler = getattr(workflow, "scheduler", None)
    limiter = getattr(scheduler, "job_rate_limiter", None)
    if limiter and (limiter.max_jobs, limiter.timespan) == (100, 1):
        scheduler.job_rate_limiter = None


VIEW = attach_view()


wildcard_constraints:
    run=r"[^/]+",
    source=r"[a-z0-9-]+",
    dataset=r"[a-z0-9-]+",
    extractor=r"[a-z0-9-]+",
    extractor_id=r"[a-z0-9.-]+",


localrules:
    all,
    data,
    benchmark,
    collect,
    report,


GPUS_HERE = len(gpu.devices()) if PARAMS.execution.device != "cpu" else 0

# On this machine a job that asks for a GPU gets a share of one (gmgan/runtime/gpu.py): so many run
# at a time, unless --resources gpu=N says otherwise. Elsewhere the scheduler counts its GPUs.
if GPUS_HERE and workflow.local_exec and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", GPUS_HERE * PARAMS.execution.gpu_slots)


def gpus():
    """GPUs that a job on the chosen device asks for."""
    return int(PARAMS.execution.device == "cuda" or GPUS_HERE > 0)


def job(stage, wildcards):
    """The job of a stage that a rule's wildcards name."""
    try:
        return GRAPH.job(stage, suite=SUITE, **dict(wildcards.items()))
    except GmganError as error:
        raise WorkflowError(f"gmgan: error: {error}")


def reads(stage):
    """The input files of a stage's rule."""
    return lambda wildcards: GRAPH.input_files(job(stage, wildcards))


def writes(stage, **shown):
    """The output files of a stage's rule; shown: how Snakemake's own report presents some."""
    paths = {}
    for name, artifact in STAGES[stage].writes.items():
        of_suite = STAGES[stage].per == ("suite",)
        path = (
            f"{GRAPH.folder_of(SUITE) if of_suite else GRAPH.results}/{artifact.path}"
        )
        if isinstance(artifact, Folder):
            path = directory(path)
        paths[name] = report(path, **shown[name]) if name in shown else path
    return paths


def fingerprint(stage):
    """What a stage's result depends on besides its input files, for the rule's params."""

    def marks(wildcards):
        one = job(stage, wildcards)
        versions = (
            f"{name} {version}" for name, version in GRAPH.versions(one).items()
        )
        return ", ".join([GRAPH.fingerprint(one), *versions])

    return marks


def needs(stage):
    """What a stage's jobs ask of the scheduler."""
    declared = STAGES[stage].needs
    minutes = declared.minutes
    if callable(minutes):
        minutes = lambda wildcards: declared.minutes(GRAPH.scope(job(stage, wildcards)))
    gpu = {"gpu": gpus()} if declared.gpu else {}
    return {"mem_mb": declared.memory_mb, "runtime": minutes, **gpu}


def files(stage, output, **names):
    """The path of one output of a stage."""
    return str(GRAPH.outputs(GRAPH.job(stage, **names))[output])
