"""Export a trained run as a folder that others can load: weights, configuration, model card."""

from pathlib import Path
from typing import Any

import yaml
from safetensors.numpy import save

from gmgan.commands.trained import TrainedRun, load_run
from gmgan.config.run import Run
from gmgan.evaluation.metrics import metric_of
from gmgan.exported import CARD, CONFIG, PICTURE, WEIGHTS
from gmgan.models.restore import channels_first
from gmgan.pipeline import grid
from gmgan.pipeline.files import atomic_folder, to_json, write_bytes, write_text
from gmgan.pipeline.runner import Runner

CARD_TEXT = """---
{metadata}---

# {model.title} on {dataset.title}

![Samples, a row per component or class]({picture})

Run `{run}` of the gmgan benchmark: K = {run.K}, seed {run.seed}, {record.kimg:g} thousand real \
images shown,
prior {model.prior.kind}, objective {model.objective.kind}.

- trained on: {dataset.title}, {data.train.count:,} samples, SHA-256 of the data \
`{record.data_sha256}`
- weights: SHA-256 `{record.weights_sha256}`; code revision `{revision}`; fingerprint \
`{stamp.fingerprint}`
- trained in {record.seconds:.0f} s on {stamp.provenance[host][processor]} ({record.device})

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
    run, params = runner.job("train", run=run_name).names["run"], runner.params
    trained = load_run(runner, run, "export")
    weights, stamp = runner.read("train", "weights", run=run), trained.record.stamp
    assert stamp is not None  # the runner stores one with every record
    config = {
        "settings": grid.settings(params, run).model_dump(mode="json"),
        "sample_shape": list(channels_first(trained.description.sample_shape)),
        "classes": trained.description.classes,
        "fingerprint": stamp.fingerprint,
    }
    card = CARD_TEXT.format(
        run=run,
        model=params.models[run.model],
        dataset=params.datasets[run.dataset],
        data=trained.description,
        record=trained.record,
        stamp=stamp,
        revision=stamp.provenance["revision"] or "not in a git checkout",
        scores=_scores(runner, run),
        picture=PICTURE,
        metadata=_metadata(runner, run, trained),
        folder=out.name,
    )
    with atomic_folder(out) as folder:
        write_bytes(folder / WEIGHTS, save(weights, metadata={"run": run_name}))
        write_text(folder / CONFIG, to_json(config))
        write_text(folder / CARD, card)
        write_bytes(folder / PICTURE, runner.read("train", "preview", run=run))


def _metadata(runner: Runner, run: Run, trained: TrainedRun) -> str:
    """The head of the card in the format of Hugging Face's hub: YAML, with a model index."""
    dataset = runner.params.datasets[run.dataset]
    images = len(trained.description.sample_shape) == 3
    task = {"type": "unconditional-image-generation"} if images else {"type": "other"}
    scored = runner.outputs(runner.job("score", run=run))["scores"].exists()
    rows = runner.read("score", "scores", run=run).scores if scored else []
    metrics = [
        {
            "type": row.metric,
            "value": row.value,
            "name": f"{metric_of(row.metric).label} ({row.n_fake:,} generated against "
            f"{row.n_real:,} real, split {row.split}, {row.extractor})",
        }
        for row in rows
        if row.value is not None
    ]
    about: dict[str, Any] = {
        "library_name": "gmgan",
        "tags": ["gan", "gaussian-mixture", "gm-gan", run.model],
        **({"pipeline_tag": task["type"]} if images else {}),
    }
    if metrics:
        of = {"name": dataset.title, "type": run.dataset}
        results = [{"task": task, "dataset": of, "metrics": metrics}]
        about["model-index"] = [{"name": run.name, "results": results}]
    return yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=1000)


def _scores(runner: Runner, run: Run) -> str:
    path = runner.outputs(runner.job("score", run=run))["scores"]
    if not path.exists():
        return f"Not scored yet: `snakemake --cores 1 {path}`."
    rows = [["metric", "value", "generated", "real", "split", "extractor"]]
    rows.append(["---", "---:", "---:", "---:", "---", "---"])
    for score in runner.read("score", "scores", run=run).scores:
        value = "" if score.value is None else f"{score.value:.4g}"
        counts = f"{score.n_fake:,}", f"{score.n_real:,}"
        rows.append([score.metric, value, *counts, score.split, score.extractor])
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
