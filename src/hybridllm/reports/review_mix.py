"""The month that a review reckons with: the ledger's last 30 days, or a workload."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import Engine

from hybridllm.catalog.structs import Catalog, Model, Task, Usage
from hybridllm.planning.workload import Workload
from hybridllm.pricing import cost, price_at, rates_for
from hybridllm.reports.overhead import MONTH_HOURS, starts
from hybridllm.reports.period import period
from hybridllm.reports.totals import totals_by
from hybridllm.reports.traces import usage_of

DAYS = 30
NOMINAL_CALLS = 1_000
NOMINAL_INPUT = 1_000
"""A task without traffic is reckoned as so many calls with so much input."""


class Part(Struct, frozen=True, kw_only=True):
    """Tokens of all of a month's calls, as a model counted them that makes `tokens_per_kbyte`
    tokens of 1,000 bytes. None: every model counts them so."""

    usage: Usage
    tokens_per_kbyte: int | None = None


class MixLine(Struct, frozen=True, kw_only=True):
    """A task's month. `real` is False for one without traffic, which stands there for its price a
    call and is in no sum."""

    task: str
    calls: int
    parts: tuple[Part, ...]
    real: bool = True

    @property
    def input_tokens(self) -> int:
        """Of a mean call, as it was counted."""
        return sum(part.usage.total_input for part in self.parts) // max(1, self.calls)

    @property
    def output_tokens(self) -> int:
        return sum(part.usage.output_tokens for part in self.parts) // max(1, self.calls)

    @property
    def input_bytes(self) -> int:
        """Of a mean call; a token is a byte where every model counts alike."""
        total = sum(
            part.usage.total_input * 1000 // (part.tokens_per_kbyte or 1000) for part in self.parts
        )
        return total // max(1, self.calls)


class Mix(Struct, frozen=True, kw_only=True):
    """`source` says whence, in words. `alike`: all models count tokens alike. `actual` is what was
    paid for it, picodollars, None for a workload."""

    source: str
    lines: tuple[MixLine, ...]
    alike: bool
    actual: int | None = None


def of_workload(workload: Workload) -> Mix:
    """A workload's month; of sizes that differ, the means."""
    lines: dict[str, list[Part]] = {}
    calls: dict[str, int] = {}
    for line in workload.tasks:
        usage = Usage(
            input_tokens=line.calls * line.input_tokens,
            output_tokens=line.calls * line.output_tokens,
        )
        lines.setdefault(line.task, []).append(Part(usage=usage))
        calls[line.task] = calls.get(line.task, 0) + line.calls
    return Mix(
        source=f"the workload {workload.name}, {workload.calls:,} calls a month",
        lines=tuple(
            MixLine(task=task, calls=calls[task], parts=tuple(parts))
            for task, parts in lines.items()
        ),
        alike=True,
    )


def of_ledger(engine: Engine, catalog: Catalog, now: datetime) -> Mix | None:
    """What the last 30 days were; of a younger ledger, its days stretched to 30. None: nothing was
    answered in them."""
    hours = period(now - timedelta(days=DAYS), now)
    first, _ = starts(engine, hours.end)
    covered = (hours.end - max(hours.start, first or hours.start)) // 3600
    parts: dict[str, list[Part]] = {}
    calls: dict[str, int] = {}
    actual = 0
    for (task, name), totals in totals_by(engine, ["task", "model"], hours):
        actual += totals.cost
        model = catalog.models.get(name)
        if not totals.answered or (model is not None and model.kind != "chat"):
            continue
        ratio = None if model is None else model.tokens_per_kbyte
        usage = _times(usage_of(totals), MONTH_HOURS, covered)
        parts.setdefault(task, []).append(Part(usage=usage, tokens_per_kbyte=ratio))
        calls[task] = calls.get(task, 0) + totals.answered * MONTH_HOURS // covered
    if not parts:
        return None
    stretched = "" if covered >= MONTH_HOURS else f" (stretched from {covered} h to 30 days)"
    return Mix(
        source=f"the ledger's last {DAYS} days, up to {hours.until}{stretched}",
        lines=tuple(
            MixLine(task=task, calls=calls[task], parts=tuple(parts[task]))
            for task in sorted(parts)
        ),
        alike=False,
        actual=actual * MONTH_HOURS // covered,
    )


def nominal(task: Task) -> MixLine:
    """A task without traffic."""
    usage = Usage(
        input_tokens=NOMINAL_CALLS * NOMINAL_INPUT,
        output_tokens=NOMINAL_CALLS * task.output_tokens,
    )
    return MixLine(task=task.name, calls=NOMINAL_CALLS, parts=(Part(usage=usage),), real=False)


def cost_on(line: MixLine, model: Model, day: str) -> int | None:
    """Picodollars for the month on `model` at the prices of `day`, live; None without a price.

    Cached tokens stay cached: what one provider's cache held is taken to be held by another's.
    """
    price = price_at(model, day)
    if price is None:
        return None
    total = 0
    for part in line.parts:
        usage = part.usage
        if part.tokens_per_kbyte is not None:
            usage = _times(usage, model.tokens_per_kbyte, part.tokens_per_kbyte)
        mean = usage.total_input // max(1, line.calls)
        total += cost(usage, rates_for(price, mean))
    return total


def _times(usage: Usage, numerator: int, denominator: int) -> Usage:
    return Usage(
        **{
            name: getattr(usage, name) * numerator // denominator
            for name in usage.__struct_fields__
        }
    )
