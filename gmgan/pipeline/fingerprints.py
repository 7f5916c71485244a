"""Fingerprints: a hash of everything that an artifact depends on, the code included.

A stage's fingerprint covers the parameters it reads, the fingerprints of what it takes as input,
and the source of exactly the modules that compute its result. Snakemake gets it as a rule
parameter, artifacts carry it, and the report refuses artifacts whose fingerprint is not the
expected one. Comments and docstrings do not count as code. The code of plug-ins counts like that of
this package, with the modules they import from the folder of params.yaml or from their own package.

Modules that only move settings and files about (`PLUMBING`) are left out: what they pass on is
hashed by value.
"""

import ast
import hashlib
import json
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from gmgan import data, models, plugins
from gmgan.config import Params, Run
from gmgan.errors import GmganError
from gmgan.pipeline.grid import extractor_id, has_clusters, settings, suite_runs

PLUMBING = frozenset(
    {
        "gmgan",
        "gmgan.errors",
        "gmgan.plugins",
        "gmgan.config.base",
        "gmgan.config.data",
        "gmgan.config.evaluation",
        "gmgan.config.loader",
        "gmgan.config.models",
        "gmgan.config.params",
        "gmgan.config.run",
        "gmgan.pipeline.artifacts",
        "gmgan.pipeline.grid",
        "gmgan.runtime.progress",
        "gmgan.pipeline.fingerprints",
        "gmgan.stages",
        "gmgan.stages.context",
        "gmgan.data",
        "gmgan.config",
        "gmgan.pipeline",
        "gmgan.training",
        "gmgan.runtime",
        "gmgan.models",
        "gmgan.models.networks",
        "gmgan.models.objectives",
        "gmgan.evaluation",
        "gmgan.report",
    }
)


def digest(*parts) -> str:
    """16 hexadecimal digits that identify JSON-like `parts`."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _file(module):
    """The file of a module's code, or None."""
    if module.partition(".")[0] != "gmgan":
        return plugins.find(module)
    base = Path(__file__).parents[2].joinpath(*module.split("."))
    path = base.with_suffix(".py") if base.with_suffix(".py").exists() else base / "__init__.py"
    return path if path.exists() else None


@cache
def _parse(module: str):
    """(hash of a module's code, modules it imports whose code counts); None if it has no file.

    Raises GmganError if the code is no Python.
    """
    path = _file(module)
    if path is None:
        return None
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
        imports = _imports(tree, package)
    except (SyntaxError, ValueError, ImportError) as error:
        line = getattr(error, "lineno", None) or 1
        raise GmganError(f"{path}:{line}: {getattr(error, 'msg', error)}") from error
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:] or [ast.Pass()]
    code = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return code, frozenset(name for name in imports if _counts(name, module))


def _imports(tree, package):
    """Names that a module of `package` may import; raises ImportError for `..` beyond the top."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            names |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return names


def _counts(name, importer):
    """True for modules of this package and, if a plug-in imports them, of the user's own code."""
    top, own = name.partition(".")[0], importer.partition(".")[0]
    return top == "gmgan" or (own != "gmgan" and (top == own or plugins.is_local(name)))


def module_closure(roots) -> tuple[str, ...]:
    """The modules that `roots` import, directly or not, as far as they count; no plumbing."""
    found, waiting = set(), list(roots)
    while waiting:
        module = waiting.pop()
        package = module.rpartition(".")[0]
        if package:
            waiting.append(package)
        if module in found or module in PLUMBING or _parse(module) is None:
            continue
        found.add(module)
        waiting.extend(_parse(module)[1])
    return tuple(sorted(found))


@cache
def code_hash(*roots: str) -> str:
    """Hash of the code of `roots` and of every module that they import, as far as it counts."""
    return digest([(name, _parse(name)[0]) for name in module_closure(roots)])


