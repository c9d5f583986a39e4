"""Simulated providers with an eye on what they are sent."""

from __future__ import annotations

import json
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from msgspec import Struct

_VARIABLES = {
    "openai": "OPENAI_BASE_URL",
    "anthropic": "ANTHROPIC_BASE_URL",
    "google": "GOOGLE_GEMINI_BASE_URL",
}
_DROPPED = frozenset({"host", "connection", "content-length", "transfer-encoding"})


class Sent(Struct, frozen=True):
    """A request as a provider got it."""

    provider: str
    path: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Relay:
    """Hands requests on to the providers of `env` and their whole replies back. `sent` has all of
    them, in the order of their arrival."""

    def __init__(self, env: dict[str, str]) -> None:
        self.sent: list[Sent] = []
        self._env = env
        self._servers = {name: self._server(name) for name in _VARIABLES}

    def env(self) -> dict[str, str]:
        """As the providers' own, with the relay's addresses."""
        found = dict(self._env)
        for name, server in self._servers.items():
            path = urlsplit(self._env[_VARIABLES[name]]).path
            found[_VARIABLES[name]] = f"http://127.0.0.1:{server.server_port}{path}"
        return found

    def last(self) -> Sent:
        return self.sent[-1]

    def __enter__(self) -> Self:
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def _server(self, provider: str) -> ThreadingHTTPServer:
        at = urlsplit(self._env[_VARIABLES[provider]])
        sent = self.sent

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                sent.append(Sent(provider, self.path, body))
                kept = {k: v for k, v in self.headers.items() if k.lower() not in _DROPPED}
                connection = HTTPConnection(at.hostname or "", at.port, timeout=30)
                try:
                    connection.request("POST", self.path, body, kept)
                    response = connection.getresponse()
                    reply = response.read()
                finally:
                    connection.close()
                self.send_response(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in _DROPPED:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def marks(body: Any) -> list[tuple[str, str]]:
    """An Anthropic request's breakpoints in order: where, and for how long."""
    found: list[tuple[str, str]] = []

    def look(where: str, blocks: Any) -> None:
        for index, block in enumerate(blocks if isinstance(blocks, list) else ()):
            if (control := block.get("cache_control")) is not None:
                found.append((f"{where}[{index}]", control.get("ttl", "5m")))

    look("tools", body.get("tools"))
    look("system", body.get("system"))
    for index, message in enumerate(body["messages"]):
        look(f"messages[{index}]", message["content"])
    return found
