"""Outages that fallbacks absorbed, as far as hourly sums show them.

An hour counts for a provider when calls to it failed and the same task's requests were answered by
another model than the one first tried. Adjacent hours are one incident. Two things the sums cannot
say: which failure a fallback was for, where several providers failed one task in one hour (the
saved requests are shared out by their failures), and requests that never tried the provider since
its breaker was open (they are not counted, so the number saved is the least it can be).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import Engine, or_, select

from hybridllm.reports.period import Period, iso_hour
from hybridllm.store.schema import hourly

_HOUR = 3600

WHERE = "errors + unknown > 0 OR fallbacks > 0"
"""What rows of `hourly` tell of an incident."""


class Incident(Struct, kw_only=True, frozen=True):
    """From `start` to `end` (exclusive), Unix seconds. `failed` attempts at the provider and
    `saved` requests, which a fallback answered; `counts`: enough of them for it to have a worth."""

    provider: str
    start: int
    end: int
    failed: int
    saved: int
    tasks: list[str]
    counts: bool

    @property
    def since(self) -> str:
        return iso_hour(self.start)

    @property
    def until(self) -> str:
        return iso_hour(self.end)


class _Hour(Struct):
    """A provider's share of one hour."""

    failed: int = 0
    saved: int = 0
    tasks: set[str] = set()


def incidents(engine: Engine, hours: Period, least: int) -> list[Incident]:
    """In the order of time; those with fewer than `least` saved requests do not count."""
    failed, answered = _read(engine, hours)
    found: dict[tuple[str, int], _Hour] = defaultdict(_Hour)
    for (hour, task), saved in answered.items():
        # A call can fail at the end of one hour, and its fallback answer in the next.
        at = hour if failed.get((hour, task)) else hour - _HOUR
        for provider, share in _shared(saved, failed.get((at, task), {})).items():
            if share:
                one = found[provider, hour]
                one.saved += share
                one.tasks.add(task)
    for (hour, _), failures in failed.items():
        for provider, number in failures.items():
            if (provider, hour) in found:
                found[provider, hour].failed += number
    return sorted(_joined(found, least), key=lambda one: (one.start, one.provider))


def _read(
    engine: Engine, hours: Period
) -> tuple[dict[tuple[int, str], dict[str, int]], dict[tuple[int, str], int]]:
    """By (hour, task): failures by provider, and how many requests a fallback answered."""
    c = hourly.c
    query = select(c.hour, c.task, c.provider, c.errors + c.unknown, c.fallbacks).where(
        c.hour >= hours.start,
        c.hour < hours.end,
        or_(c.errors + c.unknown > 0, c.fallbacks > 0),
    )
    failed: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    answered: dict[tuple[int, str], int] = defaultdict(int)
    with engine.connect() as connection:
        for hour, task, provider, failures, fallbacks in connection.execute(query):
            if failures:
                failed[hour, task][provider] += failures
            if fallbacks:
                answered[hour, task] += fallbacks
    return failed, answered


def _shared(saved: int, failures: Mapping[str, int]) -> dict[str, int]:
    """`saved` by provider, in proportion to its failures; the parts are whole and sum up."""
    total = sum(failures.values())
    if not total:
        return {}
    shares = {provider: saved * number // total for provider, number in failures.items()}
    left = saved - sum(shares.values())
    rests = sorted(failures, key=lambda p: (-(saved * failures[p] % total), p))
    for provider in rests[:left]:
        shares[provider] += 1
    return shares


def _joined(found: Mapping[tuple[str, int], _Hour], least: int) -> list[Incident]:
    groups: list[list[tuple[str, int]]] = []
    for key in sorted(found):
        if groups and groups[-1][-1] == (key[0], key[1] - _HOUR):
            groups[-1].append(key)
        else:
            groups.append([key])
    return [_incident(group, [found[key] for key in group], least) for group in groups]


def _incident(keys: list[tuple[str, int]], hours: list[_Hour], least: int) -> Incident:
    saved = sum(hour.saved for hour in hours)
    return Incident(
        provider=keys[0][0],
        start=keys[0][1],
        end=keys[-1][1] + _HOUR,
        failed=sum(hour.failed for hour in hours),
        saved=saved,
        tasks=sorted(set().union(*(hour.tasks for hour in hours))),
        counts=saved >= least,
    )
