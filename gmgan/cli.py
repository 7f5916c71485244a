"""The command line: one command per stage, and tasks by hand."""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from gmgan import __version__
from gmgan.config import load
from gmgan.errors import GmganError, unknown_name
from gmgan.pipeline import grid
from gmgan.pipeline.stage import Stage
from gmgan.pipeline.stages import STAGES

if TYPE_CHECKING:
    from gmgan.config.params import Params
    from gmgan.pipeline.runner import Runner

Function = TypeVar("Function", bound=Callable[..., Any])

RUN = "digits.gmgan-static.K10.s0"
EXAMPLE_KEY = {
    "run": RUN,
    "dataset": "digits",
    "extractor": "classifier-digits",
    "suite": "--suite mnist",
}
QUIET = ("list", "cost")  # their output is for programs: no line on time and memory
RENAMED = {"grid": "cost"}
# Options of earlier versions that are commands now: {old command: (its options, new command)}.
MOVED = {
    "sample": (("--component", "--sigma-scale", "--n", "--seed", "--format", "--out"), "draw"),
    "score": (("--samples", "--dataset", "--extractor", "--json"), "score-images"),
    "cluster": (("--images",), "cluster-images"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status (0, 2 for a mistake of the user)."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        status = commands.main(arguments, prog_name="gmgan", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except GmganError as error:
        print(f"gmgan: error: {error}", file=sys.stderr)
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("gmgan: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class State:
    """The global options, and the objects that are made from them."""

    def __init__(self, params_file: str, results: str):
        self.params_file, self.results = params_file, results

    @cached_property
    def params(self) -> "Params":
        """The validated params file."""
        return load(self.params_file)

    @cached_property
    def runner(self) -> "Runner":
        """The jobs of the project; libraries get the threads that params.yaml allows."""
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(self.params.execution.threads)
        from gmgan.pipeline.runner import Runner

        return Runner(self.params, self.results)

    def suite(self, name: str | None) -> str:
        """The suite that was asked for, or the one that params.yaml names."""
        suite = name or self.params.suite
        self.params.lookup("suites", suite)
        return suite


class Commands(click.Group):
    """Names the new spelling of old commands and options; prints time and memory of a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in RENAMED:
            raise GmganError(f"'gmgan {name}' is called 'gmgan {RENAMED[name]}' now")
        if self.get_command(ctx, name) is None:
            raise GmganError(unknown_name("command", name, self.list_commands(ctx)))
        options, command = MOVED.get(name, ((), ""))
        for option in args[1:]:
            if option.partition("=")[0] in options:
                raise GmganError(
                    f"{option.partition('=')[0]} is an option of 'gmgan {command}' now; see "
                    f"gmgan {command} --help"
                )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        started = time.monotonic()
        result = super().invoke(ctx)
        if ctx.invoked_subcommand not in QUIET:
            unit = 1024**2 if sys.platform == "darwin" else 1024
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
            seconds = time.monotonic() - started
            text = f"gmgan {ctx.invoked_subcommand}: {seconds:.1f} s, peak memory {peak:.0f} MiB"
            print(text, file=sys.stderr)
        return result


def _complete(names: Callable[["Params"], list[str]]) -> Callable[..., list[CompletionItem]]:
    """Completion of an argument by names in params.yaml."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list:
        root = ctx.find_root().params
        try:
            known = names(load(root.get("params_file") or "params.yaml"))
        except GmganError:
            return []
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]

    return complete


def _runs_of_all_suites(params: "Params") -> list[str]:
    runs = (run for suite in params.suites for run in grid.suite_runs(params, suite))
    return sorted({run.name for run in runs})


def _command(name: str, help: str, *examples: str) -> Callable[[Function], click.Command]:
    """A command with its examples under its help."""
    lines = "\n".join(f"  gmgan {name} {line}".rstrip() for line in examples)
    return commands.command(name, help=help, epilog=f"\b\nexamples:\n{lines}")


_run = click.argument("run", shell_complete=_complete(_runs_of_all_suites))
_dataset = click.argument("dataset", shell_complete=_complete(lambda params: [*params.datasets]))
_extractor = click.argument(
    "extractor", shell_complete=_complete(lambda params: [*params.extractors])
)
_suite = click.option(
    "--suite",
    metavar="NAME",
    help="default: the suite in params.yaml",
    shell_complete=_complete(lambda params: [*params.suites]),
)


@click.group(
    cls=Commands,
    help="Benchmark of Gaussian-mixture GANs. Each stage of the pipeline is a command; "
    "`snakemake --cores 2 all` runs them all in order.",
    epilog='Complete commands with TAB: eval "$(_GMGAN_COMPLETE=bash_source gmgan)" (or zsh).',
)
@click.version_option(__version__, prog_name="gmgan", message="%(prog)s %(version)s")
@click.option("--params", "params_file", default="params.yaml", metavar="FILE", show_default=True)
@click.option("--results", default="results", metavar="FOLDER", show_default=True)
@click.pass_context
def commands(ctx: click.Context, params_file: str, results: str) -> None:
    ctx.obj = State(params_file, results)


# --- stages ---------------------------------------------------------------------------------------


def _stage(stage: Stage, *examples: str) -> Callable[[Function], click.Command]:
    """A command for a stage of the page: its arguments are the parts of the stage's key."""

    def declare(function: Function) -> click.Command:
        for argument in reversed(_arguments(stage)):
            function = argument(function)
        first = " ".join(EXAMPLE_KEY[name] for name in _key_names(stage))
        return _command(stage.name.replace("_", "-"), stage.title, first, *examples)(function)

    return declare


def _key_names(stage: Stage) -> list[str]:
    """What the user names: data sets own sources, and an extractor's weights have two names."""
    names = {"source": ["dataset"], "extractor_id": ["dataset", "extractor"]}
    return [name for part in stage.per for name in names.get(part, [part])]


def _arguments(stage: Stage) -> list[Callable[[Any], Any]]:
    kinds = {"run": _run, "dataset": _dataset, "extractor": _extractor, "suite": _suite}
    return [kinds[name] for name in _key_names(stage)]


def _key(state: State, stage: Stage, given: dict[str, Any]) -> dict[str, Any]:
    """The parts of a stage's key from what the user named."""
    params, dataset = state.params, given.get("dataset", "")
    if dataset:
        params.lookup("datasets", dataset)
    parts: dict[str, Callable[[], Any]] = {
        "source": lambda: params.source_names[dataset],
        "extractor_id": lambda: grid.extractor_id(params, dataset, given["extractor"]),
        "suite": lambda: state.suite(given["suite"]),
    }
    return {name: parts.get(name, lambda name=name: given[name])() for name in stage.per}


def _add_stage(stage: Stage) -> None:
    @_stage(stage)
    @click.pass_obj
    def run_stage(state: State, **given: Any) -> None:
        state.runner.run(state.runner.job(stage.name, **_key(state, stage, given)))


for _each in STAGES.values():
    if _each.name not in ("train", "report"):  # they have options
        _add_stage(_each)


@_stage(STAGES["train"], f"{RUN} --dry-run", f"{RUN} --resume other.safetensors")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="CHECKPOINT",
    help="go on from this checkpoint; refused if its parameters differ",
)
@click.option("--dry-run", is_flag=True, help="print the resolved configuration and stop")
@click.pass_obj
def _train(state: State, run: str, resume: Path | None, dry_run: bool) -> None:
    runner = state.runner
    job = runner.job("train", run=run)
    if not dry_run:
        runner.run(job, resume)
        return
    settings, device = grid.settings(state.params, job.names["run"]), state.params.execution.device
    if settings.training.precision != "float32":
        from gmgan.runtime.torch_setup import slow_precision

        warning = slow_precision(settings.training.precision, device)
        if warning:
            print(f"gmgan: warning: {warning}", file=sys.stderr)
    configuration = {
        "settings": settings.model_dump(mode="json"),
        "fingerprint": runner.fingerprint(job),
        "device": device,
        "checkpoint": str(runner.checkpoint(job).path),
        "weights": str(runner.outputs(job)["weights"]),
    }
    print(json.dumps(configuration, indent=1))


@_stage(STAGES["report"])
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=os.cpu_count(),
    metavar="N",
    help="figures drawn at a time (default: one per core)",
)
@click.pass_obj
def _report(state: State, suite: str | None, processes: int) -> None:
    state.runner.processes = processes
    state.runner.run(state.runner.job("report", suite=state.suite(suite)))


