"""The server's life: built from a configuration, reloaded whole or not at all, then drained."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from contextlib import suppress

import msgspec

from hybridllm.access.gate import Gate, check_exposure
from hybridllm.batching.lane import Lane
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.engine.passing import passes_of
from hybridllm.engine.response_cache import ResponseCache
from hybridllm.engine.runtime import Runtime, open_runtime, usable_providers
from hybridllm.engine.sampling import Sampler
from hybridllm.engine.way import Engine
from hybridllm.errors import HybridError
from hybridllm.gateway.alerting import Alerts
from hybridllm.gateway.app import Gateway
from hybridllm.gateway.endpoint import Service
from hybridllm.gateway.keeping import Keeper
from hybridllm.gateway.measuring import Measurer
from hybridllm.gateway.monitoring import Monitors
from hybridllm.gateway.notifying import targets_of
from hybridllm.gateway.request import Receive, Scope, Send
from hybridllm.gateway.reviewing import Reviewer
from hybridllm.ledger import Ledger
from hybridllm.ledger.paths import store_url

log = logging.getLogger("hybridllm.gateway")

OPTIONS_ENV = "HYBRIDLLM_SERVE_OPTIONS"
"""How `serve` hands its options to worker processes: a JSON object, see `Options`."""

_WATCH_SECONDS = 1.0
_SWITCH_SECONDS = 0.0005
"""For how long a thread that works beside (the ledger's, the measurer's) may keep the one that
serves requests waiting for Python's lock. Python's own 5 ms are seen in the latency."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says over the configuration file."""

    config: str | None = None
    preset: str | None = None
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    ledger: str | None = None


def read(options: Options) -> Config:
    """The configuration with the command line's options over it. Raises ConfigError."""
    config = load_config(options.config, options.preset)
    server, ledger = config.server, config.ledger
    if options.host is not None:
        server = msgspec.structs.replace(server, host=options.host)
    if options.port is not None:
        server = msgspec.structs.replace(server, port=options.port)
    if options.workers is not None:
        server = msgspec.structs.replace(server, workers=options.workers)
    if options.ledger is not None:
        ledger = msgspec.structs.replace(ledger, directory=options.ledger)
    if not ledger.log:
        ledger = msgspec.structs.replace(ledger, log="stderr")
    return msgspec.structs.replace(config, server=server, ledger=ledger)


def secret_of(config: Config) -> str | None:
    """The gateway's own key, from the environment. Raises ConfigError where one is needed."""
    secret = os.environ.get(config.server.key_env) or None
    check_exposure(config.server.host, secret, config.server.key_env)
    return secret


def check(config: Config) -> list[str]:
    """The names of the providers that can be called. Raises ConfigError where the server could not
    serve with this configuration."""
    secret_of(config)
    targets_of(config)
    return list(usable_providers(config))