class Fingerprints:
    """The expected fingerprint of every artifact under the given params."""

    def __init__(self, params: Params):
        self.params = params
        self._known: dict[Run | tuple[str, str], str] = {}

    def data(self, source: str) -> str:
        """Of a prepared data set; `source` is the entry that owns the data."""
        entry = self.params.datasets[source].source
        reader = plugins.module_of(entry.kind, data.READERS)
        return digest("data", entry.model_dump(), code_hash("gmgan.stages.prepare", reader))

    def extractor(self, dataset: str, extractor: str) -> str:
        """Of an extractor's weights."""
        entry = self.params.extractors[extractor]
        settings_of_extractor = entry.model_dump(exclude={"weights"})
        trained_on = None
        if entry.kind == "classifier":
            trained_on = self.data(self.params.source_names[dataset])
        return digest(
            "extractor",
            extractor_id(self.params, dataset, extractor),
            trained_on,
            settings_of_extractor,
            code_hash("gmgan.stages.extractor"),
        )

    def real_features(self, dataset: str, extractor: str) -> str:
        """Of the features of a data set's real images."""
        evaluation = self.params.datasets[dataset].evaluation
        return digest(
            "real",
            self.data(self.params.source_names[dataset]),
            self.extractor(dataset, extractor),
            evaluation.split,
            evaluation.n_real,
            evaluation.n_fake,
            code_hash("gmgan.stages.features"),
        )

    def floor(self, dataset: str) -> str:
        """Of the real-against-real scores of a data set."""
        return digest("floor", self._score_inputs(dataset), self._own_metrics(dataset))

    def train(self, run: Run) -> str:
        """Of a run's weights."""
        if run not in self._known:
            resolved = settings(self.params, run)
            code = code_hash(
                "gmgan.stages.train",
                plugins.module_of(resolved.network.kind, models.NETWORKS),
                plugins.module_of(resolved.prior.kind, models.PRIORS),
                plugins.module_of(resolved.objective, models.OBJECTIVES),
            )
            self._known[run] = digest(
                "train",
                resolved.model_dump(mode="json"),
                self.data(self.params.source_names[run.dataset]),
                self.train(resolved.init_from) if resolved.init_from else None,
                code,
            )
        return self._known[run]

    def sample(self, run: Run) -> str:
        """Of a run's samples."""
        n_fake = self.params.datasets[run.dataset].evaluation.n_fake
        return digest("sample", self.train(run), n_fake, code_hash("gmgan.stages.sample"))

    def features(self, run: Run, extractor: str) -> str:
        """Of the features of a run's samples."""
        return digest(
            "features",
            self.sample(run),
            self.extractor(run.dataset, extractor),
            code_hash("gmgan.stages.features"),
        )

    def scores(self, run: Run) -> str:
        """Of a run's scores."""
        return digest(
            "scores",
            self.sample(run),
            self._score_inputs(run.dataset),
            self._own_metrics(run.dataset),
        )

    def tradeoff(self, run: Run) -> str:
        """Of a run's sweep of sigma_scale."""
        evaluation = self.params.datasets[run.dataset].evaluation
        return digest(
            "tradeoff",
            self.train(run),
            evaluation.sweep.model_dump(),
            self._score_inputs(run.dataset),
            code_hash("gmgan.stages.tradeoff"),
        )

    def clusters(self, run: Run) -> str:
        """Of a run's clustering of real samples."""
        settings = self.params.datasets[run.dataset].evaluation.clustering
        name = settings.classifier
        classifier = None if name is None else self.params.extractors.get(name)
        return digest(
            "clusters",
            self.train(run),
            settings.model_dump(),
            classifier and classifier.model_dump(),
            code_hash("gmgan.stages.cluster"),
        )

    def explore(self, run: Run) -> str:
        """Of what the report's explorer shows of a run."""
        scales = self.params.datasets[run.dataset].evaluation.sweep.sigma_scales
        return digest("explore", self.sample(run), scales, code_hash("gmgan.stages.explore"))

    def table(self, suite: str) -> str:
        """Of the score tables of a suite."""
        runs = suite_runs(self.params, suite)
        floors = [self.floor(name) for name in dict.fromkeys(run.dataset for run in runs)]
        parts = [(self.scores(run), self.tradeoff(run)) for run in runs]
        clusters = [self.clusters(run) for run in runs if has_clusters(self.params, run)]
        return digest("table", suite, parts, clusters, floors, code_hash("gmgan.stages.collect"))

    def report(self, suite: str) -> str:
        """Of the report of a suite."""
        folder = Path(__file__).parents[1] / "report"
        texts = sorted([*folder.glob("templates/*"), *folder.glob("*.yaml")])
        titles = [
            (name, entry.title)
            for section in ("datasets", "models", "suites")
            for name, entry in getattr(self.params, section).items()
        ]
        metrics = [
            entry.evaluation.model_dump(include={"metrics"})
            for entry in self.params.datasets.values()
        ]
        return digest(
            "report",
            self.table(suite),
            [self.explore(run) for run in suite_runs(self.params, suite)],
            titles,
            metrics,
            self.params.baselines,
            code_hash("gmgan.stages.report"),
            [hashlib.sha256(path.read_bytes()).hexdigest() for path in texts],
        )

    def _score_inputs(self, dataset):
        if ("scores of", dataset) not in self._known:
            entry = self.params.datasets[dataset]
            real = [self.real_features(dataset, name) for name in entry.evaluation.extractors]
            self._known["scores of", dataset] = digest(
                self.data(self.params.source_names[dataset]),
                real,
                entry.evaluation.model_dump(exclude={"sweep", "clustering", "metrics"}),
                code_hash("gmgan.stages.score"),
            )
        return self._known["scores of", dataset]

    def _own_metrics(self, dataset):
        """Of the scores of the user's own; None without any."""
        metrics = self.params.datasets[dataset].evaluation.metrics
        if not metrics:
            return None
        return digest(
            {name: (entry.kind, entry.options) for name, entry in metrics.items()},
            code_hash(*(plugins.module_of(entry.kind) for entry in metrics.values())),
        )
