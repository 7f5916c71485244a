"""The page of stages: what each stage reads and writes, its settings, function and needs.

    prepare -> extractor -> real_features -> floor
    prepare -> train -> sample -> features -> score
               train -> sweep, cluster, explore           (all of these -> collect, report)

From this page follow the files and fingerprints of the Snakemake rules, the check that an input is
up to date (runner.py), `gmgan settle`, `gmgan list` and the costs (graph.py and its users).
stage.py explains the types used here, gmgan/records.py the records.
"""

from collections.abc import Iterable

from gmgan import data, models, plugins
from gmgan.config import settings as of
from gmgan.config.evaluation import ClassifierExtractor, Extractor
from gmgan.config.run import Run
from gmgan.data.splits import Splits
from gmgan.evaluation.settings import ScoringSettings, SweepSettings, scoring_settings
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import Arrays, Folder, Json, Picture, Plain, Text
from gmgan.pipeline.stage import (
    Needs,
    Scope,
    Stage,
    each_dataset,
    each_extractor,
    each_run,
    of_parent,
)
from gmgan.records import (
    Clusters,
    DataDescription,
    Explored,
    ExtractorDescription,
    Features,
    Floor,
    Generated,
    RealFeatures,
    Scores,
    Snapshots,
    Tradeoff,
    TrainingRecord,
)

# --- data sets ------------------------------------------------------------------------------------

prepare = Stage(
    name="prepare",
    title="Prepare a data set.",
    per=("source",),
    local_files=lambda at: _paths(getattr(at.entry.source, "path", None)),
    writes={
        "data": Arrays("data/{source}.safetensors", Splits),
        "description": Json("data/{source}.json", DataDescription, {"sha256": "data"}),
    },
    settings=lambda at: at.entry.source,
    compute="gmgan.data.prepare:prepare",
    code=lambda source: [plugins.module_of(source.kind, data.READERS)],
    handles=("archives",),
    needs=Needs(memory_mb=4000, minutes=60),
)

extractor = Stage(
    name="extractor",
    title="Make a feature extractor of a data set.",
    per=("extractor_id",),
    reads={
        "data": lambda at: prepare["data"](at) if _is_trained(at) else None,
        "description": lambda at: prepare["description"](at) if _is_trained(at) else None,
    },
    local_files=lambda at: _paths(getattr(_extractor_entry(at), "weights", None)),
    writes={
        "weights": Arrays("extractors/{extractor_id}.safetensors", dict),
        "description": Json(
            "extractors/{extractor_id}.json", ExtractorDescription, {"hash": "weights"}
        ),
    },
    settings=lambda at: of.ExtractorSettings(
        source=at.source if _is_trained(at) else None, extractor=_extractor_entry(at)
    ),
    unhashed=frozenset({"weights"}),
    compute="gmgan.evaluation.extractor:extractor",
    handles=("archives", "device"),
    needs=Needs(memory_mb=4000, minutes=120, gpu=True),
)

real_features = Stage(
    name="real_features",
    title="Extract features of real images.",
    per=("dataset", "extractor"),
    reads={
        "data": prepare["data"],
        "weights": extractor["weights"],
        "extractor": extractor["description"],
    },
    writes={"features": Arrays("real/{dataset}.{extractor}.safetensors", RealFeatures)},
    settings=lambda at: of.RealFeatureSettings(
        dataset=at.dataset,
        split=at.entry.evaluation.split,
        n_real=at.entry.evaluation.n_real,
        n_fake=at.entry.evaluation.n_fake,
    ),
    compute="gmgan.evaluation.features:real_features",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=120, gpu=True),
)

floor = Stage(
    name="floor",
    title="Score real samples against other real samples.",
    per=("dataset",),
    reads={
        "data": prepare["data"],
        "real": each_extractor(real_features["features"]),
        "extractors": each_extractor(extractor["description"]),
    },
    writes={"floor": Json("real/{dataset}.floor.json", Floor)},
    settings=lambda at: _scoring(at),
    code=lambda settings: _own_metrics(settings),
    compute="gmgan.evaluation.score:floor",
    needs=Needs(memory_mb=8000, minutes=60),
)

# --- runs -----------------------------------------------------------------------------------------

