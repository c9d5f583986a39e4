"""How often the checks of this configuration's cascades pass: from the ledger at a start, and from
this process's own traffic since.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from hybridllm.catalog.structs import Cascade, Task
from hybridllm.config import Config
from hybridllm.errors import HybridError
from hybridllm.quality.passing import Passing

log = logging.getLogger("hybridllm.quality")

DAY_SECONDS = 86_400.0
LOOK_BACK_DAYS = 28
_NONE = Passing()


class Passes:
    """By task and the cascade as it is configured: a changed check starts anew. Times are Unix
    seconds. Not thread-safe: it belongs to one event loop."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Cascade], tuple[Passing, float]] = {}

    def of(self, task: Task, now: float) -> Passing | None:
        """What was seen, as it weighs now; None where the task has no cascade."""
        if task.cascade is None:
            return None
        found = self._seen.get((task.name, task.cascade))
        return _NONE if found is None else found[0].aged((now - found[1]) / DAY_SECONDS)

    def note(self, task: Task, passed: bool, now: float) -> None:
        """An answer was checked."""
        known = self.of(task, now)
        if known is not None and task.cascade is not None:
            self._seen[task.name, task.cascade] = known.after(passed), now

    def adopt(self, other: Passes | None) -> Passes:
        """Itself, with what `other` knows of cascades that nothing is known of here."""
        if other is not None:
            self._seen = other._seen | self._seen
        return self

    def put(self, task: Task, passing: Passing, now: float) -> None:
        """What was seen before."""
        if task.cascade is not None:
            self._seen[task.name, task.cascade] = passing, now


def _before(url: str, now: float) -> dict[tuple[str, str], Passing]:
    """By task and model, aged; nothing where there is no store yet, and none is made."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return {}
    # Imported here: most configurations have no cascade, and do not wait for SQLAlchemy.
    from sqlalchemy.exc import SQLAlchemyError

    from hybridllm.store import open_store
    from hybridllm.store.checks import read_checks

    found: dict[tuple[str, str], Passing] = {}
    try:
        engine = open_store(url)
        try:
            with engine.connect() as connection:
                rows = read_checks(connection, since=int(now - LOOK_BACK_DAYS * DAY_SECONDS))
        finally:
            engine.dispose()
    except (HybridError, SQLAlchemyError) as e:
        log.warning("What checks said before could not be read: %s", e)
        return {}
    for row in rows:
        old = Passing(row.checked, row.passed).aged((now - row.hour) / DAY_SECONDS)
        known = found.get((row.task, row.model), _NONE)
        found[row.task, row.model] = known.plus(old.checked, old.passed)
    return found


def passes_of(config: Config, url: str) -> Passes:
    """What the store at `url` has of the checks of `config`'s cascades, by task and model, whatever
    the check was then. The store is not touched where no task has a cascade; that it cannot be read
    is logged."""
    made, now = Passes(), time.time()
    tasks = [task for task in config.tasks.values() if task.cascade is not None]
    before = _before(url, now) if tasks else {}
    for task in tasks:
        found = before.get((task.name, task.cascade.first if task.cascade else ""))
        if found is not None:
            made.put(task, found, now)
    return made
