"""From the journal into the store, exactly once.

A group of rows, what they add to the hourly sums, and the run's new position in its journal are
one transaction. Whoever dies in the middle leaves either all of it or nothing, and whoever goes on
begins at the position that the store names.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from hybridllm.ledger.frames import entries
from hybridllm.ledger.journal import lock_orphan, runs, segments
from hybridllm.ledger.learning import learn
from hybridllm.ledger.log import AttemptLog
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.ledger.rollup import hourly_sums, storable, unknown
from hybridllm.store import rows, writing
from hybridllm.store.rows import Overtaken, Position

GROUP = 5000
"""Rows a transaction: enough to make its cost small, few enough to keep memory and locks short."""

_BREATH_ENTRIES = 50
_BREATH_SECONDS = 0.0002
"""Requests are served by another thread, perhaps of the same core: it gets its turn within a
millisecond, not when the loading is done."""

_START = Position(0, 0)
_RESTARTS = 5
_log = logging.getLogger("hybridllm.ledger")


class RunLoader:
    """The reading end of one run. Belongs to one thread, whose process holds the run's lock."""

    def __init__(self, run: Path, engine: Engine, log: AttemptLog) -> None:
        self._run = run
        self._engine = engine
        self._log = log
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._synced = False
        self._finished = False
        self._committed: Position | None = None
        self._scanned = _START
        self._pending: dict[tuple[str, int], tuple[Intent, int]] = {}

    def load(self, *, finish: bool = False) -> None:
        """Load what has been journalled since the last time, and delete what is no longer needed.

        `finish`: the run has ended, so an intent without a record becomes an unknown attempt, and
        the run is removed. Raises SQLAlchemyError or OSError when the store or the journal cannot
        be used; then nothing is lost and the next call begins where the store is.
        """
        for left in reversed(range(_RESTARTS)):
            try:
                if not self._synced:
                    self._sync()
                self._load(finish)
                return
            except Overtaken:
                self._begin_anew()
                if not left:
                    raise
            except BaseException:
                self._begin_anew()
                raise

    def _sync(self) -> None:
        with self._engine.connect() as connection:
            self._committed, self._finished = rows.position(connection, self._run.name)
        self._synced = True

    def _load(self, finish: bool) -> None:
        if not self._finished:
            self._load_segments(finish)
        if self._finished:
            shutil.rmtree(self._run)
            with writing(self._engine) as connection:
                rows.forget(connection, self._run.name)
        else:
            self._delete_spent()

    def _load_segments(self, finish: bool) -> None:
        group: list[Attempt] = []
        read = 0
        for segment in segments(self._run):
            if segment.number < self._scanned.segment:
                continue
            start = self._scanned.bytes if segment.number == self._scanned.segment else 0
            for entry, end in entries(_read(segment.path, start)):
                self._scanned = Position(segment.number, start + end)
                read += 1
                if read % _BREATH_ENTRIES == 0:
                    _breathe()
                key = (entry.request_id, entry.attempt)
                if isinstance(entry, Intent):
                    self._pending[key] = (entry, segment.number)
                    continue
                self._pending.pop(key, None)
                if self._committed is None or self._scanned > self._committed:
                    group.append(storable(entry))
                if len(group) >= GROUP:
                    self._commit(group, finished=False)
                    group = []
        if finish:
            group += [storable(unknown(intent)) for intent, _ in self._pending.values()]
        if group or finish:
            self._commit(group, finished=finish)

    def _commit(self, group: Sequence[Attempt], *, finished: bool) -> None:
        try:
            self._transact(group, finished=finished)
        except IntegrityError:
            # The same attempt was recorded twice. One row is right, and the rest must not wait.
            group = self._transact(group, finished=finished, drop_known=True)
        self._committed = self._scanned
        self._finished = finished
        try:
            self._log.write(group)
        except OSError as e:
            _log.warning("The log of attempts cannot be written: %s", e)

    def _transact(
        self, group: Sequence[Attempt], *, finished: bool, drop_known: bool = False
    ) -> Sequence[Attempt]:
        with writing(self._engine) as connection:
            rows.advance(
                connection, self._run.name, self._committed, self._scanned, finished=finished
            )
            if drop_known:
                known = rows.known_attempts(connection, (a.request_id for a in group))
                once = {(a.request_id, a.attempt): a for a in reversed(group)}
                group = [a for key, a in once.items() if key not in known]
            if group:
                _breathe()
                rows.insert_attempts(connection, [msgspec.structs.astuple(a) for a in group])
                _breathe()
                again = [a.request_id for a in group if a.attempt > 1]
                firsts = rows.first_models(connection, again) if again else {}
                rows.add_hourly(connection, hourly_sums(group, firsts))
                _breathe()
                learn(connection, group)
        return group

    def _delete_spent(self) -> None:
        """Delete segments that are wholly loaded. Strictly from the front, and none from the first
        with an open intent on: its record will be looked for in what follows."""
        spent = [s for s in segments(self._run) if s.number < self._scanned.segment]
        if not spent:
            return
        oldest_open = min((number for _, number in self._pending.values()), default=math.inf)
        for segment in spent:
            if segment.number >= oldest_open:
                break
            segment.path.unlink(missing_ok=True)


def _breathe() -> None:
    time.sleep(_BREATH_SECONDS)


def _read(path: Path, start: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read()


def adopt(root: Path, engine: Engine, log: AttemptLog) -> int:
    """Load and remove every run below `root` whose process is dead; their number.

    Raises SQLAlchemyError or OSError when the store or the journal cannot be used.
    """
    adopted = 0
    for run in runs(root):
        lock = lock_orphan(run)
        if lock is None:
            continue
        try:
            if run.exists():
                RunLoader(run, engine, log).load(finish=True)
                adopted += 1
        finally:
            os.close(lock)
    return adopted
