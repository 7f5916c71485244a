"""The command line: one command per stage, and tasks by hand."""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem
from threadpoolctl import threadpool_limits

from gmgan import __version__
from gmgan.config.loader import load
from gmgan.errors import GmganError, unknown_name
from gmgan.pipeline import grid
from gmgan.pipeline.stage import Scope, Stage
from gmgan.pipeline.stages import STAGES
from gmgan.runtime.lifetime import end_with

if TYPE_CHECKING:
    from gmgan.commands.clusterings import Row
    from gmgan.config.params import Params
    from gmgan.pipeline.runner import Runner

Function = TypeVar("Function", bound=Callable[..., Any])

RUN = "digits.gmgan-static.K10.s0"
SUITE = "--suite mnist"
EXAMPLES = {"run": RUN, "dataset": "digits", "extractor": "classifier-digits", "suite": SUITE}
PATH = click.Path(path_type=Path)
QUIET = ("list", "cost", "power")  # their output is for programs: no line on time and memory
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
    if "GMGAN_SNAKEMAKE" in os.environ:
        end_with(int(os.environ["GMGAN_SNAKEMAKE"]))
    try:
        status = commands.main(arguments, prog_name="gmgan", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except GmganError as error:
        print(f"gmgan: error: {error}", file=sys.stderr)
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MemoryError as error:
        print(f"gmgan: error: not enough memory {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        print("gmgan: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class State:
    """The global options, and the objects that are made from them."""

    def __init__(self, params_file: str, results: str, set_aside: bool):
        self.params_file, self.results, self.set_aside = params_file, results, set_aside

    @cached_property
    def params(self) -> "Params":
        """The validated params file."""
        return load(self.params_file)

    @cached_property
    def runner(self) -> "Runner":
        """The jobs of the project; libraries get the threads that params.yaml allows."""
        threads = self.params.execution.threads
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(threads)
        from gmgan.pipeline.runner import Runner

        threadpool_limits(threads)  # NumPy is loaded already and does not read the variables again
        return Runner(
            self.params, self.results, params_file=self.params_file, set_aside=self.set_aside
        )

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
        for option in (argument.partition("=")[0] for argument in args[1:]):
            if option in options:
                moved = f"{option} is an option of 'gmgan {command}' now"
                raise GmganError(f"{moved}; see gmgan {command} --help")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        started = time.monotonic()
        result = super().invoke(ctx)
        if ctx.invoked_subcommand not in QUIET:
            unit = 1024**2 if sys.platform == "darwin" else 1024
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
            cost = f"{time.monotonic() - started:.1f} s, peak memory {peak:.0f} MiB"
            print(f"gmgan {ctx.invoked_subcommand}: {cost}", file=sys.stderr)
        return result


def _complete(names: Callable[["Params"], Iterable[str]]) -> Callable[..., list[CompletionItem]]:
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


_complete_dataset = _complete(lambda params: params.datasets)


def _run_with_changes(function: Function) -> Function:
    """The argument `run`, and `--set` for other values of its parameters: another run."""

    @click.argument("run", shell_complete=_complete(_runs_of_all_suites))
    @click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="PARAMETER=VALUE",
        help="the run with another value, for example latent.sigma=0.2; may be repeated",
    )
    @wraps(function)
    def changed(*positional: Any, run: str, changes: tuple[str, ...], **names: Any) -> Any:
        context = click.get_current_context()
        if Path(run).is_dir() and (changes or context.info_name != "draw"):
            _refuse_folder(context.obj.params, run, context.info_name, bool(changes))
        if changes:
            run = grid.with_changes(context.obj.params, run, changes).name
            print(f"run {run}", file=sys.stderr)
        return function(*positional, run=run, **names)

    return cast(Function, changed)


def _refuse_folder(params: "Params", name: str, command: str | None, varied: bool) -> None:
    """Raise GmganError where a name is a folder's and no run's."""
    try:
        grid.parse_run(params, name)
    except GmganError as error:
        text = "an exported model cannot be varied; name a run of results/runs"
        needed = f"gmgan {command} needs a run of results/runs, by its name"
        raise GmganError(f"{name} is a folder; {text if varied else needed}") from error


NAMES: dict[str, Callable[[Function], Function]] = {  # what the user names, as arguments
    "run": _run_with_changes,
    "dataset": click.argument("dataset", shell_complete=_complete_dataset),
    "extractor": click.argument(
        "extractor", shell_complete=_complete(lambda params: params.extractors)
    ),
    "suite": click.option(
        "--suite",
        metavar="NAME",
        help="default: the suite in params.yaml",
        shell_complete=_complete(lambda params: params.suites),
    ),
}


def _command(
    name: str, help: str, names: Sequence[str], *examples: str
) -> Callable[[Function], click.Command]:
    """A command on what `names` (keys of NAMES) stand for, with its examples under its help."""
    lines = "\n".join(f"  gmgan {name} {line}".rstrip() for line in examples)

    def declare(function: Function) -> click.Command:
        for each in reversed(names):
            function = NAMES[each](function)
        return commands.command(name, help=help, epilog=f"\b\nexamples:\n{lines}")(function)

    return declare


@click.group(
    cls=Commands,
    help="Benchmark of Gaussian-mixture GANs. Each stage of the pipeline is a command; "
    "`snakemake --cores 2 all` runs them all in order.",
    epilog='Complete commands with TAB: eval "$(_GMGAN_COMPLETE=bash_source gmgan)" (or zsh).',
)
@click.version_option(__version__, prog_name="gmgan", message="%(prog)s %(version)s")
@click.option("--params", "params_file", default="params.yaml", metavar="FILE", show_default=True)
@click.option("--results", default="results", metavar="FOLDER", show_default=True)
@click.option(
    "--set-aside",
    is_flag=True,
    help="rename what a stage finds damaged or out of date, so that Snakemake makes it again "
    "(Snakemake's jobs do this)",
)
@click.pass_context
def commands(ctx: click.Context, params_file: str, results: str, set_aside: bool) -> None:
    ctx.obj = State(params_file, results, set_aside)


# --- stages ---------------------------------------------------------------------------------------


def _stage(stage: Stage, *examples: str) -> Callable[[Function], click.Command]:
    """A command for a stage of the page; the user names what its key is made of."""
    first = " ".join(EXAMPLES[name] for name in stage.asks)
    return _command(stage.name.replace("_", "-"), stage.title, stage.asks, first, *examples)


def _add_stage(stage: Stage) -> None:
    @_stage(stage)
    @click.pass_obj
    def run_stage(state: State, **names: Any) -> None:
        if "run" in names:
            names["run"] = grid.parse_run(state.params, names["run"])
        if "suite" in names:
            names["suite"] = state.suite(names["suite"])
        key = stage.key(Scope.of(state.params, names))
        key_names = dict(zip(stage.per, key, strict=True))
        state.runner.run(state.runner.job(stage.name, **key_names))
        if stage.name in ("score", "floor"):
            (output,) = stage.writes
            for score in state.runner.read(stage.name, output, **key_names).scores:
                print(
                    f"{score.signature}\t{score.value:.6g}", *filter(None, [score.flag]), sep="\t"
                )


for _each in STAGES.values():
    if _each.name not in ("train", "report"):  # they have options
        _add_stage(_each)


@_stage(
    STAGES["train"],
    f"{RUN} --dry-run",
    f"{RUN} --set latent.sigma=0.2",
    f"{RUN} --resume other.safetensors",
)
@click.option(
    "--resume",
    type=PATH,
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

        if warning := slow_precision(settings.training.precision, device):
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
    "Draw samples of your choice from a trained run, or from a folder that 'gmgan export' wrote.",
    ["run"],
    f"{RUN} --component 3 --sigma-scale 0.5",
    f"{RUN} --n 10000 --out samples.npz",
    "results/reference/models/mnist-supervised --n 10000 --out digits.npz",
)
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
    "--out", type=PATH, metavar="PATH", help="default: a name under results/drawn, printed"
)
@click.pass_obj
def _draw(state: State, run: str, out: Path | None, **choice: Any) -> None:
    from gmgan.commands.draw import Choice, draw

    print(draw(state.runner, run, Choice(**choice), out))


