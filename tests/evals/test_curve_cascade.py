"""A cascade's figures on outcomes whose figures are known by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.evals.curve import Outcome, oracle, worth
from hybridllm.evals.curve_cascade import (
    Check,
    by_both,
    by_check,
    by_oracle,
    cascade_worth,
    failing,
    held_out,
)


def outcome(weak: float, strong: float, weak_cost: int | None = 1) -> Outcome:
    return Outcome(prompt="x", weak=weak, strong=strong, weak_cost=weak_cost, strong_cost=10)


TEN = [outcome(0, 1) if place < 4 else outcome(1, 1) for place in range(10)]
"""Four of ten samples gain: weak 0.6, strong 1."""


def test_an_oracle_checks_cascade_of_ten_samples_by_hand() -> None:
    found = cascade_worth(TEN, by_oracle(TEN), 0)
    assert found.apgr == pytest.approx(0.8), "in strong calls it is as good as the oracle"
    # Cost 10 to 100, each escalation 10 more: from 0.6 to 1.0 at 50, then level.
    assert found.aiq == pytest.approx((40 * 0.8 + 50 * 1.0) / 90)
    plain = worth(TEN, oracle(TEN)).aiq
    assert plain is not None and found.aiq < plain, "the weak answers are billed too"


def test_a_check_is_billed() -> None:
    # Each of ten checks costs two weak answers: what was had for 50 is had for 70.
    free, paid = (cascade_worth(TEN, by_oracle(TEN), cost).aiq for cost in (0, 2))
    assert free is not None and paid is not None
    # From (10, 0.6), straight to (70, 1.0), then level to 100.
    assert paid == pytest.approx((60 * 0.8 + 30 * 1.0) / 90)


def test_a_cascade_dearer_than_the_strong_model_is_worth_a_random_mix() -> None:
    assert cascade_worth(TEN, by_oracle(TEN), 50).aiq == pytest.approx(0.8)


def test_without_costs_there_is_no_such_figure() -> None:
    free = [outcome(0, 1, None), outcome(1, 1, None)] * 5
    assert cascade_worth(free, by_oracle(free), 0).aiq is None
    assert held_out(free, by_oracle(free), 0, 1).cost is None


def test_a_check_has_the_error_rates_that_it_is_said_to_have() -> None:
    many = [outcome(0, 1)] * 4_000 + [outcome(1, 1)] * 4_000
    failed = failing(many, Check(catches=0.7, alarms=0.2), 1)
    assert sum(failed[:4_000]) / 4_000 == pytest.approx(0.7, abs=0.03)
    assert sum(failed[4_000:]) / 4_000 == pytest.approx(0.2, abs=0.03)
    order = by_check(failed, 1)
    assert min(w for w, f in zip(order, failed, strict=True) if f) > max(
        w for w, f in zip(order, failed, strict=True) if not f
    )


def test_among_answers_that_passed_the_order_says_nothing_of_them() -> None:
    many = [outcome(place % 2, 1) for place in range(4_000)]
    failed = failing(many, Check(catches=0.5, alarms=0.5), 1)
    assert worth(many, by_check(failed, 1)).apgr == pytest.approx(0.5, abs=0.03)


def test_what_is_predicted_and_what_the_check_says_are_worth_more_together() -> None:
    hard = [place % 4 for place in range(800)]
    outcomes = [
        outcome(0, 1) if h == 0 or place % 8 == 1 else outcome(1, 1) for place, h in enumerate(hard)
    ]
    failed = failing(outcomes, Check(catches=0.6, alarms=0.2), 2)
    gain = [1.0 if h == 0 else -1.0 for h in hard]
    both = worth(outcomes, by_both(outcomes, failed, gain, 1)).apgr
    alone = worth(outcomes, by_check(failed, 1)).apgr
    assert both is not None and alone is not None and both > alone + 0.1
    useless = by_both(outcomes, failed, [0.0] * 800, 1)
    assert {w > 0 for w, f in zip(useless, failed, strict=True) if f} == {True}


def test_a_threshold_is_chosen_on_other_samples() -> None:
    outcomes = TEN * 20
    found = held_out(outcomes, by_oracle(outcomes), 0, 1)
    assert (found.pgr, found.share) == (1.0, 0.4), "all that fail the oracle's check tie"
    assert found.cost == pytest.approx(0.1 + 0.4)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 0.5, 1]), st.sampled_from([0, 0.5, 1])), min_size=10),
    st.floats(0, 3),
)
def test_a_cascade_never_beats_the_oracle_who_pays_once(pairs, check_cost) -> None:
    outcomes = [outcome(*pair) for pair in pairs]
    for win in (by_oracle(outcomes), oracle(outcomes)):
        found, best = cascade_worth(outcomes, win, check_cost), worth(outcomes, oracle(outcomes))
        assert found.aiq is not None and best.aiq is not None
        assert found.aiq <= best.aiq + 1e-9
