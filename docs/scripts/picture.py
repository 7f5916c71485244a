"""Picture of the README, from results/reference: python docs/scripts/picture.py.

Samples of the exported supervised GM-GAN, a component a row; the classes that the extractor sees in
the components of that run; quality against diversity of all models.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd

MODEL = "GM-GAN, supervised"
OUT = Path(__file__).parents[1] / "result.png"
REFERENCE = Path(__file__).parents[2] / "results" / "reference"
DATASET, SUITE, EXPORTED = "mnist-200", "mnist-reference", "mnist-supervised"


def draw() -> None:
    """Write OUT, 1,350 pixels wide."""
    tables = REFERENCE / SUITE / "tables"
    counts = pd.read_csv(tables / f"{DATASET}.components.csv")
    counts = counts[counts.title.str.startswith(MODEL)]
    counts = counts[counts.seed == counts.seed.min()]
    shares = counts.pivot(index="group", columns="class", values="count")
    shares = shares.loc[sorted(shares.index, key=int)]
    sweep = pd.read_csv(tables / f"{DATASET}.sweep.csv")
    means = sweep.pivot_table(index=["title", "sigma_scale"], columns="metric", values="mean")
    samples = plt.imread(REFERENCE / "models" / EXPORTED / "samples.png")

    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13.5, 4.4), layout="constrained")
    left.imshow(samples, cmap="grey")
    left.set(title=f"{MODEL}: a component a row", xticks=[], yticks=[])
    middle.imshow(shares.div(shares.sum(axis=1), axis=0), cmap="Blues", vmin=0, vmax=1)
    middle.set(title="class of its samples", xlabel="class", ylabel="component")
    names = [str(name).split(" ")[0] for name in shares.columns]  # "0 - zero"
    middle.set_xticks(range(shares.shape[1]), names)
    middle.set_yticks(range(shares.shape[0]), shares.index)
    for title, of in means.groupby("title", sort=False):
        of = of.droplevel(0)
        (line,) = right.plot(of.quality, of.diversity, "o-", ms=3, lw=1.2, label=title)
        right.plot(of.quality[1.0], of.diversity[1.0], "*", ms=11, color=line.get_color())
    right.set(
        title="as sigma_scale varies (star: as trained)", xlabel="quality", ylabel="diversity"
    )
    wide = means[means.index.get_level_values("sigma_scale") >= 0.5].diversity
    right.set_ylim(bottom=wide.min() - 0.01)  # smaller scales leave a normal prior with one image
    right.legend(frameon=False, fontsize=8)
    figure.savefig(OUT, dpi=100, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    draw()
