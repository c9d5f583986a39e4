"""Models that have become worse, from the store into a configuration.

Live scores are read in the order of time, a bounded number for each model at a task, and only where
some were added since. A degraded model counts for what it is worth since it became worse.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from hybridllm.catalog.structs import Quality
from hybridllm.config import Config, DriftConfig
from hybridllm.quality import Table
from hybridllm.quality.decline import STREAMS, Decline, Live, decline, watched

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hybridllm.store.scores import Sums

_GROUPS = [
    [source for source, stream in STREAMS.items() if stream == name]
    for name in dict.fromkeys(STREAMS.values())
]
_MILLION = 1_000_000
STEP = 10
"""A model is looked at again after so many live scores, since that takes some 50 ms of a core."""


class Declines:
    """The declines of a store. What was found of a model at a task is kept until STEP scores were
    added to it."""

    def __init__(self) -> None:
        self._settings = DriftConfig()
        self._found: dict[tuple[str, str], tuple[int, Decline | None]] = {}

    def read(
        self, connection: Connection, totals: Iterable[Sums], settings: DriftConfig
    ) -> list[Decline]:
        """Those in force, by task and model. `totals` are the sums of all cells."""
        if settings != self._settings:
            self._found.clear()
        self._settings = settings
        if not settings.enabled:
            return []
        for (task, model), counts in _counts(totals).items():
            n, known = sum(counts.values()), self._found.get((task, model))
            if known is not None and n < known[0] + STEP:
                continue
            if watched(counts, settings.baseline):
                self._found[task, model] = n, _of(connection, task, model, settings)
        return [one for _, (_, one) in sorted(self._found.items()) if one is not None]


def with_declines(config: Config, declines: Iterable[Decline]) -> Config:
    """The configuration with degraded models counting for what they are worth since: by the lower
    of their bound before and their bound now. A measurement that the configuration states and that
    is newer stands, and of whom nothing is known there is nothing to lower."""
    table = Table(config.quality)
    lowered: dict[tuple[str, str], Quality] = {}
    for one in declines:
        task = config.tasks.get(one.task)
        known = table.find(one.model, task) if task is not None else None
        if known is not None and (known.samples == 0 or known.at <= _day(one.at)):
            lowered[one.model, one.task] = _lowered(known, one)
    if not lowered:
        return config
    kept = [each for each in config.quality if (each.model, each.task) not in lowered]
    return msgspec.structs.replace(config, quality=(*kept, *lowered.values()))


def _lowered(known: Quality, one: Decline) -> Quality:
    lower = min(known.lower, one.lower)
    return Quality(
        model=one.model,
        task=one.task,
        value=max(lower, min(known.value, one.now)),
        lower=lower,
        samples=one.n,
        source=known.source if known.samples else "production",
        at=_day(one.at),
        decline=one.words,
    )


def _counts(totals: Iterable[Sums]) -> dict[tuple[str, str], dict[str, int]]:
    """How many live scores of each source every task and model has, of the plain prompt."""
    live = [row for row in totals if row.source in STREAMS and not row.variant]
    live.sort(key=lambda row: (row.task, row.model))
    found: dict[tuple[str, str], dict[str, int]] = {}
    for key, rows in groupby(live, lambda row: (row.task, row.model)):
        counts = found.setdefault(key, {})
        for row in rows:
            counts[row.source] = counts.get(row.source, 0) + row.n
    return found


def _of(connection: Connection, task: str, model: str, settings: DriftConfig) -> Decline | None:
    from hybridllm.store.scores import read_live

    rows = read_live(
        connection, task, model, _GROUPS, first=settings.baseline, newest=settings.window
    )
    scores = [Live(row.at, row.score, row.source) for row in rows]
    return decline(task, model, scores, baseline=settings.baseline, margin=settings.margin)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / _MILLION, UTC).date().isoformat()
