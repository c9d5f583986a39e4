"""The review that a gateway makes by itself, in a thread of its own, off the way of any request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread

from hybridllm.config import Config

_LOOK_SECONDS = 3600.0
_DAY_SECONDS = 86_400
_log = logging.getLogger("hybridllm.gateway")


class Reviewer:
    """Looks every hour (as often as `review.every_days`, where that is shorter) whether a review is
    due, makes it on the last 30 days and leaves it in the ledger's store.

    Gateways and workers that share a store look independently; the store lets one of them keep it.
    Nothing that goes wrong here concerns a request: it is logged, and tried again at the next look.
    """

    def __init__(self, config: Callable[[], Config], store: str) -> None:
        """`config` gives the configuration in force, which a reload may change; `store` is the URL
        of the ledger's store, which none does."""
        self._config = config
        self._store = store
        self._ended = Event()
        self._thread = Thread(target=self._work, name="hybridllm-review", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends between two looks; a review under way is left to the end of the process."""
        self._ended.set()
        self._thread.join(timeout=5.0)

    def _work(self) -> None:
        while not self._ended.wait(self._pause()):
            if self._config().review.every_days > 0:
                try:
                    self._look()
                except Exception as e:
                    _log.warning("The review could not be made, and will be tried again: %s", e)

    def _pause(self) -> float:
        every = self._config().review.every_days * _DAY_SECONDS
        return min(_LOOK_SECONDS, max(every, 0.5)) if every > 0 else _LOOK_SECONDS

    def _look(self) -> None:
        # Imported here: nothing of this is needed to start serving.
        from hybridllm.reports.review_store import review_if_due
        from hybridllm.store import open_store

        config = self._config()
        engine = open_store(self._store)
        try:
            found = review_if_due(engine, config, datetime.now(UTC))
        finally:
            engine.dispose()
        if found is not None:
            _log.warning(
                "The routes were reviewed: %d should change. See it with: hybridllm review --last",
                len(found.changes),
            )
