"""What batches and caches saved, what was left on the table, and the one change that saves most.

Every amount is a sum of the hourly rollups, which were worked out of each row at the row's own
prices when it was made (`ledger.record.Attempt`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Engine

from hybridllm.config import Config
from hybridllm.config_file.document import show
from hybridllm.reports.period import period
from hybridllm.reports.totals import Totals, totals_by

_WAIT = "24h"
"""The deadline that is proposed: within it, providers end their batches."""


class Levers(Struct, kw_only=True):
    """Of some requests, in picodollars. `cost` is all that was spent.

    Saved: `batch_saved` by `batched` attempts, which cost `batch_cost`; `read_saved` by reading
    from providers' prompt caches, of which `write_extra` was paid for writing to them; `hit_saved`
    by `cache_hits` answers of the response cache; `cascade_saved` by the `passed` of
    `checked` cheap answers of cascades, of which `cascade_extra` was paid for checks and answers
    that did not pass. `saved` is all of it, net. Left: `batch_left` by live answers of tasks that
    can wait, `prefix_left` by repeated beginnings that no cache served. `could_wait` is what
    batches would have saved on live answers of tasks that do not say so.
    """

    answered: int = 0
    cost: int = 0
    batched: int = 0
    cache_hits: int = 0
    batch_cost: int = 0
    batch_saved: int = 0
    read_saved: int = 0
    write_extra: int = 0
    hit_saved: int = 0
    checked: int = 0
    passed: int = 0
    cascade_saved: int = 0
    cascade_extra: int = 0
    saved: int = 0
    batch_left: int = 0
    prefix_left: int = 0
    could_wait: int = 0


class TaskLevers(Struct):
    """One task's. `can_wait` is what the configuration says of it now."""

    task: str
    can_wait: bool
    levers: Levers


class Change(Struct, frozen=True, kw_only=True):
    """Lines for hybridllm.toml, and what they would have saved in the period, picodollars. `lever`
    is `batch` or `prompt caching`. `condition` is what only people can know, "" where there is
    none."""

    lever: str
    task: str
    saving: int
    toml: str
    condition: str = ""


class LeversReport(Struct, kw_only=True):
    """The hours from `since` to `until` (ISO, UTC); tasks that saved most come first. `change` is
    None where nothing that can be configured would have saved anything."""

    since: str
    until: str
    total: Levers
    tasks: list[TaskLevers]
    change: Change | None


def levers(
    engine: Engine, config: Config, since: datetime, until: datetime | None = None
) -> LeversReport:
    """The levers in total and by task, and what `config` should say otherwise. Raises RequestError
    for an empty period."""
    hours = period(since, until)
    tasks = [
        _task(group[0], totals, config) for group, totals in totals_by(engine, ["task"], hours)
    ]
    tasks.sort(key=lambda one: (-one.levers.saved, -one.levers.cost, one.task))
    return LeversReport(
        since=hours.since,
        until=hours.until,
        total=_sum(tasks),
        tasks=tasks,
        change=_best(tasks, config),
    )


def _task(name: str, totals: Totals, config: Config) -> TaskLevers:
    task = config.tasks.get(name)
    can_wait = task is not None and (task.can_wait or task.deadline is not None)
    net = totals.batch_saved + totals.read_saved - totals.write_extra + totals.hit_saved
    net += totals.cascade_saved - totals.cascade_extra
    return TaskLevers(
        name,
        can_wait,
        Levers(
            answered=totals.answered,
            cost=totals.cost,
            batched=totals.batched,
            cache_hits=totals.cache_hits,
            batch_cost=totals.batch_cost,
            batch_saved=totals.batch_saved,
            read_saved=totals.read_saved,
            write_extra=totals.write_extra,
            hit_saved=totals.hit_saved,
            checked=totals.checked,
            passed=totals.passed,
            cascade_saved=totals.cascade_saved,
            cascade_extra=totals.cascade_extra,
            saved=net,
            batch_left=totals.batch_left if can_wait else 0,
            prefix_left=totals.prefix_left,
            could_wait=0 if can_wait else totals.batch_left,
        ),
    )


def _sum(tasks: list[TaskLevers]) -> Levers:
    return Levers(
        **{
            name: sum(getattr(one.levers, name) for one in tasks)
            for name in Levers.__struct_fields__
        }
    )


def _best(tasks: list[TaskLevers], config: Config) -> Change | None:
    """The change that would have saved most; one that depends on what only people know, only where
    there is no other."""
    changes = [*_waiting(tasks, config), *_caching(tasks, config)]
    return max(
        (one for one in changes if one.saving > 0),
        key=lambda one: (not one.condition, one.saving, one.task),
        default=None,
    )


def _waiting(tasks: list[TaskLevers], config: Config) -> Iterator[Change]:
    """To have ordinary requests of a task wait."""
    lane = "" if config.batch.enabled else "[batch]\nenabled = true\n\n"
    for one in tasks:
        task = config.tasks.get(one.task)
        if task is None or task.deadline is not None:
            continue
        heading = f"{lane}[{show(('tasks', one.task))}]\n"
        if one.can_wait:
            yield Change(
                lever="batch",
                task=one.task,
                saving=one.levers.batch_left,
                toml=f'{heading}deadline = "{_WAIT}"\n',
            )
        elif task.max_latency_ms is None:
            yield Change(
                lever="batch",
                task=one.task,
                saving=one.levers.could_wait,
                toml=f'{heading}can_wait = true\ndeadline = "{_WAIT}"\n',
                condition="if its callers can wait a day for an answer",
            )


def _caching(tasks: list[TaskLevers], config: Config) -> Iterator[Change]:
    """To have beginnings marked that are left as they are."""
    caching = config.caching
    if not caching.enabled:
        left = sum(one.levers.prefix_left for one in tasks)
        yield Change(
            lever="prompt caching", task="", saving=left, toml="[caching]\nenabled = true\n"
        )
        return
    for one in tasks:
        if one.task in caching.off:
            names = ", ".join(f'"{name}"' for name in caching.off if name != one.task)
            yield Change(
                lever="prompt caching",
                task=one.task,
                saving=one.levers.prefix_left,
                toml=f"[caching]\nenabled = true\noff = [{names}]\n",
            )
