"""The page of stages: what each stage reads and writes, its settings, function and needs.

    prepare -> extractor -> real_features -> floor
    prepare -> train -> sample -> features -> score
               train -> tradeoff, cluster, explore        (all of these -> collect, report)

From this page follow the files and fingerprints of the Snakemake rules, the commands, the check
that an input is up to date (runner.py), `gmgan settle`, `gmgan list` and the costs (graph.py and
its users). stage.py explains the types, gmgan/records.py the records.
"""

from gmgan import data, models, plugins, records
from gmgan.config import settings
from gmgan.config.evaluation import ClassifierExtractor
from gmgan.data.splits import Splits
from gmgan.evaluation.settings import ScoringSettings, SweepSettings, scoring_settings
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import Arrays, Folder, Json, Picture, Plain, Text
from gmgan.pipeline.stage import (
    Needs,
    Reads,
    Ref,
    Scope,
    Stage,
    each_dataset,
    each_extractor,
    each_run,
    of_parent,
)

# --- data sets ------------------------------------------------------------------------------------

prepare = Stage(
    name="prepare",
    title="Prepare a data set.",
    per=("source",),
    writes=dict(
        data=Arrays("data/{source}.safetensors", Splits),
        description=Json("data/{source}.json", records.DataDescription, {"sha256": "data"}),
    ),
    settings=lambda at: settings.PrepareSettings(
        source=at.entry.source, class_shares=at.entry.class_shares
    ),
    compute="gmgan.data.prepare:prepare",
    code=lambda of: [plugins.module_of(of.source.kind, data.READERS)],
    sources=lambda at: [path] if (path := getattr(at.entry.source, "path", None)) else [],
    handles=("archives",),
    needs=Needs(memory_mb=4000, minutes=60),
)


def _extractor_settings(at: Scope) -> settings.ExtractorSettings:
    entry = at.params.lookup("extractors", at.extractor)
    trained = isinstance(entry, ClassifierExtractor)
    return settings.ExtractorSettings(source=at.source if trained else None, extractor=entry)


def _to_train_on(output: str, at: Scope) -> Ref | None:
    """The data that the pipeline trains an extractor on; None for other extractors."""
    return prepare[output](at) if _extractor_settings(at).source else None


def _has_images(at: Scope) -> bool:
    return not at.entry.is_points


NO_IMAGES = "the data set holds points, which are scored in data space; choose one of images"

extractor = Stage(
    name="extractor",
    title="Make a feature extractor of a data set.",
    per=("extractor_id",),
    applies=_has_images,
    otherwise=NO_IMAGES,
    reads=dict(
        data=lambda at: _to_train_on("data", at),
        description=lambda at: _to_train_on("description", at),
    ),
    writes=dict(
        weights=Arrays("extractors/{extractor_id}.safetensors", dict),
        description=Json(
            "extractors/{extractor_id}.json", records.ExtractorDescription, {"hash": "weights"}
        ),
    ),
    settings=_extractor_settings,
    unhashed=frozenset({"weights"}),
    compute="gmgan.evaluation.extractor:extractor",
    local_files=lambda at: [getattr(_extractor_settings(at).extractor, "weights", None)],
    handles=("archives", "device"),
    needs=Needs(memory_mb=4000, minutes=120, gpu=True),
)

real_features = Stage(
    name="real_features",
    title="Extract features of real images.",
    per=("dataset", "extractor"),
    applies=_has_images,
    otherwise=NO_IMAGES,
    reads=dict(
        data=prepare["data"], weights=extractor["weights"], extractor=extractor["description"]
    ),
    writes=dict(features=Arrays("real/{dataset}.{extractor}.safetensors", records.RealFeatures)),
    settings=lambda at: settings.RealFeatureSettings(dataset=at.dataset),
    compute="gmgan.evaluation.features:real_features",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=120, gpu=True),
)

REAL: Reads = dict(  # what scores compare with
    data=prepare["data"],
    real=each_extractor(real_features["features"]),
    extractors=each_extractor(extractor["description"]),
)


def _scoring(at: Scope) -> ScoringSettings:
    return scoring_settings(at.dataset, at.entry, at.run)


def _own_metrics(scoring: ScoringSettings) -> list[str]:
    return [plugins.module_of(metric.kind) for metric in scoring.metrics.values()]


