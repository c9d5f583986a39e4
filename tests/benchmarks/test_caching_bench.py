"""What prompt caching promises, at a scale that takes seconds; `make bench-caching` has all of it.

A table that has seen little guesses more: some shapes keep the promise only in longer traffic.
"""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.bench_caching import LEAST_SAVED, MOST_OVER, bench_of, conversations, misses, shape
from benchmarks.caching.ways import Bench

SHAPES = {
    "one-shot": 60,
    "bursts": 200,
    "drip beyond the hour": 60,
    "mixed": 60,
}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return bench_of("guide")


@pytest.fixture(scope="module")
def shared(bench: Bench) -> dict[str, Any]:
    """Conversations of mixed tiers over one context."""
    return conversations(bench, 24, 6, 20_000)


def test_over_a_shared_context_four_fifths_of_the_input_are_saved(shared: dict[str, Any]) -> None:
    assert shared["input_saved"] >= LEAST_SAVED


@pytest.mark.parametrize("way", ["pinned to the first model", "afresh each turn, all marked"])
def test_it_costs_less_than_pinning_and_than_choosing_afresh(
    shared: dict[str, Any], way: str
) -> None:
    assert shared["ways"]["ours"]["total_usd"] < shared["ways"][way]["total_usd"]
    assert shared["ways"]["ours"]["below_bar"] == 0


@pytest.mark.parametrize("name", SHAPES)
def test_no_fixed_choice_is_much_cheaper(bench: Bench, name: str) -> None:
    found = shape(bench, name, SHAPES[name])
    assert found["ours"]["calls"] == found["best"]["calls"] > 0
    assert found["over"] <= MOST_OVER, found["best_fixed"]


def test_what_is_missed_is_named(shared: dict[str, Any]) -> None:
    assert misses({"conversations": shared}) == []
    dear = {**shared["ways"], "ours": shared["ways"]["no marks"]}
    missed = misses({"conversations": {**shared, "ways": dear, "input_saved": 0.5}})
    assert missed[0] == "input saved 50.0%, not 80%"
    assert "not below 'pinned to the first model'" in missed
    over = {"shape": "bursts", "over": 0.021, "best_fixed": "one"}
    assert misses({"shapes": [over]}) == ["bursts: 2.1% above one"]
