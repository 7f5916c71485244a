"""Export a trained run as a folder that others can load: weights, configuration, model card."""

import json
from pathlib import Path

from gmgan.config import Run
from gmgan.errors import GmganError
from gmgan.exported import CARD, CONFIG, WEIGHTS
from gmgan.pipeline.artifacts import atomic_folder, read_arrays, read_json, write_arrays, write_text
from gmgan.stages.context import Context

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


def run(context: Context, cell: Run, out: Path):
    """Write the folder `out`. Raises GmganError for a run without usable weights."""
    status = context.status_of(cell)
    if status != "ok":
        raise GmganError(f"{cell.name} {status} in training: there is nothing to export")
    weights, about = read_arrays(context.paths.weights(cell))
    context.refuse_stale(context.paths.weights(cell), about, context.expected.train(cell))
    trained, data = read_json(context.paths.train_about(cell)), context.data_about(cell.dataset)
    config = {
        "settings": about["settings"],
        "sample_shape": [*data["sample_shape"][2:], *data["sample_shape"][:2]],  # channels first
        "classes": data["classes"],
        "fingerprint": about["fingerprint"],
    }
    with atomic_folder(out) as folder:
        write_arrays(folder / WEIGHTS, weights, {"run": cell.name})
        write_text(folder / CONFIG, json.dumps(config, indent=1) + "\n")
        write_text(folder / CARD, _card(context, cell, trained, data, out.name))


def _card(context, cell, trained, data, folder):
    host = trained["provenance"]["host"]
    return CARD_TEXT.format(
        title=context.params.models[cell.model].title,
        dataset_title=context.params.datasets[cell.dataset].title,
        run=cell.name,
        K=cell.K,
        seed=cell.seed,
        kimg=trained["kimg"],
        prior=trained["settings"]["prior"]["kind"],
        objective=trained["settings"]["objective"],
        count=data["train"]["count"],
        data=trained["data_sha256"],
        weights=trained["weights_sha256"],
        revision=trained["provenance"]["revision"] or "not in a git checkout",
        fingerprint=trained["fingerprint"],
        seconds=trained["seconds"],
        processor=host["processor"],
        device=trained["device"],
        scores=_scores(context, cell),
        folder=folder,
    )


def _scores(context, cell):
    path = context.paths.scores(cell)
    if not path.exists():
        return f"Not scored yet: `snakemake --cores 1 {path}`."
    scored = read_json(path)
    context.refuse_stale(path, scored, context.expected.scores(cell))
    lines = ["| metric | value | generated | real | split | extractor |"]
    lines.append("| --- | ---: | ---: | ---: | --- | --- |")
    for row in scored["scores"]:
        value = "" if row["value"] is None else f"{row['value']:.4g}"
        lines.append(
            f"| {row['metric']} | {value} | {row['n_fake']:,} | {row['n_real']:,} "
            f"| {row['split']} | {row['extractor']} |"
        )
    return "\n".join(lines)
