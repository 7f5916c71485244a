"""CPU seconds and accuracy of the classifiers that score and cluster, over seeds, on one core.

python -m benchmarks.classifiers extract DATA            the extractor, scored on held-out images
python -m benchmarks.classifiers cluster DATA SAMPLES..  a classifier of components, and k-means

DATA is a file of results/data, SAMPLES are samples.safetensors of runs with components, a seed
each. The settings are those of `classifier` and `mnist` in params.yaml. To compare two revisions,
run this file in the folder of each, in turns: PYTHONPATH=. python OTHER/benchmarks/classifiers.py
"""

import argparse
import statistics
import time
from collections import defaultdict
from pathlib import Path

import torch
import yaml
from safetensors.numpy import load_file

from gmgan.config.evaluation import ClassifierExtractor, Clustering
from gmgan.evaluation import clustering
from gmgan.evaluation.classifier import predict, train_classifier
from gmgan.evaluation.extractor import to_images

SEEDS = range(5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=["extract", "cluster"])
    parser.add_argument("data", type=Path)
    parser.add_argument("samples", type=Path, nargs="*")
    parser.add_argument("--seed", type=int, action="append", help="only this one")
    told = parser.parse_args()
    torch.set_num_threads(1)
    params = yaml.safe_load(Path("params.yaml").read_text())
    entry = ClassifierExtractor(**params["extractors"]["classifier"])
    settings = Clustering(**params["datasets"]["mnist"]["evaluation"]["clustering"])
    data = load_file(told.data)
    measured = defaultdict(list)
    for seed in told.seed or SEEDS:
        if told.task == "extract":
            row = extract(data, entry, seed)
        else:
            kimg = {"kimg": settings.kimg}
            generated = load_file(told.samples[seed])
            row = cluster(data, generated, entry.model_copy(update=kimg), settings, seed)
        for name, value in row.items():
            measured[name].append(value)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in row.items())
        print(f"seed {seed}: {shown}", flush=True)
    for name, values in measured.items():
        if len(values) > 1:
            print(f"{name}: {statistics.mean(values):.4g} ± {statistics.stdev(values):.2g}")


def extract(data, entry, seed):
    """The extractor, trained on the training split."""
    images, labels = to_images(data["train"], "cpu"), torch.from_numpy(data["train_labels"])
    started = time.process_time()
    net = train_classifier(images, labels, 10, entry, seed)
    seconds = time.process_time() - started
    guess = predict(net, to_images(data["test"], "cpu")).numpy()
    return {"seconds": seconds, "accuracy": (guess == data["test_labels"]).mean()}


def cluster(data, generated, entry, settings, seed):
    """A classifier of generated images sorts the held-out ones by component; so does k-means."""
    images = to_images(generated["samples"], "cpu")
    components = torch.from_numpy(generated["component"])
    started = time.process_time()
    net = train_classifier(images, components, 10, entry, seed)
    found = predict(net, to_images(data["test"], "cpu")).numpy()
    between = time.process_time()
    train = data["train"]
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).numpy()
    train = train[order[: getattr(settings, "kmeans_n", len(train))]]  # older revisions fit on all
    starts = settings.kmeans_starts
    by_kmeans = clustering.kmeans_clusters(train, data["test"], 10, seed, starts, None)
    ended = time.process_time()

    def acc(clusters):
        scores = clustering.clustering_scores(data["test_labels"], clusters, 10, 10)
        return scores["cluster_acc"]

    return {
        "seconds": between - started,
        "ACC": acc(found),
        "k-means seconds": ended - between,
        "k-means ACC": acc(by_kmeans),
    }


if __name__ == "__main__":
    main()
