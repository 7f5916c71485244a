"""Networks, the training step, resuming, sampling."""

import json
import re
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gmgan import plugins
from gmgan.config.models import DcganNetwork, Training
from gmgan.errors import GmganError
from gmgan.models import PENALTIES
from gmgan.models.model import SAMPLE_BLOCK, build_model, sample, sample_rows
from gmgan.models.networks import dcgan
from gmgan.models.step import Batch, StepDiscriminator
from gmgan.pipeline import grid
from gmgan.pipeline.checkpoints import CheckpointFile
from gmgan.pipeline.runner import Runner
from gmgan.pixels import to_model_range, to_stored_range
from gmgan.runtime import torch_setup
from gmgan.training.checkpoint import CheckpointState
from gmgan.training.optimizer import adam, load_state_of, state_of
from gmgan.training.train import train
from gmgan.training.trainer import Trainer


def resolved(params, name):
    return grid.settings(params, grid.parse_run(params, name))


def trainer_of(params, name, shape, order_seed=1, noise_seed=2, count=300, **change):
    settings = resolved(params, name)
    training = settings.training.model_copy(update=change)
    settings = settings.model_copy(update={"training": training})
    stream = torch.Generator().manual_seed(0)
    if len(shape) == 1:
        samples = torch.randn(count, *shape, generator=stream)
    else:
        samples = torch.randint(0, 256, (count, *shape), generator=stream, dtype=torch.uint8)
    labels = torch.randint(0, 8, (count,), generator=stream)
    model = build_model(settings, shape, 10 if len(shape) > 1 else 8)
    penalties = [(plugins.build(each, PENALTIES), each.every) for each in settings.penalties]
    return Trainer(model, training, samples, labels, order_seed, noise_seed, penalties)


NAMES = {
    "digits.gan.K1.s0": (1, 8, 8),
    "digits.acgan.K1.s0": (1, 8, 8),
    "toy-ring.gmgan-dynamic.K8.s0": (2,),
    "digits.gmgan-dynamic-diagonal.K10.s0": (1, 8, 8),
    "mnist-short.gmgan-dynamic-scalar.K10.s0": (1, 28, 28),
    "mnist-short.gmgan-supervised.K20.s0": (1, 28, 28),
    "mnist-short.infogan.K10.s0": (1, 28, 28),
    "digits.r3gan.K1.s0": (1, 8, 8),
    "digits.clustergan.K10.s0": (1, 8, 8),
    "toy-ring.sngan.K1.s0": (2,),
    "toy-ring.deligan.K8.s0": (2,),
    "toy-ring.gmgan-wgan-gp.K8.s0": (2,),
    "toy-ring.gmgan-learned-weights.K8.s0": (2,),
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
    expected, resumed = straight.state(), second.state()
    assert expected.keys() == resumed.keys()
    for key in expected:
        assert torch.equal(expected[key], resumed[key]), key


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_trains_about_the_same(params, name):
    losses = []
    for precision in ("float32", "bfloat16"):
        trainer = trainer_of(params, name, NAMES[name], precision=precision)
        losses.append(torch.stack([trainer.step() for _ in range(5)]))
        assert {weight.dtype for weight in trainer.model.parameters()} == {torch.float32}
    assert not torch.equal(*losses)
    assert torch.allclose(*losses, atol=0.1, rtol=0.1)


def steps_of(optimizer, weights, gradients):
    for gradient in gradients:
        for weight, values in zip(weights, gradient, strict=True):
            weight.grad = values.clone(memory_format=torch.contiguous_format)
        optimizer.step()


def test_adam_is_right_where_gradients_or_moments_have_another_layout():
    """torch's fused kernel alone is silently wrong here; see gmgan/training/optimizer.py."""
    stream = torch.Generator().manual_seed(0)
    start = torch.randn(2, 3, 2, 2, generator=stream)
    gradients = torch.randn(6, 1, 2, 3, 2, 2, generator=stream)
    expected = nn.Parameter(start.clone())
    training = Training(kimg=1, learning_rate=0.1)
    steps_of(torch.optim.Adam([expected], 0.1, (0.5, 0.999)), [expected], gradients)
    weight = nn.Parameter(start.contiguous(memory_format=torch.channels_last))
    optimizer = adam([weight], training)
    steps_of(optimizer, [weight], gradients[:3])
    stored = {
        key: value.clone(memory_format=torch.contiguous_format)
        for key, value in state_of(optimizer).items()
    }
    optimizer = adam([weight], training)
    load_state_of(optimizer, stored)
    steps_of(optimizer, [weight], gradients[3:])
    torch.testing.assert_close(weight, expected)


def test_a_state_of_another_network_is_refused():
    optimizers = [adam(list(nn.Linear(3, size).parameters()), Training(kimg=1)) for size in (2, 4)]
    for optimizer in optimizers:
        steps_of(optimizer, weights := optimizer.param_groups[0]["params"], [weights])
    with pytest.raises(RuntimeError, match=r"no weight fits Adam's 0.exp_avg of \[2, 3\]"):
        load_state_of(optimizers[1], state_of(optimizers[0]))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512f", False),
        ("flags\t\t: fpu avx512_bf16 amx_bf16", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("Features\t: fp asimd svebf16x", False),
        ("isa\t\t: rv64imafdc", None),
        (None, None),
    ],
)
def test_bfloat16_instructions_are_read_from_cpuinfo(tmp_path, line, expected):
    path = tmp_path / "cpuinfo"
    if line is not None:
        path.write_text(f"processor\t: 0\n{line}\npower management:\n")
    assert torch_setup.cpu_has_bfloat16(path) is expected