train: Stage = Stage(
    name="train",
    title="Train a run, going on from its checkpoint.",
    per=("run",),
    reads={
        "data": prepare["data"],
        "description": prepare["description"],
        "parent": lambda at: of_parent(train["weights"])(at),
        "parent_record": lambda at: of_parent(train["record"])(at),
    },
    writes={
        "weights": Arrays("runs/{run}/weights.safetensors", dict),
        "history": Text("runs/{run}/history.csv"),
        "snapshots": Arrays("runs/{run}/snapshots.safetensors", Snapshots),
        "preview": Picture("runs/{run}/grid.png"),
        "record": Json("runs/{run}/train.json", TrainingRecord, {"weights_sha256": "weights"}),
    },
    settings=lambda at: at.run_settings,
    code=lambda settings: [
        plugins.module_of(settings.network.kind, models.NETWORKS),
        plugins.module_of(settings.prior.kind, models.PRIORS),
        plugins.module_of(settings.objective, models.OBJECTIVES),
    ],
    compute="gmgan.training.train:train",
    handles=("device", "checkpoint", "checkpoint_seconds", "threads"),
    # enough for 150 images per second, and at least half an hour
    needs=Needs(memory_mb=4000, minutes=lambda at: _training_minutes(at), gpu=True),
)

sample = Stage(
    name="sample",
    title="Draw the samples that a run is scored on (others: gmgan draw).",
    per=("run",),
    reads={
        "weights": train["weights"],
        "record": train["record"],
        "description": prepare["description"],
    },
    writes={"samples": Arrays("runs/{run}/samples.safetensors", Generated)},
    settings=lambda at: of.SampleSettings(run=at.run_settings, n_fake=at.entry.evaluation.n_fake),
    compute="gmgan.evaluation.generate:generate",
    handles=("device",),
    needs=Needs(memory_mb=4000, minutes=60, gpu=True),
)

features = Stage(
    name="features",
    title="Extract features of a run's samples.",
    per=("run", "extractor"),
    reads={
        "samples": sample["samples"],
        "weights": extractor["weights"],
        "extractor": extractor["description"],
    },
    writes={"features": Arrays("runs/{run}/features.{extractor}.safetensors", Features)},
    settings=lambda at: of.FeatureSettings(run=at.the_run, extractor=at.extractor),
    compute="gmgan.evaluation.features:features",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=120, gpu=True),
)

score = Stage(
    name="score",
    title="Score a run's samples (any other images: gmgan score-images).",
    per=("run",),
    reads={
        "samples": sample["samples"],
        "snapshots": train["snapshots"],
        "features": each_extractor(features["features"]),
        "data": prepare["data"],
        "real": each_extractor(real_features["features"]),
        "extractors": each_extractor(extractor["description"]),
    },
    writes={"scores": Json("runs/{run}/scores.json", Scores)},
    settings=lambda at: _scoring(at),
    code=lambda settings: _own_metrics(settings),
    compute="gmgan.evaluation.score:score",
    needs=Needs(memory_mb=8000, minutes=120),
)

tradeoff = Stage(
    name="tradeoff",
    title="Score a run over a sweep of sigma_scale.",
    per=("run",),
    reads={
        "weights": train["weights"],
        "record": train["record"],
        "data": prepare["data"],
        "description": prepare["description"],
        "real": each_extractor(real_features["features"]),
        "extractor_weights": each_extractor(extractor["weights"]),
        "extractors": each_extractor(extractor["description"]),
    },
    writes={"points": Json("runs/{run}/tradeoff.json", Tradeoff)},
    settings=lambda at: SweepSettings(
        run=at.run_settings, scoring=_scoring(at), sweep=at.entry.evaluation.sweep
    ),
    compute="gmgan.evaluation.sweep:sweep",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=240, gpu=True),
)

cluster = Stage(
    name="cluster",
    title="Cluster held-out samples by a run's components.",
    per=("run",),
    applies=lambda at: grid.has_clusters(at.params, at.the_run),
    otherwise="it has no components to cluster by; choose an unsupervised GM-GAN with K above 1 on "
    "a data set with labels",
    reads={
        "weights": train["weights"],
        "record": train["record"],
        "data": prepare["data"],
        "description": prepare["description"],
    },
    writes={"clusters": Json("runs/{run}/clusters.json", Clusters)},
    settings=lambda at: of.ClusterSettings(
        run=at.run_settings,
        clustering=at.entry.evaluation.clustering,
        classifier=_clustering_classifier(at),
    ),
    compute="gmgan.evaluation.cluster:cluster",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=120, gpu=True),
)

