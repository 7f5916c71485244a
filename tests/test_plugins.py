"""Plug-ins: what params.yaml says of them, the conformance checks, and a project that uses them."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, assert_refused
from pydantic import BaseModel, ValidationError
from torch import nn

from gmgan import plugins
from gmgan.config.evaluation import Evaluation
from gmgan.config.loader import load
from gmgan.config.models import (
    DcganNetwork,
    DynamicPrior,
    Encoder,
    InterpolatePenalty,
    MlpNetwork,
    Normalisation,
    NormalPrior,
    SquaredGradientPenalty,
    StaticPrior,
)
from gmgan.conformance import check_plugin
from gmgan.conformance.training import RING, RING_MLP, RING_TRAINING, Recipe, check_training
from gmgan.data import points
from gmgan.data.splits import Splits
from gmgan.errors import GmganError
from gmgan.evaluation.metrics import METRICS
from gmgan.evaluation.samples import nearest_modes
from gmgan.models.auxiliary import encoder
from gmgan.models.model import sample
from gmgan.models.networks import dcgan, mlp
from gmgan.models.objectives import (
    acgan,
    gan,
    hinge,
    least_squares,
    relativistic,
    supervised,
    wasserstein,
)
from gmgan.models.penalties import interpolates, squared_gradient
from gmgan.models.priors import StaticMixture, build_prior
from gmgan.pipeline import grid
from gmgan.pipeline.runner import Runner

EXAMPLE = ROOT / "docs" / "examples" / "plugins"
TEXT = (EXAMPLE / "params.yaml").read_text()

# --- built-in parts keep what they promise --------------------------------------------------------

MLP = MlpNetwork(kind="mlp", generator_widths=[16], discriminator_widths=[16])
DCGAN = DcganNetwork(kind="dcgan", base_channels=8)


@pytest.mark.parametrize(
    ("options", "K"),
    [
        (NormalPrior(kind="normal"), 1),
        (StaticPrior(kind="static"), 4),
        (StaticPrior(kind="static", weights="learned"), 4),
        (DynamicPrior(kind="dynamic", covariance="scalar", sigma_penalty=0.5), 4),
        (DynamicPrior(kind="dynamic", covariance="full"), 4),
        (DynamicPrior(kind="dynamic", covariance="diagonal"), 4),
        (DynamicPrior(kind="dynamic", covariance="scalar"), 4),
    ],
)
def test_built_in_priors_conform(options, K):
    check_plugin("prior", build_prior, options=options, K=K)


@pytest.mark.parametrize(("batch_norm", "spectral_norm"), [(True, False), (False, True)])
@pytest.mark.parametrize(
    ("network", "options", "sample_shape"),
    [
        (mlp, MLP, [2]),
        (mlp, MLP, [8, 8, 3]),
        (dcgan, DCGAN, [8, 8, 1]),
        (dcgan, DCGAN, [28, 28, 3]),
    ],
)
def test_built_in_networks_conform(network, options, sample_shape, batch_norm, spectral_norm):
    switches = Normalisation(batch_norm=batch_norm, spectral_norm=spectral_norm)
    options = options.model_copy(update={"generator": switches, "discriminator": switches})
    check_plugin("network", network, options=options, sample_shape=sample_shape)


@pytest.mark.parametrize(
    ("objective", "uses_labels"),
    [
        (gan, False),
        (hinge, False),
        (least_squares, False),
        (wasserstein, False),
        (relativistic, False),
        (acgan, True),
        (supervised, True),
    ],
)
def test_built_in_objectives_conform(objective, uses_labels):
    check_plugin("objective", objective.Objective, uses_labels=uses_labels)


@pytest.mark.parametrize(
    ("penalty", "options"),
    [
        (squared_gradient, SquaredGradientPenalty(kind="r1", gamma=1)),
        (squared_gradient, SquaredGradientPenalty(kind="r2", gamma=1)),
        (interpolates, InterpolatePenalty(kind="gradient-penalty")),
    ],
)
def test_built_in_penalties_conform(penalty, options):
    check_plugin("penalty", penalty.Penalty, options=options)


@pytest.mark.parametrize("network", ["features", "own"])
@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (1.0, 0.5)])
def test_built_in_encoders_conform(network, weights):
    information, reconstruction = weights
    options = Encoder(
        kind="encoder", information=information, reconstruction=reconstruction, network=network
    )
    check_plugin("auxiliary", encoder.Auxiliary, options=options)


class Projecting:
    """Networks whose discriminator sees the class (Miyato and Koyama 2018)."""

    generator = staticmethod(mlp.generator)

    class Discriminator(nn.Module):
        batch_statistics, takes_classes = False, True

        def __init__(self, width, n_outputs):
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(2, width), nn.LeakyReLU(0.2))
            self.last, self.classes = nn.Linear(width, n_outputs), nn.Embedding(8, width)

        def forward(self, samples, classes):
            features = self.body(samples)
            return self.last(features) + (features * self.classes(classes)).sum(1, keepdim=True)

    @classmethod
    def discriminator(cls, options, sample_shape, n_outputs):
        return cls.Discriminator(64, n_outputs)


class ConditionalHinge(hinge.Objective):
    conditional = True

    def fake_classes(self, k, y):
        return y


def test_a_projection_discriminator_and_its_loss_train_each_class_to_its_place():
    recipe = Recipe(networks=Projecting, n_classes=8, training=RING_TRAINING, options=RING_MLP)
    recipe = replace(recipe, make_objective=lambda: ConditionalHinge({}, 8, 1))
    penalty = squared_gradient.Penalty(SquaredGradientPenalty(kind="r1", gamma=1))
    check_training(replace(recipe, penalties=[(penalty, 1)]))
    data = points.read(RING)
    trainer = replace(recipe, penalties=[(penalty, 1)]).trainer(
        torch.from_numpy(data.train), torch.from_numpy(data.train_labels)
    )
    for _ in range(trainer.total_iterations):
        trainer.step()
    samples, _, classes = sample(trainer.model, 500, 1)
    nearest, _ = nearest_modes(samples, points.centres(RING))
    assert (nearest == classes).mean() > 0.7  # 1 in 8 by chance


class Checked(gan.Objective):
    class Options(BaseModel, extra="forbid"):
        margin: float = 1.0


def test_options_are_checked_by_the_class_that_a_plug_in_declares():
    with pytest.raises(GmganError, match=r"Checked: options\.margn: Extra inputs"):
        check_plugin("objective", Checked, options={"margn": 2})
    assert plugins.checked_options("it", Checked, {"margin": 2}).margin == 2


# --- wrong plug-ins are refused -------------------------------------------------------------------


def reader(**change):
    """A reader of points around (0, 0) and (3, 0) that has one mistake."""

    def read(source, archives):
        rng = np.random.default_rng(1)
        labels = np.arange(20) % 2
        points = (rng.normal(size=(20, 2)) + 3 * np.stack([labels, 0 * labels], 1)).astype("f4")
        parts = {"train": points, "train_labels": labels, "test": points, "test_labels": labels}
        parts = {**parts, "classes": ["left", "right"], **change}
        return Splits(**{name: part() if callable(part) else part for name, part in parts.items()})

    return read


POINTS = {"sample_shape": [2], "classes": 2, "centres": [[0, 0], [3, 0]], "std": 1}


def test_a_right_data_set_of_points_conforms():
    check_plugin("data-set", reader(), **POINTS)


def test_unlabelled_images_conform():
    def read(source, archives):
        images, labels = np.zeros((9, 8, 8, 3), np.uint8), np.full(9, -1)
        return Splits(images, labels, images, labels, [])

    check_plugin("data-set", read, sample_shape=[8, 8, 3])


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda source, archives: (1, 2), "gave tuple, not gmgan.data.splits.Splits"),
        (lambda source, archives: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (reader(train=np.zeros((20, 3), "f4")), "train split is float32 [3] per sample, expected"),
        (reader(test=np.zeros((20, 2))), "test split is float64 [2] per sample, expected float32"),
        (reader(train=np.full((20, 2), np.nan, "f4")), "train split holds values that are not"),
        (reader(test=np.zeros((0, 2), "f4")), "the test split is empty"),
        (reader(train_labels=np.arange(20)), "labels from 0 to 19, outside 0 to 1"),
        (reader(test_labels=np.zeros(20, "i4")), "the test labels are int32, expected int64"),
        (reader(classes=["a", "b", "c"]), "names 3 classes, expected 2"),
        (
            reader(train=lambda: np.random.default_rng().random((20, 2), "f4")),
            "reading twice gave other train",
        ),
    ],
)
def test_wrong_data_sets(read, message):
    with pytest.raises(GmganError, match=re.escape(message)) as caught:
        check_plugin("data-set", read, **POINTS)
    assert "\n" not in str(caught.value)


def test_wrong_declarations_of_data_sets():
    with pytest.raises(GmganError, match="points need centres and std"):
        check_plugin("data-set", reader(), sample_shape=[2], classes=2)
    with pytest.raises(GmganError, match="std: Input should be greater than 0"):
        check_plugin("data-set", reader(), **{**POINTS, "std": 0})


class Prior(StaticMixture):
    """Correct in everything; each subclass has one mistake."""

    @classmethod
    def build(cls, options, latent, n_components, seed):
        generator = torch.Generator().manual_seed(seed)
        return cls(torch.randn(n_components, latent.dim, generator=generator), 0.3)


class OtherCount(Prior):
    def __init__(self, means, std):
        super().__init__(means, std)
        self.n_components = 7


class OtherDim(Prior):
    def __init__(self, means, std):
        super().__init__(means, std)
        self.dim = 1


class DoublePrecision(Prior):
    def forward(self, k, eps, sigma_scale=1.0):
        return super().forward(k, eps, sigma_scale).double()


class GlobalNoise(Prior):
    def __init__(self, means, std):
        super().__init__(torch.randn_like(means), std)


class OneComponent(Prior):
    def forward(self, k, eps, sigma_scale=1.0):
        return super().forward(0 * k, eps, sigma_scale)


class ScalesStd(Prior):
    def forward(self, k, eps, sigma_scale=1.0):
        return super().forward(k, eps, sigma_scale**2)


class MovesMeans(Prior):
    def forward(self, k, eps, sigma_scale=1.0):
        return sigma_scale**0.5 * eps * eps.norm(dim=1, keepdim=True) * sigma_scale + self.means[k]


class Unreached(Prior):
    def __init__(self, means, std):
        super().__init__(means, std)
        self.scale = nn.Parameter(torch.ones(3))


class Unregistered(Prior):
    def __init__(self, means, std):
        super().__init__(means, std)
        del self.means
        self.means = means


class NotFinite(Prior):
    def forward(self, k, eps, sigma_scale=1.0):
        return super().forward(k, eps, sigma_scale) / 0


def test_a_right_prior_conforms():
    check_plugin("prior", Prior.build)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (OtherCount, "n_components is 7, expected 4"),
        (OtherDim, "dim is 1, expected 8"),
        (DoublePrecision, "z is torch.float64 [48, 8], expected torch.float32 [48, 8]"),
        (NotFinite, "z is not finite"),
        (GlobalNoise, "equal seeds gave other z"),
        (OneComponent, "equal noise gave equal z for different components"),
        (ScalesStd, "deviations from the mean do not scale with the root of sigma_scale"),
        (MovesMeans, "deviations from the mean do not scale"),
        (Unreached, "no gradient of z reaches the parameter scale"),
        (Unregistered, "the prior loaded from its state_dict is another"),
    ],
)
def test_wrong_priors(prior, message):
    with pytest.raises(GmganError, match=re.escape(message)):
        check_plugin("prior", prior.build)


class Nets:
    """Correct in everything; each subclass has one mistake."""

    @classmethod
    def generator(cls, options, in_dim, shape):
        width = shape[0] * shape[1] * shape[2]
        return nn.Sequential(nn.Linear(in_dim, width), nn.Tanh(), nn.Unflatten(1, shape))

    @classmethod
    def discriminator(cls, options, shape, n_outputs):
        width = shape[0] * shape[1] * shape[2]
        net = nn.Sequential(nn.Flatten(), *cls.body(width), nn.Linear(width, n_outputs))
        net.batch_statistics = False
        return net

    @staticmethod
    def body(width):
        return []


class NoTanh(Nets):
    @classmethod
    def generator(cls, options, in_dim, shape):
        layers = Nets.generator(options, in_dim, shape)
        return nn.Sequential(layers[0], layers[2])


class Flat(Nets):
    @classmethod
    def generator(cls, options, in_dim, shape):
        return Nets.generator(options, in_dim, shape)[:2]


class OneOutput(Nets):
    @classmethod
    def discriminator(cls, options, shape, n_outputs):
        return Nets.discriminator(options, shape, 1)


class Dropout(Nets):
    @staticmethod
    def body(width):
        return [nn.Dropout()]


class HiddenBatchNorm(Nets):
    @staticmethod
    def body(width):
        return [nn.BatchNorm1d(width)]


class NoFlag(Nets):
    @classmethod
    def discriminator(cls, options, shape, n_outputs):
        return nn.Sequential(*Nets.discriminator(options, shape, n_outputs))


class UnregisteredWeight(Nets):
    @classmethod
    def discriminator(cls, options, shape, n_outputs):
        net = Nets.discriminator(options, shape, n_outputs)
        noise = torch.randn(n_outputs)
        net[-1].forward = lambda x, linear=net[-1]: nn.functional.linear(x, linear.weight) + noise
        return net


class NoModule(Nets):
    @classmethod
    def generator(cls, options, in_dim, shape):
        return lambda z: z


def test_right_networks_conform():
    check_plugin("network", Nets)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        (NoModule, "the generator is no torch.nn.Module"),
        (Flat, "output of the generator is torch.float32 [12, 256], expected"),
        (OneOutput, "output of the discriminator is torch.float32 [12, 1], expected"),
        (NoTanh, "images can leave [-1, 1]; end the generator with tanh"),
        (Dropout, "equal seeds gave other outputs of the discriminator"),
        (NoFlag, "the discriminator has no batch_statistics"),
        (HiddenBatchNorm, "batch_statistics is False, but an output depends on its whole batch"),
        (UnregisteredWeight, "the discriminator loaded from its state_dict is another"),
    ],
)
def test_wrong_networks(networks, message):
    with pytest.raises(GmganError, match=re.escape(message)):
        check_plugin("network", networks)


class SecretlyConditional(gan.Objective):
    conditional = True


class NoOutputs(gan.Objective):
    n_outputs = 0


class VagueCondition(gan.Objective):
    conditional = None


class OutsideClasses(supervised.Objective):
    def fake_classes(self, k, y):
        return k + 1


class FloatClasses(supervised.Objective):
    def fake_classes(self, k, y):
        return super().fake_classes(k, y).float()


class VectorLoss(gan.Objective):
    def generator_loss(self, batch, D):
        return D(batch.fake)


class InfiniteLoss(gan.Objective):
    def discriminator_loss(self, batch, D):
        return super().discriminator_loss(batch, D) / 0


class IgnoresReal(gan.Objective):
    def discriminator_loss(self, batch, D):
        return D(batch.fake).mean()


class Detached(gan.Objective):
    def generator_loss(self, batch, D):
        return D(batch.fake).mean().detach()


class Backwards(gan.Objective):
    def generator_loss(self, batch, D):
        return -super().generator_loss(batch, D)


class OneRealness(gan.Objective):
    def realness(self, outputs):
        return outputs.sigmoid().mean()


class Drifting(gan.Objective):
    steps = 0

    def generator_loss(self, batch, D):
        self.steps += 1
        return self.steps * super().generator_loss(batch, D).square()


@pytest.mark.parametrize(
    ("objective", "uses_labels", "message"),
    [
        (NoOutputs, False, "n_outputs is 0, expected a positive integer"),
        (VagueCondition, False, "conditional is None, expected True or False"),
        (SecretlyConditional, False, "its losses use class labels: set uses_labels to true"),
        (supervised.Objective, False, "its losses use class labels: set uses_labels to true"),
        (OutsideClasses, True, "fake_classes leave 0 to 2"),
        (FloatClasses, True, "fake_classes is torch.float32 [12], expected torch.int64 [12]"),
        (VectorLoss, False, "generator_loss is torch.float32 [12, 1], expected torch.float32 []"),
        (InfiniteLoss, False, "discriminator_loss is not finite"),
        (IgnoresReal, False, "no gradient of discriminator_loss reaches batch.real"),
        (Detached, False, "no gradient of generator_loss reaches batch.fake"),
        (Backwards, False, "it does not learn: after 25.6 kimg of toy-ring"),
        (OneRealness, False, "realness is torch.float32 [], expected torch.float32 [12]"),
        (Drifting, False, "training that was interrupted ended otherwise"),
    ],
)
def test_wrong_objectives(objective, uses_labels, message):
    with pytest.raises(GmganError, match=re.escape(message)):
        check_plugin("objective", objective, uses_labels=uses_labels)


def in_place(fake, real):
    fake.features[:] = 0
    return 1.0


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda fake, real: "high", "gave 'high', expected a number or (value, spread)"),
        (lambda fake, real: (1.0, 2.0, 3.0), "expected a number or (value, spread)"),
        (lambda fake, real: float("nan"), "gave nan, which is not finite"),
        (lambda fake, real: (1.0, float("inf")), "which is not finite"),
        (lambda fake, real: np.random.random(), "equal samples gave"),
        (lambda fake, real: np.abs(fake.features - real.features).mean(), "raised ValueError"),
        (in_place, "it changes features in place"),
    ],
)
def test_wrong_metrics(metric, message):
    with pytest.raises(GmganError, match=re.escape(message)):
        check_plugin("metric", metric)


def test_right_metrics_of_images_and_points_conform():
    check_plugin("metric", lambda fake, real: (fake.logits.mean(), 0.5))
    check_plugin("metric", lambda fake, real: fake.samples.std(), sample_shape=[2])


def test_a_check_takes_what_an_entry_holds():
    entry = {"title": "a metric", "better": "higher", "options": {"power": 2}}
    check_plugin("metric", lambda fake, real, power: power * fake.samples.std(), **entry)
    with pytest.raises(GmganError, match="better: Input should be 'higher' or 'lower'"):
        check_plugin("metric", lambda fake, real: 1.0, better="more")
    with pytest.raises(GmganError, match="unknown key of a metric 'titel'; did you mean title"):
        check_plugin("metric", lambda fake, real: 1.0, titel="a metric")
    gamma = SquaredGradientPenalty(kind="r1", gamma=0.1)
    check_plugin("penalty", squared_gradient.Penalty, options=gamma, every=4)
    with pytest.raises(GmganError, match="every: "):
        check_plugin("penalty", squared_gradient.Penalty, options=gamma, every=0)


def test_unknown_kind_of_plug_in():
    with pytest.raises(
        GmganError, match="unknown kind of plug-in 'model'; known: auxiliary, data-set"
    ):
        check_plugin("model", gan.Objective)


# --- params.yaml ----------------------------------------------------------------------------------


def beside(tmp_path, old="", new=""):
    """A copy of the example's params, changed, without the modules."""
    assert old in TEXT
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    return path


