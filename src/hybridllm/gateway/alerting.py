"""A gateway tells people what needs them: once, durably, and off the way of any request.

What is to be told is a row in the store (`store.alerts`), whose key lets one of several gateways
and workers tell it, now or after a restart. A thread delivers what is due; what cannot be delivered
is tried again, ever more rarely, by whichever process comes first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from hybridllm.config import AlertsConfig, Config
from hybridllm.engine.runtime import Runtime
from hybridllm.gateway.notifying import Target, targets_of
from hybridllm.providers.breakers import State

if TYPE_CHECKING:
    from sqlalchemy import Engine

DELAYS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 10_800.0, 21_600.0, 43_200.0)
"""Seconds after each attempt that failed; after the last it is given up: a day in all."""
_LOOK_SECONDS = 5.0
_BREAKER_SECONDS = 10.0
_HOLD_US = 120_000_000  # longer than an attempt takes
_AT_ONCE = 20
_log = logging.getLogger("hybridllm.gateway")


class Alerts:
    """What is told from this process, by the configuration that `use` was given last."""

    def __init__(self, store: str, delays: tuple[float, ...] = DELAYS) -> None:
        self._store = store
        self._delays = delays
        self._settings = AlertsConfig()
        self._targets: dict[str, Target] = {}
        self._engine: Engine | None = None
        self._opening = Lock()
        self._ended, self._awake = Event(), Event()
        self._thread: Thread | None = None
        self._watch: asyncio.Task[None] | None = None
        self._failed = False

    def use(self, config: Config) -> None:
        """Tell by this configuration from now on. Raises ConfigError, and leaves the former."""
        targets = {target.name: target for target in targets_of(config)}
        self._settings, self._targets = config.alerts, targets

    def start(self, runtime: Callable[[], Runtime]) -> None:
        """Deliver from now on, and watch `runtime`'s breakers; on this event loop."""
        self._thread = Thread(target=self._work, name="hybridllm-alerts", daemon=True)
        self._thread.start()
        self._watch = asyncio.get_running_loop().create_task(self._breakers(runtime))

    async def stop(self) -> None:
        """End; what is not delivered yet is left to whoever comes next."""
        self._ended.set()
        self._awake.set()
        if self._watch is not None:
            self._watch.cancel()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 5.0)
        if self._engine is not None:
            self._engine.dispose()

    def tell(self, event: str, subject: str, text: str, *, id: str) -> bool:
        """Tell it, unless something of that `id` was told before; whether this was the first time.
        Not for an event loop. Raises what the store raises."""
        from hybridllm.store import writing
        from hybridllm.store.alerts import add_alert

        with writing(self._opened()) as connection:
            first = add_alert(
                connection, id=id, event=event, subject=subject, text=text, at=_now(),
                targets=self.targets_for(event),
            )  # fmt: skip
        if first:
            _log.warning("%s", text)
            self._awake.set()
        return first

    def changed(self, event: str, before: str, subject: str, text: str) -> bool:
        """Tell that `subject` has become what `event` says, if the last that was told of it is not
        that. `before` is what it must have been told to be, "" for anything."""
        from hybridllm.store.alerts import last_event

        with self._opened().connect() as connection:
            last = last_event(connection, subject)
        if (last is None and before) or (last is not None and last[0] == event):
            return False
        # Whoever notices the same change makes the same id of it.
        since = 0 if last is None else last[1]
        return self.tell(event, subject, text, id=f"{event} {subject} after {since}")

    def still(self, event: str, events: tuple[str, ...]) -> list[str]:
        """The subjects that were last told to be `event`, of `events` that end one another."""
        from hybridllm.store.alerts import subjects_in

        with self._opened().connect() as connection:
            return subjects_in(connection, event, events)

    def targets_for(self, event: str) -> list[str]:
        """Who is told of such an event."""
        return list(self._targets) if event in self._settings.events else []

    def deliver(self) -> int:
        """Deliver what is due; how many attempts that were."""
        from hybridllm.store import writing
        from hybridllm.store.alerts import put_alert, take_alerts

        targets, now = self._targets, _now()
        if not targets:
            return 0
        engine = self._opened()
        with writing(engine) as connection:
            due = take_alerts(connection, list(targets), now, now + _HOLD_US, _AT_ONCE)
        for row in due:
            told = _sent(targets[row.target], row.event, row.text)
            tried, now = row.attempts + 1, _now()
            row = row._replace(state="told", attempts=tried, next_at=now)
            if not told and tried <= len(self._delays):
                row = row._replace(state="due", next_at=now + int(self._delays[tried - 1] * 1e6))
            elif not told:
                row = row._replace(state="given_up")
            if not told:
                ending = "and is given up" if row.state == "given_up" else "and is tried again"
                _log.warning("An alert could not be delivered to %s, %s.", row.target, ending)
            with writing(engine) as connection:
                put_alert(connection, row)
        return len(due)

    def _opened(self) -> Engine:
        from hybridllm.store import open_store

        with self._opening:
            if self._engine is None:
                self._engine = open_store(self._store)
            return self._engine

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                full = self.deliver() == _AT_ONCE
                self._failed = False
            except Exception as e:
                if not self._failed:
                    _log.warning("Alerts cannot be delivered now: %s", type(e).__name__)
                self._failed, full = True, False
            self._awake.wait(0 if full else _LOOK_SECONDS)
            self._awake.clear()

    async def _breakers(self, runtime: Callable[[], Runtime]) -> None:
        """Tell of breakers that do not close: once a day for each model."""
        since: dict[str, float] = {}
        while True:
            await asyncio.sleep(min(_BREAKER_SECONDS, self._settings.breaker_minutes * 30))
            now = time.monotonic()
            states = runtime().breakers.snapshot(now)
            held = {name for name, one in states.items() if one.state is not State.CLOSED}
            since = {name: since.get(name, now) for name in held}
            for model, start in since.items():
                if now - start >= self._settings.breaker_minutes * 60:
                    with suppress(Exception):  # the store is away: the next look tells
                        await asyncio.to_thread(self._rests, model)

    def _rests(self, model: str) -> None:
        day = time.strftime("%Y-%m-%d", time.gmtime())
        minutes = self._settings.breaker_minutes
        self.tell(
            "breaker",
            f"breaker {model}",
            f"{model} has failed for {minutes:g} minutes and is passed over.",
            id=f"breaker {model} {day}",
        )


def _sent(target: Target, event: str, text: str) -> bool:
    try:
        return target.send(event, text)
    except Exception as e:
        # Its words may hold the URL.
        _log.warning("The alert's target %s failed: %s", target.name, type(e).__name__)
        return False


def _now() -> int:
    return time.time_ns() // 1000
