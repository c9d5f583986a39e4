"""Bounds that hold however often one looks: their chance of ever being wrong, by simulation."""

from __future__ import annotations

import random
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.quality import anytime, betting, wilson
from hybridllm.quality.anytime import against

LOOKS = [*range(10, 100, 10), *range(100, 401, 50)]
RUNS = 120


def draws(kind: str, seeded: random.Random, n: int) -> list[float]:
    if kind == "pass or fail":
        return [float(seeded.random() < 0.9) for _ in range(n)]
    if kind == "graded":
        return [seeded.choice((1.0, 1.0, 1.0, 0.75, 0.5)) for _ in range(n)]
    return [seeded.uniform(0.8, 0.9) for _ in range(n)]


KINDS = {"pass or fail": 0.9, "graded": 0.85, "even": 0.85}


def sums(scores: list[float]) -> tuple[int, float, float]:
    return len(scores), sum(scores), sum(x * x for x in scores)


@pytest.mark.parametrize("kind", KINDS)
def test_looking_again_and_again_is_honest(kind: str) -> None:
    """At 16 looks on each of 120 months, bounds of 90% ever exclude the truth in 10% at most."""
    seeded = random.Random(7)
    wrong = 0
    for _ in range(RUNS):
        scores = draws(kind, seeded, LOOKS[-1])
        looks = [anytime(*sums(scores[:n]), 0.9) for n in LOOKS]
        wrong += not all(lower <= KINDS[kind] <= upper for lower, upper in looks)
    assert wrong <= 0.1 * RUNS


def test_an_interval_for_a_fixed_number_is_not() -> None:
    """The simulation can fail: Wilson's is wrong more often than it says, looked at every time."""
    seeded = random.Random(7)
    wrong = 0
    for _ in range(RUNS):
        counts = list(accumulate(draws("pass or fail", seeded, LOOKS[-1])))
        looks = [wilson(counts[n - 1], n, 0.9) for n in LOOKS]
        wrong += not all(lower <= 0.9 <= upper for lower, upper in looks)
    assert wrong > 0.2 * RUNS


def test_betting_is_honest_too_and_mostly_narrower() -> None:
    seeded = random.Random(8)
    wrong = narrower = 0
    for _ in range(40):
        scores = draws("graded", seeded, 200)
        looks = [betting(scores[:n], 0.9) for n in (20, 50, 100, 200)]
        wrong += not all(lower <= 0.85 <= upper for lower, upper in looks)
        lower, upper = anytime(*sums(scores), 0.9)
        narrower += looks[-1][1] - looks[-1][0] < upper - lower
    assert wrong <= 4 and narrower > 20


def test_the_evidence_at_the_truth_is_expected_not_to_grow() -> None:
    """Its mean over all sequences of passes and fails is at most 1: summed, not simulated."""
    share, n = 0.7, 12
    chance = {0: 1.0}
    for _ in range(n):
        chance = {
            k: chance.get(k, 0.0) * (1 - share) + chance.get(k - 1, 0.0) * share
            for k in range(len(chance) + 1)
        }
    expected = sum(p * against(n, k, k, share) for k, p in chance.items() if k > n * share)
    assert 0 < expected <= 1


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from([0.0, 0.2, 0.9, 1.0]) | st.floats(0, 1), max_size=60),
    st.sampled_from([0.5, 0.9, 0.99]),
)
def test_bounds_hold_the_mean_and_mirror_it(scores: list[float], confidence: float) -> None:
    n, total, squares = sums(scores)
    for lower, upper in (anytime(n, total, squares, confidence), betting(scores, confidence)):
        assert 0 <= lower <= upper <= 1
    lower, upper = anytime(n, total, squares, confidence)
    assert n == 0 or lower - 1e-9 <= total / n <= upper + 1e-9
    mirrored = anytime(*sums([1 - x for x in scores]), confidence)
    assert mirrored == pytest.approx((1 - upper, 1 - lower), abs=2e-4)
    wider = anytime(n, total, squares, 0.999)
    assert wider[0] <= lower + 1e-4 and wider[1] >= upper - 1e-4


def test_many_even_scores_prove_more_than_as_many_passes() -> None:
    even = anytime(500, 450, 405.2)
    passes = anytime(500, 450, 450)
    assert passes[0] < even[0] < 0.9 < even[1] < passes[1]
    assert even[1] - even[0] < 0.06


def test_nothing_is_known_without_samples_and_all_good_is_not_all_proved() -> None:
    assert anytime(0, 0, 0) == (0.0, 1.0) == betting([])
    lower, upper = anytime(200, 200, 200)
    assert 0.95 < lower < 1 and upper == 1
    lower, upper = anytime(200, 0, 0)
    assert lower == 0 and 0 < upper < 0.05


def test_the_price_of_looking_at_any_time_is_as_the_page_says() -> None:
    assert anytime(200, 190, 190)[0] == pytest.approx(0.878, abs=5e-4)
    assert wilson(190, 200)[0] == pytest.approx(0.910, abs=5e-4)


@pytest.mark.parametrize("bad", [(-1, 0, 0, 0.9), (2, 3, 3, 0.9), (2, 1, 1, 1.0), (2, 1, 1, 0)])
def test_what_are_no_sums_or_no_confidence_is_refused(bad: tuple[int, float, float, float]) -> None:
    with pytest.raises(ValueError):
        anytime(*bad)


@pytest.mark.parametrize(("scores", "confidence"), [([1.1], 0.9), ([-0.1], 0.9), ([1.0], 1.0)])
def test_bets_take_scores_alone(scores: list[float], confidence: float) -> None:
    with pytest.raises(ValueError):
        betting(scores, confidence)