@_command(
    "score-images",
    "Score images that any other model made, as the runs of a data set are scored.",
    [],
    "images/ --dataset mnist",
    "images.npz --dataset mnist --json",
)
@click.argument("images", type=PATH)
@click.option(
    "--dataset",
    required=True,
    metavar="NAME",
    help="whose real images they are compared with",
    shell_complete=_complete_dataset,
)
@click.option("--extractor", metavar="NAME", help="default: the data set's first")
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of a table")
@click.pass_obj
def _score_images(
    state: State, images: Path, dataset: str, extractor: str | None, as_json: bool
) -> None:
    from gmgan.commands.score_images import score_images

    rows, remarks = score_images(state.runner, dataset, images, extractor)
    for remark in remarks:
        print(f"gmgan: {remark}", file=sys.stderr)
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    columns = ("metric", "value", "spread", "signature", "flag")
    print(*columns, sep="\t")
    for row in rows:
        spread = "" if row["spread"] is None else f"{row['spread']:.2g}"
        shown = {**row, "value": f"{row['value']:.6g}", "spread": spread}
        print(*(shown[name] for name in columns), sep="\t")


@_command(
    "cluster-images",
    "Print the component of every image in a folder or file.",
    ["run"],
    f"{RUN} photos/",
)
@click.argument("images", type=PATH)
@click.pass_obj
def _cluster_images(state: State, run: str, images: Path) -> None:
    from gmgan.commands.cluster_images import cluster_images

    for name, component in cluster_images(state.runner, run, images):
        print(f"{name}\t{component}")


