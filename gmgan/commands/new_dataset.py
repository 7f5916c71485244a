"""Write the entry of a folder of images into params.yaml, with everything fitted to the data."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from gmgan.commands.inspection import Findings, inspect
from gmgan.config.loader import load
from gmgan.config.params import RESULT_FOLDERS, Params
from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import hash_file
from gmgan.pipeline.checks import suite_mistakes
from gmgan.pipeline.files import atomic_path

SMALL = 2000  # images; fewer hold out a larger share
TEST_FRACTIONS = (0.2, 0.1)
LARGEST = 32  # pixels, unless --size says otherwise
SIZES = (*range(8, 17), 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256)
FEATURE_DIMS = (128, 64, 32, 16)
LEAST_TRAIN = 6 * FEATURE_DIMS[-1]  # FID of half of them has three images per feature
LEAST_WITHOUT_CLASSES = 4100  # FID of half of them in Inception's 2,048 features
ENOUGH_PER_CLASS = 200  # training images (ours); scores of fewer are uncertain
MOST_NAMED = 20  # classes
LABELLED = ["gan", "acgan", "gmgan-supervised"]  # each with the baseline of its claims
UNLABELLED = ["gan", "gmgan-static"]

ENTRY = """\
{name}:
  title: {title}
  source:
    kind: images
    path: {path}{sha256}
    size: {size}
    colour: {colour}
    resize: {resize}{test_fraction}
    classes: {n_classes}{network}
  latent:
    dim: {latent_dim}
    c: 0.1
    sigma: 0.1
  training:
    kimg: {kimg:<16g}  # {epochs:.0f} epochs of {train} images
    batch_size: 64
    learning_rate: 2.0e-4
    beta1: 0.5
  evaluation:
    extractors: {extractor}
    split: train
    n_real: {n:<14}  # half of the training images: the floor compares both halves
    n_fake: {n}
    kid_subset_size: {kid}
    kid_subsets: 50
    sweep:
      n: {swept}
    clustering:
      classifier: {classifier}
      n_generated: {n_generated}
      kimg: {extractor_kimg:g}
"""
EXTRACTOR = """\
{classifier}:
  kind: classifier
  channels:{channels}
  feature_dim: {feature_dim}
  kimg: {extractor_kimg:<16g}  # {extractor_epochs:.0f} epochs
  batch_size: 64
  shift: {shift}
"""
SUITE = """\
{name}:
  title: {title}
  datasets: {name}
  models:{models}
  K: {K}
  seeds: 0-1
"""


def new_dataset(
    params_file: Path, path: Path, name: str | None, size: int | None, write: bool
) -> list[str]:
    """Add a data set, its extractor and a suite to `params_file`; returns what to tell the user.

    path: a folder or zip of images; name: of the entry, None for the folder's; size: of the square
    images, None for one that fits; write: False only shows the entry. Raises GmganError if the
    images or the name cannot be used; then nothing is written.
    """
    params = load(params_file)
    name = name or re.sub(r"[^a-z0-9]+", "-", path.resolve().stem.lower()).strip("-")
    _check_name(params, name)
    if not path.exists():
        raise GmganError(f"no {path}; name a folder or a zip of images")
    images, fraction = inspect(path, SMALL, TEST_FRACTIONS)
    values = _fitted(name, path, images, fraction, size)
    sections = {"datasets": ENTRY, "extractors": EXTRACTOR, "suites": SUITE}
    if images.counts.classes < 2:
        del sections["extractors"]
    texts = {section: text.format_map(values) for section, text in sections.items()}
    lines = [*_described(images, values), ""]
    if not write:
        shown = (f"{section}:\n{indent(text, '  ')}" for section, text in texts.items())
        return [*lines, *shown]
    with atomic_path(params_file) as temporary:
        temporary.write_text(with_entries(params_file.read_text(), texts))
        load(temporary, lambda params: suite_mistakes(params, name))
    more = "" if str(params_file) == "params.yaml" else f" params={params_file}"
    option = "" if str(params_file) == "params.yaml" else f"--params {params_file} "
    written = f"data set and suite '{name}'"
    if "extractors" in texts:
        written += f", extractor '{values['classifier']}'"
    return [
        *lines,
        f"written to {params_file}: {written}",
        "next:",
        f"  gmgan {option}cost --suite {name} --measure 5",
        f"  snakemake --cores all --config suite={name}{more} -- all",
    ]


def _check_name(params: Params, name: str) -> None:
    taken = name in params.datasets or name in params.suites
    if taken or f"classifier-{name}" in params.extractors:
        raise GmganError(f"params.yaml has an entry '{name}' already; choose another with --name")
    if name in RESULT_FOLDERS:
        text = f"'{name}' is a folder of results, beside which the suite would have its own"
        raise GmganError(f"{text}; choose another with --name")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        text = "names are lower-case letters, digits and hyphens"
        raise GmganError(f"--name: {text} (got {name!r})")


def _fitted(
    name: str, path: Path, images: Findings, fraction: float, size: int | None
) -> dict[str, object]:
    """The values of the entries. Raises GmganError for too few images."""
    train, labelled = images.counts.train, images.counts.classes > 1
    least = LEAST_TRAIN if labelled else LEAST_WITHOUT_CLASSES
    if train < least:
        classes = "" if labelled else " without classes, which are scored by Inception,"
        raise GmganError(
            f"{path} has {train} images for training; images{classes} need at least {least}"
        )
    if not images.counts.test:
        raise GmganError(f"{path} has no held-out images; put some into test/CLASS")
    chosen = size or _size(images)
    if chosen not in SIZES:
        raise GmganError(f"--size: networks exist for {', '.join(map(str, SIZES))} (got {chosen})")
    n = min(train // 2, 10_000)
    # Budgets (ours): minutes on two cores, and no extractor that learns the images by heart.
    kimg = min(max(20, train // 10), 600)
    extractor_kimg = min(max(12, round(0.06 * train)), 400, 0.15 * train)
    fits = images.sizes == {(chosen, chosen): images.sizes.total()}
    classifier = f"classifier-{name}" if labelled else "classifier"
    return {
        "name": name,
        "title": _scalar(f"{name}, {chosen} x {chosen}"),
        "path": _scalar(_place(path)),
        "sha256": "" if path.is_dir() else f"\n    sha256: {hash_file(path)}",
        "size": chosen,
        "colour": "grey" if images.grey else "rgb",
        "resize": "none" if fits else "crop",
        "test_fraction": "" if images.split else f"\n    test_fraction: {fraction}",
        "n_classes": images.counts.classes,
        "network": "" if chosen <= 16 else "\n  network: dcgan-small",
        "latent_dim": 32 if chosen <= 16 else 100,
        "kimg": kimg,
        "epochs": 1000 * kimg / train,
        "train": train,
        "extractor": classifier if labelled else "inception",
        "classifier": classifier,
        "n": n,
        "kid": min(n // 2, 1000),
        "swept": min(n, 2000) if labelled else n,
        "n_generated": 5000 if train < 5000 else 20_000,
        "extractor_kimg": extractor_kimg,
        "extractor_epochs": 1000 * extractor_kimg / train,
        "channels": _list([32, 64] if chosen <= 16 or images.grey else [32, 64, 128], 2),
        "feature_dim": next((d for d in FEATURE_DIMS if 3 * d <= n), FEATURE_DIMS[-1]),
        "shift": 1 if chosen <= 16 else 2,
        "models": _list(LABELLED if labelled else UNLABELLED, 2),
        "K": images.counts.classes if labelled else 10,
    }


def _size(images: Findings) -> int:
    """The largest size that fits the shorter sides of most images, up to LARGEST."""
    sides = sorted(min(size) for size, count in images.sizes.items() for _ in range(count))
    typical = min(sides[len(sides) // 2], LARGEST)
    return max((size for size in SIZES if size <= typical), default=SIZES[0])


def _place(path: Path) -> str:
    """The path as params.yaml names it: relative to the project where it lies inside."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _scalar(text: str) -> str:
    """A string in YAML, in quotes where it needs them."""
    return text if re.fullmatch(r"[A-Za-z][\w ,./-]*|[./][\w./-]+", text) else json.dumps(text)


