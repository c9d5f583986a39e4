"""The simulators in this process, on a thread and an event loop of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import TypeVar

from msgspec import structs

from hybridllm.simulators.calls import CallRecord, Counts
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.profiles import Profile, get_profile
from hybridllm.simulators.servers import Servers, loop_factory
from hybridllm.simulators.surface import Surface
from hybridllm.simulators.world import World

T = TypeVar("T")


class Simulators(Surface):
    """OpenAI, Anthropic and Google on loopback ports, for a test::

        with Simulators() as sims:
            client = openai.OpenAI(base_url=sims.openai_url, api_key="sim-key")

    Also `async with`. A real HTTP server in a thread of its own: its methods may be called from
    any thread, and a test's event loop is not shared.
    """

    def __init__(
        self,
        profile: str | Profile = "fast",
        *,
        openai_port: int = 0,
        anthropic_port: int = 0,
        google_port: int = 0,
        host: str = "127.0.0.1",
        keep_calls: bool = True,
        seed: int = 0,
    ) -> None:
        """`profile` by name or made to measure. Port 0: the system chooses. `keep_calls` False
        keeps only the sums of `counts()`, for loads. `seed` is of faults left to chance. Raises
        ConfigError for an unknown profile, or where no tokenizer is installed."""
        self._world = World(get_profile(profile), keep_calls=keep_calls, seed=seed)
        self._ports = {"openai": openai_port, "anthropic": anthropic_port, "google": google_port}
        self._host = host
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: Servers | None = None

    def start(self) -> Simulators:
        """Bind and serve; returns when all three answer. Raises ConfigError for a taken port."""
        servers = self._servers = Servers(self._world, self._host, self._ports)
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(servers, ready), name="simulators", daemon=True
        )
        self._thread.start()
        ready.wait()
        self._addresses = servers.addresses
        return self

    def _run(self, servers: Servers, ready: threading.Event) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                self._loop = runner.get_loop()
                runner.run(servers.serve(ready.set))
        finally:
            servers.close()
            ready.set()

    def stop(self) -> None:
        """Close all connections at once. May be called twice."""
        if self._thread is None or self._loop is None or self._servers is None:
            return
        self._loop.call_soon_threadsafe(self._servers.stop)
        self._thread.join()
        self._thread = self._loop = self._servers = self._addresses = None

    def faults(self, *faults: Fault) -> None:
        """Add faults; they take effect with the next call that arrives."""
        self._on_loop(lambda: self._world.faults.add(faults, self._world.now()))

    def clear_faults(self) -> None:
        self._on_loop(self._world.faults.clear)

    def calls(self, provider: str | None = None) -> list[CallRecord]:
        """Every call since the start or the last reset, in order of arrival."""

        def copies() -> list[CallRecord]:
            self._world.settle()
            return [
                structs.replace(call)
                for call in self._world.calls.records
                if provider in (None, call.provider)
            ]

        return self._on_loop(copies)

    def counts(self) -> Counts:
        """Sums over the calls."""

        def counts() -> Counts:
            self._world.settle()
            return self._world.calls.counts()

        return self._on_loop(counts)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once for caches, faults, limits and batches: nothing is waited
        for."""
        self._on_loop(lambda: self._world.advance(seconds))

    def reset(self) -> None:
        """As if just started: no calls, no faults, cold caches, full limits."""
        self._on_loop(self._world.reset)

    def _on_loop(self, action: Callable[[], T]) -> T:
        """The world belongs to the servers' thread."""
        if self._loop is None:
            raise RuntimeError("The simulators are not running; use 'with Simulators() as sims:'.")
        result: Future[T] = Future()

        def act() -> None:
            try:
                result.set_result(action())
            except BaseException as e:
                result.set_exception(e)

        self._loop.call_soon_threadsafe(act)
        return result.result()

    def __enter__(self) -> Simulators:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Simulators:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)