def test_slow_bfloat16_is_warned_of_before_training(make_runner, monkeypatch, capsys):
    runner = make_runner(kimg=0.5)
    for has, warned in ((False, 1), (True, 0), (None, 0)):
        monkeypatch.setattr(torch_setup, "cpu_has_bfloat16", lambda has=has: has)
        trained(runner, "toy-ring-ci.gan-bfloat16.K1.s0", Kept())
        assert capsys.readouterr().err.count("18 to 33 times slower than float32") == warned
    monkeypatch.setattr(torch_setup, "cpu_has_bfloat16", lambda: False)
    trained(runner, "toy-ring-ci.gan.K1.s0", Kept())
    assert "slower" not in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert torch_setup.slow_precision("bfloat16", "cpu")
    assert not torch_setup.slow_precision("bfloat16", "auto")


def test_the_dry_run_warns_of_slow_bfloat16(project):
    slow = torch_setup.slow_precision("bfloat16", "cpu")
    for name, expected in (("gan", None), ("gan-bfloat16", slow)):
        done = project.gmgan("train", f"digits.{name}.K1.s0", "--dry-run")
        assert (f"gmgan: warning: {expected}" in done.stderr) is bool(expected)
        assert ("warning" in done.stderr) is bool(expected)
        assert json.loads(done.stdout)["settings"]["run"]["model"] == name


def test_every_part_learns_and_the_static_prior_stays(params):
    for name, learned in (("gmgan-dynamic", True), ("gmgan-static", False)):
        trainer = trainer_of(params, f"digits.{name}.K10.s0", (1, 8, 8))
        before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
        trainer.step()
        changed = {
            key
            for key, value in trainer.model.state_dict().items()
            if not torch.equal(value, before[key])
        }
        assert any(key.startswith("generator") for key in changed)
        assert any(key.startswith("discriminator") for key in changed)
        assert any(key.startswith("prior") for key in changed) is learned


def test_one_pass_equals_two_where_outputs_do_not_depend_on_the_batch(params):
    trainer = trainer_of(params, "digits.gan.K1.s0", (1, 8, 8))
    real, fake = torch.randn(64, 1, 8, 8), torch.randn(64, 1, 8, 8)
    batch = Batch(real, None, fake, None, None, None, None, None, None)
    D = StepDiscriminator(trainer.model.discriminator, None, nullcontext())
    with torch.no_grad():
        together = D.pair(batch)
        apart = trainer.model.discriminator(real), trainer.model.discriminator(fake)
    for a, b in zip(together, apart, strict=True):
        torch.testing.assert_close(a, b)


