"""The command line: one sub-command per stage, and a few to look at the grid."""

import argparse
import os
import resource
import signal
import sys
import time
from pathlib import Path

from gmgan import __version__, grid
from gmgan.errors import GmganError
from gmgan.params import load

RUN_HELP = "a run, such as digits.gmgan-static.K10.s0"


def main(arguments=None) -> int:
    """Run the command line; returns the exit status (0, 2 for a mistake of the user)."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        options.function(options)
        if options.command != "list":
            _print_usage(options.command, time.monotonic() - started)
    except GmganError as error:
        print(f"gmgan: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gmgan: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _print_usage(command, seconds):
    """Time and memory of the process, in the log of every job."""
    unit = 1024**2 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"gmgan {command}: {seconds:.1f} s, peak memory {peak:.0f} MiB", file=sys.stderr)


def _context(options):
    """Params and places; libraries get the threads that params.yaml allows."""
    params = load(options.params)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(params.execution.threads)
    from gmgan.stages.context import Context

    return Context(params, grid.Paths(options.results))


def _parser():
    parser = argparse.ArgumentParser(
        prog="gmgan",
        description="Benchmark of Gaussian-mixture GANs. Each stage of the pipeline "
        "is a sub-command; `snakemake --cores 2 all` runs them all in order.",
    )
    parser.add_argument("--version", action="version", version=f"gmgan {__version__}")
    parser.add_argument(
        "--params", default="params.yaml", metavar="FILE", help="parameters (default: params.yaml)"
    )
    parser.add_argument(
        "--results", default="results", metavar="FOLDER", help="where results go (default: results)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="STAGE")
    _add_dataset_stages(commands)
    _add_run_stages(commands)
    _add_suite_stages(commands)
    return parser


def _add_dataset_stages(commands):
    prepare = commands.add_parser("prepare", help="prepare a data set")
    prepare.add_argument("dataset")
    prepare.set_defaults(function=_prepare)
    extractor = commands.add_parser("extractor", help="make the feature extractor of a data set")
    extractor.add_argument("dataset")
    extractor.add_argument("extractor")
    extractor.set_defaults(function=_extractor)
    real = commands.add_parser("real-features", help="extract features of real images")
    real.add_argument("dataset")
    real.add_argument("extractor")
    real.set_defaults(function=_real_features)
    floor = commands.add_parser("floor", help="score real samples against real samples")
    floor.add_argument("dataset")
    floor.set_defaults(function=_floor)


def _add_run_stages(commands):
    train = commands.add_parser("train", help="train a run, going on from its checkpoint")
    train.add_argument("run", help=RUN_HELP)
    train.add_argument(
        "--resume",
        type=Path,
        metavar="CHECKPOINT",
        help="go on from this checkpoint; refused if its parameters differ",
    )
    train.set_defaults(function=_train)
    sample = commands.add_parser("sample", help="draw the samples that a run is scored on")
    sample.add_argument("run", help=RUN_HELP)
    sample.set_defaults(function=_sample)
    features = commands.add_parser("features", help="extract features of a run's samples")
    features.add_argument("run", help=RUN_HELP)
    features.add_argument("extractor")
    features.set_defaults(function=_features)
    score = commands.add_parser("score", help="score a run's samples")
    score.add_argument("run", help=RUN_HELP)
    score.set_defaults(function=_score)
    tradeoff = commands.add_parser("tradeoff", help="score a run over a sweep of sigma_scale")
    tradeoff.add_argument("run", help=RUN_HELP)
    tradeoff.set_defaults(function=_tradeoff)
    cluster = commands.add_parser("cluster", help="cluster real images by a run's components")
    cluster.add_argument("run", help=RUN_HELP)
    cluster.set_defaults(function=_cluster)


def _add_suite_stages(commands):
    for name, text, function in (
        ("collect", "gather a suite's scores into results/scores.csv", _collect),
        ("report", "write results/report.html", _report),
        ("list", "list the runs of a suite and their budgets", _list),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--suite", metavar="NAME", help="default: the suite in params.yaml")
        command.set_defaults(function=function)


def _prepare(options):
    from gmgan.stages import prepare

    prepare.run(_context(options), options.dataset)


def _extractor(options):
    context = _context(options)
    from gmgan.stages import extractor

    extractor.run(context, options.dataset, options.extractor)


def _real_features(options):
    context = _context(options)
    from gmgan.stages import features

    features.run_real(context, options.dataset, options.extractor)


def _floor(options):
    context = _context(options)
    from gmgan.stages import score

    score.run_floor(context, options.dataset)


def _train(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    from gmgan.stages import train

    train.run(context, cell, options.resume)


def _sample(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    from gmgan.stages import sample

    sample.run(context, cell)


def _features(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    context.params.lookup("extractors", options.extractor)
    from gmgan.stages import features

    features.run(context, cell, options.extractor)


def _score(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    from gmgan.stages import score

    score.run(context, cell)


def _tradeoff(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    from gmgan.stages import tradeoff

    tradeoff.run(context, cell)


def _cluster(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    if not grid.has_clusters(context.params, cell):
        raise GmganError(
            f"{cell.name} has no components to cluster by; choose an unsupervised GM-GAN with "
            "K above 1 on a data set with labels"
        )
    from gmgan.stages import cluster

    cluster.run(context, cell)


def _suite(options, context):
    suite = options.suite or context.params.suite
    context.params.lookup("suites", suite)
    return suite


def _collect(options):
    context = _context(options)
    from gmgan.stages import collect

    collect.run(context, _suite(options, context))


def _report(options):
    context = _context(options)
    from gmgan.stages import report

    report.run(context, _suite(options, context))


def _list(options):
    params = load(options.params)
    suite = options.suite or params.suite
    paths = grid.Paths(options.results)
    for run in grid.suite_runs(params, suite):
        kimg = grid.settings(params, run).training["kimg"]
        state = "scored" if paths.scores(run).exists() else "-"
        print(f"{run.name}\t{kimg:g} kimg\t{state}")
