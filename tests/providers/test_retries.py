"""Waits have full jitter and respect retry-after; a storm of failures is not amplified."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.config import RetryConfig
from hybridllm.providers.retries import RetryBudget, backoff


class Least:
    def uniform(self, a: float, b: float, /) -> float:
        return a


class Most:
    def uniform(self, a: float, b: float, /) -> float:
        return b


CONFIG = RetryConfig(attempts=6, base_seconds=0.2, cap_seconds=1.0)


@pytest.mark.parametrize(
    ("retry", "after", "least", "most"),
    [
        (1, None, 0.0, 0.2),
        (2, None, 0.0, 0.4),
        (3, None, 0.0, 0.8),
        (4, None, 0.0, 1.0),
        (1, 0.5, 0.5, 0.7),
        (3, 0.5, 0.5, 1.0),
        (1, 1.0, 1.0, 1.0),
        (1, -3.0, 0.0, 0.2),
    ],
)
def test_the_wait_lies_between(retry: int, after: float | None, least: float, most: float) -> None:
    assert backoff(CONFIG, retry, after, Least()) == pytest.approx(least)
    assert backoff(CONFIG, retry, after, Most()) == pytest.approx(most)


@pytest.mark.parametrize(("retry", "after"), [(6, None), (6, 0.1), (1, 1.01)])
def test_past_the_attempts_or_the_cap_the_model_is_given_up(
    retry: int, after: float | None
) -> None:
    assert backoff(CONFIG, retry, after, random) is None


def test_one_attempt_means_no_retry() -> None:
    assert backoff(RetryConfig(attempts=1), 1, None, random) is None


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=150),
    st.floats(0, 1),
    st.floats(0, 3),
)
def test_the_budget_is_never_exceeded(
    steps: list[tuple[float, bool]], ratio: float, floor: float
) -> None:
    budget = RetryBudget(RetryConfig(budget_ratio=ratio, budget_floor=floor))
    now, asked, granted = 1000.0, list[float](), list[float]()
    for passed, is_request in steps:
        now += passed
        if is_request:
            budget.request(now)
            asked.append(now)
        elif budget.spend(now):
            granted.append(now)
            recent = sum(at > now - 9 for at in granted)
            assert recent <= ratio * sum(at > now - 10 for at in asked) + floor * 10 + 1e-9


def test_what_was_spent_comes_back_after_ten_seconds() -> None:
    budget = RetryBudget(RetryConfig(budget_ratio=0.0, budget_floor=0.1))
    assert budget.spend(50.0)
    assert not budget.spend(59.9)
    assert budget.spend(60.0)


def test_requests_of_the_last_ten_seconds_buy_retries() -> None:
    budget = RetryBudget(RetryConfig(budget_ratio=0.2, budget_floor=0.0))
    for _ in range(10):
        budget.request(5.0)
    assert [budget.spend(6.0) for _ in range(3)] == [True, True, False]
    assert not budget.spend(500.0)