def test_epochs_show_every_image_once(params):
    trainer = trainer_of(params, "digits.gan.K1.s0", (1, 8, 8), count=100)
    seen = []
    for _ in range(25):  # 25 batches of 64 are 16 epochs of 100
        seen += trainer._next_indices().tolist()
        trainer.batches += 1
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
    network = DcganNetwork(kind="dcgan", base_channels=4, max_channels=16)
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
    assert resolved(params, name).network.kind == kind


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
        model.discriminator.eval()
        modes = [module.training for module in model.modules()]
        samples, row = sample_rows(model, 6, seed=0)
        sample(model, 3, seed=0)
        assert [module.training for module in model.modules()] == modes
        assert len(samples) == 6 * rows
        assert row.tolist() == [i // 6 for i in range(6 * rows)]


def test_pixel_maps_are_inverse():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    back = to_stored_range(to_model_range(pixels))
    assert np.array_equal(back[0, :, :, 0], pixels[0, 0].numpy())
    assert to_stored_range(torch.tensor([[[[-1.7, 1.7]]]])).ravel().tolist() == [0, 255]


@pytest.fixture
def make_runner(params, tmp_path, monkeypatch):
    """A function that gives a runner under changed params; data of toy-ring-ci are prepared."""
    monkeypatch.chdir(tmp_path)

    def make(kimg=2.0, **models):
        entry = params.datasets["toy-ring-ci"]
        short = entry.training.model_copy(update={"kimg": kimg})
        datasets = {"toy-ring-ci": entry.model_copy(update={"training": short})}
        changes = {
            "datasets": {**params.datasets, **datasets},
            "models": {**params.models, **models},
        }
        runner = Runner(params.model_copy(update=changes), tmp_path / "results")
        runner.run(runner.job("prepare", source="toy-ring"))
        return runner

    return make


def diverging_step(self):
    self.batches += 1
    return torch.full((4,), float("nan"))


def test_a_diverged_run_ends_with_a_status(make_runner, monkeypatch):
    runner, run = make_runner(), "toy-ring-ci.gan.K1.s0"
    monkeypatch.setattr(Trainer, "step", diverging_step)
    runner.run(runner.job("train", run=run))
    assert runner.read("train", "record", run=run).status == "diverged"


class Kept:
    """A checkpoint in memory."""

    def __init__(self):
        self.state = None

    def load(self):
        return self.state

    def save(self, tensors, about):
        assert all(tensor.is_contiguous() for tensor in tensors.values())
        self.state = CheckpointState(tensors, json.loads(json.dumps(about)), "kept")


@pytest.mark.parametrize("name", ["gan", "wgan-gp"])
def test_the_log_ends_with_the_whole_budget(make_runner, capsys, name):
    trained(make_runner(), f"toy-ring-ci.{name}.K1.s0", Kept())
    count, total = re.findall(r"([\d.]+) of ([\d.]+) kimg", capsys.readouterr().err)[-1]
    assert count == total


class Interrupted(Exception):
    pass


def trained(runner, run, checkpoint):
    """What the stage returns, saving a checkpoint as often as it can."""
    job = runner.job("train", run=run)
    inputs, settings = runner.inputs(job), runner.settings(job)
    return train(
        **inputs,
        settings=settings,
        device=torch.device("cpu"),
        checkpoint=checkpoint,
        checkpoint_seconds=0.0,
        threads=1,
    )


def test_an_interrupted_stage_ends_as_an_uninterrupted_one(make_runner, monkeypatch):
    runner, run = make_runner(), "toy-ring-ci.gmgan-dynamic.K8.s0"
    straight, kept, step = trained(runner, run, Kept()), Kept(), Trainer.step

    def interrupted(self):
        if self.iteration == 3:
            raise Interrupted
        return step(self)

    monkeypatch.setattr(Trainer, "step", interrupted)
    with pytest.raises(Interrupted):
        trained(runner, run, kept)
    monkeypatch.setattr(Trainer, "step", step)
    assert int(kept.state.tensors["batches"]) == 3
    again = trained(runner, run, kept)
    assert straight.weights.keys() == again.weights.keys()
    for name, array in straight.weights.items():
        assert np.array_equal(array, again.weights[name]), name
    assert np.array_equal(straight.snapshots.samples, again.snapshots.samples)
    assert np.array_equal(straight.preview, again.preview)
    without_seconds = [
        [line.rpartition(",")[0] for line in one.history.splitlines()] for one in (straight, again)
    ]
    assert without_seconds[0] == without_seconds[1]
    with pytest.raises(GmganError, match=r"kept does not fit this run .* delete it"):
        del kept.state.tensors["noise"]
        trained(runner, run, kept)


def checkpoint_file(path, settings, origin=None):
    origin = origin or {"data": "same"}
    difference = lambda stored: "" if stored == origin else "was made from another data"  # noqa: E731
    return CheckpointFile(path, settings, lambda: origin, difference)


def test_a_checkpoint_of_other_settings_code_or_data_is_not_used(params, tmp_path, capsys):
    settings = resolved(params, "toy-ring-ci.gan.K1.s0").model_dump(mode="json")
    other = settings | {"training": settings["training"] | {"learning_rate": 0.5}}
    path = tmp_path / "checkpoint"
    for settings_now, origin, reason in (
        (settings, {"data": "other"}, "was made from another data"),
        (other, {"data": "same"}, "training.learning_rate: 0.001 -> 0.5"),
    ):
        checkpoint_file(path, settings).save({"weight": torch.ones(3)}, {"kimg": 1})
        assert checkpoint_file(path, settings).load().about == {"kimg": 1}
        now = checkpoint_file(path, settings_now, origin)
        with pytest.raises(GmganError, match=f"{reason}.*; choose a file of results/checkpoints"):
            replace(now, resume=path).load()
        assert now.load() is None
        assert "set aside as checkpoint.aside, training starts from zero" in capsys.readouterr().err
        assert not path.exists()


@pytest.mark.parametrize("seed", range(20))
def test_no_flipped_bit_of_a_checkpoint_goes_unnoticed(tmp_path, seed):
    file = checkpoint_file(tmp_path / "checkpoint", {"a": 1})
    file.save({"weight": torch.ones(3)}, {"history": [{"kimg": 1.5}], "seconds": 2.25})
    whole = bytearray(file.path.read_bytes())
    rng = np.random.default_rng(seed)
    whole[rng.integers(len(whole))] ^= 1 << rng.integers(8)
    file.path.write_bytes(whole)
    assert file.load() is None


def test_a_damaged_checkpoint_is_named(make_runner, tmp_path):
    runner, path = make_runner(), tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"no checkpoint" * 50)
    with pytest.raises(GmganError, match=f"{path} is no checkpoint of a training"):
        runner.run(runner.job("train", run="toy-ring-ci.gan.K1.s0"), path)