SHAPE = "        - 16\n        - 16\n        - 1\n"


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("shapes:read", "shapes.read", "source", "unknown kind 'shapes.read'; known: cifar10"),
        ("shapes:read", "shapes.read", "source", "or module:attribute for one of your own"),
        ("wide:Wide", "wide", "networks.wide", "unknown kind 'wide'; known: dcgan, mlp, or module"),
        ("lattice:build", "9:build", "models.gmgan-lattice.prior", "unknown kind '9:build'"),
        (
            "hinge:Objective",
            "hing",
            "models.gan-hinge.objective",
            "did you mean hinge? known: acgan",
        ),
        ("sharpness:ratio", "fid", "evaluation.metrics.sharpness.kind", "module:attribute"),
        ("        sharpness:\n", "        fid:\n", "evaluation", "metrics.fid has the name of a"),
        ("        sharpness:\n", "        recall_k7:\n", "evaluation", "name of a built-in score"),
        ("        sharpness:\n", "        Sharp-ness:\n", "evaluation", "lower-case letters"),
        (SHAPE, "        - 16\n        - 8\n        - 1\n", "source", "(got [16, 8, 1])"),
        (SHAPE, "        - 2\n", "source", "points need centres and std, images take neither"),
        ("      classes: 3", "      classes: 0", "source.classes", "greater than 0 (got 0)"),
        ("          power: 1", "          power: 2020-01-01", "options.power", "JSON"),
        ("    objective: gan\n", "    objective: gan\n    uses_labels: true\n", "gan", "remove it"),
        (
            "        c: 0.5\n    obj",
            "        c: 0.5\n      dim: 3\n    obj",
            "prior.dim",
            "known: kind, opt",
        ),
    ],
)
def test_mistakes_name_file_line_key_and_value(tmp_path, old, new, key, message):
    assert_refused(beside(tmp_path, old, new), key, message)