# --- by hand --------------------------------------------------------------------------------------


@_command(
    "draw",
    "Draw samples of your choice from a trained run.",
    f"{RUN} --component 3 --sigma-scale 0.5",
    f"{RUN} --n 10000 --out samples.npz",
)
@_run
@click.option("--component", type=int, metavar="K", help="only this one (default: all)")
@click.option("--sigma-scale", type=float, default=1.0, metavar="S", help="factor on Sigma_k")
@click.option("--n", "count", type=int, default=100, show_default=True, metavar="N")
@click.option("--seed", type=int, default=0, show_default=True, metavar="SEED")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["png", "npz", "safetensors"]),
    help="default: as --out ends, else png, a folder of images",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="default: a name under results/drawn, printed",
)
@click.pass_obj
def _draw(state: State, run: str, out: Path | None, **choice: Any) -> None:
    from gmgan.commands.draw import Choice, draw

    print(draw(state.runner, run, Choice(**choice), out))


@_command(
    "score-images",
    "Score images that any other model made, as the runs of a data set are scored.",
    "images/ --dataset mnist",
    "images.npz --dataset mnist --json",
)
@click.argument("images", type=click.Path(path_type=Path))
@click.option(
    "--dataset",
    required=True,
    metavar="NAME",
    help="whose real images they are compared with",
    shell_complete=_complete(lambda params: [*params.datasets]),
)
@click.option("--extractor", metavar="NAME", help="default: the data set's first")
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of a table")
@click.pass_obj
def _score_images(
    state: State, images: Path, dataset: str, extractor: str | None, as_json: bool
) -> None:
    from gmgan.commands.score_images import score_images

    rows, left_out = score_images(state.runner, dataset, images, extractor)
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    print("metric\tvalue\tn_fake\tn_real\tsplit\textractor")
    for row in rows:
        protocol = f"{row['n_fake']}\t{row['n_real']}\t{row['split']}\t{row['extractor']}"
        print(f"{row['metric']}\t{row['value']:.6g}\t{protocol}")


