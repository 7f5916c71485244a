"""Networks, the training step, resuming, sampling."""

import json

import numpy as np
import pytest
import torch

from gmgan.errors import GmganError
from gmgan.models.model import SAMPLE_BLOCK, build_model, sample, sample_rows
from gmgan.models.networks import dcgan
from gmgan.pipeline import grid
from gmgan.pipeline.grid import Paths
from gmgan.pixels import to_model_range, to_stored_range
from gmgan.stages import prepare, train
from gmgan.stages.context import Context
from gmgan.training.trainer import Trainer


def resolved(params, name):
    return grid.settings(params, grid.parse_run(params, name)).model_dump(mode="json")


def trainer_of(params, name, shape, order_seed=1, noise_seed=2, count=300, **change):
    settings = resolved(params, name)
    settings["training"] |= change
    stream = torch.Generator().manual_seed(0)
    if len(shape) == 1:
        samples = torch.randn(count, *shape, generator=stream)
    else:
        samples = torch.randint(0, 256, (count, *shape), generator=stream, dtype=torch.uint8)
    labels = torch.randint(0, 8, (count,), generator=stream)
    model = build_model(settings, shape, 10 if len(shape) > 1 else 8)
    return Trainer(model, settings["training"], samples, labels, order_seed, noise_seed)


NAMES = {
    "digits.gan.K1.s0": (1, 8, 8),
    "digits.acgan.K1.s0": (1, 8, 8),
    "toy-ring.gmgan-dynamic.K8.s0": (2,),
    "digits.gmgan-dynamic-diagonal.K10.s0": (1, 8, 8),
    "mnist-short.gmgan-dynamic-scalar.K10.s0": (1, 28, 28),
    "mnist-short.gmgan-supervised.K20.s0": (1, 28, 28),
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_resumed_training_is_bit_equal(params, name, precision):
    straight = trainer_of(params, name, NAMES[name], precision=precision)
    for _ in range(7):
        straight.step()
    first = trainer_of(params, name, NAMES[name], precision=precision)
    for _ in range(3):
        first.step()
    state = {key: value.clone().contiguous() for key, value in first.state().items()}
    second = trainer_of(params, name, NAMES[name], precision=precision)
    second.step()  # leaves nothing behind
    second.load_state(state)
    for _ in range(4):
        second.step()
    expected, found = straight.state(), second.state()
    assert expected.keys() == found.keys()
    for key in expected:
        assert torch.equal(expected[key], found[key]), key


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_trains_about_the_same(params, name):
    losses = []
    for precision in ("float32", "bfloat16"):
        trainer = trainer_of(params, name, NAMES[name], precision=precision)
        losses.append(torch.stack([trainer.step() for _ in range(5)]))
        weights = [p for module in trainer.model.modules().values() for p in module.parameters()]
        assert {weight.dtype for weight in weights} == {torch.float32}
    assert not torch.equal(*losses)
    assert torch.allclose(*losses, atol=0.1, rtol=0.1)


def test_every_part_learns_and_the_static_prior_stays(params):
    for name, learned in (("gmgan-dynamic", True), ("gmgan-static", False)):
        trainer = trainer_of(params, f"digits.{name}.K10.s0", (1, 8, 8))
        before = {key: value.clone() for key, value in trainer.model.state().items()}
        trainer.step()
        changed = {
            key
            for key, value in trainer.model.state().items()
            if not torch.equal(value, before[key])
        }
        assert any(key.startswith("generator") for key in changed)
        assert any(key.startswith("discriminator") for key in changed)
        assert any(key.startswith("prior") for key in changed) is learned


def test_one_pass_equals_two_where_outputs_do_not_depend_on_the_batch(params):
    trainer = trainer_of(params, "digits.gan.K1.s0", (1, 8, 8))
    real, fake = torch.randn(64, 1, 8, 8), torch.randn(64, 1, 8, 8)
    with torch.no_grad():
        together = trainer._discriminate(real, fake)
        apart = trainer.model.discriminator(real), trainer.model.discriminator(fake)
    for a, b in zip(together, apart, strict=True):
        torch.testing.assert_close(a, b)


def test_epochs_show_every_image_once(params):
    trainer = trainer_of(params, "digits.gan.K1.s0", (1, 8, 8), count=100)
    seen = []
    for _ in range(25):  # 25 batches of 64 are 16 epochs of 100
        seen += trainer._next_indices().tolist()
        trainer.iteration += 1
    for epoch in range(16):
        assert sorted(seen[100 * epoch : 100 * (epoch + 1)]) == list(range(100))
    assert seen[:100] != seen[100:200]


def test_models_of_one_seed_see_the_same_order(params):
    a = trainer_of(params, "digits.gan.K1.s0", (1, 8, 8))
    b = trainer_of(params, "digits.gmgan-static.K10.s0", (1, 8, 8))
    assert torch.equal(a._next_indices(), b._next_indices())
    weights_a, weights_b = a.model.discriminator.state_dict(), b.model.discriminator.state_dict()
    assert all(torch.equal(weights_a[key], weights_b[key]) for key in weights_a)


@pytest.mark.parametrize("size", [28, 32, 48, 64, 96])
def test_dcgan_fits_the_size(size):
    network = {"base_channels": 4, "max_channels": 16, "batch_norm": True}
    generator = dcgan.generator(network, 7, (3, size, size))
    discriminator = dcgan.discriminator(network, (3, size, size), 5)
    images = generator(torch.randn(2, 7))
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (2, 5)


@pytest.mark.parametrize("size", [4, 7, 27, 50])
def test_dcgan_refuses_other_sizes(size):
    with pytest.raises(GmganError, match=f"images of {size} pixels"):
        dcgan.doublings(size)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("toy-grid.gan.K1.s0", "mlp"),
        ("digits.gan.K1.s0", "mlp"),
        ("mnist.gan.K1.s0", "dcgan"),
        ("cifar10.gan.K1.s0", "dcgan"),
        ("stl10.gan.K1.s0", "dcgan"),
        ("mnist.gan-mlp.K1.s0", "mlp"),
    ],
)
def test_network_follows_the_shape(params, name, kind):
    assert resolved(params, name)["network"]["kind"] == kind


