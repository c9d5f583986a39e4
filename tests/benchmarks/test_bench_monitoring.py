"""The simulated month, small: a decline is noticed, a clean month is mostly left alone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from benchmarks import bench_monitoring


def test_a_silent_decline_is_noticed_and_clean_months_are_not_disturbed() -> None:
    found = bench_monitoring.run(12, seed=5)
    assert found["median"] <= 400 and found["median"] <= found["p90"]
    assert found["within_the_month"] >= 0.75
    assert found["alarms_in_clean_months"] <= 1
    tasks = [Decimal(cost) for task, cost in found["judge_usd"].items() if task != "all"]
    assert tasks and all(cost > 0 for cost in tasks)
    assert abs(sum(tasks) - Decimal(found["judge_usd"]["all"])) < Decimal("0.05")


def test_a_model_that_falls_further_is_noticed_sooner() -> None:
    little, much = (bench_monitoring.run(12, drop=drop, seed=3) for drop in (0.08, 0.30))
    assert much["median"] < little["median"]


def test_who_was_never_known_cannot_become_worse() -> None:
    with pytest.raises(AssertionError, match="before it was known"):
        bench_monitoring.run(1, daily=10)