@_command(
    "cluster-images", "Print the component of every image in a folder or file.", f"{RUN} photos/"
)
@_run
@click.argument("images", type=click.Path(path_type=Path))
@click.pass_obj
def _cluster_images(state: State, run: str, images: Path) -> None:
    from gmgan.commands.cluster_images import cluster_images

    for name, component in cluster_images(state.runner, run, images):
        print(f"{name}\t{component}")


@_command(
    "export",
    "Export a trained run as a folder with weights, configuration and model card.",
    f"{RUN} --out my-model",
)
@_run
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER")
@click.pass_obj
def _export(state: State, run: str, out: Path) -> None:
    from gmgan.commands.export import export

    export(state.runner, run, out)
    print(out)


@_command(
    "list", "List the runs of a suite, their budgets and how far they are.", "", "--suite mnist"
)
@_suite
@click.pass_obj
def _list(state: State, suite: str | None) -> None:
    runner = state.runner
    for run in grid.suite_runs(state.params, state.suite(suite)):
        kimg = grid.settings(state.params, run).training.kimg
        print(f"{run}\t{kimg:g} kimg\t{runner.state_of(run)}")


@_command(
    "settle",
    "Let Snakemake trust results from elsewhere that fit params and code.",
    "",
    "--suite mnist",
)
@_suite
@click.pass_obj
def _settle(state: State, suite: str | None) -> None:
    from gmgan.pipeline.settle import settle

    fitting, removed = settle(state.runner, state.suite(suite), state.params_file)
    more = f"; {removed} of other params or code removed" if removed else ""
    print(f"{fitting} results fit params and code{more}")


def _positive_seconds(ctx: click.Context, option: click.Parameter, value: float | None) -> Any:
    if value is not None and not 0 < value < float("inf"):
        raise GmganError(f"--measure: expected a positive number of seconds, got {value:g}")
    return value


@_command(
    "cost",
    "Print what a suite costs before it runs: jobs, files, core-hours, GPU-hours.",
    "--suite paper",
    "--suite paper --measure 10",
    "--suite paper --device cuda",
)
@_suite
@click.option(
    "--measure",
    type=float,
    metavar="SECONDS",
    callback=_positive_seconds,
    help="where no run was timed yet, train so long on random data and time that",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="take speeds measured on this (default: what execution.device means here)",
)
@click.pass_obj
def _cost(state: State, suite: str | None, measure: float | None, device: str | None) -> None:
    from gmgan.pipeline.costs import costs_of, describe

    name = state.suite(suite)
    costs, device = costs_of(state.runner, name, device, measure)
    print("\n".join(describe(state.runner, name, costs, device)))
