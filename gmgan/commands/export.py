"""Export a trained run as a folder that others can load: weights, configuration, model card."""

from pathlib import Path

from safetensors.numpy import save

from gmgan.commands.trained import TrainedRun, load_run
from gmgan.config.run import Run
from gmgan.exported import CARD, CONFIG, WEIGHTS
from gmgan.models.restore import channels_first
from gmgan.pipeline import grid
from gmgan.pipeline.files import atomic_folder, to_json, write_bytes, write_text
from gmgan.pipeline.runner import Runner

CARD_TEXT = """# {title} on {dataset_title}

Run `{run}` of the gmgan benchmark: K = {K}, seed {seed}, {kimg:g} thousand real images shown,
prior {prior}, objective {objective}.

- trained on: {dataset_title}, {count:,} samples, SHA-256 of the data `{data}`
- weights: SHA-256 `{weights}`; code revision `{revision}`; fingerprint `{fingerprint}`
- trained in {seconds:.0f} s on {processor} ({device})

## Scores

{scores}

## Load it

```python
from gmgan.exported import load

model = load("{folder}")
images, components, classes = model.sample(16, component=0, sigma_scale=1.0, seed=0)
```

`model.model.generator`, `.discriminator` and `.prior` are torch modules. Images come as uint8,
N x H x W x C.
"""


def export(runner: Runner, run_name: str, out: Path) -> None:
    """Write the folder `out`. Raises GmganError for a run without usable weights."""
    run = runner.job("train", run=run_name).names["run"]
    trained = load_run(runner, run, "export")
    weights = runner.read("train", "weights", run=run)
    stamp = trained.record.stamp
    config = {
        "settings": grid.settings(runner.params, run).model_dump(mode="json"),
        "sample_shape": list(channels_first(trained.description.sample_shape)),
        "classes": trained.description.classes,
        "fingerprint": stamp.fingerprint if stamp else None,
    }
    card = _card(runner, run, trained, out.name)
    with atomic_folder(out) as folder:
        write_bytes(folder / WEIGHTS, save(weights, metadata={"run": run_name}))
        write_text(folder / CONFIG, to_json(config))
        write_text(folder / CARD, card)


def _card(runner: Runner, run: Run, trained: TrainedRun, folder: str) -> str:
    record, settings = trained.record, grid.settings(runner.params, run)
    assert record.stamp is not None
    provenance = record.stamp.provenance
    return CARD_TEXT.format(
        title=runner.params.models[run.model].title,
        dataset_title=runner.params.datasets[run.dataset].title,
        run=run.name,
        K=run.K,
        seed=run.seed,
        kimg=record.kimg,
        prior=settings.prior.kind,
        objective=settings.objective,
        count=trained.description.train.count,
        data=record.data_sha256,
        weights=record.weights_sha256,
        revision=provenance["revision"] or "not in a git checkout",
        fingerprint=record.stamp.fingerprint,
        seconds=record.seconds,
        processor=provenance["host"]["processor"],
        device=record.device,
        scores=_scores(runner, run),
        folder=folder,
    )


def _scores(runner: Runner, run: Run) -> str:
    path = runner.outputs(runner.job("score", run=run))["scores"]
    if not path.exists():
        return f"Not scored yet: `snakemake --cores 1 {path}`."
    lines = ["| metric | value | generated | real | split | extractor |"]
    lines.append("| --- | ---: | ---: | ---: | --- | --- |")
    for score in runner.read("score", "scores", run=run).scores:
        value = "" if score.value is None else f"{score.value:.4g}"
        lines.append(
            f"| {score.metric} | {value} | {score.n_fake:,} | {score.n_real:,} "
            f"| {score.split} | {score.extractor} |"
        )
    return "\n".join(lines)
