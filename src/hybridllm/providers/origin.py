"""Where a provider is, and how a connection to it is opened."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from hybridllm.errors import ConfigError, ErrorKind, ProviderError
from hybridllm.providers.connection import Connection
from hybridllm.providers.proxy import Proxy, Tunnel, proxy_for
from hybridllm.providers.tls import tls_context

_PORTS = {"http": 80, "https": 443}


class Origin:
    """Scheme, host and port of `base_url`, and the way there. `prefix` is the URL's path, without
    a slash at its end. Raises ConfigError."""

    def __init__(
        self,
        base_url: str,
        *,
        ca_file: str | None = None,
        proxy: str | None = None,
        env: Mapping[str, str],
    ) -> None:
        try:
            parts = urlsplit(base_url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not host.isascii() or parts.scheme not in _PORTS:
            raise ConfigError(
                "The base URL cannot be used.",
                field="base_url",
                remedy="Write it as https://host[:port][/path], the host in ASCII.",
            )
        if parts.query or parts.fragment or parts.username is not None:
            raise ConfigError(
                "The base URL has a query, a fragment or a password in it.",
                field="base_url",
                remedy="Leave them out; put a key into an environment variable.",
            )
        self.host = host
        self.port = port or _PORTS[parts.scheme]
        self.prefix = parts.path.rstrip("/")
        bracketed = f"[{host}]" if ":" in host else host
        self.tunnel_to = f"{bracketed}:{self.port}"
        """Host and port, as a proxy wants them."""
        default = self.port == _PORTS[parts.scheme]
        self.authority = bracketed if default else self.tunnel_to
        """The Host header's value."""
        self.tls: ssl.SSLContext | None = tls_context(ca_file) if parts.scheme == "https" else None
        self.proxy: Proxy | None = proxy_for(parts.scheme, host, self.port, proxy, env)

    def __repr__(self) -> str:
        return f"Origin({self.authority!r})"

    async def connect(self, idle_seconds: float) -> Connection:
        """A new connection, through proxy and TLS. Raises ProviderError(CONNECTION)."""
        loop = asyncio.get_running_loop()
        connection = Connection(loop, self.authority, idle_seconds)
        try:
            if self.proxy is not None:
                await self._through(self.proxy, loop, connection)
            elif self.tls is not None:
                await loop.create_connection(
                    lambda: connection,
                    self.host,
                    self.port,
                    ssl=self.tls,
                    server_hostname=self.host,
                )
            else:
                await loop.create_connection(lambda: connection, self.host, self.port)
        except ssl.SSLCertVerificationError as e:
            raise ProviderError(
                f"The TLS certificate of {self.authority} cannot be trusted: "
                f"{e.verify_message.rstrip('.')}.",
                kind=ErrorKind.CONNECTION,
                retryable=False,
            ) from None
        except ssl.SSLError as e:
            raise ProviderError(
                f"No TLS session with {self.authority}: {e.reason or 'handshake failed'}.",
                kind=ErrorKind.CONNECTION,
            ) from None
        except OSError as e:
            raise ProviderError(
                f"{self.authority} cannot be reached: {e.strerror or 'no connection'}.",
                kind=ErrorKind.CONNECTION,
            ) from None
        return connection

    async def _through(
        self, proxy: Proxy, loop: asyncio.AbstractEventLoop, connection: Connection
    ) -> None:
        transport, tunnel = await loop.create_connection(
            lambda: Tunnel(loop, proxy, self.tunnel_to), proxy.host, proxy.port
        )
        try:
            await tunnel.opened
            if self.tls is None:
                transport.set_protocol(connection)
                connection.connection_made(transport)
                return
            inner = await loop.start_tls(transport, connection, self.tls, server_hostname=self.host)
            if inner is None:
                raise ConnectionResetError
            connection.connection_made(inner)
        except BaseException:
            transport.abort()
            raise