floor = Stage(
    name="floor",
    title="Score real samples against other real samples.",
    per=("dataset",),
    reads=REAL,
    writes=dict(floor=Json("real/{dataset}.floor.json", records.Floor)),
    settings=_scoring,
    compute="gmgan.evaluation.score:floor",
    code=_own_metrics,
    needs=Needs(memory_mb=8000, minutes=60),
)

# --- runs -----------------------------------------------------------------------------------------

train: Stage = Stage(
    name="train",
    title="Train a run, going on from its checkpoint.",
    per=("run",),
    reads=dict(
        data=prepare["data"],
        description=prepare["description"],
        parent=lambda at: of_parent(train["weights"], at),
        parent_record=lambda at: of_parent(train["record"], at),
    ),
    writes=dict(
        weights=Arrays("runs/{run}/weights.safetensors", dict),
        history=Text("runs/{run}/history.csv"),
        snapshots=Arrays("runs/{run}/snapshots.safetensors", records.Snapshots),
        preview=Picture("runs/{run}/grid.png"),
        record=Json("runs/{run}/train.json", records.TrainingRecord, {"weights_sha256": "weights"}),
    ),
    settings=lambda at: at.run_settings,
    compute="gmgan.training.train:train",
    code=lambda run: [
        plugins.module_of(run.network.kind, models.NETWORKS),
        plugins.module_of(run.prior.kind, models.PRIORS),
        plugins.module_of(run.objective.kind, models.OBJECTIVES),
        *(plugins.module_of(each.kind, models.PENALTIES) for each in run.penalties),
        *(plugins.module_of(each.kind, models.AUXILIARY) for each in run.auxiliary),
    ],
    handles=("device", "checkpoint", "checkpoint_seconds", "threads"),
    needs=Needs(
        memory_mb=4000,
        # enough for 150 images per second, and at least half an hour
        minutes=lambda at: int(max(30, at.run_settings.training.kimg * 1000 / 150 / 60)),
        gpu=True,
    ),
)

TRAINED: Reads = dict(
    weights=train["weights"], record=train["record"], description=prepare["description"]
)

sample = Stage(
    name="sample",
    title="Draw the samples that a run is scored on (others: gmgan draw).",
    per=("run",),
    reads=TRAINED,
    writes=dict(samples=Arrays("runs/{run}/samples.safetensors", records.Generated)),
    settings=lambda at: settings.SampleSettings(
        run=at.run_settings, n_fake=at.entry.evaluation.n_fake
    ),
    compute="gmgan.evaluation.generate:generate",
    handles=("device",),
    needs=Needs(memory_mb=4000, minutes=60, gpu=True),
)

features = Stage(
    name="features",
    title="Extract features of a run's samples.",
    per=("run", "extractor"),
    applies=_has_images,
    otherwise=NO_IMAGES,
    reads=dict(
        samples=sample["samples"],
        weights=extractor["weights"],
        extractor=extractor["description"],
    ),
    writes=dict(features=Arrays("runs/{run}/features.{extractor}.safetensors", records.Features)),
    settings=lambda at: settings.FeatureSettings(run=at.the_run, extractor=at.extractor),
    compute="gmgan.evaluation.features:features",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=120, gpu=True),
)

score = Stage(
    name="score",
    title="Score a run's samples (any other images: gmgan score-images).",
    per=("run",),
    reads=dict(
        samples=sample["samples"],
        snapshots=train["snapshots"],
        features=each_extractor(features["features"]),
        floor=floor["floor"],
        **REAL,
    ),
    writes=dict(scores=Json("runs/{run}/scores.json", records.Scores)),
    settings=_scoring,
    compute="gmgan.evaluation.score:score",
    code=_own_metrics,
    needs=Needs(memory_mb=8000, minutes=120),
)

tradeoff = Stage(
    name="tradeoff",
    title="Score a run over a sweep of sigma_scale.",
    per=("run",),
    reads=dict(**TRAINED, **REAL, extractor_weights=each_extractor(extractor["weights"])),
    writes=dict(points=Json("runs/{run}/tradeoff.json", records.Tradeoff)),
    settings=lambda at: SweepSettings(
        run=at.run_settings,
        scoring=_scoring(at).model_copy(update={"metrics": {}}),  # metrics of the user's own
        sweep=at.entry.evaluation.sweep,
    ),
    compute="gmgan.evaluation.sweep:sweep",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=240, gpu=True),
)


