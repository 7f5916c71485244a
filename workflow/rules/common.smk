# What all rules share: the params, the run table, the places and the fingerprints.

import os
import sys
from shlex import quote

sys.path.insert(0, workflow.basedir)

from gmgan.runtime import gpu
from gmgan.pipeline import grid
from gmgan.errors import GmganError
from gmgan.pipeline.fingerprints import Fingerprints
from gmgan.config import load

try:
    PARAMS_FILE = config.get("params", "params.yaml")
    PARAMS = load(PARAMS_FILE)
    unknown = sorted(set(config) - {"suite", "params"})
    if unknown:
        raise GmganError(
            f"--config {unknown[0]}: only suite=NAME and params=FILE can be given here; "
            f"edit {PARAMS_FILE} for everything else"
        )
    SUITE = str(config.get("suite", PARAMS.suite))
    RUNS = grid.suite_runs(PARAMS, SUITE)
    EXPECTED = Fingerprints(PARAMS)
    EXPECTED.report(SUITE)  # a plug-in that is missing or no Python is named here
except GmganError as error:
    raise WorkflowError(f"gmgan: error: {error}")

PATHS = grid.Paths()

# In every job `gmgan` is this package, run by this interpreter, with the chosen params: no
# activation of the environment is needed. (Snakemake formats the prefix once more: {{{{ is {.)
shell.prefix(
    f"export PATH={quote(os.path.dirname(sys.executable))}:$PATH "
    f"PYTHONPATH={quote(str(workflow.basedir))}; "
    f'gmgan() {{{{ python -S -m gmgan --params {quote(PARAMS_FILE)} "$@"; }}}}; '
)


def start_worker():
    """Local jobs on the CPU start as forks of one process that has loaded the libraries."""
    from gmgan.runtime import worker

    if workflow.local_exec and not gpus() and sys.platform == "linux":
        worker.start(PARAMS.execution.threads)


def schedule_on_events():
    """Lift Snakemake's own limit of 100 jobs a second, unless another one was asked for.

    For its sake the scheduler looks again every second, and once more for every job that has ever
    ended (Snakemake 9.27), which costs more and more. Without a limit it looks when something has
    happened.
    """
    scheduler = getattr(workflow, "scheduler", None)
    limiter = getattr(scheduler, "job_rate_limiter", None)
    if limiter and (limiter.max_jobs, limiter.timespan) == (100, 1):
        scheduler.job_rate_limiter = None


wildcard_constraints:
    run=r"[a-z0-9-]+\.[a-z0-9-]+\.K\d+\.s\d+",
    dataset=r"[a-z0-9-]+",
    extractor=r"[a-z0-9-]+",
    extractor_id=r"[a-z0-9.-]+",


localrules:
    all,
    data,
    benchmark,
    collect,
    report,


def cell(name):
    return grid.parse_run(PARAMS, name)


GPUS_HERE = len(gpu.devices()) if PARAMS.execution.device != "cpu" else 0

# On this machine a job that asks for a GPU gets a share of one (gmgan/runtime/gpu.py): so many run at a
# time, unless --resources gpu=N says otherwise. Elsewhere the scheduler counts its GPUs.
if GPUS_HERE and workflow.local_exec and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", GPUS_HERE * PARAMS.execution.gpu_slots)


def gpus():
    """GPUs that a job on the chosen device asks for."""
    return int(PARAMS.execution.device == "cuda" or GPUS_HERE > 0)


def local_files(dataset):
    """A user's own folder or archive is an input: prepare runs again when it changes."""
    source = PARAMS.lookup("datasets", dataset).source
    path = getattr(source, "path", None)
    return [path] if path and os.path.exists(path) else []


def extractor_owner(identifier):
    """(data set, extractor) for which `gmgan extractor` makes these weights."""
    source, _, extractor = identifier.rpartition(".")
    owner = source or next(
        name
        for name, entry in PARAMS.datasets.items()
        if extractor in entry.evaluation.extractors
    )
    return owner, extractor


def extractor_inputs(identifier):
    owner, extractor = extractor_owner(identifier)
    entry = PARAMS.lookup("extractors", extractor)
    if entry.kind == "classifier":
        return data_files(owner)
    return [entry.weights] if entry.weights and os.path.exists(entry.weights) else []


def data_files(dataset):
    source = PARAMS.source_names[dataset]
    return [PATHS.data(source), PATHS.data_about(source)]


def extractor_files(dataset, extractor):
    identifier = grid.extractor_id(PARAMS, dataset, extractor)
    return [PATHS.extractor(identifier), PATHS.extractor_about(identifier)]


def extractor_weights(dataset):
    return [
        PATHS.extractor(grid.extractor_id(PARAMS, dataset, extractor))
        for extractor in PARAMS.datasets[dataset].evaluation.extractors
    ]


def extractor_about(dataset):
    return [
        PATHS.extractor_about(grid.extractor_id(PARAMS, dataset, extractor))
        for extractor in PARAMS.datasets[dataset].evaluation.extractors
    ]


def real_inputs(dataset):
    """What scores of a data set compare with: the data and, of images, their features."""
    extractors = PARAMS.lookup("datasets", dataset).evaluation.extractors
    features = [PATHS.real_features(dataset, name) for name in extractors]
    return [*data_files(dataset), *features, *extractor_about(dataset)]


def fake_features(name):
    run = cell(name)
    extractors = PARAMS.datasets[run.dataset].evaluation.extractors
    return [PATHS.features(run, extractor) for extractor in extractors]


def train_inputs(name):
    run = cell(name)
    parent = grid.settings(PARAMS, run).init_from
    continued = [PATHS.weights(parent), PATHS.train_about(parent)] if parent else []
    return data_files(run.dataset) + continued


def train_minutes(name):
    """A generous time limit: 150 images per second, at least half an hour."""
    kimg = grid.settings(PARAMS, cell(name)).training.kimg
    return int(max(30, kimg * 1000 / 150 / 60))