def test_points_have_a_class_per_centre(tmp_path):
    centres = "        - 2\n      std: 0.1\n      centres:\n        - - 0\n          - 1\n"
    with pytest.raises(GmganError, match=r"classes must be 1, the number of centres \(got 3\)"):
        load(beside(tmp_path, SHAPE, centres))


def test_names_of_built_in_scores_are_taken():
    for metric in METRICS:
        name = re.sub(r"{\w+}", "7", metric.name)
        with pytest.raises(
            ValidationError, match=f"metrics.{name} has the name of a built-in score"
        ):
            Evaluation.model_validate(
                {"n_real": 9, "n_fake": 9, "sweep": {"n": 9}, "clustering": {"n_generated": 9}}
                | {"metrics": {name: {"kind": "sharpness:ratio", "title": "t"}}}
            )


def test_labels_decide_what_an_objective_can_do(tmp_path):
    plain = load(EXAMPLE / "params.yaml")
    run = grid.Run("shapes", "gan-hinge", 1, 0)
    mixture = grid.Run("shapes", "gmgan-lattice", 3, 0)
    assert grid.has_clusters(plain, mixture)
    grid.check_run(plain, run)
    labelled = beside(
        tmp_path,
        "    objective: hinge:Objective\n",
        "    objective: hinge:Objective\n    uses_labels: true\n",
    )
    grid.check_run(load(labelled), run)
    labelled.write_text(labelled.read_text().replace("      classes: 3\n", ""))
    with pytest.raises(GmganError, match="model 'gan-hinge' needs class labels"):
        grid.check_run(load(labelled), run)
    assert not grid.has_clusters(load(labelled), mixture)


