"""What is set aside of production is kept, in a thread of its own, off the way of any request."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from hybridllm.config import Config
from hybridllm.config_file import resolve_providers
from hybridllm.engine.sampling import Seen
from hybridllm.gateway.backlogged import Worker

_CLEAN_SECONDS = 3600.0
_log = logging.getLogger("hybridllm.gateway")


class Keeper(Worker):
    """Writes what was captured into the ledger's store, and deletes what has had its time. What
    goes wrong is logged once; samples that could not be written are lost."""

    def __init__(self, config: Callable[[], Config], store: str) -> None:
        """`config` gives the configuration in force; `store` is the URL of the ledger's store."""
        super().__init__("hybridllm-captures", config, store)
        self._failed = False
        self._cleaned_at = time.monotonic()

    def _look(self) -> None:
        seen = self.backlog.take()
        config = self._config()
        # Also where nothing captures any more: what is left there has its time too.
        if not seen and time.monotonic() - self._cleaned_at < _CLEAN_SECONDS:
            return
        try:
            self._keep(config, seen)
        except Exception as e:
            if not self._failed:
                _log.warning("What was captured could not be kept: %s.", type(e).__name__)
            self._failed = True
            return
        self._failed = False
        self._cleaned_at = time.monotonic()

    def _keep(self, config: Config, seen: list[Seen]) -> None:
        # Imported here: where nothing captures, nothing of this is needed.
        from hybridllm.evals.capturing import capture
        from hybridllm.store import writing

        with writing(self._opened()) as connection:
            now = time.time_ns() // 1000
            capture(connection, seen, config.tasks, secrets_of(config), now)


def secrets_of(config: Config) -> list[str]:
    """Every key that is in use here: providers', and the gateway's own."""
    found = [key for each in resolve_providers(config).values() for key, _, _ in each.keys]
    return [*found, os.environ.get(config.server.key_env, "")]
