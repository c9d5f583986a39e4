"""What is set aside of production is graded, in a thread of its own, off the way of any request."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hybridllm.config import Config
from hybridllm.engine.sampling import Seen
from hybridllm.gateway.backlogged import Worker

_AT_ONCE = 16
_log = logging.getLogger("hybridllm.gateway")


class Monitors(Worker):
    """Grades what is in `backlog` and writes the scores into the ledger's store. What goes wrong is
    logged once; samples that could not be graded are lost."""

    def __init__(self, config: Callable[[], Config], store: str) -> None:
        """`config` gives the configuration in force; `store` is the URL of the ledger's store."""
        super().__init__("hybridllm-monitors", config, store)
        self._failed = False

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
        from hybridllm.store import writing
        from hybridllm.store.scores import add_scores

        found = scores_of(seen, self._config().tasks)
        with writing(self._opened()) as connection:
            add_scores(connection, found)
