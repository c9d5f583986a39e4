"""What is set aside of production is graded, in a thread of its own, off the way of any request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import TYPE_CHECKING

from hybridllm.config import Config
from hybridllm.engine.sampling import Backlog, Seen

if TYPE_CHECKING:
    from sqlalchemy import Engine

LOOK_SECONDS = 0.5
_AT_ONCE = 16
_log = logging.getLogger("hybridllm.gateway")


class Monitors:
    """Grades what is in `backlog` and writes the scores into the ledger's store. What goes wrong is
    logged once; samples that could not be graded are lost."""

    def __init__(self, config: Callable[[], Config], store: str) -> None:
        """`config` gives the configuration in force; `store` is the URL of the ledger's store."""
        self.backlog: Backlog[Seen] = Backlog()
        self._config = config
        self._store = store
        self._ended = Event()
        self._engine: Engine | None = None
        self._failed = False
        self._thread = Thread(target=self._work, name="hybridllm-monitors", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Grade what is left, as far as ten seconds allow. Blocks."""
        self._ended.set()
        self._thread.join(timeout=10.0)

    def _work(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._look()
        self._look()
        if self._engine is not None:
            self._engine.dispose()

    def _look(self) -> None:
        while seen := self.backlog.take(_AT_ONCE):
            try:
                self._grade(seen)
                self._failed = False
            except Exception as e:
                if not self._failed:
                    _log.warning("Answers could not be graded: %s.", type(e).__name__)
                self._failed = True

    def _grade(self, seen: list[Seen]) -> None:
        # Imported here: where nothing is monitored, nothing of this is needed.
        from hybridllm.evals.monitoring import scores_of
        from hybridllm.store import open_store, writing
        from hybridllm.store.scores import add_scores

        found = scores_of(seen, self._config().tasks)
        if self._engine is None:
            self._engine = open_store(self._store)
        with writing(self._engine) as connection:
            add_scores(connection, found)
