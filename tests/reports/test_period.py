"""What one may write for a time, and which hours it means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from hybridllm.errors import RequestError
from hybridllm.reports.period import parse_since, period

NOW = datetime(2026, 11, 24, 8, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        (" 2w ", NOW - timedelta(days=14)),
        ("0h", NOW),
        ("all", datetime(1970, 1, 1, tzinfo=UTC)),
        ("999999w", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T09:30", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ("2026-11-01T09:30Z", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ("2026-11-01T09:30+02:00", datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
    ],
)
def test_times_are_ago_or_dates(text: str, meant: datetime) -> None:
    assert parse_since(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7y", "yesterday", "2026-13-01", "1e3d"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(RequestError, match="no time") as caught:
        parse_since(text, NOW)
    assert caught.value.remedy is not None and "2026-11-01" in caught.value.remedy


def test_a_period_is_the_whole_hours_that_it_touches() -> None:
    hours = period(datetime(2026, 11, 24, 6, 59, tzinfo=UTC), NOW)
    assert (hours.since, hours.until) == ("2026-11-24T06:00Z", "2026-11-24T09:00Z")
    exact = period(datetime(2026, 11, 24, 6), datetime(2026, 11, 24, 8))
    assert (exact.since, exact.until) == ("2026-11-24T06:00Z", "2026-11-24T08:00Z")


def test_a_zone_is_taken_into_account() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert period(datetime(2026, 11, 24, tzinfo=india), NOW).since == "2026-11-23T18:00Z"


def test_a_period_must_not_end_before_it_begins() -> None:
    with pytest.raises(RequestError, match="before it begins"):
        period(NOW, NOW - timedelta(hours=2))
