"""The ledger as the engine sees it: intend, call, record. All else happens in a thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any

from hybridllm.config import LedgerConfig
from hybridllm.errors import ErrorKind, HybridError
from hybridllm.ledger.journal import Journal
from hybridllm.ledger.log import AttemptLog
from hybridllm.ledger.paths import journal_directory, store_url
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.tokens.calibration import Tables, tables_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from hybridllm.ledger.loader import RunLoader

_ADOPT_SECONDS = 5.0
_log = logging.getLogger("hybridllm.ledger")


class Ledger:
    """One process's ledger: a journal that it writes, and a thread that loads it into the store.

    The store is opened by the thread, so that neither its drivers nor a database that is down hold
    up the start; until it can be reached, the journal grows and loading is tried again.
    """

    def __init__(self, config: LedgerConfig, worker: int = 0) -> None:
        """Nothing is touched before `open`. Raises ConfigError for a store of an unknown kind."""
        self._config = config
        self._worker = worker
        self._url = store_url(config)
        self._root = journal_directory(config)
        self._attempt_log = AttemptLog(config.log)
        self._append: Callable[[Intent | Attempt], None] = _not_open
        self._journal: Journal | None = None
        self._engine: Engine | None = None
        self._loader: RunLoader | None = None
        self._thread: Thread | None = None
        self._changed = Condition()
        self._closing = False
        self._asked = 0
        self._served = 0
        self._trouble = ""
        self._adopted_at = -_ADOPT_SECONDS
        self.on_learned: Callable[[Tables], None] = _ignore
        """Told, from the ledger's thread, what has been learned of tokens a byte: soon after the
        start, at each flush, and every few seconds. To be set before `open`."""

    @property
    def store_url(self) -> str:
        """The store that the journal is loaded into."""
        return self._url

    def open(self) -> None:
        """Start the journal and the loading thread, which first adopts the journals of processes
        that died. Raises HybridError(UNAVAILABLE) if the journal cannot be written."""
        self._journal = Journal(self._root, self._worker)
        self._append = self._journal.append
        self._thread = Thread(
            target=self._work, args=(self._journal.run,), name="hybridllm-ledger", daemon=True
        )
        self._thread.start()

    def intend(self, intent: Intent) -> None:
        """Journal that a call is about to be made. Raises HybridError(UNAVAILABLE) if that cannot
        be written; then the call must not be made."""
        self._append(intent)

    def record(self, attempt: Attempt) -> None:
        """Journal how it ended. Raises HybridError(UNAVAILABLE) if that cannot be written; the
        intent then becomes an unknown attempt when this process ends."""
        self._append(attempt)

    def flush(self, timeout: float = 10.0) -> None:
        """Block until everything journalled so far, by this process and by dead ones, is in the
        store. Raises HybridError(UNAVAILABLE) after `timeout` seconds. Not for an event loop's
        thread."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._served >= mine, timeout):
                raise HybridError(
                    f"The ledger could not be loaded within {timeout:g} s"
                    f"{': ' + self._trouble if self._trouble else ''}.",
                    kind=ErrorKind.UNAVAILABLE,
                    remedy="What was recorded is safe in the journal and is loaded later.",
                )

    def find(self, request_id: str) -> list[dict[str, Any]]:
        """The rows of a request, by column name, in the order of its attempts; none for a request
        that is unknown or has not ended. Those that another process serves appear within its
        `load_seconds`. Blocks, and raises, as `flush` does."""
        from hybridllm.store.rows import find_attempts

        self.flush()
        with self._connected().connect() as connection:
            return find_attempts(connection, request_id)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the store. Raises HybridError(UNAVAILABLE) when that cannot be reached.
        Blocks, as `flush` does."""
        from hybridllm.store import writing

        with writing(self._connected()) as connection:
            yield connection

    def close(self) -> None:
        """Load what is left and end the run. If the store is down, the journal stays for the next
        process to adopt."""
        if self._journal is None or self._thread is None:
            return
        self._append = _not_open
        self._journal.close()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._journal.release()
        self._journal = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    # -- the thread

    def _work(self, run: Path) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closing or (self._asked > self._served and not self._trouble),
                    self._config.load_seconds,
                )
                asked, closing = self._asked, self._closing
            done = self._cycle(run, closing, flushing=asked > self._served)
            with self._changed:
                if done:
                    self._served = asked
                    self._changed.notify_all()
                if closing:
                    return

    def _cycle(self, run: Path, closing: bool, *, flushing: bool) -> bool:
        """Load once; whether all went well. Nothing that goes wrong here may end the thread."""
        try:
            self._loader_of(run).load(finish=closing)
            self._adopt_orphans(now=flushing)
        except Exception as e:
            trouble = e.text() if isinstance(e, HybridError) else _first_line(e)
            if trouble != self._trouble:
                _log.warning("The journal cannot be loaded, and will be tried again. %s", trouble)
            self._trouble = trouble
            return False
        if self._trouble:
            _log.warning("The journal is being loaded again.")
        self._trouble = ""
        return True

    def _loader_of(self, run: Path) -> RunLoader:
        if self._loader is None:
            from hybridllm.ledger.loader import RunLoader

            self._loader = RunLoader(run, self._connected(), self._attempt_log)
        return self._loader

    def _adopt_orphans(self, *, now: bool) -> None:
        if not now and time.monotonic() - self._adopted_at < _ADOPT_SECONDS:
            return
        from hybridllm.ledger.learning import calibrations
        from hybridllm.ledger.loader import adopt

        adopt(self._root, self._connected(), self._attempt_log)
        self.on_learned(tables_of(calibrations(self._connected())))
        self._adopted_at = time.monotonic()

    def _connected(self) -> Engine:
        if self._engine is None:
            from hybridllm.store import open_store

            self._engine = open_store(self._url)
        return self._engine


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _ignore(_tables: Tables) -> None:
    """Nobody wants to know."""


def _not_open(_entry: Intent | Attempt) -> None:
    raise HybridError("The ledger is not open.", kind=ErrorKind.UNAVAILABLE)