def test_init_from_continues_from_the_parents_networks(make_runner, params, monkeypatch):
    finetuned = params.models["gmgan-finetuned-wide"].model_copy(
        update={"network": None, "init_from": "gan"}
    )
    runner = make_runner(**{"gmgan-finetuned-wide": finetuned})
    parent = "toy-ring-ci.gan.K1.s0"
    runner.run(runner.job("train", run=parent))
    started = []
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (
            started.append({k: v.clone() for k, v in self.model.state_dict().items()})
            if not started
            else None,
            setattr(self, "batches", self.batches + 1),
            torch.zeros(4),
        )[2],
    )
    runner.run(runner.job("train", run="toy-ring-ci.gmgan-finetuned-wide.K8.s0"))
    for name, array in runner.read("train", "weights", run=parent).items():
        assert np.array_equal(started[0][name].numpy(), array)
    assert started[0]["prior.means"].shape == (8, 16)


def test_a_failed_parent_is_not_continued(make_runner, params, monkeypatch):
    finetuned = params.models["gmgan-finetuned-wide"].model_copy(
        update={"network": None, "init_from": "gan"}
    )
    runner = make_runner(**{"gmgan-finetuned-wide": finetuned})
    monkeypatch.setattr(Trainer, "step", diverging_step)
    runner.run(runner.job("train", run="toy-ring-ci.gan.K1.s0"))
    with pytest.raises(GmganError, match=r"toy-ring-ci\.gan\.K1\.s0 did not end well"):
        runner.run(runner.job("train", run="toy-ring-ci.gmgan-finetuned-wide.K8.s0"))
