"""Runs the server with uvicorn: one process, or several workers behind one socket."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import msgspec
import uvicorn
from uvicorn.supervisors import Multiprocess

from hybridllm.config import ServerConfig
from hybridllm.errors import ConfigError
from hybridllm.gateway.protocol import WatchfulProtocol
from hybridllm.gateway.server import OPTIONS_ENV, Options, Server

# Longer than the pools of common HTTP clients keep an idle connection, so that they close first and
# no request is sent into a connection that is just closing.
_KEEP_ALIVE_SECONDS = 75


def bind(host: str, port: int) -> socket.socket:
    """A socket that will listen there; port 0 lets the system choose. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as e:
        listener.close()
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {e.strerror}.",
            field="server.port",
            remedy="Choose another with --port, or end the process that has it.",
        ) from e
    listener.set_inheritable(True)
    return listener


def run(
    options: Options, server: ServerConfig, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `ready` is called once requests are served."""
    # uvicorn raises the signal that ended it once more when all is done; a drained server has
    # ended well, so that second one is ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    os.environ[OPTIONS_ENV] = msgspec.json.encode(options).decode()
    config = uvicorn.Config(
        "hybridllm.gateway.server:create_app" if server.workers > 1 else Server(options),
        factory=server.workers > 1,
        workers=server.workers,
        http=WatchfulProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # whom a request came from plays no part here
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(server.drain_seconds),
        backlog=4096,
    )
    if server.workers > 1:
        _Workers(config, [listener], ready).run()
    else:
        _Single(config, ready).run(sockets=[listener])


class _Single(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


class _Workers(Multiprocess):
    """Workers share the socket. A hangup reloads the configuration in each instead of replacing
    them, so that a broken file changes nothing."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], ready: Callable[[], None]
    ) -> None:
        super().__init__(config, sockets)
        self._ready = ready

    def init_processes(self) -> None:
        super().init_processes()
        for process in self.processes:
            process.wait_until_ready(self.config.timeout_worker_healthcheck, self.should_exit)
        self._ready()

    def handle_hup(self) -> None:
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)