def _component_classifier(at: Scope) -> ClassifierExtractor | None:
    entry = at.params.extractors.get(at.entry.evaluation.clustering.classifier or "")
    return entry if isinstance(entry, ClassifierExtractor) else None


cluster = Stage(
    name="cluster",
    title="Cluster held-out samples by a run's components.",
    per=("run",),
    applies=lambda at: grid.has_clusters(at.params, at.the_run),
    otherwise="it has no components to cluster by; choose an unsupervised GM-GAN with K above 1 on "
    "a data set with labels",
    reads=dict(**TRAINED, data=prepare["data"]),
    writes=dict(clusters=Json("runs/{run}/clusters.json", records.Clusters)),
    settings=lambda at: settings.ClusterSettings(
        run=at.run_settings,
        clustering=at.entry.evaluation.clustering,
        classifier=_component_classifier(at),
    ),
    compute="gmgan.evaluation.cluster:cluster",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=120, gpu=True),
)

explore = Stage(
    name="explore",
    title="Draw what the report's explorer shows of a run.",
    per=("run",),
    reads=dict(**TRAINED, samples=sample["samples"], data=prepare["data"]),
    writes=dict(explored=Arrays("runs/{run}/explore.safetensors", records.Explored)),
    settings=lambda at: settings.ExploreSettings(
        run=at.run_settings, sigma_scales=at.entry.evaluation.sweep.sigma_scales
    ),
    compute="gmgan.evaluation.explore:explore",
    handles=("device",),
    needs=Needs(memory_mb=8000, minutes=60, gpu=True),
)

# --- suites ---------------------------------------------------------------------------------------

NUMBERS: Reads = dict(
    scores=each_run(score["scores"]),
    tradeoffs=each_run(tradeoff["points"]),
    clusters=each_run(cluster["clusters"]),
    trained=each_run(train["record"]),
    floors=each_dataset(floor["floor"]),
)

collect = Stage(
    name="collect",
    title="Gather a suite's scores into scores.csv.",
    per=("suite",),
    reads=NUMBERS,
    writes=dict(
        scores=Text("scores.csv"), tradeoff=Text("tradeoff.csv"), metrics=Plain("metrics.json")
    ),
    settings=lambda at: settings.TableSettings(
        suite=at.suite, runs=at.runs, parameters=grid.parameters(at.params, at.runs)
    ),
    compute="gmgan.report.collect:collect",
    needs=Needs(memory_mb=1000, minutes=30),
)


def _report_settings(at: Scope) -> settings.ReportSettings:
    trained = {run.model for run in at.runs}
    used = trained | {at.params.models[name].baseline for name in trained}
    return settings.ReportSettings(
        suite=at.suite,
        title=at.params.suites[at.suite].title,
        runs=at.runs,
        parameters=grid.parameters(at.params, at.runs),
        compared=grid.baseline_runs(at.params, at.runs),
        resolved=grid.resolved_models(at.params, at.runs),
        datasets={run.dataset: at.params.datasets[run.dataset] for run in at.runs},
        models={name: model for name, model in at.params.models.items() if name in used},
    )


report = Stage(
    name="report",
    title="Write the page of a suite, its tables and figures.",
    per=("suite",),
    reads=dict(
        **NUMBERS,
        histories=each_run(train["history"]),
        snapshots=each_run(train["snapshots"]),
        previews=each_run(train["preview"]),
        samples=each_run(sample["samples"]),
        explored=each_run(explore["explored"]),
        data=each_dataset(prepare["data"]),
        descriptions=each_dataset(prepare["description"]),
        extractors=each_dataset(each_extractor(extractor["description"])),
    ),
    writes=dict(
        tables=Folder("tables"),
        figures=Folder("figures"),
        explorer=Folder("explorer"),
        page=Text("report.html"),
    ),
    settings=_report_settings,
    compute="gmgan.report.report:report",
    folder="gmgan.report",
    handles=("processes", "provenance"),
    needs=Needs(memory_mb=2000, minutes=30),
)

STAGES = {stage.name: stage for stage in list(vars().values()) if isinstance(stage, Stage)}
