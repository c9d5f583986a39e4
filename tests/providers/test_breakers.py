"""The breaker's table, row by row."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.config import BreakerConfig
from hybridllm.providers.breakers import PROBE_SECONDS, Breakers, State

CONFIG = BreakerConfig(failures=3, window=8, open_seconds=10.0)
M = "openai/gpt-4o"


def opened() -> Breakers:
    """Open since 0."""
    breakers = Breakers(CONFIG)
    for _ in range(3):
        breakers.failure(M, 0.0)
    return breakers


def test_a_model_never_heard_of_is_closed() -> None:
    breakers = Breakers(CONFIG)
    assert breakers.allow(M, 0.0)
    assert breakers.down(0.0) == frozenset()
    assert breakers.snapshot(0.0) == {}


def test_failures_in_a_row_open_it() -> None:
    breakers = Breakers(CONFIG)
    for _ in range(2):
        breakers.failure(M, 0.0)
        assert breakers.allow(M, 0.0)
    breakers.failure(M, 0.0)
    assert not breakers.allow(M, 9.9)
    assert breakers.allow("openai/o3", 9.9)
    assert breakers.snapshot(4.0)[M].state is State.OPEN
    assert breakers.snapshot(4.0)[M].retry_in == 6.0


def test_a_success_forgets_the_row_but_half_a_window_of_failures_opens_it() -> None:
    breakers = Breakers(CONFIG)
    for _ in range(3):
        breakers.failure(M, 0.0)
        assert breakers.allow(M, 0.0)
        breakers.success(M, 0.0)
    breakers.failure(M, 0.0)
    assert breakers.allow(M, 0.0), "seven outcomes are no full window"
    breakers.success(M, 0.0)
    breakers.failure(M, 0.0)
    assert not breakers.allow(M, 0.0)


def test_half_open_lets_one_probe_through() -> None:
    breakers = opened()
    assert breakers.snapshot(10.0)[M].state is State.HALF_OPEN
    assert breakers.allow(M, 10.0)
    assert not breakers.allow(M, 10.0)
    assert breakers.allow(M, 10.0 + PROBE_SECONDS), "a lost probe does not keep it shut for ever"


def test_the_probe_closes_it_or_opens_it_anew_or_tells_nothing() -> None:
    breakers = opened()
    assert breakers.allow(M, 10.0)
    breakers.release(M)
    assert breakers.allow(M, 10.0)
    breakers.failure(M, 11.0)
    assert not breakers.allow(M, 20.9)
    assert breakers.allow(M, 21.0)
    breakers.success(M, 22.0)
    assert breakers.allow(M, 22.0)
    assert breakers.allow(M, 22.0)
    breakers.failure(M, 23.0)
    assert breakers.allow(M, 23.0), "closing forgot the failures"


def test_late_news_of_earlier_calls_changes_nothing_while_open() -> None:
    breakers = opened()
    breakers.success(M, 5.0)
    breakers.failure(M, 9.0)
    assert not breakers.allow(M, 9.9)
    assert breakers.allow(M, 10.0)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["allow", "success", "failure", "release"]),
            st.sampled_from(["a", "b"]),
            st.sampled_from([0.0, 1.0, 10.0]),
        ),
        max_size=80,
    )
)
def test_down_is_what_allow_would_refuse(steps: list[tuple[str, str, float]]) -> None:
    breakers, now = Breakers(BreakerConfig(failures=2, window=4, open_seconds=10.0)), 0.0
    for what, model, passed in steps:
        now += passed
        down = breakers.down(now)
        if what == "release":
            breakers.release(model)
        elif what == "allow":
            assert breakers.allow(model, now) == (model not in down)
        else:
            getattr(breakers, what)(model, now)
