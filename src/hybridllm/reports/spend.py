"""What was spent, by whatever one wants to know it by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Engine

from hybridllm.reports.period import period
from hybridllm.reports.totals import Totals, add, totals_by

_TIMES = ("day", "hour", "week")


class SpendRow(Struct):
    """One group: the values of the report's `by`, its sums, and its share of the total cost
    (0..1; 0 where nothing was spent at all)."""

    group: tuple[str, ...]
    totals: Totals
    share: float


class SpendReport(Struct, kw_only=True):
    """Spend of the hours from `since` to `until` (ISO, UTC), dearest group first; groups of a day,
    an hour or a week in the order of time."""

    by: tuple[str, ...]
    since: str
    until: str
    rows: list[SpendRow]
    total: Totals


def spend(
    engine: Engine, by: Sequence[str], since: datetime, until: datetime | None = None
) -> SpendReport:
    """Spend by any of task, provider, model, key, day, hour, week.

    Raises RequestError for another name or an empty period.
    """
    hours = period(since, until)
    groups = totals_by(engine, by, hours)
    total = add([totals for _, totals in groups])
    times = [i for i, name in enumerate(by) if name in _TIMES]
    groups.sort(key=lambda g: ([g[0][i] for i in times], -g[1].cost, g[0]))
    return SpendReport(
        by=tuple(by),
        since=hours.since,
        until=hours.until,
        rows=[
            SpendRow(group, totals, totals.cost / total.cost if total.cost else 0.0)
            for group, totals in groups
        ],
        total=total,
    )
