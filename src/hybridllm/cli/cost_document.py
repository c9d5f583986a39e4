"""What `hybridllm cost --json` prints: every amount in exact dollars, as text."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from hybridllm.cli.output import cents
from hybridllm.config import Config
from hybridllm.planning.caching import Mark
from hybridllm.planning.comparison import Comparison, Reason
from hybridllm.planning.cost import CostLine, Strategy
from hybridllm.planning.optimal import ASSUMPTIONS, OPTIMAL
from hybridllm.planning.overhead import BreakEven
from hybridllm.planning.whatif import WhatIf
from hybridllm.planning.workload import Workload


def document(month: Workload, settings: Config, found: Comparison) -> dict[str, Any]:
    """Strategies in their order, the optimal one last; then what is behind it."""
    return {
        "strategies": [_strategy(strategy) for strategy in found.strategies],
        "preset": settings.preset,
        "priced_on": found.day,
        "calls": month.calls,
        "optimal": {
            "assumes": [
                *ASSUMPTIONS,
                *(f"{x.task}: {x.assumed}." for x in month.tasks if x.assumed),
            ],
            "lines": [_reason(reason) for reason in found.reasons],
        },
        "caching": [_mark(mark) for mark in found.marks],
        "break_even": {
            ease: [_break_even(one) for one in rows] for ease, rows in found.break_even.items()
        },
        "sensitivity": [_what_if(one) for one in found.what_if],
    }


def _strategy(strategy: Strategy) -> dict[str, Any]:
    return {
        "name": strategy.name,
        "monthly_usd": cents(strategy.monthly),
        "lines": [_line(line, marked=strategy.name == OPTIMAL) for line in strategy.lines],
    }


def _line(line: CostLine, *, marked: bool) -> dict[str, Any]:
    """Tokens are those of one call, the mean where calls differ."""
    fields = msgspec.structs.asdict(line)
    for name in ("cost", "place", *(() if marked else ("cache",))):
        del fields[name]
    return {**fields, "usd": cents(line.cost)}


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "task": reason.task,
        "bar": reason.bar,
        "meets_bar": reason.meets_bar,
        "before_usd": cents(reason.before),
        "usd": cents(reason.after),
        "saved_by_batch_and_marks_usd": cents(reason.by_buying),
        "saved_by_other_models_usd": cents(reason.by_moving),
        "models": [msgspec.structs.asdict(one) for one in reason.judged],
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {
        "task": mark.task,
        "model": mark.model,
        "cache": mark.cache,
        "prefix_tokens": mark.prefix,
        "least_prefix_tokens": mark.least,
        "break_even_reads": _number(mark.break_even),
        "reads": _number(mark.reuse),
        "gain_usd": cents(mark.gain),
        "verdict": mark.verdict,
    }


def _break_even(one: BreakEven) -> dict[str, Any]:
    return {
        "strategy": one.strategy,
        "saved_usd": cents(one.gross),
        "overhead_monthly_usd": cents(one.monthly),
        "overhead_once_usd": cents(one.one_off),
        "written_off_monthly_usd": cents(one.written_off),
        "net_usd": cents(one.net),
        "net_share": _number(one.share),
        "payback_months": _number(one.payback_months),
        "break_even_calls": one.calls,
    }


def _what_if(one: WhatIf) -> dict[str, Any]:
    return {
        "change": one.kind,
        "provider": one.of or None,
        "factor": _number(one.factor),
        "monthly_usd": {name: cents(cost) for name, cost in one.monthly.items()},
    }


def _number(number: Fraction | Decimal | None) -> float | None:
    """To six places: these are ratios, not money."""
    return None if number is None else round(float(number), 6)
