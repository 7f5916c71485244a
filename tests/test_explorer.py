"""The explorer's stage and its packing: neighbours, walks, sheets of pictures, points."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from conftest import read_arrays
from PIL import Image
from scipy.spatial import cKDTree

from gmgan.config.run import Run, RunSettings
from gmgan.evaluation.neighbours import nearest_neighbours
from gmgan.evaluation.walk import pairs_of, walks
from gmgan.models.model import build_model, sample_rows
from gmgan.pixels import to_stored_range
from gmgan.report import explorer


def settings(K=4, objective="gan"):
    return RunSettings(
        run=Run("digits", "m", K, 0),
        prior={"kind": "dynamic", "covariance": "full"} if K > 1 else {"kind": "normal"},
        objective=objective,
        latent={"dim": 6, "c": 1.0, "sigma": 0.5},
        network={
            "kind": "mlp",
            "generator_widths": [16],
            "discriminator_widths": [16],
            "generator": {"batch_norm": True},
        },
        training={"kimg": 1},
        init_from=None,
    )


def test_neighbours_are_those_of_a_k_d_tree():
    rng = np.random.default_rng(0)
    references = rng.integers(0, 256, (501, 5, 5, 1), np.uint8)
    points = rng.integers(0, 256, (40, 5, 5, 1), np.uint8)
    points[7] = references[300]
    index, distances = nearest_neighbours(points, references, 3, chunk=100)
    expected, where = cKDTree(references.reshape(501, -1)).query(points.reshape(40, -1), 3)
    assert np.allclose(distances, expected)
    assert np.array_equal(index, where)
    assert index[7, 0] == 300
    assert distances[7, 0] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("objective", ["gan", "acgan"])
def test_a_walk_ends_where_the_components_are(objective):
    conditional = objective == "acgan"
    model = build_model(settings(1 if conditional else 4, objective), (1, 8, 8), 4)
    model.discriminator.eval()
    modes = [module.training for module in model.modules()]
    pairs = pairs_of(model, 3)
    assert pairs == [(0, 1), (0, 2), (1, 2)]
    ways = walks(model, pairs, steps=5, rows=2, seed=3)
    assert ways[0].shape == (2, 5, 8, 8, 1)
    assert [module.training for module in model.modules()] == modes
    eps = torch.randn(2, 6, generator=torch.Generator().manual_seed(3))
    for (a, b), walk in zip(pairs, ways, strict=True):
        for group, end in ((a, walk[:, 0]), (b, walk[:, -1])):
            index, zero = torch.full((2,), group), torch.zeros(2, dtype=torch.int64)
            k, y = (zero, index) if conditional else (index, zero)
            with torch.no_grad(), model.evaluating():
                assert np.array_equal(to_stored_range(model.generate(k, y, eps)), end)


def test_a_plain_gan_has_nothing_to_walk_between():
    model = build_model(settings(K=1), (1, 8, 8), 4)
    assert pairs_of(model, 10) == []


def test_rows_keep_their_noise_over_scales():
    model = build_model(settings(), (1, 8, 8), 4)
    small, rows = sample_rows(model, 6, seed=0, sigma_scale=1e-9)
    assert rows.tolist() == [i for i in range(4) for _ in range(6)]
    for row in range(4):  # without noise a component is one image
        assert (small[rows == row] == small[rows == row][0]).all()
    usual, _ = sample_rows(model, 6, seed=0)
    assert np.array_equal(usual, sample_rows(model, 6, seed=0, sigma_scale=1.0)[0])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_holds_every_image_where_it_belongs(channels):
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, channels), np.uint8)
    address = explorer.sprite(images)
    png = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    sheet = np.asarray(Image.open(io.BytesIO(png))).reshape(8, 15, channels)
    for row in range(2):
        for column in range(3):
            tile = sheet[4 * row : 4 * row + 4, 5 * column : 5 * column + 5]
            assert np.array_equal(tile, images[row, column])


def test_points_survive_packing():
    points = np.random.default_rng(0).uniform(-3, 3, (7, 5, 2))
    numbers = np.frombuffer(base64.b64decode(explorer.packed(points, 1.5)), "<i2")
    back = numbers.reshape(points.shape).astype(float) * explorer.FRAMES * 1.5 / 32767
    assert np.allclose(back, points, atol=1e-4)


def test_runs_beyond_the_room_of_the_page_are_scripts_beside_it():
    entry = {"title": "t", "dataset": "d", "seed": 0, "groups": [], "sweep": "x" * 40}
    runs = [Run("d", model, 1, 0) for model in "abc"]
    inside, scripts = explorer.placed([(run, lambda: dict(entry)) for run in runs], most=100)
    assert [("sweep" in inside[run]) for run in runs] == [True, True, False]
    assert inside[runs[2]]["file"] == "explorer/d.c.K1.s0.js"
    call = scripts["d.c.K1.s0.js"].removeprefix("explored(").removesuffix(");\n")
    assert json.loads(f"[{call}]") == ["d.c.K1.s0", entry]


@pytest.mark.pipeline
def test_the_stage_keeps_what_the_page_needs(finished):
    runs = finished.folder / "results" / "runs"
    arrays, about = read_arrays(runs / "digits-ci.gmgan-supervised.K10.s0" / "explore.safetensors")
    assert arrays["sweep"].shape == (3, 10, 10, 8, 8, 1)
    assert arrays["walks"].shape == (45, 2, 7, 8, 8, 1)
    data, _ = read_arrays(finished.folder / "results" / "data" / "digits.safetensors", ["train"])
    nearest = data["train"][arrays["neighbour_index"]]
    assert np.array_equal(nearest, arrays["neighbours"])
    differences = arrays["generated"][:, None].astype(float) - nearest
    assert np.allclose(np.sqrt((differences**2).mean((2, 3, 4))), arrays["neighbour_distance"])
    assert about["memorisation"]["n_generated"] == 300
    arrays, _ = read_arrays(runs / "toy-ring-ci.gan.K1.s0" / "explore.safetensors")
    assert set(arrays) == {"sweep"}


@pytest.mark.pipeline
def test_a_damaged_and_a_foreign_explorer_are_refused(finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    runs = project.folder / "results" / "runs"
    path = runs / "toy-ring-ci.gan.K1.s0" / "explore.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # one bit
    done = project.gmgan("report", "--suite", "ci", check=False)
    assert done.returncode == 2
    assert "explore.safetensors is damaged" in done.stderr
    path.write_bytes((runs / "toy-ring-ci.gmgan-dynamic.K8.s0" / path.name).read_bytes())
    done = project.gmgan("report", "--suite", "ci", check=False)
    assert done.returncode == 2
    assert "explore.safetensors was made from other parameters or other code" in done.stderr
