"""Mutated files through the loader and the readers: a result, or one short line for each mistake.

GMGAN_TORTURE=1 tries 1,000 files of parameters and 500 inputs; `-s` prints what came of them. The
examples are the same every time.
"""

import faulthandler
import os
import random
import resource
import shutil
import sys
import time
from collections import Counter
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save_file

from gmgan.config.data import ImagesSource
from gmgan.config.loader import load
from gmgan.data import images
from gmgan.data.archives import Archives
from gmgan.data.loose import read_loose
from gmgan.errors import GmganError
from gmgan.pipeline import grid
from gmgan.pipeline.artifacts import Arrays, Damaged, Json, Picture, Text
from gmgan.pipeline.checkpoints import CheckpointFile
from gmgan.pipeline.graph import Graph
from gmgan.records import Generated, Score, Scores

LONG = bool(os.environ.get("GMGAN_TORTURE"))
SECONDS, MEGABYTES = 10, 2000  # at most
TEXT = (ROOT / "params.yaml").read_text()


def examples(count, long_count):
    return settings(
        max_examples=long_count if LONG else count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def watched(outcomes):
    """Counts outcomes. Fails for a long or empty message, above SECONDS and above MEGABYTES."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True, file=sys.__stderr__)
    try:
        yield
        outcomes["accepted"] += 1
    except (GmganError, Damaged) as error:
        lines = str(error).split("\n")
        assert all(0 < len(line) <= 300 for line in lines), lines
        outcomes["refused"] += 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert time.monotonic() - started < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES


# --- params.yaml ----------------------------------------------------------------------------------

NUMBERS = (0, -1, 1, 7, 2**31, 2**70, 10**30, 0.5, -0.0, 1e300, 1e-320, float("inf"), float("nan"))
TEXTS = ("", " ", "a\nb", "x" * 5000, "=1+1", "none", "normal", "gan", "digits", "a:b", "os:system")
VALUES = st.one_of(
    st.sampled_from(
        [*NUMBERS, *TEXTS, True, None, [], {}, [[]], {"kind": "a:b"}, {"extends": "gan"}]
    ),
    st.lists(st.sampled_from([*NUMBERS, *TEXTS]), max_size=4),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
)
LINES = (
    "more: &a [*a]\n",
    "more: " + "[" * 5000 + "\n",
    "<<: *x\n",
    "? [a]\n: b\n",
    "more: !!python/object:os.system x\n",
    "more: 2001-99-99\n",
    "\t- x\n",
    "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\na: &a [*b{i}, *b{i}]\n" for i in range(40)),
)


def places(node, above=()):
    """{path: value} of all values of a nested mapping."""
    found = {}
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        found[*above, key] = value
        if isinstance(value, dict | list):
            found |= places(value, (*above, key))
    return found


TREE = yaml.safe_load(TEXT)
PLACES = places(TREE)
COUNTS = [place for place, value in PLACES.items() if isinstance(value, int | float)]


def with_values(changes):
    """The text of params.yaml with other values at some places."""
    tree = deepcopy(TREE)
    for place, value in changes:
        node = tree
        for key in place[:-1]:
            try:
                node = node[key]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(node, dict) or (isinstance(node, list) and place[-1] in range(len(node))):
                node[place[-1]] = value
    return yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False).encode()


def mutate(content, seed, count):
    """Bytes with some flipped, cut out, repeated or inserted."""
    rng, content = random.Random(seed), bytearray(content)
    for _ in range(count):
        at, size = rng.randrange(len(content) + 1), rng.choice((1, 1, 4, 100))
        match rng.randrange(5):
            case 0 if at < len(content):
                content[at] ^= 1 << rng.randrange(8)
            case 1:
                del content[at : at + size]
            case 2:
                content[at:at] = content[at : at + size] * rng.choice((1, 2, 50))
            case 3:
                content[at : at + size] = rng.choice((b"\0", b"\xff")) * size
            case 4:
                content[at:at] = rng.randbytes(size)
    return bytes(content)


def with_line(at, line):
    lines = TEXT.splitlines(keepends=True)
    return "".join([*lines[:at], line, *lines[at:]]).encode()


PARAMS = st.one_of(
    st.builds(
        with_values, st.lists(st.tuples(st.sampled_from([*PLACES]), VALUES), min_size=1, max_size=3)
    ),
    st.builds(with_values, st.lists(st.tuples(st.sampled_from(COUNTS), st.integers(1, 50)))),
    st.builds(mutate, st.just(TEXT.encode()), st.integers(0), st.integers(1, 4)),
    st.builds(with_line, st.integers(0, TEXT.count("\n")), st.sampled_from(LINES)),
)


def test_mutated_params(tmp_path):
    path, outcomes = tmp_path / "params.yaml", Counter()

    @examples(80, 1000)
    @given(PARAMS)
    def check(content):
        path.write_bytes(content)
        with watched(outcomes):
            params = load(path)
            for run in grid.suite_runs(params, params.suite):
                grid.settings(params, run)
            graph = Graph(params)
            for job in graph.jobs(params.suite):
                graph.fingerprint(job)

    check()
    print(f"mutated params.yaml: {dict(outcomes)}")
    assert outcomes["accepted"] and outcomes["refused"]


# --- readers --------------------------------------------------------------------------------------

STAMP = {"fingerprint": "f", "provenance": {}, "files": {}}
RNG = np.random.default_rng(0)
SAMPLES = RNG.integers(0, 256, (4, 8, 8, 3), np.uint8)
JSON, ARRAYS = Json("x", Scores), Arrays("x", Generated)
SHAPE = (8, 8, 3)


def one_image(path):
    return read_loose(path.parent, SHAPE)


def archive(path):
    source = ImagesSource(kind="images", path=str(path), size=8)
    return images.read(source, Archives(path.parent / "none"))


def checkpoint(path, resume=None):
    return CheckpointFile(path, {"a": 1}, lambda: {"f": 1}, lambda origin: "", resume)


def write_files(folder):
    """{name: the whole file} of everything that a reader reads."""
    folder.mkdir()
    picture = Image.fromarray(SAMPLES[0])
    for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp"):
        picture.save(folder / f"a.{suffix}")
    Image.fromarray(SAMPLES[0, ..., 0].astype(np.uint16) * 257).save(folder / "b.png")
    (folder / "zip/train/a").mkdir(parents=True)
    shutil.copytree(folder / "zip/train", folder / "zip/test")
    for i, split in enumerate(("train", "test", "train", "test")):
        Image.fromarray(SAMPLES[i]).save(folder / f"zip/{split}/a/{i}.png")
    shutil.make_archive(str(folder / "a"), "zip", folder / "zip")
    np.savez_compressed(folder / "a.npz", samples=SAMPLES)
    save_file({"samples": SAMPLES}, folder / "a.safetensors")
    score = Score(metric="fid", value=1.5, extractor="a", extractor_hash="b", split="train")
    JSON.write_stamped(folder / "scores.json", Scores(run="a", status="ok", scores=[score]), STAMP)
    labels = np.zeros(4, np.int64)
    made = Generated(samples=SAMPLES, component=labels, class_=labels, status="ok")
    ARRAYS.write_stamped(folder / "samples.safetensors", made, STAMP)
    Text("x").write(folder / "a.csv", "a,b\n1,2\n")
    Picture("x").write(folder / "c.png", SAMPLES[0])
    tensors = {"weight": torch.from_numpy(SAMPLES.astype(np.float32))}
    checkpoint(folder / "checkpoint.safetensors").save(tensors, {"history": [{"kimg": 1}]})
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def stored(artifact):
    return lambda path: artifact.read_stamped(path)[0]


READERS = {
    **dict.fromkeys(("a.png", "a.jpg", "a.gif", "a.bmp", "a.tif", "a.webp", "b.png"), one_image),
    "a.zip": archive,
    "a.npz": lambda path: read_loose(path, SHAPE),
    "a.safetensors": lambda path: read_loose(path, SHAPE),
    "scores.json": stored(JSON),
    "samples.safetensors": stored(ARRAYS),
    "a.csv": Text("x").read,
    "c.png": Picture("x").read,
    "checkpoint.safetensors": lambda path: checkpoint(path, resume=path).load(),
}
SEALED = ("scores.json", "samples.safetensors")  # they are read as they were written, or refused
SPECIAL = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "nothing": Path.touch,
    "{}": lambda path: path.write_text("{}"),
    "[]": lambda path: path.write_text("[]"),
    "null": lambda path: path.write_text("null"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "zeros": lambda path: path.write_bytes(bytes(1000)),
}


@pytest.mark.parametrize("name", READERS)
def test_mutated_inputs(tmp_path, name):
    whole, outcomes = write_files(tmp_path / "whole")[name], Counter()
    path, read = tmp_path / "mutated" / name, READERS[name]
    path.parent.mkdir()
    path.write_bytes(whole)
    before = read(path)
    path.unlink()

    def is_as_written():
        with watched(outcomes):
            value = read(path)
            if name in SEALED:
                for old, new in zip(astuple(before), astuple(value), strict=True):
                    assert np.array_equal(old, new)

    for make in SPECIAL.values():
        make(path)
        is_as_written()
        path.rmdir() if path.is_dir() else path.unlink()

    @examples(12, 500 // len(READERS) + 1)
    @given(st.integers(0), st.integers(1, 6))
    def check(seed, count):
        path.write_bytes(mutate(whole, seed, count))
        is_as_written()

    check()
    print(f"mutated {name}: {dict(outcomes)}")
