"""Work on what is set aside of production, in a thread of its own, off the way of any request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event, Thread
from typing import TYPE_CHECKING

from hybridllm.config import Config
from hybridllm.engine.sampling import Backlog, Seen

if TYPE_CHECKING:
    from sqlalchemy import Engine

LOOK_SECONDS = 0.5


class Worker(ABC):
    """Looks into its `backlog` every half second, and once more as it ends."""

    def __init__(self, name: str, config: Callable[[], Config], store: str) -> None:
        """`name` is the thread's; `config` gives the configuration in force; `store` is the URL of
        the ledger's store."""
        self.backlog: Backlog[Seen] = Backlog()
        self._config = config
        self._store = store
        self._ended = Event()
        self._engine: Engine | None = None
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Work off what is left, as far as ten seconds allow. Blocks."""
        self._ended.set()
        self._thread.join(timeout=10.0)

    @abstractmethod
    def _look(self) -> None:
        """Work off the backlog. Must not raise: the thread would end."""

    def _opened(self) -> Engine:
        # Imported here: where nothing is set aside, nothing of this is needed.
        from hybridllm.store import open_store

        if self._engine is None:
            self._engine = open_store(self._store)
        return self._engine

    def _work(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._look()
        self._look()
        if self._engine is not None:
            self._engine.dispose()
