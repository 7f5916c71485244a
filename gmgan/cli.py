"""The command line: one sub-command per stage, and a few to look at the grid."""

import argparse
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import shtab

from gmgan import __version__
from gmgan.config.params import load
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import read_json

RUN = "digits.gmgan-static.K10.s0"
RUN_HELP = f"a run, such as {RUN}"


def main(arguments=None) -> int:
    """Run the command line; returns the exit status (0, 2 for a mistake of the user)."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        options = _parser().parse_args(arguments)
        options.function(options)
        if options.command not in ("list", "grid"):
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
        description="Benchmark of Gaussian-mixture GANs. Each stage of the pipeline is a "
        "sub-command; `snakemake --cores 2 all` runs them all in order.",
        epilog='Complete commands with TAB: eval "$(gmgan --print-completion bash)" (or zsh).',
    )
    parser.add_argument("--version", action="version", version=f"gmgan {__version__}")
    shtab.add_argument_to(parser, "--print-completion")
    parser.add_argument(
        "--params", default="params.yaml", metavar="FILE", help="parameters (default: params.yaml)"
    )
    parser.add_argument(
        "--results", default="results", metavar="FOLDER", help="where results go (default: results)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_dataset_stages(commands)
    _add_run_stages(commands)
    _add_suite_stages(commands)
    return parser


def _add(commands, name, function, text, *examples):
    """A sub-command with its examples under its help."""
    command = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  gmgan {name} {line}" for line in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(function=function)
    return command


def _add_dataset_stages(commands):
    prepare = _add(commands, "prepare", _prepare, "prepare a data set", "digits")
    prepare.add_argument("dataset")
    for name, function, text in (
        ("extractor", _extractor, "make the feature extractor of a data set"),
        ("real-features", _real_features, "extract features of real images"),
    ):
        command = _add(commands, name, function, text, "digits classifier-digits")
        command.add_argument("dataset")
        command.add_argument("extractor")
    floor = _add(commands, "floor", _floor, "score real samples against real samples", "digits")
    floor.add_argument("dataset")


def _add_run_stages(commands):
    train = _add(
        commands,
        "train",
        _train,
        "train a run, going on from its checkpoint",
        RUN,
        f"{RUN} --dry-run",
        f"{RUN} --resume other.safetensors",
    )
    train.add_argument("run", help=RUN_HELP)
    train.add_argument(
        "--resume",
        type=Path,
        metavar="CHECKPOINT",
        help="go on from this checkpoint; refused if its parameters differ",
    )
    train.add_argument(
        "--dry-run", action="store_true", help="print the resolved configuration and stop"
    )
    _add_sample(commands)
    features = _add(
        commands,
        "features",
        _features,
        "extract features of a run's samples",
        f"{RUN} classifier-digits",
    )
    features.add_argument("run", help=RUN_HELP)
    features.add_argument("extractor")
    _add_score(commands)
    tradeoff = _add(commands, "tradeoff", _tradeoff, "score a run over a sweep of sigma_scale", RUN)
    tradeoff.add_argument("run", help=RUN_HELP)
    explore = _add(
        commands, "explore", _explore, "draw what the report's explorer shows of a run", RUN
    )
    explore.add_argument("run", help=RUN_HELP)
    cluster = _add(
        commands,
        "cluster",
        _cluster,
        "cluster real images by a run's components",
        RUN,
        f"{RUN} --images photos/",
    )
    cluster.add_argument("run", help=RUN_HELP)
    cluster.add_argument(
        "--images",
        type=Path,
        metavar="PATH",
        help="instead print the component of every image in this folder, zip, .npz or .safetensors",
    )
    export = _add(
        commands,
        "export",
        _export,
        "export a trained run as a folder with weights, configuration and model card",
        f"{RUN} --out my-model",
    )
    export.add_argument("run", help=RUN_HELP)
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER")


def _add_sample(commands):
    sample = _add(
        commands,
        "sample",
        _sample,
        "draw the samples that a run is scored on, or others of your choice",
        RUN,
        f"{RUN} --component 3 --sigma-scale 0.5 --n 100",
        f"{RUN} --n 10000 --format npz --out samples.npz",
    )
    sample.add_argument("run", help=RUN_HELP)
    own = sample.add_argument_group(
        "your choice", "any of these leaves the pipeline's own samples alone"
    )
    own.add_argument("--component", type=int, metavar="K", help="only this one (default: all)")
    own.add_argument("--sigma-scale", type=float, metavar="S", help="factor on Sigma_k (default 1)")
    own.add_argument("--n", type=int, metavar="N", help="how many (default 100)")
    own.add_argument("--seed", type=int, metavar="SEED", help="(default 0)")
    own.add_argument(
        "--format", choices=("png", "npz", "safetensors"), help="default: png, a folder of images"
    )
    own.add_argument(
        "--out", type=Path, metavar="PATH", help="default: a name under results/drawn, printed"
    )


def _add_score(commands):
    score = _add(
        commands,
        "score",
        _score,
        "score a run's samples, or images that any other model made",
        RUN,
        "--samples images/ --dataset mnist",
        "--samples images.npz --dataset mnist --json",
    )
    score.add_argument("run", nargs="?", help=RUN_HELP)
    own = score.add_argument_group("images of your own")
    own.add_argument(
        "--samples", type=Path, metavar="PATH", help="a folder, zip, .npz or .safetensors"
    )
    own.add_argument("--dataset", metavar="NAME", help="whose real images they are compared with")
    own.add_argument("--extractor", metavar="NAME", help="default: the data set's first")
    own.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_suite_stages(commands):
    for name, text, function in (
        ("collect", "gather a suite's scores into results/scores.csv", _collect),
        ("report", "write results/report.html", _report),
        ("list", "list the runs of a suite, their budgets and how far they are", _list),
        ("settle", "let Snakemake trust results from elsewhere that fit params and code", _settle),
    ):
        command = _add(commands, name, function, text, "", "--suite mnist")
        command.add_argument("--suite", metavar="NAME", help="default: the suite in params.yaml")
        if name == "report":
            command.add_argument(
                "--processes",
                type=int,
                default=os.cpu_count(),
                metavar="N",
                help="figures drawn at a time (default: one per core)",
            )
    cost = _add(
        commands,
        "grid",
        _grid,
        "print what a suite costs before it runs: jobs, files, core-hours, GPU-hours",
        "--suite paper",
        "--suite paper --measure 10",
        "--suite paper --device cuda",
    )
    cost.add_argument("--suite", metavar="NAME", help="default: the suite in params.yaml")
    cost.add_argument(
        "--measure",
        type=_seconds,
        metavar="SECONDS",
        help="where no run was timed yet, train so long on random data and time that",
    )
    cost.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        help="take speeds measured on this (default: what execution.device means here)",
    )


def _seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number of seconds, got '{text}'")
    return value


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
    if options.dry_run:
        _print_configuration(context, cell)
        return
    from gmgan.stages import train

    train.run(context, cell, options.resume)


def _print_configuration(context, cell):
    """What training the run would take and make, as JSON on standard output."""
    fingerprint = context.expected.train(cell)
    resolved, device = grid.settings(context.params, cell), context.params.execution.device
    if resolved.training.precision != "float32":
        from gmgan.runtime.torch_setup import slow_precision

        warning = slow_precision(resolved.training.precision, device)
        if warning:
            print(f"gmgan: warning: {warning}", file=sys.stderr)
    found = {
        "settings": resolved.model_dump(mode="json"),
        "fingerprint": fingerprint,
        "device": context.params.execution.device,
        "checkpoint": str(context.paths.checkpoint(cell, fingerprint)),
        "weights": str(context.paths.weights(cell)),
    }
    print(json.dumps(found, indent=1))


def _sample(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    chosen = (options.component, options.sigma_scale, options.n, options.seed)
    if {*chosen, options.format, options.out} == {None}:
        from gmgan.stages import sample

        sample.run(context, cell)
        return
    from gmgan.commands import draw

    defaults = (None, 1.0, 100, 0)
    component, sigma_scale, count, seed = (
        default if value is None else value for value, default in zip(chosen, defaults, strict=True)
    )
    kind = options.format
    if kind is None:
        suffix = options.out.suffix.removeprefix(".") if options.out else ""
        kind = suffix if suffix in draw.FORMATS[1:] else "png"
    print(draw.run(context, cell, count, component, sigma_scale, seed, kind, options.out))


def _features(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    context.params.lookup("extractors", options.extractor)
    from gmgan.stages import features

    features.run(context, cell, options.extractor)


def _score(options):
    context = _context(options)
    own = (options.samples, options.dataset, options.extractor)
    if options.run is not None and {*own} == {None} and not options.json:
        cell = grid.parse_run(context.params, options.run)
        from gmgan.stages import score

        score.run(context, cell)
        return
    if options.run is not None or options.samples is None or options.dataset is None:
        raise GmganError("score: name a run, or both --samples PATH and --dataset NAME")
    from gmgan.commands import score_images

    rows, left_out = score_images.run(context, options.dataset, options.samples, options.extractor)
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("metric\tvalue\tn_fake\tn_real\tsplit\textractor")
    for row in rows:
        protocol = f"{row['n_fake']}\t{row['n_real']}\t{row['split']}\t{row['extractor']}"
        print(f"{row['metric']}\t{row['value']:.6g}\t{protocol}")


def _tradeoff(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    from gmgan.stages import tradeoff

    tradeoff.run(context, cell)


def _explore(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    from gmgan.stages import explore

    explore.run(context, cell)


def _cluster(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    if not grid.has_clusters(context.params, cell):
        raise GmganError(
            f"{cell.name} has no components to cluster by; choose an unsupervised GM-GAN with "
            "K above 1 on a data set with labels"
        )
    if options.images is not None:
        from gmgan.commands import cluster_images

        for name, component in cluster_images.run(context, cell, options.images):
            print(f"{name}\t{component}")
        return
    from gmgan.stages import cluster

    cluster.run(context, cell)


def _export(options):
    context = _context(options)
    cell = grid.parse_run(context.params, options.run)
    from gmgan.commands import export

    export.run(context, cell, options.out)
    print(options.out)


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

    report.run(context, _suite(options, context), options.processes)


def _settle(options):
    context = _context(options)
    from gmgan.pipeline import settle

    fitting, removed = settle.run(context, _suite(options, context), options.params)
    more = f"; {removed} of other params or code removed" if removed else ""
    print(f"{fitting} results fit params and code{more}")


def _list(options):
    params = load(options.params)
    suite = options.suite or params.suite
    paths = grid.Paths(options.results)
    for run in grid.suite_runs(params, suite):
        kimg = grid.settings(params, run).training.kimg
        print(f"{run.name}\t{kimg:g} kimg\t{_state(paths, run)}")


def _grid(options):
    context = _context(options)
    suite = _suite(options, context)
    from gmgan.pipeline import costs as cost

    costs, device = cost.run(context, suite, options.device, options.measure)
    print("\n".join(cost.lines(context, suite, costs, device)))


def _state(paths, run):
    """How far a run is: `-`, `trained`, `scored`, or why it failed."""
    if not paths.train_about(run).exists():
        return "-"
    status = read_json(paths.train_about(run))["status"]
    if status != "ok":
        return status
    return "scored" if paths.scores(run).exists() else "trained"
