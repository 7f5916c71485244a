"""Options at their neutral value are no part of fingerprints."""

import json
from typing import Annotated, Any

import pytest
from pydantic import Field, create_model

from gmgan.config.base import Neutral, Strict, hashed, neutral_values
from gmgan.config.models import Training
from gmgan.config.run import Run, RunSettings
from gmgan.evaluation import settings as _  # noqa: F401  (declares settings)
from gmgan.pipeline.checkpoints import differences
from gmgan.pipeline.graph import Graph
from gmgan.pipeline.grid import parse_run, settings

# Every option that is left out of fingerprints at a value. A line is added with a new option and
# never changed: what was trained before would silently count as trained with the new value.
NEUTRAL: dict[str, dict[str, Any]] = {
    "Run": {"varied": ""},
    "Normalisation": {"spectral_norm": False},
    "DcganNetwork": {"discriminator_channels": None},
    "Training": {
        "critic_steps": 1,
        "discriminator_learning_rate": None,
        "decay_from": 1.0,
        "average_half_life_kimg": None,
        "average_warm_up": 0.05,
    },
    "Mixture": {"weights": "uniform", "weights_learning_rate": 0.001},
    "StaticPrior": {"weights": "uniform", "weights_learning_rate": 0.001},
    "DynamicPrior": {"weights": "uniform", "weights_learning_rate": 0.001, "sigma_penalty": 0.0},
    "Model": {"penalties": [], "auxiliary": [], "generator": {}, "discriminator": {}},
    "Dataset": {"class_shares": {}, "recipes": {}},
    "PrepareSettings": {"class_shares": {}},
    "RunSettings": {"penalties": [], "auxiliary": []},
}


def classes(entry):
    yield entry
    for each in entry.__subclasses__():
        yield from classes(each)


def test_every_neutral_value_is_the_one_that_it_always_was():
    settings_classes = {each for each in classes(Strict) if each.__module__.startswith("gmgan.")}
    declared = {each.__name__: neutral_values(each) for each in settings_classes | {Run}}
    assert {name: values for name, values in declared.items() if values} == NEUTRAL


def without_neutral(content):
    """Nested JSON without the entries that NEUTRAL lists."""
    if isinstance(content, list):
        return [without_neutral(each) for each in content]
    if not isinstance(content, dict):
        return content
    neutral = [item for values in NEUTRAL.values() for item in values.items()]
    kept = {name: without_neutral(each) for name, each in content.items()}
    return {name: each for name, each in kept.items() if (name, each) not in neutral}


def test_all_other_settings_are_part_of_it(params):
    graph = Graph(params)
    for job in graph.jobs("quick"):
        plain = json.loads(graph.settings(job).model_dump_json())
        assert json.loads(json.dumps(hashed(graph.settings(job)))) == without_neutral(plain)


class Decay(Strict):
    start: float
    kind: Annotated[str, Neutral("linear")] = "linear"


class NewTraining(Training):
    """Training with options that do not exist yet."""

    rounds: Annotated[int, Neutral(1)] = 1
    decays: Annotated[list[Decay], Neutral([]), Field(default_factory=list)]


NewSettings = create_model("NewSettings", __base__=RunSettings, training=(NewTraining, ...))


@pytest.fixture
def resolved(params):
    def resolve(**options):
        content = settings(params, parse_run(params, "digits.gan.K1.s0")).model_dump()
        return NewSettings.model_validate(content | {"training": content["training"] | options})

    return resolve


def test_a_new_option_at_its_neutral_value_is_left_out(params, resolved):
    before = settings(params, parse_run(params, "digits.gan.K1.s0"))
    assert hashed(resolved()) == hashed(before)
    assert hashed(resolved(rounds=1, decays=[])) == hashed(before)


def test_any_other_value_is_part_of_it_also_in_lists_of_options(resolved):
    assert hashed(resolved(rounds=5))["training"]["rounds"] == 5
    decays = [{"start": 0.5, "kind": "linear"}, {"start": 0.5, "kind": "cosine"}]
    assert hashed(resolved(decays=decays))["training"]["decays"] == [{"start": 0.5}, decays[1]]


def test_a_checkpoint_from_before_the_option_fits_and_another_value_is_named(resolved):
    before = hashed(resolved())
    assert differences(before, hashed(resolved(rounds=1))) == []
    changed = differences(before, hashed(resolved(rounds=5)))
    assert changed == ["training.rounds: unset -> 5"]
