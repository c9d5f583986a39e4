"""A gateway routes by what was measured: it looks for new scores off the way of any request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from threading import Event, Lock, Thread

from hybridllm.config import Config, DriftConfig
from hybridllm.engine.measured import Watched, with_measured
from hybridllm.engine.runtime import Runtime
from hybridllm.gateway.alerting import Alerts
from hybridllm.quality.decline import Decline
from hybridllm.routing import Router

LOOK_SECONDS = 2.0
_log = logging.getLogger("hybridllm.gateway")


class Measurer:
    """Looks into the ledger's store every few seconds, in a thread of its own, where it also works
    out the bounds. Where scores were added, from whichever process, the event loop then puts a
    router that knows of them in the place of the former, which takes it a millisecond. A model that
    became worse, or is well again, is told of. What goes wrong is logged once, and routing stays as
    it was."""

    def __init__(self, store: str, alerts: Alerts) -> None:
        self._watched = Watched(store)
        self._alerts = alerts
        self._ended = Event()
        self._thread: Thread | None = None
        self._failed = False
        self._settings = DriftConfig()
        self._told: set[str] | None = None
        self._looking = Lock()

    def read(self, config: Config) -> Config:
        """`config` with what is measured by now, for a start or a reload."""
        self._settings = config.drift
        self._look()
        return with_measured(config, self._watched.found)

    def start(self, base: Callable[[], Config], runtime: Callable[[], Runtime]) -> None:
        """`base` gives the configuration in force without measurements, `runtime` what serves it;
        both are called on this event loop."""
        loop = asyncio.get_running_loop()

        def put() -> None:
            self._put(base(), runtime())

        def work() -> None:
            while not self._ended.wait(LOOK_SECONDS):
                if self._look() and not self._ended.is_set():
                    loop.call_soon_threadsafe(put)

        self._thread = Thread(target=work, name="hybridllm-quality", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends between two looks; one under way is left to the end of the process."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
        self._watched.close()

    def _look(self) -> bool:
        try:
            with self._looking:
                changed = self._watched.look(self._settings)
                self._tell(self._watched.found.declines)
        except Exception as e:
            if not self._failed:
                _log.warning("What was measured could not be read, and is left as it was: %s", e)
            self._failed = True
            return False
        self._failed = False
        return changed

    def _tell(self, declines: list[Decline]) -> None:
        """Say once of each model that it is degraded, and once that it is so no longer: also of one
        that was well again while nobody looked. Another process may look a little earlier or later;
        so only what changed before the eyes of this one is told."""
        now = {f"{one.model} at {one.task}": one for one in declines}
        if self._told is None:
            self._told = set(self._alerts.still("degraded", ("degraded", "recovered")))
        for subject in now.keys() - self._told:
            text = f"{subject} is {now[subject].words}."
            self._alerts.changed("degraded", "", subject, text)
        for subject in self._told - now.keys():
            text = f"{subject} is no longer degraded."
            self._alerts.changed("recovered", "degraded", subject, text)
        self._told = set(now)

    def _put(self, base: Config, runtime: Runtime) -> None:
        config = with_measured(base, self._watched.found)
        runtime.router = Router(config)
        runtime.config = config
        count = sum(quality.samples > 0 for quality in config.quality)
        _log.info("Scores were added: %d qualities are measured.", count)
