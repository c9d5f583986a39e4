"""A model that becomes worse is noticed; one that does not hardly ever is."""

from __future__ import annotations

import random

import msgspec
import pytest

from hybridllm.quality.drift import Detector, State, alarm, watch

WEEKLY = 100
GOOD = 0.95


def scores(seeded: random.Random, share: float, n: int) -> list[float]:
    return [float(seeded.random() < share) for _ in range(n)]


def detector(**other: float) -> Detector:
    return Detector(**{"level": 0.93, "recovered": 0.94, **other})  # type: ignore[arg-type]


def test_a_drop_of_eight_points_is_mostly_noticed_within_two_weeks() -> None:
    seeded = random.Random(1)
    delays = []
    for _ in range(100):
        watched = watch(detector(), scores(seeded, GOOD, WEEKLY))
        assert watched.state is State.WELL
        delay = 0
        while watched.state is State.WELL and delay < 10 * WEEKLY:
            watched = watch(watched, scores(seeded, GOOD - 0.08, 1))
            delay += 1
        delays.append(delay)
    delays.sort()
    assert delays[50] <= 2 * WEEKLY and delays[90] <= 5 * WEEKLY


def test_a_thousand_clean_months_raise_hardly_an_alarm() -> None:
    seeded = random.Random(2)
    alarms = 0
    for _ in range(1000):
        alarms += watch(detector(), scores(seeded, GOOD, 4 * 50)).state is State.DEGRADED
    assert alarms <= 10


@pytest.mark.parametrize("alpha", [0.02, 0.005])
def test_at_the_level_itself_alarms_are_as_rare_as_stated(alpha: float) -> None:
    """At the worst that is still well, the mean time to an alarm is 1/alpha scores or more."""
    seeded = random.Random(3)
    times = []
    for _ in range(80):
        watched, waited = detector(level=0.9, recovered=0.9, alpha=alpha), 0
        while watched.state is State.WELL and waited < 20 / alpha:
            watched = watch(watched, scores(seeded, 0.9, 5))
            waited += 5
        times.append(waited)
    assert sum(times) / len(times) >= 1 / alpha


def test_recovery_is_proved_as_firmly_as_decline() -> None:
    seeded = random.Random(4)
    watched = watch(detector(), scores(seeded, 0.8, 400))
    assert watched.state is State.DEGRADED
    assert watch(watched, [1.0] * 10).state is State.DEGRADED
    between = watch(watched, scores(seeded, 0.92, 400))
    assert between.state is State.DEGRADED
    assert watch(between, scores(seeded, 1.0, 800)).state is State.WELL


def test_its_state_is_data_and_scores_may_come_in_any_portions() -> None:
    drawn = scores(random.Random(5), 0.9, 120)
    whole = watch(detector(), drawn)
    watched = detector()
    for start in range(0, 120, 7):
        stored = msgspec.json.encode(watch(watched, drawn[start : start + 7]))
        watched = msgspec.json.decode(stored, type=Detector)
    assert watched == whole and 0 <= alarm(whole) < 1


def test_graded_scores_are_watched_as_well() -> None:
    seeded = random.Random(6)
    watched = watch(detector(level=0.8, recovered=0.82), [seeded.uniform(0.8, 1) for _ in range(9)])
    assert watched.state is State.WELL
    assert watch(watched, [seeded.uniform(0.6, 0.8) for _ in range(400)]).state is State.DEGRADED


@pytest.mark.parametrize(
    "bad", [{"level": 0.0}, {"level": 0.95, "recovered": 0.9}, {"recovered": 1.0}, {"alpha": 0.0}]
)
def test_what_cannot_be_watched_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        detector(**bad)


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(ValueError):
        watch(detector(), [1.2])
