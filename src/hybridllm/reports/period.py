"""The time that a report is about: whole hours, in UTC, as the rollups are."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from hybridllm.errors import RequestError

_HOUR = 3600
_AGO = re.compile(r"(\d{1,6})\s*([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Period(Struct, frozen=True):
    """From `start` (inclusive) to `end` (exclusive), Unix seconds, both on the hour."""

    start: int
    end: int

    @property
    def since(self) -> str:
        return iso_hour(self.start)

    @property
    def until(self) -> str:
        return iso_hour(self.end)


def period(since: datetime, until: datetime | None = None) -> Period:
    """The hours that `since` to `until` (default: now) touch. Times without a zone are UTC.

    Raises RequestError if `until` is not after `since`.
    """
    start = math.floor(_utc(since).timestamp() / _HOUR) * _HOUR
    end = math.ceil(_utc(until or datetime.now(UTC)).timestamp() / _HOUR) * _HOUR
    if end <= start:
        raise RequestError(
            f"The period ends ({iso_hour(end)}) before it begins ({iso_hour(start)}).",
            field="until",
        )
    return Period(start, end)


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """A time from `7d`, `24h`, `2w` (ago), `all`, a date (`2026-11-01`, midnight UTC) or an ISO
    time. Raises RequestError for anything else."""
    text = text.strip()
    now = now or datetime.now(UTC)
    if text == "all":
        return datetime.fromtimestamp(0, UTC)
    try:
        if ago := _AGO.fullmatch(text):
            return now - int(ago[1]) * _UNITS[ago[2]]
        return _utc(datetime.fromisoformat(text))
    except OverflowError:
        return datetime.fromtimestamp(0, UTC)
    except ValueError:
        raise RequestError(
            f"'{text[:40]}' is no time.",
            field="since",
            remedy="Write 24h, 7d, 2w, all, a date like 2026-11-01, or 2026-11-01T09:00Z.",
        ) from None


def iso_hour(seconds: int) -> str:
    """`2026-11-24T07:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


def iso_day(seconds: int) -> str:
    """`2026-11-24`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
