"""What was saved: the bill as it is, beside the bill had the baseline model answered everything."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import Engine

from hybridllm.reports.period import period
from hybridllm.reports.totals import Totals, add, totals_by


class Saving(Struct, kw_only=True):
    """The saving of some requests; money is picodollars.

    `cost` is all that was spent, failed attempts included: `unanswered_cost` is that part, the
    price of trying again. `baseline` is what the answered requests cost on the baseline model.
    `saving` is `baseline - cost` and may be negative. `percent` is None where there is no
    baseline. What could make the figures less than exact is counted: `unknown` attempts (booked
    at their upper bound), `estimated` usage, `unpriced` models (booked as 0).
    """

    answered: int
    attempts: int
    fallbacks: int
    cost: int
    baseline: int
    saving: int
    percent: float | None
    unanswered_cost: int
    unknown: int
    estimated: int
    unpriced: int


class TaskSaving(Struct):
    """One task's."""

    task: str
    saving: Saving


class SavingsReport(Struct, kw_only=True):
    """Savings of the hours from `since` to `until` (ISO, UTC), greatest saving first."""

    since: str
    until: str
    total: Saving
    tasks: list[TaskSaving]


def savings(engine: Engine, since: datetime, until: datetime | None = None) -> SavingsReport:
    """Savings in total and by task. Raises RequestError for an empty period."""
    hours = period(since, until)
    groups = totals_by(engine, ["task"], hours)
    tasks = [TaskSaving(group[0], _saving(totals)) for group, totals in groups]
    tasks.sort(key=lambda t: (-t.saving.saving, t.task))
    return SavingsReport(
        since=hours.since,
        until=hours.until,
        total=_saving(add([totals for _, totals in groups])),
        tasks=tasks,
    )


def _saving(totals: Totals) -> Saving:
    saved = totals.baseline - totals.cost
    return Saving(
        answered=totals.answered,
        attempts=totals.attempts,
        fallbacks=totals.fallbacks,
        cost=totals.cost,
        baseline=totals.baseline,
        saving=saved,
        percent=100 * saved / totals.baseline if totals.baseline else None,
        unanswered_cost=totals.unanswered_cost,
        unknown=totals.unknown,
        estimated=totals.estimated,
        unpriced=totals.unpriced,
    )