# --- finding and loading --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere_at_all:read", "nowhere_at_all:read: no module nowhere_at_all in"),
        ("json.nowhere:read", "no module json.nowhere in"),
        ("broken_plugin:read", "importing broken_plugin failed with TypeError: two lines"),
        ("json.decoder:nothing", "unknown attribute of json.decoder 'nothing'; known: JSONArr"),
    ],
)
def test_what_cannot_be_loaded(tmp_path, name, message):
    (tmp_path / "broken_plugin.py").write_text("raise TypeError('two\\nlines')\n")
    load(beside(tmp_path))
    with pytest.raises(GmganError, match=re.escape(message)) as caught:
        plugins.load(name)
    assert "\n" not in str(caught.value)


def test_the_folder_of_params_comes_first_and_once(tmp_path):
    for _ in range(2):
        load(beside(tmp_path))
    assert sys.path[0] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_a_reader_must_give_what_its_source_declares(tmp_path, monkeypatch):
    runner = Runner(load(EXAMPLE / "params.yaml"), tmp_path)
    shapes = plugins.load("shapes:read").__globals__
    monkeypatch.setitem(shapes, "CLASSES", ["disc", "square"])
    with pytest.raises(GmganError, match=r"source shapes:read: .* names 2 classes"):
        runner.run(runner.job("prepare", source="shapes"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# --- fingerprints ---------------------------------------------------------------------------------

PRINTS = """
import json, sys
from gmgan.config.loader import load
from gmgan.pipeline.graph import Graph
graph = Graph(load("example/params.yaml"))
prints = {}
for job in graph.jobs("shapes"):
    run = job.names.get("run")
    if job.stage.name in ("prepare", "floor", "report", "train", "score", "tradeoff"):
        name = f"{job.stage.name} {run.model}" if run else job.stage.name
        prints[name] = graph.fingerprint(job)
print(json.dumps(prints))
loaded = {"torch", "shapes", "lattice", "wide", "hinge", "sharpness"} & set(sys.modules)
assert not loaded, loaded
"""
MODELS = ("gan", "gmgan-lattice", "gan-hinge")
PARTS = {  # lattice.py will import the last one
    "parts/__init__.py": "N = 1\n",
    "parts/deep.py": "N = 1\n",
    "parts/apart.py": "N = 1\n",
    "parts/spread.py": "from . import deep\n",
}


@pytest.fixture
def changed(tmp_path):
    """A function that edits a file and gives the names of the fingerprints that this changes."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "gmgan", tmp_path / "gmgan", ignore=ignore)
    shutil.copytree(EXAMPLE, tmp_path / "example", ignore=ignore)
    (tmp_path / "example" / "parts").mkdir()
    for name, text in PARTS.items():
        (tmp_path / "example" / name).write_text(text)

    def prints():
        done = subprocess.run(
            [sys.executable, "-c", PRINTS], cwd=tmp_path, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    known = [prints()]

    def edit(file, old, new):
        path = tmp_path / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        known.append(prints())
        return {name for name in known[-1] if known[-1][name] != known[-2][name]}

    return edit


def of(stages, models=MODELS):
    return {f"{stage} {model}" for stage in stages for model in models}


RUN = ("train", "score", "tradeoff")


def test_code_of_plug_ins_touches_what_uses_it(changed):
    everything = {"prepare", "floor", "report", *of(RUN)}
    assert changed("example/shapes.py", "uniform(3, 5)", "uniform(3, 6)") == everything
    lattice = {"report", *of(RUN, ["gmgan-lattice"])}
    assert changed("example/lattice.py", "2.0 * corners - 1", "2.0 * corners - 0.5") == lattice
    hinge = {"report", *of(RUN, ["gan-hinge"])}
    assert changed("example/hinge.py", "relu(1 - real)", "relu(2 - real)") == hinge
    assert changed("example/wide.py", "LeakyReLU(0.2)", "LeakyReLU(0.1)") == hinge
    scores = {"floor", "report", *of(["score"])}
    assert changed("example/sharpness.py", "(1, 2)", "(2, 1)") == scores
    assert changed("example/params.yaml", "power: 1", "power: 2") == scores
    assert changed("example/params.yaml", "sharpness, generated over", "crispness,") == {"report"}
    assert not changed("example/lattice.py", '"""Component k has', '"""Component k has got')


def test_modules_of_plug_ins_count_too(changed):
    lattice = {"report", *of(RUN, ["gmgan-lattice"])}
    torch_line = "from torch import nn\n"
    added = f"{torch_line}import parts.spread\n"
    assert changed("example/lattice.py", torch_line, added) == lattice
    assert changed("example/parts/deep.py", "1", "2") == lattice
    assert changed("example/parts/__init__.py", "1", "2") == lattice
    assert not changed("example/parts/apart.py", "1", "2")


def test_what_this_package_gives_to_a_plug_in_counts(changed):
    old = "math.sqrt(latent.sigma) if"
    prints = changed("gmgan/models/priors.py", old, f"2 * {old}")
    assert prints == {"report", *of(RUN)}


# --- the documentation ----------------------------------------------------------------------------


def test_the_documentation_shows_the_files_as_they_are():
    page = (ROOT / "docs" / "plugins.md").read_text()
    blocks = re.findall(r"```(?:python|yaml)\n(.*?)```", page, re.DOTALL)
    files = {path.name: path.read_text() for path in EXAMPLE.iterdir() if path.is_file()}
    for block in blocks:
        assert any(block in text for text in files.values()), block
    for name in ("shapes.py", "lattice.py"):
        assert files[name] in blocks
        assert len(files[name].splitlines()) < 40


# --- a project that uses them ---------------------------------------------------------------------

CROSS = """
import numpy as np

from gmgan.data.splits import Splits


def read(source, archives):
    rng = np.random.default_rng(0)
    labels = np.arange(1200) % 4
    points = np.array(source.centres)[labels] + source.std * rng.standard_normal((1200, 2))
    points = points.astype(np.float32)
    return Splits(points[200:], labels[200:], points[:200], labels[:200], list("nesw"))


def reach(fake, real):
    assert fake.logits is None and real.features.shape[1] == 2
    return float(np.abs(fake.samples).max()), 0.5
"""
CROSS_ENTRY = """
  cross:
    title: four Gaussians
    source:
      kind: cross:read
      sample_shape: [2]
      classes: 4
      centres: [[0, 1], [1, 0], [0, -1], [-1, 0]]
      std: 0.1
    latent: {dim: 4, c: 0.5, sigma: 0.2}
    network: mlp-small
    training: {kimg: 1}
    evaluation:
      n_real: 200
      n_fake: 200
      metrics: {reach: {kind: "cross:reach", title: reach, better: higher}}
      sweep: {n: 200, sigma_scales: [1.0, 2.0]}
      clustering: {n_generated: 200}
"""
LATTICE, HINGE = "shapes.gmgan-lattice.K3.s0", "shapes.gan-hinge.K1.s0"
FILE = "params=docs/examples/plugins/params.yaml"


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A project in which the example has run at a tiny budget, and a data set of points."""
    from conftest import make_project

    project = make_project(tmp_path_factory.mktemp("used"))
    folder = project.folder / "docs" / "examples" / "plugins"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "cross.py").write_text(CROSS)
    params = FILE.removeprefix("params=")
    for old, new in (
        ("kimg: 60", "kimg: 1"),
        ("n_train: 2000", "n_train: 600"),
        ("kimg: 20", "kimg: 2"),
        ("        n: 250\n", "        n: 250\n        sigma_scales: [1.0, 2.0]\n"),
        ("\nnetworks:", f"{CROSS_ENTRY}\nnetworks:"),
    ):
        project.edit(params, old, new)
    points = ("results/real/cross.floor.json", "results/runs/cross.gan.K1.s0/scores.json")
    project.snakemake("all", *points, "--config", FILE)
    return project


@pytest.mark.pipeline
class TestProject:
    def test_the_metric_stands_beside_the_built_in_ones(self, used):
        results = used.folder / "results"
        table = pd.read_csv(results / "scores.csv")
        assert (table.status == "ok").all()
        values = table[table.metric == "sharpness"].set_index("model").value
        assert set(values.index) == {*MODELS, "real"}
        assert values["real"] == pytest.approx(1, abs=0.1)
        head = (results / "tables" / "shapes.scores.md").read_text().splitlines()[0]
        assert head.endswith("| sharpness, generated over real |")
        assert "sharpness, generated over real" in (results / "report.html").read_text()

    def test_points_of_a_plug_in_are_scored_by_its_centres(self, used):
        results = used.folder / "results"
        floor = json.loads((results / "real" / "cross.floor.json").read_text())["scores"]
        rows = {row["metric"]: row for row in floor}
        assert rows["modes_captured"]["value"] == 4
        assert rows["high_quality_share"]["value"] > 0.95
        assert (rows["reach"]["spread"], rows["reach"]["extractor"]) == (0.5, "data-space")
        run = json.loads((results / "runs" / "cross.gan.K1.s0" / "scores.json").read_text())
        assert "reach" in {row["metric"] for row in run["scores"]}
        swept = json.loads((results / "runs" / HINGE / "tradeoff.json").read_text())["points"]
        assert "sharpness" not in {row["metric"] for row in swept}

    def test_an_edit_runs_again_what_depends_on_it(self, used, tmp_path):
        project = used.copy(tmp_path / "p")
        folder = "docs/examples/plugins"
        plan = ("all", "--config", FILE)
        assert project.plan(*plan) == {}
        project.edit(f"{folder}/lattice.py", "2.0 * corners - 1", "2.0 * corners - 0.5")
        planned = project.plan(*plan)
        assert planned["train"] == planned["score"] == [LATTICE]
        assert "prepare" not in planned
        project.edit(f"{folder}/lattice.py", "2.0 * corners - 0.5", "2.0 * corners - 1")
        project.edit(f"{folder}/sharpness.py", "(1, 2)", "(2, 1)")
        assert set(project.plan(*plan)) == {"score", "floor", "collect", "report"}

    def test_a_plug_in_that_is_missing_is_named_before_any_job(self, used, tmp_path):
        project = used.copy(tmp_path / "p")
        (project.folder / "docs/examples/plugins/hinge.py").unlink()
        done = project.snakemake("-n", "all", "--config", FILE, check=False)
        assert done.returncode != 0
        assert "gmgan: error: hinge:Objective: no module hinge in" in done.stdout + done.stderr
        params = FILE.removeprefix("params=")
        done = project.gmgan("--params", params, "train", HINGE, check=False)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1

    def test_the_page_shows_what_its_commands_print(self, used, tmp_path):
        project = used.copy(tmp_path / "p")
        page = ROOT / "docs" / "plugins.md"
        command = [
            sys.executable,
            ROOT / "docs" / "scripts" / "console.py",
            project.folder,
            page,
            "--check",
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def test_an_exported_model_needs_its_plug_in(self, used, tmp_path):
        params = FILE.removeprefix("params=")
        used.gmgan("--params", params, "export", LATTICE, "--out", tmp_path / "model")
        script = (
            "import sys; from gmgan.exported import load; "
            "print(load(sys.argv[1]).sample(5, component=2)[0].shape)"
        )

        def loaded(*places):
            return subprocess.run(
                [sys.executable, "-c", script, tmp_path / "model"],
                cwd=used.folder,
                env={"PYTHONPATH": ":".join(map(str, places))},
                capture_output=True,
                text=True,
            )

        done = loaded(used.folder, used.folder / "docs/examples/plugins")
        assert done.stdout == "(5, 16, 16, 1)\n", done.stderr
        done = loaded(used.folder)
        assert "GmganError: lattice:build: no module lattice in" in done.stderr
