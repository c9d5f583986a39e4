"""What a hybrid stack costs in engineering, and when its saving has paid for that.

The figures are the configuration's (`[overhead]`, which `report impact` takes too): the guide's
ranges for set-up, maintenance, evaluation and prompt adaptation by default. Here they are taken at
their least, in the middle, or at their most.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from hybridllm.config import OverheadConfig, Range
from hybridllm.money import PICODOLLARS
from hybridllm.planning.cost import Strategy

EASE = {"low": Fraction(0), "middle": Fraction(1, 2), "high": Fraction(1)}
"""Where in each range, from its least to its most."""


class Overhead(Struct, frozen=True, kw_only=True):
    """In picodollars: `monthly` is maintenance and evaluation each month, `setup` and each
    `adaptation` (a prompt of a task for a provider that is not the baseline's) are spent once, and
    written off over `months`."""

    monthly: int
    setup: int
    adaptation: int
    months: int


def overhead_of(config: OverheadConfig, ease: str = "middle") -> Overhead:
    """`ease` is a key of EASE."""
    at = EASE[ease]
    rate = _exact(config.hourly_rate_usd)
    days = _within(config.setup_days, at)
    monthly = _within(config.maintenance_hours, at) * rate + _within(config.evaluation_usd, at)
    return Overhead(
        monthly=_picodollars(monthly),
        setup=_picodollars(days * _exact(config.hours_a_day) * rate),
        adaptation=_picodollars(_within(config.adaptation_hours, at) * rate),
        months=max(1, round(config.amortise_months)),
    )


class BreakEven(Struct, frozen=True, kw_only=True):
    """A strategy against the single model, in picodollars.

    `gross` is its saving a month; `monthly` and `one_off` what engineering takes; `written_off` the
    one-off cost's share of a month; `net` what is left, and `share` that of the single bill (None:
    that bill is nothing). `payback_months` is when the one-off cost has been earned back and
    `calls` the month's calls, in the same mix, from which `net` is not negative; None: never.
    """

    strategy: str
    gross: int
    monthly: int
    one_off: int
    written_off: int
    net: int
    share: Decimal | None
    payback_months: Decimal | None
    calls: int | None
    adaptations: int


def break_even(single: Strategy, other: Strategy, overhead: Overhead) -> BreakEven:
    """Of `other` against `single`, at the month's volume."""
    gross = single.monthly - other.monthly
    adaptations = _adaptations(single, other)
    one_off = overhead.setup + overhead.adaptation * adaptations
    written_off = -(-one_off // overhead.months)
    needed = overhead.monthly + written_off
    net = gross - needed
    calls = sum(line.calls for line in single.lines)
    left = gross - overhead.monthly
    return BreakEven(
        strategy=other.name,
        gross=gross,
        monthly=overhead.monthly,
        one_off=one_off,
        written_off=written_off,
        net=net,
        share=Decimal(net) / single.monthly if single.monthly else None,
        payback_months=Decimal(one_off) / left if left > 0 else None,
        calls=-(-calls * needed // gross) if gross > 0 else None,
        adaptations=adaptations,
    )


def net_at(single: int, gross: int, needed: int, factor: float) -> float:
    """The net saving as a share of the single bill, with `factor` times the calls. The engineering
    stays what it is."""
    return (gross * factor - needed) / (single * factor)


def _adaptations(single: Strategy, other: Strategy) -> int:
    """Pairs of task and provider whose prompts have to be adapted: all but the baseline's own."""
    home = {line.model.partition("/")[0] for line in single.lines}
    pairs = {(line.task, line.model.partition("/")[0]) for line in other.lines}
    return sum(provider not in home for _, provider in pairs)


def _within(pair: Range, at: Fraction) -> Fraction:
    low, high = (_exact(end) for end in pair)
    return low + (high - low) * at


def _exact(number: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth."""
    return Fraction(repr(number))


def _picodollars(dollars: Fraction) -> int:
    return int(dollars * PICODOLLARS)
