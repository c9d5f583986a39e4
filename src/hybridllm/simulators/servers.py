"""The three HTTP servers: sockets bound first, then served together on one event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any, cast

import uvicorn

from hybridllm.errors import ConfigError
from hybridllm.simulators.anthropic.provider import Anthropic
from hybridllm.simulators.app import ProviderApp
from hybridllm.simulators.exchange import Protocol
from hybridllm.simulators.faults import PROVIDERS
from hybridllm.simulators.google.provider import Google
from hybridllm.simulators.openai.provider import OpenAI
from hybridllm.simulators.provider import Provider
from hybridllm.simulators.surface import Addresses
from hybridllm.simulators.world import World

_PROVIDERS: dict[str, Callable[[], Provider]] = {
    "openai": OpenAI,
    "anthropic": Anthropic,
    "google": Google,
}


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's event loop where there is one (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return cast(Callable[[], asyncio.AbstractEventLoop], uvloop.new_event_loop)


class Servers:
    """Bound at once, so that the addresses are known before anything is served."""

    def __init__(self, world: World, host: str, ports: Mapping[str, int]) -> None:
        """`ports` by provider; 0 or none lets the system choose. Raises ConfigError where a port
        is taken."""
        self._sockets: list[socket.socket] = []
        self._servers: list[uvicorn.Server] = []
        urls: dict[str, str] = {}
        for name in PROVIDERS:
            bound = self._bind(host, ports.get(name, 0))
            urls[name] = f"http://{host}:{bound.getsockname()[1]}"
            app: Any = ProviderApp(_PROVIDERS[name](), world)
            config = uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=2048,
                timeout_keep_alive=75,
            )
            self._servers.append(uvicorn.Server(config))
        self.addresses = Addresses(**urls)

    def _bind(self, host: str, port: int) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as e:
            bound.close()
            self.close()
            raise ConfigError(
                f"Cannot listen on {host}:{port}: {e.strerror}.",
                remedy="Choose another port, or 0 to have the system choose one.",
            ) from None
        self._sockets.append(bound)
        return bound

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`. Calls `ready` when all three answer."""
        tasks = [
            asyncio.ensure_future(server._serve([bound]))
            for server, bound in zip(self._servers, self._sockets, strict=True)
        ]
        while not all(server.started for server in self._servers):
            if any(task.done() for task in tasks):
                break
            await asyncio.sleep(0.001)
        else:
            ready()
        await asyncio.gather(*tasks)

    def stop(self) -> None:
        """Stop at once: calls under way lose their connection. From the loop's own thread."""
        for server in self._servers:
            server.should_exit = True
            server.force_exit = True

    def close(self) -> None:
        for bound in self._sockets:
            bound.close()
