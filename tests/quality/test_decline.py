"""A model that became worse than it was is noticed, told in words, and taken back."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.quality.decline import Decline, Live, Watch, decline, watched

JUNE = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 10**6
DAY = 86_400 * 10**6
DAILY = 50
BASELINE = 300
GOOD, WORSE = 0.95, 0.87
MONTHS = int(os.environ.get("HYBRIDLLM_MONTHS", "200"))
"""`HYBRIDLLM_MONTHS=1000` simulates as many as the documentation speaks of."""


def live(values: Iterable[float], source: str = "production", start: int = 0) -> list[Live]:
    """Scores as they come, so many a day."""
    return [Live(JUNE + (start + i) * DAY // DAILY, v, source) for i, v in enumerate(values)]


def drawn(seeded: random.Random, share: float, n: int) -> list[float]:
    return [float(seeded.random() < share) for _ in range(n)]


def share(value: float, n: int) -> list[float]:
    """So many scores of that mean, evenly mixed."""
    return [float(int((i + 1) * value) > int(i * value)) for i in range(n)]


def after(seeded: random.Random, now: float, n: int) -> tuple[Watch, int | None]:
    """A model of GOOD that then scores `now`; after how many scores that counted as worse."""
    watching = Watch()
    for one in live(drawn(seeded, GOOD, BASELINE)):
        watching.add(one)
    for delay, one in enumerate(live(drawn(seeded, now, n), start=BASELINE), 1):
        watching.add(one)
        if watching.degraded:
            return watching, delay
    return watching, None


def test_a_month_in_which_a_model_falls_by_eight_points_in_its_second_week() -> None:
    seeded = random.Random(1)
    found = [after(seeded, WORSE, 1500)[1] or 1500 for _ in range(60)]
    found.sort()
    assert found[30] <= 300, "half of them within six days of 50 scores"
    assert found[54] <= 1000


def test_clean_months_raise_hardly_an_alarm() -> None:
    seeded = random.Random(2)
    alarms = sum(after(seeded, GOOD, 400)[1] is not None for _ in range(MONTHS))
    assert alarms <= 0.02 * MONTHS


def test_a_model_comes_back_when_its_scores_do() -> None:
    seeded = random.Random(3)
    returns = []
    for _ in range(30):
        watching, _ = after(seeded, WORSE - 0.1, 1500)
        assert watching.degraded
        for one in live(drawn(seeded, WORSE, 50), source="shadow"):
            watching.add(one)
        assert watching.degraded, "half way is not back"
        n = 0
        while watching.degraded and n < 500:
            watching.add(Live(JUNE + n, float(seeded.random() < GOOD), "shadow"))
            n += 1
        returns.append(n)
    assert sorted(returns)[15] <= 150 and max(returns) < 500


def test_it_says_since_when_and_how_good_it_was_before() -> None:
    scores = live([*share(0.95, BASELINE + 100), *share(0.8, 200)])
    found = decline("t", "m", scores)
    assert found is not None
    start = JUNE + (BASELINE + 100) * DAY // DAILY
    assert abs(found.since - start) <= DAY and found.at == scores[-1].at
    assert found.before == pytest.approx(0.95) and found.now == pytest.approx(0.8, abs=0.02)
    assert found.lower < found.now
    assert found.words == "degraded since 2026-06-09, 0.95 before, 0.80 now"


def test_what_callers_say_is_held_against_what_they_said_before() -> None:
    """Those who complain are no decline of graded answers, nor are those who complain less."""
    graded, said = live(share(0.95, 600)), live(share(0.6, 600), source="feedback")
    both = sorted([*graded, *said], key=lambda one: one.at)
    assert decline("t", "m", both) is None
    worse = decline("t", "m", [*both, *live(share(0.3, 200), source="feedback", start=600)])
    assert worse is not None
    assert worse.before == pytest.approx(0.6, abs=0.01)


def test_evidence_of_both_kinds_adds_up() -> None:
    before = [*live(share(0.95, BASELINE)), *live(share(0.9, BASELINE), "feedback", BASELINE)]
    graded = live(share(0.8, 60), start=600)
    said = live(share(0.7, 60), "feedback", 600)
    together = sorted([*graded, *said], key=lambda one: one.at)
    assert decline("t", "m", [*before, *graded]) is None
    assert decline("t", "m", [*before, *together]) is not None


def test_nothing_is_said_before_the_baseline_is_whole() -> None:
    assert decline("t", "m", live(share(0.5, BASELINE))) is None
    assert not watched({"production": 200, "shadow": 100, "feedback": 300})
    assert watched({"production": 200, "shadow": 101})
    assert decline("t", "m", live([0.0] * 900)) is None, "the worst cannot become worse"


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(1, 30), st.sampled_from(["production", "feedback"])),
        max_size=15,
    )
)
def test_a_decline_is_sound_whatever_comes(parts: list[tuple[float, int, str]]) -> None:
    scores: list[Live] = []
    for value, n, source in parts:
        scores += live([value] * n, source, len(scores))
    found = decline("t", "m", scores, baseline=20)
    assert found == decline("t", "m", iter(scores), baseline=20)
    if found is not None:
        assert isinstance(found, Decline)
        assert 0 <= found.lower <= found.now <= 1 and 0 <= found.before <= 1
        assert scores[0].at <= found.since <= found.at <= scores[-1].at
