"""Google's explicit caches (https://ai.google.dev/api/caching)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.google import VERSION
from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream
from hybridllm.wire.google.errors import read_error

_MAX_BYTES = 1_048_576


class _Usage(Struct, frozen=True):
    totalTokenCount: int = 0


class MadeCache(Struct, frozen=True):
    """`name` is what requests call it by; its tokens are what is billed."""

    name: str
    usageMetadata: _Usage = _Usage()

    @property
    def tokens(self) -> int:
        return self.usageMetadata.totalTokenCount


_made = msgspec.json.Decoder(MadeCache).decode


async def make_cache(upstream: Upstream, key: Key | None, body: bytes) -> MadeCache:
    """Make one, at most once: it is paid for. Raises ProviderError."""
    target = f"/{VERSION}/cachedContents"
    response = await upstream.call("POST", target, key=key, body=body, once=True)
    try:
        raw = await response.read(_MAX_BYTES)
    finally:
        response.close()
    if response.status >= 300:
        raise read_error(response.status, response.headers, raw)
    try:
        return _made(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProviderError(
            "The provider's reply is no cache.", kind=ErrorKind.MALFORMED_REPLY, status=200
        ) from None