def _list(items: list, columns: int) -> str:
    return "".join(f"\n{' ' * columns}- {item}" for item in items)


def _described(images: Findings, values: dict[str, object]) -> list[str]:
    """What was found, and what it means."""
    counts, total = images.counts, sum(images.classes.values())
    sizes = [f"{w} x {h}" for (w, h), _ in images.sizes.most_common(3)]
    others = len(images.sizes) - len(sizes)
    lines = [
        f"{total:,} images in {counts.classes} classes: {_named(images.classes)}",
        f"sizes: {', '.join(sizes)}{f' and {others} others' if others else ''}; "
        f"{'grey' if images.grey else 'colour'}; used at {values['size']} x {values['size']}",
        f"split: {counts.train:,} for training, {counts.test:,} held out "
        + ("as the folders say" if images.split else "by a hash of the file's name"),
    ]
    if values["resize"] == "crop":
        lines.append("note: images are scaled by their shorter side and cropped to a square")
    if max(min(size) for size in images.sizes) > 2 * int(str(values["size"])):
        lines.append(f"note: most detail is lost at {values['size']} pixels; see --size")
    lines += [
        f"note: {n} images of mode {mode}: transparent pixels become white, 16 bits become 8"
        for mode, n in images.lossy.items()
    ]
    few = {name: n for name, n in images.training.items() if n < ENOUGH_PER_CLASS}
    if few:
        lines.append(
            f"note: few training images ({_named(few)}): scores of so few are uncertain; a few "
            "hundred of each class make scores that mean something"
        )
    if images.duplicates:
        first, second = images.duplicates[0]
        lines.append(
            f"warning: {len(images.duplicates)} held-out images are nearly equal to training "
            f"images, such as {first} and {second}; scores on held-out images will be too good"
        )
    else:
        lines.append("near-duplicates between the splits: none")
    if counts.classes < 2:
        lines.append("note: one class: scored by Inception, whose weights are downloaded once")
    return lines


def _named(counts: Mapping[str, int]) -> str:
    """Classes with their numbers of images."""
    named = ", ".join(f"{name} {n}" for name, n in list(counts.items())[:MOST_NAMED])
    more = len(counts) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def with_entries(text: str, entries: Mapping[str, str]) -> str:
    """The text of a params file with an entry more at the end of some of its sections.

    entries: {section: text of the entry, without indentation}. Everything else stays as it is.
    """
    tree: Any = yaml.compose(text)
    lines = text.splitlines(keepends=True)
    sections = {key.value: value for key, value in tree.value}
    places = {}
    for section, entry in entries.items():
        node = sections.get(section)
        if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
            raise GmganError(f"{section} of the params file is no list of entries in block style")
        column = node.value[0][0].start_mark.column
        places[_last_line(node)] = indent(entry, " " * column)
    for line in sorted(places, reverse=True):
        lines[line] = lines[line].rstrip("\n") + "\n"
        lines.insert(line + 1, places[line])
    return "".join(lines)


def _last_line(node: yaml.Node) -> int:
    """The number, from 0, of the last line of a node's own text."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(_last_line(part) for pair in node.value for part in pair)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return max(map(_last_line, node.value))
    end = node.end_mark
    return end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line
