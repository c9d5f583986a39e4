"""The calls that batch APIs are made of: refused ones raise as live calls do, safe ones are tried
again, large bodies get the time they need, and results are read as a stream."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import TypeVar

import msgspec
from msgspec import Struct, structs

from hybridllm.config import Deadlines, RetryConfig
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.keys import Key
from hybridllm.providers.response import MAX_REPLY_BYTES, Response
from hybridllm.providers.retries import backoff
from hybridllm.providers.upstream import Upstream
from hybridllm.wire.registry import get_dialect

T = TypeVar("T")

MAX_ERROR_BYTES = 1_048_576
SLOWEST = 250_000
"""Bytes a second that a connection is trusted to carry."""
LONGEST = 14_400.0
"""Seconds for reading all results of a batch."""
SLACK = 300
"""Seconds by which a provider's clock may differ from ours."""
_RETRY = RetryConfig()


class Calls:
    """Calls to one provider with one key. `dialect` is whose errors they are."""

    def __init__(self, upstream: Upstream, key: Key | None, dialect: str) -> None:
        self._upstream = upstream
        self._key = key
        self._dialect = get_dialect(dialect)

    async def open(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        content_type: str = "application/json",
        accept: str = "application/json",
        deadlines: Deadlines | None = None,
        once: bool = False,
    ) -> Response:
        """One call, whose reply is good and unread. Raises ProviderError."""
        response = await self._upstream.call(
            method,
            target,
            key=self._key,
            body=body,
            content_type=content_type,
            accept=accept,
            deadlines=deadlines or self.patient(len(body)),
            once=once,
        )
        if response.status < 300:
            return response
        raw = await self._read(response, MAX_ERROR_BYTES)
        error = self._dialect.decode_error(response.status, response.headers, raw)
        error.provider = self._upstream.name
        raise error

    async def ask(
        self,
        kind: type[T],
        method: str,
        target: str,
        *,
        body: bytes = b"",
        content_type: str = "application/json",
        once: bool = False,
        limit: int = MAX_REPLY_BYTES,
    ) -> T:
        """One call, and its reply of at most `limit` bytes as a `kind`. Raises ProviderError."""
        response = await self.open(method, target, body=body, content_type=content_type, once=once)
        return self.decoded(kind, await self._read(response, limit))

    async def get(self, kind: type[T], target: str, limit: int = MAX_REPLY_BYTES) -> T:
        """A GET, tried again where that may help."""
        return await repeat(lambda: self.ask(kind, "GET", target, limit=limit))

    async def _read(self, response: Response, limit: int) -> bytes:
        """The whole of a reply."""
        try:
            return await response.read(limit)
        except ProviderError as e:
            e.provider = self._upstream.name
            raise

    def decoded(self, kind: type[T], data: bytes | msgspec.Raw) -> T:
        """Raises ProviderError(MALFORMED_REPLY)."""
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ProviderError(
                f"Provider '{self._upstream.name}' sent what its batch API does not send.",
                kind=ErrorKind.MALFORMED_REPLY,
                provider=self._upstream.name,
            ) from None

    async def lines(self, target: str) -> AsyncIterator[bytes]:
        """The lines of a JSONL document as they arrive. Only its opening is tried again: what
        breaks off later raises, and is to be read anew. Raises ProviderError."""
        deadlines = structs.replace(self._upstream.deadlines, total=LONGEST)
        response = await repeat(lambda: self.open("GET", target, accept="*/*", deadlines=deadlines))
        held: list[bytes] = []
        try:
            while piece := await response.chunk():
                first, found, rest = piece.partition(b"\n")
                held.append(first)
                if not found:
                    continue
                yield b"".join(held)
                *whole, last = rest.split(b"\n")
                for line in whole:
                    yield line
                held = [last]
            if held:
                yield b"".join(held)
        except ProviderError as e:
            e.provider = self._upstream.name
            raise
        finally:
            response.close()

    def patient(self, size: int) -> Deadlines:
        """The provider's deadlines, with the time that a body of `size` bytes takes on top."""
        usual = self._upstream.deadlines
        more = size / SLOWEST
        return structs.replace(usual, first_byte=usual.first_byte + more, total=usual.total + more)


async def repeat(action: Callable[[], Awaitable[T]]) -> T:
    """Do what may safely be done twice, up to three times. Raises ProviderError."""
    for number in count(1):
        try:
            return await action()
        except ProviderError as e:
            wait = backoff(_RETRY, number, e.retry_after, random) if e.retryable else None
            if wait is None:
                raise
            await asyncio.sleep(wait)
    raise AssertionError


def one_line(body: bytes) -> bytes:
    """JSON without line breaks, as JSONL wants it."""
    if b"\n" in body or b"\r" in body:
        return msgspec.json.format(body, indent=-1)
    return body


class Nothing(Struct):
    """A reply whose content does not matter."""
