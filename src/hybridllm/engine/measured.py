"""The quality that was measured, from the store into a configuration.

The store is read when a process starts and when scores were added, never by a request: the router
is handed qualities, measured ones over assumed ones, as if the configuration had said so.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hybridllm.catalog.structs import Quality
from hybridllm.config import Config
from hybridllm.errors import HybridError
from hybridllm.quality.measured import Cell, cells, qualities

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

log = logging.getLogger("hybridllm.quality")


def measured(connection: Connection, task: str | None = None) -> list[Cell]:
    """Every cell that has scores, of one task or of all."""
    from hybridllm.store.scores import read_totals

    return cells(read_totals(connection, task=task))


def with_measured(config: Config, found: list[Cell]) -> Config:
    """The configuration with what `found` says of its tasks' models laid over its `quality`: in the
    place of assumptions, and of measurements that are not newer."""
    known = {(one.model, one.task): one for one in qualities(found, config.tasks)}
    kept = [one for one in config.quality if not _replaced(one, known.get((one.model, one.task)))]
    if not known:
        return config
    return msgspec.structs.replace(config, quality=(*kept, *known.values()))


def _replaced(stated: Quality, by: Quality | None) -> bool:
    return by is not None and (stated.samples == 0 or stated.at <= by.at)


def measured_in(url: str, task: str | None = None) -> list[Cell]:
    """The cells of the store at `url`; none where there is no store yet, and none is made. Where it
    cannot be read that is logged, and nothing counts as measured."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return []
    # Imported here: where nothing was recorded, commands need not wait for SQLAlchemy.
    from sqlalchemy.exc import SQLAlchemyError

    from hybridllm.store import open_store

    try:
        engine = open_store(url)
        try:
            with engine.connect() as connection:
                return measured(connection, task)
        finally:
            engine.dispose()
    except (HybridError, SQLAlchemyError) as e:
        log.warning("What was measured could not be read, so quality is assumed: %s", e)
        return []


class Watched:
    """A store's cells, read again only when scores were added. For one thread at a time."""

    def __init__(self, url: str) -> None:
        self.cells: list[Cell] = []
        self._url = url
        self._engine: Engine | None = None
        self._seen: tuple[int, int] | None = None

    def look(self) -> bool:
        """Whether `cells` changed. Raises what `open_store` raises, and leaves them as before."""
        from hybridllm.store import open_store
        from hybridllm.store.scores import stamp

        if self._engine is None:
            self._engine = open_store(self._url)
        with self._engine.connect() as connection:
            now = stamp(connection)
            if now == self._seen:
                return False
            found = measured(connection)
        changed = found != self.cells
        self.cells, self._seen = found, now
        return changed

    def close(self) -> None:
        """Done with the store."""
        if self._engine is not None:
            self._engine.dispose()
