"""What several providers were worth: the saving, less what it took to have it.

Gross saving is what `savings` says: the ledger has beside each answered call what the same call
costs on the baseline model, and both are summed here from the hourly sums. Overhead comes from the
configuration and is prorated (see `overhead`). The worth of survived outages stands beside the
saving and is never added to it: it is an estimate of what did not happen.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct
from sqlalchemy import Engine

from hybridllm.catalog.structs import Model, Price
from hybridllm.config import Config
from hybridllm.money import PICODOLLARS
from hybridllm.reports.incidents import WHERE, Incident, incidents
from hybridllm.reports.overhead import MONTH_HOURS, Overhead, Span, Start, overhead, starts
from hybridllm.reports.period import Period, iso_hour, period
from hybridllm.reports.totals import Totals, add, totals_by
from hybridllm.reports.traces import (
    PriceUse,
    Trace,
    money,
    price_uses,
    prices_during,
    traced,
    within,
)

Verdict = Literal["below", "within", "above", "nothing"]

_WEEK = 7 * 86_400


class WeekCost(Struct, kw_only=True, frozen=True):
    """One task's cost with one provider in the week that begins on Monday `week` (ISO, UTC)."""

    week: str
    task: str
    provider: str
    totals: Totals


class Impact(Struct, kw_only=True, frozen=True):
    """The impact of the hours from `since` to `until` (ISO, UTC). Money is picodollars.

    `began` is the ledger's first hour: nothing is charged for the time before. `net` is the saving
    less the overhead, from the worst (most overhead) to the best; `net_percent` is its middle as a
    share of `baseline`, None where there is no baseline, and `verdict` that against the target.
    `needed` is the baseline a month at which, with this gross saving and overhead, the net saving
    would reach the target's lower end; None: at no volume.
    """

    since: str
    until: str
    began: str
    baseline_model: str
    total: Totals
    saving: int
    gross_percent: float | None
    overhead: Overhead
    net: Span
    net_percent: float | None
    target_percent: tuple[float, float]
    verdict: Verdict
    needed: int | None
    weeks: list[WeekCost]
    incidents: list[Incident]
    worth: Span

    @property
    def saved_requests(self) -> int:
        return sum(one.saved for one in self.incidents)


class Explanation(Struct, kw_only=True, frozen=True):
    """What stands behind an `Impact`."""

    traces: list[Trace]
    prices: list[PriceUse]
    baseline_prices: list[Price]
    adapted: list[Start]


def impact(
    engine: Engine, config: Config, since: datetime, until: datetime | None = None
) -> Impact:
    """The impact of a period. Raises RequestError for an empty period."""
    hours = period(since, until)
    first, pairs = starts(engine, hours.end)
    groups = totals_by(engine, ["week", "task", "provider"], hours)
    total = add([totals for _, totals in groups])
    began = hours.end if first is None else first
    baseline = _baseline(config)
    provider = "" if baseline is None else baseline.provider
    taken = overhead(config.overhead, hours, began, pairs, provider)
    saving = total.baseline - total.cost
    net = Span(saving - taken.total.high, saving - taken.total.low)
    percent = _percent(saving - taken.total.middle, total.baseline)
    survived = incidents(engine, hours, config.overhead.incident_requests)
    counted = sum(one.counts for one in survived)
    worth = (int(counted * usd * PICODOLLARS) for usd in config.overhead.incident_usd)
    return Impact(
        since=hours.since,
        until=hours.until,
        began=iso_hour(began),
        baseline_model=config.routing.baseline,
        total=total,
        saving=saving,
        gross_percent=_percent(saving, total.baseline),
        overhead=taken,
        net=net,
        net_percent=percent,
        target_percent=config.overhead.target_percent,
        verdict=_verdict(percent, config.overhead.target_percent),
        needed=_needed(saving, total.baseline, taken, config.overhead.target_percent[0]),
        weeks=_weeks(groups),
        incidents=survived,
        worth=Span(*worth),
    )


def explain(engine: Engine, config: Config, report: Impact) -> Explanation:
    """Every figure's query with what it read, and every price."""
    hours = period(datetime.fromisoformat(report.since), datetime.fromisoformat(report.until))
    traces = [
        traced(engine, "baseline", money(("baseline", 1)), within(hours)),
        traced(engine, "cost", money(("cost", 1)), within(hours)),
        traced(engine, "saving", money(("baseline", 1), ("cost", -1)), within(hours)),
        traced(engine, "ledger began", "MIN(hour)", f"hour < {hours.end}"),
        *(_week_trace(engine, hours, week) for week in report.weeks),
        *(_incident_trace(engine, hours, one) for one in report.incidents),
    ]
    baseline = _baseline(config)
    return Explanation(
        traces=traces,
        prices=price_uses(engine, config.catalog, hours),
        baseline_prices=[] if baseline is None else prices_during(baseline, hours),
        adapted=report.overhead.adapted,
    )


def _baseline(config: Config) -> Model | None:
    catalog = config.catalog
    return catalog.models.get(catalog.names.get(config.routing.baseline, config.routing.baseline))


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _verdict(percent: float | None, target: tuple[float, float]) -> Verdict:
    if percent is None:
        return "nothing"
    if percent < target[0]:
        return "below"
    return "within" if percent <= target[1] else "above"


def _needed(saving: int, baseline: int, taken: Overhead, least_percent: float) -> int | None:
    """overhead / (gross share - target share), both of a month."""
    if not baseline or not taken.hours:
        return None
    spare = saving / baseline - least_percent / 100
    monthly = taken.total.middle * MONTH_HOURS / taken.hours
    return int(monthly / spare) if spare > 0 else None


def _weeks(groups: list[tuple[tuple[str, ...], Totals]]) -> list[WeekCost]:
    weeks = [
        WeekCost(week=group[0], task=group[1], provider=group[2], totals=totals)
        for group, totals in groups
    ]
    return sorted(weeks, key=lambda w: (w.week, -w.totals.cost, w.task, w.provider))


def _week_trace(engine: Engine, hours: Period, week: WeekCost) -> Trace:
    start = int(datetime.fromisoformat(f"{week.week}T00:00+00:00").timestamp())
    part = Period(max(hours.start, start), min(hours.end, start + _WEEK))
    where = within(part, task=week.task, provider=week.provider)
    return traced(engine, f"{week.week} {week.task} {week.provider}", money(("cost", 1)), where)


def _incident_trace(engine: Engine, hours: Period, one: Incident) -> Trace:
    part = Period(max(hours.start, one.start), min(hours.end, one.end))
    tasks = ", ".join("'" + task.replace("'", "''") + "'" for task in one.tasks)
    return traced(
        engine,
        f"requests saved while {one.provider} failed, from {one.since}",
        "SUM(fallbacks)",
        f"{within(part)} AND task IN ({tasks}) AND ({WHERE})",
    )
