"""The line that says what a score is, and the notes on scores that contradict each other."""

import pytest

from gmgan.evaluation.flags import flagged
from gmgan.evaluation.signature import floor_of, signed
from gmgan.records import Score


def score(metric="fid", value=0.5, **change):
    told = {"extractor": "classifier", "extractor_hash": "1a2b3c4d5e6f7890", "split": "train"}
    told |= {"extractor_id": "mnist.classifier", "n_real": 9000, "n_fake": 10000, "version": 2}
    return Score(metric=metric, value=value, **told | change)


def test_a_signature_is_one_line():
    line = signed(score(), "mnist-short", {"b": 2, "a": 1, "c": None}, 0.0412).signature
    assert line == (
        "fid|v2|data:mnist-short|ext:mnist.classifier@1a2b3c4d|n:10000/9000|split:train"
        "|with:a=1,b=2|floor:0.0412"
    )
    own = {"extractor": "data-space", "extractor_hash": "data-space", "extractor_id": "data-space"}
    line = signed(score(**own, n_fake=None), "toy-ring", {}, None).signature
    assert line == "fid|v2|data:toy-ring|ext:data-space|n:9000|split:train"


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "kid"},
        {"version": 3},
        {"extractor_hash": "0"},
        {"split": "test"},
        {"n_fake": 9999},
        {"n_real": 8999},
    ],
)
def test_a_floor_of_another_protocol_is_none(change):
    assert floor_of(score(), [score(value=0.1)]) == 0.1
    assert floor_of(score(), [score(value=0.1, **change)]) is None
    other = signed(score(**change), "d", {}, None).signature
    assert other != signed(score(), "d", {}, None).signature


def test_contradictions_are_noted_beside_the_number():
    def notes(**values):
        return {s.metric: s.flag for s in flagged(score(m, v) for m, v in values.items()) if s.flag}

    assert notes(quality=0.9, precision_k3=0.8, recall_k3=0.6, coverage_k5=0.7) == {}
    assert notes(quality=0.9, precision_k3=0.0) == {
        "quality": "near real samples, but outside their neighbourhoods (precision 0.000)"
    }
    assert set(notes(recall_k3=0.0, precision_k3=0.9)) == {"recall_k3", "precision_k3"}
    assert set(notes(diversity=0.83, within_class_diversity_ratio=0.3)) == {"diversity"}
    assert notes(quality=0.1, precision_k3=0.0) == {}
