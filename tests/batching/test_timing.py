"""When the lane submits, asks and goes live: decisions of what there is and the time."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hybridllm.batching.timing import (
    US,
    margin_seconds,
    poll_seconds,
    rest_seconds,
    ripe,
    ripe_at,
    taken,
    too_short,
    usual_seconds,
)
from hybridllm.config import BatchConfig
from hybridllm.providers.batches.api import Limits
from hybridllm.store.batch_jobs import Group
from hybridllm.store.batches import LineRow

LIMITS = Limits(requests=100, bytes=10_000, seconds=86_400)
CONFIG = BatchConfig(min_lines=50, max_age_seconds=30, margin_seconds=300, usual_seconds=3600)
NOW = 10**15
DAY = 86_400 * US


def group(lines: int = 1, size: int = 10, age: float = 0, left: float = 86_400) -> Group:
    oldest = NOW - int(age * US)
    return Group("m", "openai", lines, size, 0, oldest, NOW + int(left * US))


def line(size: int = 10, tokens: int = 10) -> LineRow:
    return LineRow("b", 0, "", "waiting", "m", "openai", "", 0, 0, "[]", 0, 0, 0, size, tokens, b"")


def test_a_group_is_submitted_when_it_is_full_old_or_its_deadline_asks_for_it() -> None:
    short = too_short(NOW, 3600, 300)
    assert ripe(group(), LIMITS, CONFIG, NOW, short) == ""
    assert ripe(group(lines=50), LIMITS, CONFIG, NOW, short) == "full"
    assert ripe(group(size=9_000), LIMITS, CONFIG, NOW, short) == "full"
    assert ripe(group(age=30), LIMITS, CONFIG, NOW, short) == "old enough"
    assert ripe(group(left=4200 + 59), LIMITS, CONFIG, NOW, short) == "its deadline"


@given(st.floats(0, 29), st.floats(4300, 10**6))
def test_what_is_not_ripe_is_by_the_time_that_was_told(age: float, left: float) -> None:
    waiting = group(age=age, left=left)
    at = ripe_at(waiting, CONFIG, 4200.0)
    assert ripe(waiting, LIMITS, CONFIG, at + 1, too_short(at + 1, 3600, 300))


def test_a_provider_is_taken_to_last_as_long_as_most_of_its_batches_did() -> None:
    assert usual_seconds([], CONFIG) == 3600
    assert usual_seconds([10, 10], CONFIG) == 3600
    assert usual_seconds([10] * 20, CONFIG) == 12.5
    assert usual_seconds([10] * 17 + [1000] * 3, CONFIG) == 1250


@given(st.lists(st.integers(0, 10**5), min_size=3, max_size=30))
def test_nine_in_ten_were_done_by_then(recent: list[int]) -> None:
    usual = usual_seconds(recent, CONFIG)
    assert sum(took <= usual for took in recent) >= 0.9 * len(recent)


def test_the_margin_grows_with_what_must_be_asked() -> None:
    assert margin_seconds(CONFIG, None, 1) == 300
    assert margin_seconds(CONFIG, 2_000, 16 * 100) == 400
    assert margin_seconds(CONFIG, 20_000, 16 * 100) == 4_000


@given(
    st.lists(st.tuples(st.integers(1, 20_000), st.integers(0, 50)), min_size=1, max_size=300),
    st.one_of(st.none(), st.integers(-10, 1_000)),
    st.floats(0.01, 1.0),
)
def test_a_job_is_within_the_limits_or_is_one_line(
    sizes: list[tuple[int, int]], tokens: int | None, share: float
) -> None:
    lines = [line(*one) for one in sizes]
    count = taken(lines, LIMITS, CONFIG, tokens, share)
    assert count <= 100 * share or count == 1
    if tokens is not None and tokens <= 0:
        assert sum(one.tokens for one in lines[:count]) <= max(tokens, 0)
    elif count > 1:
        assert sum(one.size for one in lines[:count]) <= 9_000
        assert tokens is None or sum(one.tokens for one in lines[:count]) <= tokens
    else:
        assert count == 1


@given(st.integers(0, 1_000))
def test_jobs_are_asked_after_more_and_more_rarely(polls: int) -> None:
    chance = Random(polls)
    wait = poll_seconds(polls, CONFIG, chance)
    assert 0.75 * CONFIG.poll_seconds <= wait <= 1.25 * CONFIG.max_poll_seconds
    assert 0 < rest_seconds(polls + 1, chance) <= 120