explore = Stage(
    name="explore",
    title="Draw what the report's explorer shows of a run.",
    per=("run",),
    reads={
        "weights": train["weights"],
        "record": train["record"],
        "samples": sample["samples"],
        "data": prepare["data"],
        "description": prepare["description"],
    },
    writes={"explored": Arrays("runs/{run}/explore.safetensors", Explored)},
    settings=lambda at: of.ExploreSettings(
        run=at.run_settings, sigma_scales=at.entry.evaluation.sweep.sigma_scales
    ),
    compute="gmgan.evaluation.explore:explore",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=60, gpu=True),
)

# --- suites ---------------------------------------------------------------------------------------

_NUMBERS = {
    "scores": each_run(score["scores"]),
    "tradeoffs": each_run(tradeoff["points"]),
    "clusters": each_run(cluster["clusters"]),
    "trained": each_run(train["record"]),
    "floors": each_dataset(floor["floor"]),
}

collect = Stage(
    name="collect",
    title="Gather a suite's scores into results/scores.csv.",
    per=("suite",),
    reads=_NUMBERS,
    writes={
        "scores": Text("scores.csv"),
        "tradeoff": Text("tradeoff.csv"),
        "metrics": Plain("metrics.json"),
    },
    settings=lambda at: of.TableSettings(suite=at.suite, runs=_runs(at)),
    compute="gmgan.report.collect:collect",
    needs=Needs(memory_mb=1000, minutes=30),
)

report = Stage(
    name="report",
    title="Write results/report.html.",
    per=("suite",),
    reads={
        **_NUMBERS,
        "histories": each_run(train["history"]),
        "snapshots": each_run(train["snapshots"]),
        "previews": each_run(train["preview"]),
        "samples": each_run(sample["samples"]),
        "explored": each_run(explore["explored"]),
        "data": each_dataset(prepare["data"]),
        "descriptions": each_dataset(prepare["description"]),
        "extractors": each_dataset(each_extractor(extractor["description"])),
    },
    writes={
        "tables": Folder("tables"),
        "figures": Folder("figures"),
        "page": Text("report.html"),
    },
    settings=lambda at: _report(at),
    compute="gmgan.report.report:report",
    folder="gmgan.report",
    handles=("processes", "provenance"),
    needs=Needs(memory_mb=2000, minutes=30),
)

STAGES = {stage.name: stage for stage in list(vars().values()) if isinstance(stage, Stage)}


# --- settings -------------------------------------------------------------------------------------


def _runs(at: Scope) -> list[Run]:
    return grid.suite_runs(at.params, at.suite)


def _scoring(at: Scope) -> ScoringSettings:
    return scoring_settings(at.dataset, at.entry, at.run)


def _own_metrics(settings: ScoringSettings) -> Iterable[str]:
    return [plugins.module_of(metric.kind) for metric in settings.metrics.values()]


def _extractor_entry(at: Scope) -> Extractor:
    return at.params.lookup("extractors", at.extractor)


def _clustering_classifier(at: Scope) -> ClassifierExtractor | None:
    entry = at.params.extractors.get(at.entry.evaluation.clustering.classifier or "")
    return entry if isinstance(entry, ClassifierExtractor) else None


def _is_trained(at: Scope) -> bool:
    """True if the pipeline trains the extractor."""
    return _extractor_entry(at).kind == "classifier"


def _training_minutes(at: Scope) -> int:
    return int(max(30, at.run_settings.training.kimg * 1000 / 150 / 60))


def _paths(path: str | None) -> list[str]:
    return [path] if path else []


def _report(at: Scope) -> of.ReportSettings:
    params, runs = at.params, _runs(at)
    trained = {run.model for run in runs}
    used = trained | {params.models[name].baseline for name in trained} - {None}
    return of.ReportSettings(
        suite=at.suite,
        title=params.suites[at.suite].title,
        runs=runs,
        datasets={name: params.datasets[name] for name in dict.fromkeys(r.dataset for r in runs)},
        models={name: model for name, model in params.models.items() if name in used},
    )
