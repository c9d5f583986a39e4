"""A provider as configured: its keys, its connections, and the calls that are made to it.

What is the same from call to call is put into bytes once: the headers of each key when the provider
is opened, the request line of each endpoint, model and shape when it is first used.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from hybridllm.config import Deadlines, ResolvedProvider
from hybridllm.errors import ConfigError, ErrorKind, ProviderError, RequestError
from hybridllm.providers.adapter import Fields
from hybridllm.providers.client import Client, Response
from hybridllm.providers.head import field_lines, request_line
from hybridllm.providers.keys import Key, KeyRing
from hybridllm.providers.origin import Origin
from hybridllm.providers.registry import adapter_for
from hybridllm.wire.dialect import RequestShape

Headers = list[tuple[bytes, bytes]]

MAX_LINES = 1024
"""Request lines kept."""
_OURS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "transfer-encoding",
        "x-client-request-id",
        "x-hybridllm-attempt",
    }
)
"""Headers that config may not set: they follow from the request."""


class Upstream:
    """One provider. `dialect` is the dialect that requests are translated to, `speaks` all that it
    understands with the endpoint of each, `keys` its API keys, `deadlines` what it is given for a
    call. `batch` is config's word on whether it has a batch API, None where config has none."""

    def __init__(self, provider: ResolvedProvider, client: Client, env: Mapping[str, str]) -> None:
        """Raises ConfigError for what cannot be used of the provider's configuration."""
        self.name = provider.name
        self.dialect = provider.dialect
        self.keys = KeyRing(provider.keys)
        self._client = client
        self._adapter = adapter_for(provider.name, provider.dialect)
        self.speaks = self._adapter.speaks
        config = provider.config
        self.deadlines = config.deadlines
        self.batch = config.batch
        origin = Origin(provider.base_url, ca_file=config.ca_file, proxy=config.proxy, env=env)
        self._prefix = origin.prefix
        self._pool = client.pool(origin, config.max_connections)
        own = _own_headers(config.headers)
        own_names = {name for name, _ in own}
        # Of a header that callers may send too, config gives only the default.
        self._defaults = tuple(field for field in own if field[0] in self._adapter.forwards)
        self._defaults += tuple(f for f in self._adapter.defaults if f[0] not in own_names)
        own = tuple(field for field in own if field[0] not in self._adapter.forwards)
        common: Fields = (
            (b"host", origin.authority.encode()),
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"hybridllm"),
        )
        typeless = tuple(field for field in own if field[0] != b"content-type")
        self._typeless = [
            self._fixed(common + credentials, typeless)
            for credentials in ((), *(self._adapter.credentials(key.secret) for key in self.keys))
        ]
        """Without the content type: keyless, then by key."""
        common = ((b"content-type", b"application/json"), *common)
        self._keyless = self._fixed(common, own)
        self._fixed_by_key = [
            self._fixed(common + self._adapter.credentials(key.secret), own) for key in self.keys
        ]
        self._lines: dict[tuple[str, str, bool | None, bool], bytes] = {}

    def __repr__(self) -> str:
        return f"Upstream({self.name!r}, {self._pool.host!r}, keys={len(self.keys)})"

    async def send(
        self,
        *,
        key: Key | None,
        model: str,
        shape: RequestShape,
        body: bytes,
        headers: Headers,
        attempt_id: str,
        endpoint: str = "chat",
    ) -> Response:
        """Make one call and wait for the head of the reply, whatever its status.

        `model` is the name on the wire, `headers` the caller's own (lower-case names), of which the
        few that the provider should see are handed on. Raises ProviderError (CONNECTION, TIMEOUT,
        MALFORMED_REPLY, UNSUPPORTED where the provider has no such endpoint) and RequestError for
        a header that cannot be handed on.
        """
        line = self._lines.get((endpoint, model, shape.stream, shape.sse))
        if line is None:
            line = self._line(endpoint, model, shape)
        fixed = self._keyless if key is None else self._fixed_by_key[key.index]
        mark = attempt_id.encode("ascii", "replace")
        own = [(b"x-client-request-id", mark), (b"x-hybridllm-attempt", mark)]
        forwards = self._adapter.forwards
        if forwards:
            own += [field for field in headers if field[0] in forwards]
            for field in self._defaults:
                if all(field[0] != name for name, _ in own):
                    own.append(field)
        try:
            return await self._client.request(self._pool, line + fixed, own, body, self.deadlines)
        except ProviderError as e:
            e.provider = self.name
            raise

    async def call(
        self,
        method: str,
        target: str,
        *,
        key: Key | None,
        body: bytes = b"",
        content_type: str = "application/json",
        accept: str = "application/json",
        deadlines: Deadlines | None = None,
        once: bool = False,
    ) -> Response:
        """A call that is not generation: `target` is path and query, percent-encoded, put behind
        the base URL's own path. With `once` it is sent at most once, for what must not happen
        twice. Waits and raises as `send`."""
        line = request_line(method, self._prefix + target)
        fixed = self._typeless[0 if key is None else key.index + 1]
        own = [(b"accept", accept.encode()), *self._defaults]
        if body:
            own.append((b"content-type", content_type.encode()))
        try:
            return await self._client.request(
                self._pool, line + fixed, own, body, deadlines or self.deadlines, once=once
            )
        except ProviderError as e:
            e.provider = self.name
            raise

    def close(self) -> None:
        """Close idle connections now, the others when their replies have ended."""
        self._pool.retire()

    def _line(self, endpoint: str, model: str, shape: RequestShape) -> bytes:
        """The request line and the accept header."""
        target = self._adapter.target(endpoint, model, shape)
        if target is None:
            raise ProviderError(
                f"Provider '{self.name}' has no endpoint '{endpoint}'.",
                kind=ErrorKind.UNSUPPORTED,
                provider=self.name,
            )
        accept = b"text/event-stream" if shape.stream and shape.sse else b"application/json"
        line = request_line("POST", self._prefix + target) + field_lines([(b"accept", accept)])
        if len(self._lines) >= MAX_LINES:
            self._lines.clear()
        self._lines[endpoint, model, shape.stream, shape.sse] = line
        return line

    def _fixed(self, fields: Fields, own: Fields) -> bytes:
        """Header lines; `own` ones take the place of others of the same name."""
        names = {name for name, _ in own}
        kept = tuple(field for field in fields if field[0] not in names)
        try:
            field_lines(self._defaults)
            return field_lines(kept + own)
        except RequestError as e:
            raise ConfigError(
                f"A key or a header of provider '{self.name}' has a line break or another control "
                "character in it.",
                field=f"providers.{self.name}: {e.field}",
                remedy="Look for a newline at the end of an environment variable.",
            ) from None


def _own_headers(headers: Mapping[str, str]) -> Fields:
    """The headers that config adds. Raises ConfigError."""
    for name in headers:
        if name.lower() in _OURS:
            raise ConfigError(
                f"The header '{name}' cannot be set.",
                field=f"headers.{name}",
                remedy="Leave it out: it follows from the base URL and the request.",
            )
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


def open_upstreams(
    resolved: Mapping[str, ResolvedProvider], env: Mapping[str, str] | None = None
) -> dict[str, Upstream]:
    """The providers, by name, over one Client. No connection is made yet. `env` (default: the
    process's) names proxies. Raises ConfigError naming the provider."""
    client = Client()
    upstreams: dict[str, Upstream] = {}
    for name, provider in resolved.items():
        try:
            upstreams[name] = Upstream(provider, client, os.environ if env is None else env)
        except ConfigError as e:
            if e.field and not e.field.startswith("providers."):
                e.field = f"providers.{name}.{e.field}"
            raise
    return upstreams


async def close_upstreams(upstreams: Mapping[str, Upstream]) -> None:
    """See `Upstream.close`."""
    for upstream in upstreams.values():
        upstream.close()
    await asyncio.sleep(0)  # the transports close in the loop's next turn