def test_sample_depends_on_its_index_alone(params):
    model = build_model(resolved(params, "mnist-short.gmgan-static.K10.s0"), (1, 28, 28), 10)
    few, many = sample(model, 70, seed=3), sample(model, SAMPLE_BLOCK + 90, seed=3)
    for a, b in zip(few, many, strict=True):
        assert np.array_equal(a, b[:70])
    assert not np.array_equal(few[0], sample(model, 70, seed=4)[0])


def test_sampling_a_component(params):
    model = build_model(resolved(params, "digits.gmgan-supervised.K20.s0"), (1, 8, 8), 10)
    _, components, classes = sample(model, 50, seed=0, component=13)
    assert set(components) == {13}
    assert set(classes) == {3}
    _, components, classes = sample(model, 2000, seed=0)
    assert set(components) == set(range(20))
    assert np.array_equal(classes, components % 10)


def test_grid_rows_are_components_or_classes(params):
    for name, rows in (("gmgan-static.K10", 10), ("acgan.K1", 10), ("gan.K1", 6)):
        model = build_model(resolved(params, f"digits.{name}.s0"), (1, 8, 8), 10)
        samples, row = sample_rows(model, 6, seed=0)
        assert len(samples) == 6 * rows
        assert row.tolist() == [i // 6 for i in range(6 * rows)]


def test_pixel_maps_are_inverse():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    back = to_stored_range(to_model_range(pixels))
    assert np.array_equal(back[0, :, :, 0], pixels[0, 0].numpy())
    assert to_stored_range(torch.tensor([[[[-1.7, 1.7]]]])).ravel().tolist() == [0, 255]


@pytest.fixture
def context(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Context(params, Paths(tmp_path / "results"))


def ci_run(context, name, kimg=2.0):
    """A run of a data set of the suite `ci`, cheaper still."""
    params = context.params
    dataset = grid.parse_run(params, name).dataset
    entry = params.datasets[dataset]
    entry = entry.model_copy(update={"training": entry.training.model_copy(update={"kimg": kimg})})
    context.params = params.model_copy(update={"datasets": {**params.datasets, dataset: entry}})
    prepare.run(context, dataset)
    return grid.parse_run(context.params, name)


def test_a_diverged_run_ends_with_a_status(context, monkeypatch):
    cell = ci_run(context, "toy-ring-ci.gan.K1.s0")
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (
            setattr(self, "iteration", self.iteration + 1),
            torch.full((4,), float("nan")),
        )[1],
    )
    train.run(context, cell)
    assert json.loads(context.paths.train_about(cell).read_text())["status"] == "diverged"


def test_resume_is_refused_with_a_diff(context, tmp_path):
    cell = ci_run(context, "toy-ring-ci.gan.K1.s0")
    settings = resolved(context.params, cell.name)
    trainer = train._build(context, cell, settings, "cpu")
    trainer.step()
    record = train.Record()
    train._take_snapshot(trainer, cell, record)
    path = tmp_path / "checkpoint.safetensors"
    train._save(trainer, path, settings, "x", record)
    settings["training"]["learning_rate"] = 0.5
    with pytest.raises(GmganError, match=r"training.learning_rate: 0.001 -> 0.5"):
        train._restore(trainer, path, settings, "x")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(GmganError, match="damaged"):
        train._restore(trainer, path, settings, "x")


def test_init_from_continues_from_the_parents_networks(context, monkeypatch):
    params = context.params
    finetuned = params.models["gmgan-finetuned-wide"].model_copy(
        update={"network": None, "init_from": "gan"}
    )
    context.params = params.model_copy(
        update={"models": {**params.models, "gmgan-finetuned-wide": finetuned}}
    )
    parent = ci_run(context, "toy-ring-ci.gan.K1.s0")
    train.run(context, parent)
    child = grid.parse_run(context.params, "toy-ring-ci.gmgan-finetuned-wide.K8.s0")
    started = []
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (
            started.append({k: v.clone() for k, v in self.model.state().items()})
            if not started
            else None,
            setattr(self, "iteration", self.iteration + 1),
            torch.zeros(4),
        )[2],
    )
    train.run(context, child)
    from gmgan.pipeline.artifacts import read_arrays

    weights, _ = read_arrays(context.paths.weights(parent))
    for name, array in weights.items():
        assert np.array_equal(started[0][name].numpy(), array)
    assert started[0]["prior.means"].shape == (8, 16)
