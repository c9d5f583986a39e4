"""The quality that was measured, from the store into a configuration.

The store is read when a process starts and when scores were added, never by a request: the router
is handed qualities, measured ones over assumed ones, as if the configuration had said so.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hybridllm.catalog.prompts import label_for
from hybridllm.catalog.structs import Quality
from hybridllm.config import Config, DriftConfig
from hybridllm.engine.drifting import Declines, with_declines
from hybridllm.errors import HybridError
from hybridllm.quality.decline import Decline
from hybridllm.quality.measured import Cell, cells, qualities

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

log = logging.getLogger("hybridllm.quality")


class Measured(Struct, frozen=True):
    """What a store says: every cell that has scores, and who has become worse."""

    cells: list[Cell] = []
    declines: list[Decline] = []


def measured(
    connection: Connection, settings: DriftConfig, task: str | None = None, *, by: Declines
) -> Measured:
    """What the store says of one task or of all; `by` keeps what need not be looked at again."""
    from hybridllm.store.scores import read_totals

    totals = read_totals(connection, task=task)
    return Measured(cells(totals), by.read(connection, totals, settings))


def with_measured(config: Config, found: Measured) -> Config:
    """The configuration with what `found` says of its tasks' models laid over its `quality`: in the
    place of assumptions, and of measurements that are not newer; degraded models are lowered."""
    applied = partial(label_for, config.variants)
    known = {(one.model, one.task): one for one in qualities(found.cells, config.tasks, applied)}
    if known:
        kept = [
            one for one in config.quality if not _replaced(one, known.get((one.model, one.task)))
        ]
        config = msgspec.structs.replace(config, quality=(*kept, *known.values()))
    return with_declines(config, found.declines)


def _replaced(stated: Quality, by: Quality | None) -> bool:
    return by is not None and (stated.samples == 0 or stated.at <= by.at)


def measured_in(url: str, config: Config, task: str | None = None) -> Measured:
    """What the store at `url` says; nothing where there is no store yet, and none is made. Where it
    cannot be read that is logged, and nothing counts as measured."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return Measured()
    # Imported here: where nothing was recorded, commands need not wait for SQLAlchemy.
    from sqlalchemy.exc import SQLAlchemyError

    from hybridllm.store import open_store

    try:
        engine = open_store(url)
        try:
            with engine.connect() as connection:
                return measured(connection, config.drift, task, by=Declines())
        finally:
            engine.dispose()
    except (HybridError, SQLAlchemyError) as e:
        log.warning("What was measured could not be read, so quality is assumed: %s", e)
        return Measured()


class Watched:
    """What a store says, read again only when scores were added. For one thread at a time."""

    def __init__(self, url: str) -> None:
        self.found = Measured()
        self._url = url
        self._engine: Engine | None = None
        self._seen: tuple[tuple[int, int], DriftConfig] | None = None
        self._declines = Declines()

    def look(self, settings: DriftConfig) -> bool:
        """Whether `found` changed. Raises what `open_store` raises, and leaves it as before."""
        from hybridllm.store import open_store
        from hybridllm.store.scores import stamp

        if self._engine is None:
            self._engine = open_store(self._url)
        with self._engine.connect() as connection:
            now = stamp(connection), settings
            if now == self._seen:
                return False
            found = measured(connection, settings, by=self._declines)
        changed = found != self.found
        self.found, self._seen = found, now
        return changed

    def close(self) -> None:
        """Done with the store."""
        if self._engine is not None:
            self._engine.dispose()
