"""Score failures made on purpose of real digits, and write the table into docs/metrics.md.

python docs/scripts/failures.py
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from marked import with_part
from scipy.ndimage import gaussian_filter

from gmgan.config.loader import load
from gmgan.data.splits import Splits
from gmgan.evaluation.extractors import extract, load_extractor
from gmgan.evaluation.flags import flagged
from gmgan.evaluation.metrics import METRICS, metric_of
from gmgan.evaluation.reference import real_images, reference_of
from gmgan.evaluation.samples import Samples, by_member
from gmgan.evaluation.score import score_samples
from gmgan.evaluation.settings import scoring_settings
from gmgan.pipeline.runner import Runner
from gmgan.records import Score

PAGE = Path(__file__).parents[1] / "metrics.md"
COMMAND = "python docs/scripts/failures.py"
REAL = "held-out images"
N = 300


def failures(data: Splits, order: np.ndarray) -> dict[str, np.ndarray]:
    """Failures by name, each N images, made of held-out ones; `order` as in the reference."""
    rng = np.random.default_rng(0)
    real, labels = data.test[:N], data.test_labels
    one_each = [data.train[data.train_labels == label][0] for label in range(10)]
    return {
        REAL: real,
        "one image per class": np.repeat(one_each, N // 10, axis=0),
        "blurred": gaussian_filter(real.astype(float), (0, 0.8, 0.8, 0)).round().astype(np.uint8),
        "memorised": data.train[order[:N]],
        "class 3 dropped": data.test[labels != 3][:N],
        "noise": rng.integers(0, 256, real.shape, np.uint8),
    }


def scored(runner: Runner, dataset: str) -> dict[str, dict[str, Score]]:
    """{failure: {metric: its score}} by the data set's first extractor, whose files exist."""
    entry = runner.params.datasets[dataset]
    inputs, settings = (
        runner.inputs(runner.job("floor", dataset=dataset)),
        scoring_settings(dataset, entry),
    )
    subsets = min(settings.kid_subset_size, N // 2)
    settings = settings.model_copy(update={"kid_subset_size": subsets})
    data, name = inputs["data"], settings.extractors[0]
    description = inputs["extractors"][name]
    source = runner.params.source_names[dataset]
    weights = runner.read("extractor", "weights", extractor_id=f"{source}.{name}")
    net = load_extractor(description, weights)
    members = real_images(name, data, inputs["real"][name], description, settings)
    cut = reference_of(data, settings)
    results = {}
    for failure, images in failures(data, cut.order).items():
        fakes = by_member(Samples(images, *extract(net, images, "cpu")), len(members))
        scores = score_samples(fakes, [cut.reference(m) for m in members], settings, METRICS)
        results[failure] = {score.metric: score for score in flagged(scores)}
    return results


def as_markdown(results: Mapping[str, Mapping[str, Score]]) -> str:
    """A row per metric, a column per failure; * where a note stands beside the number."""
    rows = [["score", *results], ["---", *["---:"] * len(results)]]
    for name in results[REAL]:
        digits = metric_of(name).digits
        cells = [scores[name] for scores in results.values()]
        texts = (f"{s.value:.{digits}f}{' *' if s.flag else ''}" for s in cells)
        rows.append([f"`{name}`", *texts])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    params = load(PAGE.parents[1] / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(params, folder)
        runner.run(runner.job("prepare", source="digits"))
        runner.run(runner.job("extractor", extractor_id="digits.classifier-digits"))
        names = {"dataset": "digits", "extractor": "classifier-digits"}
        runner.run(runner.job("real_features", **names))
        table = as_markdown(scored(runner, "digits"))
    PAGE.write_text(with_part(PAGE.read_text(), COMMAND, table))


if __name__ == "__main__":
    main()
