"""The published figures of routers on outcomes whose figures are known by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.evals.curve import Outcome, chance, longest, oracle, worth
from hybridllm.evals.predicted import predicted


def outcome(weak: float, strong: float, prompt: str = "x", weak_cost=1, strong_cost=11) -> Outcome:
    return Outcome(
        prompt=prompt, weak=weak, strong=strong, weak_cost=weak_cost, strong_cost=strong_cost
    )


TEN = [outcome(0, 1) if place < 4 else outcome(1, 1) for place in range(10)]
"""Four of ten samples gain: weak 0.6, strong 1."""


def test_the_oracle_of_ten_samples_by_hand():
    found = worth(TEN, oracle(TEN))
    assert [share for share, _ in found.points] == [step / 10 for step in range(11)]
    scores = [score for _, score in found.points[:6]]
    assert scores == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0, 1.0])
    # Trapezoids: 0.65 + 0.75 + 0.85 + 0.95 + 6 x 1.0, of ten; minus 0.6, over the gap of 0.4.
    assert found.apgr == pytest.approx(0.8)
    assert found.cpt50 == pytest.approx(0.2)
    assert found.cpt80 == pytest.approx(0.32)
    # Over cost 10 to 110: from 0.6 to 1.0 within the first 40%, then level.
    assert found.aiq == pytest.approx(0.4 * 0.8 + 0.6 * 1.0)


def test_the_worst_router_recovers_what_the_oracle_leaves():
    found = worth(TEN, [-gain for gain in oracle(TEN)])
    assert found.apgr == pytest.approx(0.2)
    assert found.cpt50 == pytest.approx(0.8)
    # The hull is the line between the two models alone.
    assert found.aiq == pytest.approx(0.8)


def test_without_a_gap_or_without_costs_there_is_no_such_figure():
    same = [outcome(1, 1) for _ in range(10)]
    assert worth(same, oracle(same)).apgr is None
    free = [outcome(0, 1, weak_cost=None) for _ in range(10)]
    assert worth(free, oracle(free)).aiq is None


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])),
        min_size=10,
        max_size=60,
    ),
    st.integers(0, 99),
)
def test_no_router_is_better_than_the_oracle_and_all_end_at_the_two_models(pairs, seed):
    outcomes = [outcome(*pair) for pair in pairs]
    best = worth(outcomes, oracle(outcomes))
    for win in (chance(outcomes, seed), longest(outcomes)):
        found = worth(outcomes, win)
        assert found.points[0][1] == pytest.approx(best.points[0][1])
        assert found.points[-1][1] == pytest.approx(best.points[-1][1])
        for (_, mine), (_, top) in zip(found.points, best.points, strict=True):
            assert mine <= top + 1e-9
        if found.apgr is not None and best.apgr is not None:
            assert found.apgr <= best.apgr + 1e-9
            assert found.cpt50 is not None and 0 <= found.cpt50 <= 1
        if found.aiq is not None and best.aiq is not None:
            assert found.aiq <= best.aiq + 1e-9


def test_ours_finds_what_the_prompts_tell_without_having_seen_the_sample():
    hard = [outcome(0, 1, f"Prove theorem number {n} of the list") for n in range(60)]
    easy = [outcome(1, 1, f"What colour is box {n}, please?") for n in range(60)]
    outcomes = [one for pair in zip(hard, easy, strict=True) for one in pair]
    found = worth(outcomes, predicted(outcomes))
    assert found.apgr == pytest.approx(worth(outcomes, oracle(outcomes)).apgr, abs=0.05)


def test_ours_finds_nothing_in_noise():
    outcomes = [outcome(0, n * 7919 % 10 < 4, f"Question {n}") for n in range(200)]
    assert worth(outcomes, predicted(outcomes)).apgr == pytest.approx(0.5, abs=0.1)
