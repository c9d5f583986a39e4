"""Keys share the calls by weight, and rest on their own."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.errors import ConfigError
from hybridllm.providers.keys import Key, KeyRing


def ring(*weights: int) -> KeyRing:
    return KeyRing((f"sk-{i}", f"account-{i}", weight) for i, weight in enumerate(weights))


def pick(keys: KeyRing, now: float = 0.0) -> Key:
    key = keys.pick(now)
    assert key is not None
    return key


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 300))
def test_every_key_stays_within_one_pick_of_its_exact_share(weights: list[int], picks: int) -> None:
    keys, counts, total = ring(*weights), Counter[int](), sum(weights)
    for step in range(1, picks + 1):
        counts[pick(keys).index] += 1
        for index, weight in enumerate(weights):
            assert abs(counts[index] - Fraction(step * weight, total)) < 1


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9), st.booleans()), max_size=60),
)
def test_a_key_that_rests_is_never_picked(
    weights: list[int], steps: list[tuple[int, int, bool]]
) -> None:
    keys, rests = ring(*weights), dict[int, float]()
    members = list(keys)
    for now, (index, seconds, cools) in enumerate(steps):
        if cools and index < len(members):
            keys.cool(members[index], now + seconds)
            rests[index] = max(rests.get(index, 0.0), now + seconds)
        free = {i for i in range(len(members)) if rests.get(i, 0.0) <= now}
        picked = keys.pick(now)
        assert (picked.index in free) if picked else not free
        assert keys.free_at(now) == (now if free else min(rests.values()))


def test_without_keys_there_is_nothing_to_pick_and_nothing_to_wait_for() -> None:
    assert ring().pick(0.0) is None
    assert ring().free_at(0.0) is None
    assert len(ring()) == 0


def test_a_shorter_rest_does_not_end_a_longer_one() -> None:
    keys = ring(1)
    keys.cool(pick(keys), 60.0)
    keys.cool(next(iter(keys)), 5.0)
    assert keys.pick(30.0) is None
    assert keys.free_at(30.0) == 60.0
    assert pick(keys, 60.0).index == 0


def test_a_key_does_not_show_its_secret() -> None:
    assert "sk-0" not in repr(pick(ring(1)))


def test_a_weight_below_one_is_refused() -> None:
    with pytest.raises(ConfigError):
        ring(1, 0)