@_command(
    "cluster-rivals",
    "Cluster the images of a data set without a GAN: k-means, Gaussian mixture, autoencoder.",
    ["dataset"],
    "digits",
    "mnist --runs 1 > rivals.tsv",
)
@click.option("--K", "n_clusters", type=click.IntRange(min=2), default=10, show_default=True)
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="seeds")
@click.pass_obj
def _cluster_rivals(state: State, dataset: str, n_clusters: int, runs: int) -> None:
    from gmgan.commands.cluster_rivals import cluster_rivals

    _print_clusterings(cluster_rivals(state.runner, dataset, n_clusters, runs))


@_command(
    "cluster-consensus",
    "Cluster the images of a data set by the components of several runs together.",
    [],
    "digits.gmgan-static.K10.s0 digits.gmgan-static.K10.s1 digits.gmgan-static.K10.s2",
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.pass_obj
def _cluster_consensus(state: State, runs: tuple[str, ...]) -> None:
    from gmgan.commands.cluster_consensus import cluster_consensus

    _print_clusterings(cluster_consensus(state.runner, runs))


def _print_clusterings(rows: "Iterable[Row]") -> None:
    from gmgan.commands.clusterings import COLUMNS

    for number, row in enumerate(rows):
        if number == 0:  # what the data do not allow is said before
            print(*COLUMNS, sep="\t")
        method, seed, K, *scores = astuple(row)
        numbers = (f"{score:.4f}" for score in scores)
        print(method, "" if seed is None else seed, K, *numbers, sep="\t", flush=True)


@_command(
    "export",
    "Export a trained run as a folder with weights, configuration and model card.",
    ["run"],
    f"{RUN} --out my-model",
)
@click.option("--out", type=PATH, required=True, metavar="FOLDER")
@click.pass_obj
def _export(state: State, run: str, out: Path) -> None:
    from gmgan.commands.export import export

    export(state.runner, run, out)
    print(out)


@_command(
    "verify",
    "Make a run again from nothing, in a scratch folder, and compare it with the stored one.",
    ["run"],
    RUN,
)
@click.pass_obj
def _verify(state: State, run: str) -> int:
    from gmgan.commands.verify import other_machine, verify

    files, differing = 0, 0
    for path, equal in verify(state.runner, run):
        print(f"{'equal' if equal else 'DIFFERS'}\t{path}", flush=True)
        files, differing = files + 1, differing + (not equal)
    print(f"{files - differing} of {files} files are equal")
    if differing and (reason := other_machine(state.runner, run)):
        print(f"stored on another machine or with other libraries: {reason}")
    return int(differing > 0)


@_command(
    "new-dataset",
    "Look at a folder or zip of images, and add a data set and a suite for it to params.yaml.",
    [],
    "photos/",
    "photos.zip --name cats-and-dogs --size 64",
)
@click.argument("images", type=PATH)
@click.option("--name", metavar="NAME", help="of the new entries (default: the folder's)")
@click.option("--size", type=int, metavar="PIXELS", help="default: what fits, at most 32")
@click.option("--dry-run", is_flag=True, help="print the entries and write nothing")
@click.pass_obj
def _new_dataset(
    state: State, images: Path, name: str | None, size: int | None, dry_run: bool
) -> None:
    from gmgan.commands.new_dataset import new_dataset

    print("\n".join(new_dataset(Path(state.params_file), images, name, size, not dry_run)))


@_command(
    "keep",
    "Copy page, scores, tables and figures of a finished suite, to be committed.",
    ["suite"],
    SUITE,
    f"{SUITE} --out published",
)
@click.option("--out", type=PATH, metavar="FOLDER", help="default: results/reference/SUITE")
@click.option("--only-scores", is_flag=True, help="no page, tables and figures")
@click.pass_obj
def _keep(state: State, suite: str | None, out: Path | None, only_scores: bool) -> None:
    from gmgan.commands.keep import keep

    print(keep(state.runner, state.suite(suite), out, only_scores))


@_command(
    "crate",
    "Pack a finished suite as an RO-Crate, for publication.",
    ["suite"],
    "--out my-results",
    "--suite mnist --out mnist --weights",
)
@click.option("--out", type=PATH, required=True, metavar="FOLDER")
@click.option("--weights", is_flag=True, help="with the weights of every run")
@click.pass_obj
def _crate(state: State, suite: str | None, out: Path, weights: bool) -> None:
    from gmgan.commands.crate import crate
    from gmgan.pipeline.provenance import web_address

    crate(state.runner, state.suite(suite), out, weights)
    if web_address() is None:
        missing = "the specification asks for the web address of the program, and git knows none"
        print(f"gmgan: warning: {missing} (git remote add origin https://...)", file=sys.stderr)
    print(out)


@_command(
    "list", "List the runs of a suite, their budgets and how far they are.", ["suite"], "", SUITE
)
@click.pass_obj
def _list(state: State, suite: str | None) -> None:
    runner = state.runner
    for run in grid.suite_runs(state.params, state.suite(suite)):
        kimg = grid.settings(state.params, run).training.kimg
        print(f"{run}\t{kimg:g} kimg\t{runner.state_of(run)}")


@_command(
    "compare",
    "Say what changed between two suites, two revisions, or a suite and reference results.",
    [],
    "mnist-reference reference/mnist-reference",
    "HEAD~1:reference/mnist-reference reference/mnist-reference",
)
@click.argument("a")
@click.argument("b")
@click.pass_obj
def _compare(state: State, a: str, b: str) -> None:
    from gmgan.commands.compare import compare_results

    print("\n".join(compare_results(state.runner, a, b)))


@_command(
    "settle",
    "Let Snakemake trust results from elsewhere that fit params and code.",
    ["suite"],
    "",
    SUITE,
    "--accept-versions",
)
@click.option(
    "--accept-versions",
    is_flag=True,
    help="accept results that other versions of libraries made, from now on",
)
@click.pass_obj
def _settle(state: State, suite: str | None, accept_versions: bool) -> None:
    from gmgan.pipeline import settle

    if accept_versions:
        for accepted in settle.accept_versions(state.runner, state.suite(suite)):
            print(f"accepted: {accepted}")
    fitting, removed, other = settle.settle(state.runner, state.suite(suite), state.params_file)
    more = f"; {removed} of other params or code removed" if removed else ""
    if other:
        more += f"; {other} of other versions of libraries: --accept-versions keeps them"
    print(f"{fitting} results fit params and code{more}")


@_command(
    "cost",
    "Print what a suite costs before it runs: jobs, files, core-hours, GPU-hours.",
    ["suite"],
    "--suite paper",
    "--suite paper --measure 10",
    "--suite paper --device cuda",
)
@click.option(
    "--measure",
    type=float,
    metavar="SECONDS",
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


@_command(
    "power",
    "Print what a suite can decide: power of its comparisons, and the seeds that would decide.",
    ["suite"],
    "",
    SUITE,
    "--simulate 400",
)
@click.option(
    "--simulate",
    type=click.IntRange(min=1),
    metavar="N",
    help="print error rates, power and coverage of the tests, from N simulated families, instead",
)
@click.pass_obj
def _power(state: State, suite: str | None, simulate: int | None) -> None:
    if simulate is not None:
        from gmgan.report.simulation import as_markdown

        print(as_markdown(simulate), end="")
        return
    from gmgan.commands.power import power

    for line in power(state.runner, state.suite(suite)):
        print(line)
