"""Training finds what tells labels apart, goes on from weights, and calibrates."""

from __future__ import annotations

import pytest
from msgspec import structs

from hybridllm.tasks.features import Marks
from hybridllm.tasks.learned import shipped
from hybridllm.tasks.training import Example, Settings, calibrated, train
from hybridllm.tasks.weights import Scorer

QUICK = Settings(epochs=30, batch=32)


def example(label: str, family: str, *words: str) -> Example:
    return Example(Marks(frozenset(words), frozenset(), frozenset()), label, family)


EXAMPLES = [
    example(label, f"{label} {n % 5}", sign, "the", f"noise {n % 7}")
    for label, sign in (("fruit", "apple"), ("tool", "hammer"))
    for n in range(40)
]


def best(weights, *words: str) -> str:
    scorer = Scorer(weights)
    scores = scorer.scores(Marks(frozenset(words), frozenset(), frozenset()))
    return scorer.labels[scores.index(max(scores))]


def test_it_learns_what_tells_labels_apart_and_the_same_again():
    weights = train(EXAMPLES, QUICK)
    assert weights.labels == ["fruit", "tool"]
    assert best(weights, "apple", "the", "noise 1") == "fruit"
    assert best(weights, "hammer", "the", "noise 1") == "tool"
    assert train(EXAMPLES, QUICK) == weights


def test_a_mark_of_one_family_alone_is_not_learned():
    odd = [example("fruit", "fruit 1", "apple", "watermark") for _ in range(20)]
    weights = train(EXAMPLES + odd, QUICK)
    assert "watermark" not in weights.features["words"]
    assert "apple" in weights.features["words"]


def test_going_on_from_weights_keeps_what_they_knew():
    first = train(EXAMPLES, QUICK)
    more = [example("sport", f"sport {n % 3}", "racket", "the") for n in range(30)]
    both = train(more, QUICK, start=first)
    assert both.labels == ["fruit", "sport", "tool"]
    assert best(both, "racket") == "sport"
    assert best(both, "hammer") == "tool"
    assert best(both, "apple") == "fruit"


def test_one_label_is_too_few():
    with pytest.raises(ValueError, match="two labels"):
        train(EXAMPLES[:40], QUICK)


def test_the_temperature_is_high_where_the_weights_are_too_sure():
    weights = train(EXAMPLES, QUICK)
    swapped = [
        structs.replace(one, label="tool" if n % 3 == 0 else one.label)
        for n, one in enumerate(EXAMPLES)
    ]
    assert calibrated(weights, swapped) > calibrated(weights, EXAMPLES)
    assert calibrated(weights, []) == 1.0


def test_the_weights_of_the_package_say_what_they_were_trained_on_and_are_small():
    weights = shipped()
    assert "self-made prompts" in weights.note
    for restricted in ("alpaca_eval", "codealpaca", "e2e", "refactorbench"):
        assert restricted not in weights.note
    assert len(weights.encode()) < 2_000_000
