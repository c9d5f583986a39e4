"""What it costs to run on several providers, besides their bills: engineering and evaluation.

The configuration gives least and most figures a month or once (`OverheadConfig`). What is spent
once is spread evenly over `amortise_months` from the hour in which it first bore fruit: set-up from
the ledger's first hour, a prompt's adaptation from the first answer of its task by its provider.
The baseline's provider needs none: its prompts were there before. All of it is charged to a period
in proportion to its hours, of months of 30 days, and never for time before the ledger began.
"""

from __future__ import annotations

from fractions import Fraction

from msgspec import Struct
from sqlalchemy import Engine, func, select

from hybridllm.config import OverheadConfig, Range
from hybridllm.money import PICODOLLARS
from hybridllm.reports.period import Period
from hybridllm.store.schema import hourly

MONTH_HOURS = 720
_HOUR = 3600


class Span(Struct, frozen=True):
    """Picodollars, at the least and at the most."""

    low: int
    high: int

    @property
    def middle(self) -> int:
        return (self.low + self.high) // 2

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)


class OverheadItem(Struct, kw_only=True, frozen=True):
    """One kind of overhead: `amount` of the period, and in words how it comes about."""

    name: str
    amount: Span
    how: str


class Start(Struct, frozen=True):
    """When a task was first answered by a provider: Unix seconds of that hour."""

    task: str
    provider: str
    hour: int


class Overhead(Struct, kw_only=True, frozen=True):
    """`hours` of the period are charged: those since the ledger began."""

    items: list[OverheadItem]
    hours: int
    adapted: list[Start]

    @property
    def total(self) -> Span:
        total = Span(0, 0)
        for item in self.items:
            total += item.amount
        return total


def starts(engine: Engine, before: int) -> tuple[int | None, list[Start]]:
    """(the ledger's first hour, the first hour of every answered task and provider), of hours
    before `before` (Unix seconds). None: the ledger is empty."""
    within = hourly.c.hour < before
    pairs = (
        select(hourly.c.task, hourly.c.provider, func.min(hourly.c.hour))
        .where(within, hourly.c.answered > 0)
        .group_by(hourly.c.task, hourly.c.provider)
        .order_by(hourly.c.task, hourly.c.provider)
    )
    with engine.connect() as connection:
        first = connection.execute(select(func.min(hourly.c.hour)).where(within)).scalar()
        found = connection.execute(pairs).all()
    return (None if first is None else int(first)), [Start(row[0], row[1], row[2]) for row in found]


def overhead(
    config: OverheadConfig, hours: Period, first: int, pairs: list[Start], baseline_provider: str
) -> Overhead:
    """The overhead of `hours` for a ledger that began at `first`."""
    rate = _exact(config.hourly_rate_usd)
    life = _exact(config.amortise_months)
    charged = max(0, hours.end - max(hours.start, first)) // _HOUR
    adapted = [pair for pair in pairs if pair.provider != baseline_provider]
    setup = _once(hours, first, life)
    prompts = sum((_once(hours, pair.hour, life) for pair in adapted), Fraction(0))
    months = Fraction(charged, MONTH_HOURS)
    hourly_rate = f"${float(rate):,.2f} an hour"
    once = f"over {config.amortise_months:g} months"
    return Overhead(
        items=[
            OverheadItem(
                name="set-up",
                amount=_span(config.setup_days, rate * _exact(config.hours_a_day) * setup / life),
                how=f"{said(config.setup_days)} days of {config.hours_a_day:g} hours once, at "
                f"{hourly_rate}, {once}; {float(setup):.2f} of them fall in the period",
            ),
            OverheadItem(
                name="prompt adaptation",
                amount=_span(config.adaptation_hours, rate * prompts / life),
                how=f"{said(config.adaptation_hours)} hours once for each of {len(adapted)} tasks "
                f"by provider, at {hourly_rate}, {once}; {float(prompts):.2f} months of all of "
                "them fall in the period",
            ),
            OverheadItem(
                name="maintenance",
                amount=_span(config.maintenance_hours, rate * months),
                how=f"{said(config.maintenance_hours)} hours a month, at {hourly_rate}, for "
                f"{float(months):.2f} months",
            ),
            OverheadItem(
                name="evaluation",
                amount=_span(config.evaluation_usd, months),
                how=f"${said(config.evaluation_usd)} a month, for {float(months):.2f} months",
            ),
        ],
        hours=charged,
        adapted=adapted,
    )


def said(pair: Range) -> str:
    """`3 to 5`, or `4` where both are the same."""
    low, high = (f"{end:,.10g}" for end in pair)
    return low if low == high else f"{low} to {high}"


def _once(hours: Period, start: int, life: Fraction) -> Fraction:
    """How many months of a write-off that begins at `start` and lasts `life` fall in `hours`."""
    end = min(Fraction(hours.end), start + life * MONTH_HOURS * _HOUR)
    return max(Fraction(0), (end - max(hours.start, start)) / (MONTH_HOURS * _HOUR))


def _span(pair: Range, each: Fraction) -> Span:
    """`pair` times `each` dollars, in whole picodollars, rounded down."""
    return Span(*(int(_exact(end) * each * PICODOLLARS) for end in pair))


def _exact(number: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth."""
    return Fraction(repr(number))
