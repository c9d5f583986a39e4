"""Checks fade as others follow and as time passes; their bound is below their mean."""

from __future__ import annotations

import random

import pytest

from hybridllm.quality.passing import HALF_LIFE_DAYS, MEMORY, MILLION, Passing, pass_rate


def test_before_anything_was_checked_what_is_expected_holds() -> None:
    rate = pass_rate(Passing(), 0.7, 20)
    assert (rate.mean, rate.checks) == (700_000, 0)
    assert 500_000 < rate.lower < 700_000


def test_a_change_of_the_traffic_is_seen_and_memory_is_bounded() -> None:
    seen = Passing()
    for _ in range(5_000):
        seen = seen.after(True)
    assert seen.checked == pytest.approx(MEMORY, rel=0.01)
    for _ in range(2 * MEMORY):
        seen = seen.after(False)
    assert pass_rate(seen, 0.7, 20).mean < 200_000


def test_all_weighs_half_after_the_half_life() -> None:
    assert Passing(100, 80).aged(HALF_LIFE_DAYS) == Passing(50, 40)
    assert Passing(100, 80).aged(-1) == Passing(100, 80), "clocks that go back change nothing"


def test_hours_add_up_within_memory() -> None:
    assert Passing(100, 50).plus(100, 100) == Passing(200, 150)
    full = Passing(MEMORY, MEMORY).plus(MEMORY, 0)
    assert (full.checked, full.passed) == (MEMORY, MEMORY / 2)


def test_the_bound_holds_nine_times_in_ten() -> None:
    chance, held = random.Random(3), 0
    for _ in range(1_000):
        passed = sum(chance.random() < 0.8 for _ in range(150))
        held += pass_rate(Passing(150, passed), 0.8, 1).lower <= 0.8 * MILLION
    assert held >= 870
