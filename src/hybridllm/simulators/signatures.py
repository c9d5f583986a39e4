"""Signatures of thoughts and calls, which only a simulator can make and every simulator knows.

A token is base64 of: 8 bytes that make it unique, 8 bytes of the digest of what it vouches for,
16 bytes of HMAC-SHA256 over both and the provider's name.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from hashlib import blake2b, sha256

_SECRET = b"hybridllm simulators"
_HEAD, _MAC = 16, 16


def sign(provider: str, content: str, unique: int) -> str:
    """A signature of `content`; `unique` makes equal contents' signatures differ."""
    head = (unique % 2**64).to_bytes(8, "big") + _digest(content)
    return b64encode(head + _mac(provider, head)).decode()


def valid(provider: str, signature: str, content: str | None = None) -> bool:
    """Whether a simulator of `provider` made the signature, and (unless `content` is None) made
    it for this content."""
    try:
        raw = b64decode(signature, validate=True)
    except (BadBase64, ValueError):
        return False
    head = raw[:_HEAD]
    if len(raw) != _HEAD + _MAC or not hmac.compare_digest(raw[_HEAD:], _mac(provider, head)):
        return False
    return content is None or head[8:] == _digest(content)


def _digest(content: str) -> bytes:
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _mac(provider: str, head: bytes) -> bytes:
    return hmac.new(_SECRET, provider.encode() + head, sha256).digest()[:_MAC]
