"""Sums of the hourly rollups, exact to the picodollar. Reports read nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Engine, func, literal_column, select

from hybridllm.errors import RequestError
from hybridllm.reports.period import Period, iso_day, iso_hour
from hybridllm.store.schema import HOURLY_MONEY, HOURLY_SUMS, hourly, whole

# A literal: with parameters, PostgreSQL takes the expression twice for two different ones.
_DAY: ColumnElement[int] = literal_column("86400")
_WEEK: ColumnElement[int] = literal_column("604800")
_FIRST_MONDAY: ColumnElement[int] = literal_column("259200")
"""Seconds from a Monday to Unix time 0, a Thursday: weeks begin on Mondays."""


class Totals(Struct, kw_only=True):
    """Sums over some hours. Counts are of attempts but `answered`, which is of requests too: each
    answered request has one answered attempt. Money is picodollars."""

    attempts: int = 0
    answered: int = 0
    errors: int = 0
    cut: int = 0
    cancelled: int = 0
    unknown: int = 0
    fallbacks: int = 0
    estimated: int = 0
    unpriced: int = 0
    batched: int = 0
    cache_hits: int = 0
    checked: int = 0
    passed: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_long_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: int = 0
    baseline: int = 0
    unanswered_cost: int = 0
    batch_cost: int = 0
    batch_saved: int = 0
    batch_left: int = 0
    read_saved: int = 0
    write_extra: int = 0
    hit_saved: int = 0
    prefix_left: int = 0
    cascade_saved: int = 0
    cascade_extra: int = 0

    @property
    def total_input_tokens(self) -> int:
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
            + self.cache_write_long_tokens
        )


class Dimension(Struct, frozen=True):
    """Something to group by: an expression over the rollups, and how its values are shown."""

    expression: ColumnElement[Any]
    show: Callable[[Any], str]


DIMENSIONS: dict[str, Dimension] = {
    "task": Dimension(hourly.c.task, str),
    "provider": Dimension(hourly.c.provider, str),
    "model": Dimension(hourly.c.model, str),
    "key": Dimension(hourly.c.key, str),
    "day": Dimension(hourly.c.hour - hourly.c.hour % _DAY, iso_day),
    "hour": Dimension(hourly.c.hour, iso_hour),
    "week": Dimension(hourly.c.hour - (hourly.c.hour + _FIRST_MONDAY) % _WEEK, iso_day),
}


def totals_by(
    engine: Engine, by: Sequence[str], period: Period
) -> list[tuple[tuple[str, ...], Totals]]:
    """(values of `by`, sums) of every group that has any, in no particular order.

    Raises RequestError for a name that is not in DIMENSIONS, or none, or one twice.
    """
    dimensions = [_dimension(name) for name in by]
    if not dimensions or len(set(by)) != len(dimensions):
        raise RequestError(
            "A report is grouped by one or more names, each once.",
            field="by",
            remedy=f"Choose from {', '.join(DIMENSIONS)}.",
        )
    expressions = [
        dimension.expression.label(f"by_{name}")
        for name, dimension in zip(by, dimensions, strict=True)
    ]
    query = (
        select(*expressions, *(func.sum(hourly.c[name]).label(name) for name in HOURLY_SUMS))
        .where(hourly.c.hour >= period.start, hourly.c.hour < period.end)
        .group_by(*expressions)
    )
    with engine.connect() as connection:
        found = connection.execute(query).all()
    return [
        (
            tuple(dimension.show(row[i]) for i, dimension in enumerate(dimensions)),
            _totals(row[len(dimensions) :]),
        )
        for row in found
    ]


def add(all_totals: Sequence[Totals]) -> Totals:
    """The sum of sums."""
    return Totals(
        **{
            name: sum(getattr(totals, name) for totals in all_totals)
            for name in Totals.__struct_fields__
        }
    )


def _dimension(name: str) -> Dimension:
    try:
        return DIMENSIONS[name]
    except KeyError:
        raise RequestError(
            f"A report cannot be grouped by '{name[:40]}'.",
            field="by",
            remedy=f"Choose from {', '.join(DIMENSIONS)}.",
        ) from None


def _totals(sums: Sequence[Any]) -> Totals:
    values = {name: int(value) for name, value in zip(HOURLY_SUMS, sums, strict=True)}
    money = {
        name: whole(values.pop(f"{name}_micro"), values.pop(f"{name}_pico"))
        for name in HOURLY_MONEY
    }
    return Totals(**values, **money)
