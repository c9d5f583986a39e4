"""Weights add up as the formula says, and a file that is none is refused with its reason."""

from __future__ import annotations

import gzip
from math import exp, sqrt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from hybridllm.errors import ConfigError
from hybridllm.tasks.features import Marks
from hybridllm.tasks.weights import GAINS, GROUPS, LARGEST, Scorer, Weights, decode

LABELS = ["a", "b", "c"]
row = st.lists(st.integers(-LARGEST, LARGEST), min_size=3, max_size=3)
table = st.dictionaries(st.text(max_size=4), row, max_size=30)
MADE = Weights(
    labels=LABELS,
    bias=[0.5, 0.0, -0.5],
    unit=0.001,
    temperature=2.0,
    floor=0.5,
    features={"words": {"x": [1, 2, 3]}, "edges": {}, "shape": {}},
)


@settings(max_examples=50, deadline=None)
@given(words=table, edges=table, shape=table, data=st.data())
def test_packed_sums_are_the_plain_sums(words, edges, shape, data):
    weights = structs.replace(MADE, features={"words": words, "edges": edges, "shape": shape})
    chosen = [
        frozenset(data.draw(st.lists(st.sampled_from(sorted(known)) if known else st.nothing())))
        if known
        else frozenset()
        for known in (words, edges, shape)
    ]
    marks = Marks(*(kept | {"unknown mark"} for kept in chosen))
    expected = list(weights.bias)
    for group, gain, kept in zip(GROUPS, GAINS, chosen, strict=True):
        for mark in kept:
            for at in range(3):
                expected[at] += (
                    weights.features[group][mark][at] * weights.unit * gain / sqrt(len(kept))
                )
    scorer = Scorer(weights)
    assert scorer.scores(marks) == pytest.approx(expected, abs=1e-6)
    parts = [exp((score - max(expected)) / 2.0) for score in expected]
    found = scorer.probabilities(marks)
    assert found == pytest.approx([part / sum(parts) for part in parts], abs=1e-6)


def test_a_file_gives_back_what_was_written():
    assert decode(MADE.encode(), "here") == MADE
    assert MADE.encode() == MADE.encode()


WRONG = {
    "another format": structs.replace(MADE, format=9),
    "labels twice": structs.replace(MADE, labels=["a", "a", "c"]),
    "one bias missing": structs.replace(MADE, bias=[0.0]),
    "no temperature": structs.replace(MADE, temperature=0.0),
    "a row too short": structs.replace(MADE, features={"words": {"x": [1]}}),
    "a weight too large": structs.replace(MADE, features={"words": {"x": [1, 2, LARGEST + 1]}}),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_weights_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(ConfigError, match="here holds no weights of the task classifier"):
        decode(wrong.encode(), "here")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", gzip.compress(b"{}"), gzip.compress(b"[" * 90), MADE.encode()[:-9]],
    ids=["empty", "not packed", "no fields", "no JSON", "cut"],
)
def test_what_is_no_file_of_weights_is_refused(data):
    with pytest.raises(ConfigError, match="hybridllm tasks train"):
        decode(data, "here")


def test_a_small_file_that_unpacks_without_end_is_refused():
    bomb = gzip.compress(msgspec.json.encode("x" * 40_000_000))
    with pytest.raises(ConfigError, match="32,000,000 bytes unpacked"):
        decode(bomb, "here")