class Server:
    """The ASGI application that uvicorn runs: lifespan here, requests in `Gateway`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._gateway: Gateway | None = None
        self._watch: asyncio.Task[None] | None = None
        self._reviewer: Reviewer | None = None
        self._base: Config | None = None
        self._measurer: Measurer | None = None
        self._alerts: Alerts | None = None
        self._keeper: Keeper | None = None
        self._monitors: Monitors | None = None
        self._lane: Lane | None = None
        self._retired: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            assert self._gateway is not None  # noqa: S101 - startup comes before any request
            await self._gateway(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except HybridError as e:
            await send({"type": "lifespan.startup.failed", "message": str(e)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        """Open everything. Raises ConfigError."""
        config = read(self._options)
        gate = Gate(secret_of(config), config.server.key_env)
        base = self._base = config
        alerts = self._alerts = Alerts(store_url(config.ledger))
        await asyncio.to_thread(alerts.use, config)
        measurer = self._measurer = Measurer(store_url(config.ledger), alerts)
        config = await asyncio.to_thread(measurer.read, base)
        passes = await asyncio.to_thread(passes_of, config, store_url(config.ledger))
        runtime = open_runtime(config, passes=passes)
        ledger = Ledger(config.ledger)
        ledger.on_learned = runtime.learned.calibrate
        ledger.open()
        responses = ResponseCache(store_url(config.ledger), config.response_cache)
        if any(task.response_cache for task in config.tasks.values()):
            responses.warm_up()
        engine = Engine(runtime, ledger, responses)
        self._keeper = Keeper(lambda: engine.runtime.config, store_url(config.ledger))
        self._keeper.start()
        self._monitors = Monitors(lambda: engine.runtime.config, store_url(config.ledger))
        self._monitors.start()
        engine.sampler = self._sampler(config)
        if config.batch.enabled:
            self._lane = Lane(lambda: engine.runtime, ledger, store_url(config.ledger))
            await self._lane.open()
        service = Service(engine, ledger, gate, store_url(config.ledger), self._lane)
        self._gateway = Gateway(service)
        service.webhooks.start()
        self._reviewer = Reviewer(lambda: engine.runtime.config, store_url(config.ledger))
        self._reviewer.start()
        measurer.start(lambda: self._base or base, lambda: engine.runtime)
        alerts.start(lambda: engine.runtime)
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, RuntimeError):  # not on Windows, nor off the main thread
            loop.add_signal_handler(signal.SIGHUP, self._hangup)
        if config.path is not None:
            self._watch = loop.create_task(self._watch_file(config.path))
        sys.setswitchinterval(_SWITCH_SECONDS)
        # What is here by now stays: a full collection need not look through it in mid-request.
        gc.collect()
        gc.freeze()

    async def stop(self) -> None:
        """Close everything: the last rows go to the store."""
        if self._watch is not None:
            self._watch.cancel()
        if self._reviewer is not None:
            await asyncio.to_thread(self._reviewer.stop)
        if self._measurer is not None:
            await asyncio.to_thread(self._measurer.stop)
        if self._alerts is not None:
            await self._alerts.stop()
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.stop)
        if self._monitors is not None:
            await asyncio.to_thread(self._monitors.stop)
        if self._gateway is not None:
            service = self._gateway.service
            await service.webhooks.stop()
            if self._lane is not None:
                await self._lane.close()
            await service.database.close()
            await service.engine.runtime.close()
            if service.engine.responses is not None:
                await asyncio.to_thread(service.engine.responses.close)
            await asyncio.to_thread(service.ledger.close)

    def _sampler(self, config: Config) -> Sampler | None:
        """What takes samples; None where no task says so, which spares requests the question."""
        sampled = any(task.capture or task.monitor for task in config.tasks.values())
        if self._keeper is None or self._monitors is None or not sampled:
            return None
        return Sampler(self._keeper.backlog, self._monitors.backlog)

    def _hangup(self) -> None:
        self._keep(asyncio.ensure_future(self.reload()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def reload(self) -> None:
        """Read the configuration again and swap it in whole; on any error keep the old one."""
        assert self._gateway is not None  # noqa: S101 - only a started server reloads
        service = self._gateway.service
        old = service.engine.runtime
        try:
            base = await asyncio.to_thread(read, self._options)
            gate = Gate(secret_of(base), base.server.key_env)
            config = base
            if self._measurer is not None:
                config = await asyncio.to_thread(self._measurer.read, base)
            if self._alerts is not None:
                await asyncio.to_thread(self._alerts.use, base)
            passes = await asyncio.to_thread(passes_of, config, store_url(old.config.ledger))
            runtime = open_runtime(config, old, passes)
        except HybridError as e:
            log.error("The configuration is kept as it was: %s", e)
            return
        self._base = base
        service.engine.runtime = runtime
        service.engine.sampler = self._sampler(config)
        service.gate = gate
        if config.ledger != old.config.ledger or config.server != old.config.server:
            log.warning("Changes to [server] and [ledger] take effect at the next start.")
        log.warning("The configuration was reloaded.")
        self._keep(asyncio.ensure_future(_retire(old)))

    async def _watch_file(self, path: str) -> None:
        """Reload when the time of change moves, of the file or of one that it names."""
        seen = self._changed(path)
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            now = self._changed(path)
            if now[path] is not None and now != seen:
                await self.reload()
                # Files that are named only now are as they were just read.
                seen = {name: now.get(name, at) for name, at in self._changed(path).items()}

    def _changed(self, path: str) -> dict[str, int | None]:
        """When the file at `path` and its variants of prompts were changed."""
        variants = {} if self._base is None else self._base.variants
        named = {one.path for of_task in variants.values() for one in of_task.values()}
        return {name: _changed_at(name) for name in (path, *sorted(named))}


async def _retire(runtime: Runtime) -> None:
    """Close a former runtime's connections once no call can still be using them."""
    deadlines = [p.deadlines.total for p in runtime.config.providers.values()]
    await asyncio.sleep(max(deadlines, default=600.0))
    await runtime.close()


def _changed_at(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def create_app() -> Server:
    """uvicorn's factory in every worker process."""
    return Server(msgspec.json.decode(os.environ.get(OPTIONS_ENV, "{}"), type=Options))
