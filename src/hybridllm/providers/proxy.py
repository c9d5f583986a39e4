"""HTTP CONNECT proxies: which one an origin is reached through, and the tunnel.

The environment's variables are those of curl: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in
lower case first; HTTP_PROXY in lower case only, as CGI servers set it from a caller's header.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import cast
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from hybridllm.errors import ConfigError, ErrorKind, ProviderError

MAX_ANSWER_BYTES = 16_384
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class Proxy(Struct, frozen=True):
    """`credentials` are the value of Proxy-Authorization, or empty."""

    host: str
    port: int
    credentials: bytes = b""

    def __repr__(self) -> str:
        return f"Proxy({self.host!r}, {self.port})"


def parse_proxy(url: str, field: str) -> Proxy:
    """`http://[user:password@]host[:port]`. Raises ConfigError, which does not show the URL: it may
    hold a password."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme != "http":
        raise ConfigError(
            "The proxy's URL cannot be used.",
            field=field,
            remedy="Write it as http://host:port or http://user:password@host:port.",
        )
    credentials = b""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        credentials = b"Basic " + b64encode(pair.encode())
    return Proxy(host, port, credentials)


def proxy_for(
    scheme: str, host: str, port: int, configured: str | None, env: Mapping[str, str]
) -> Proxy | None:
    """The proxy to reach an origin through: `configured` if it is not None (empty: none at all),
    else the environment's. Raises ConfigError."""
    if configured is not None:
        return parse_proxy(configured, "proxy") if configured else None
    names = ["https_proxy", "HTTPS_PROXY"] if scheme == "https" else ["http_proxy"]
    for name in (*names, "all_proxy", "ALL_PROXY"):
        if url := env.get(name):
            excepted = env.get("no_proxy") or env.get("NO_PROXY") or ""
            return None if bypasses(host, port, excepted) else parse_proxy(url, name)
    return None


def bypasses(host: str, port: int, excepted: str) -> bool:
    """Whether NO_PROXY's value `excepted` names the host: by its name or a parent domain, an
    address, a network (10.0.0.0/8), each perhaps with a port, or `*`. Loopback always is."""
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for entry in excepted.replace(",", " ").lower().split():
        name, _, number = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if number and number != str(port):
            continue
        name = name.strip("[]")
        if name == "*":
            return True
        if address is not None:
            try:
                if address in ipaddress.ip_network(name, strict=False):
                    return True
            except ValueError:
                continue
        elif host == name.lstrip("*.") or host.endswith("." + name.lstrip("*.")):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class Tunnel(asyncio.Protocol):
    """Asks a proxy for a connection to `authority` (host:port). `opened` ends when it is there, or
    with ProviderError(CONNECTION)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: Proxy, authority: str) -> None:
        self.opened: asyncio.Future[None] = loop.create_future()
        self._proxy = proxy
        self._authority = authority
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        target = self._authority.encode("ascii")
        lines = b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n" % (target, target)
        if self._proxy.credentials:
            lines += b"proxy-authorization: %b\r\n" % self._proxy.credentials
        cast(asyncio.Transport, transport).write(lines + b"\r\n")

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, ends, rest = self._answer.partition(b"\r\n\r\n")
        if not ends and len(self._answer) <= MAX_ANSWER_BYTES:
            return
        status = _STATUS.match(head + b"\r")
        if not ends or status is None:
            self._refused("gave no HTTP answer")
        elif not status[1].startswith(b"2"):
            self._refused(f"answered {status[1].decode()}")
        elif rest:
            self._refused("sent bytes of its own into the tunnel")
        elif not self.opened.done():
            self.opened.set_result(None)

    def eof_received(self) -> None:
        self._refused("closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._refused("closed the connection")

    def _refused(self, what: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(
                ProviderError(
                    f"The proxy {self._proxy.host}:{self._proxy.port} {what} when asked for "
                    f"{self._authority}.",
                    kind=ErrorKind.CONNECTION,
                )
            )
