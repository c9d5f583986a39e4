"""Which model a conversation is with, so that it stays there while that is wise; and which model
gave a reply that later requests may refer to by its id.

Bounded tables, least recently used out first. Keys are 8-byte digests: no prompt is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from msgspec import Struct

from hybridllm.catalog.structs import Model, Usage
from hybridllm.wire.dialect import Facts

WARM_SECONDS = 300.0
"""How long a provider's prompt cache is taken to be warm: Anthropic's default lifetime is five
minutes, OpenAI's and Google's implicit caches live about as long."""


class Session(Struct):
    """The conversation's model, when it last answered (seconds), and how much of its input a next
    turn may expect to find in that model's cache."""

    model: str
    seen: float
    cached_tokens: int = 0


def session_key(facts: Facts, header: str | None, caller: str) -> bytes:
    """The conversation's identity: the header, the body's session id, else its leading messages
    (system prompt and first turn). Scoped to the caller's key, so that callers never share one."""
    named = header or facts.session
    if named is None:
        first = facts.turns[0].text if facts.turns else ""
        named = f"{facts.system}\0{first}"
    return _digest(f"{caller}\0{named}")


class Sessions:
    """The table. Not thread-safe: it belongs to one event loop."""

    def __init__(self, limit: int, ttl: float) -> None:
        self._limit = limit
        self._ttl = ttl
        self._table: OrderedDict[bytes, Session] = OrderedDict()
        self._replies: OrderedDict[bytes, str] = OrderedDict()

    def get(self, key: bytes, now: float) -> Session | None:
        """The live session, or None."""
        session = self._table.get(key)
        if session is not None and now - session.seen > self._ttl:
            del self._table[key]
            return None
        return session

    def put(self, key: bytes, model: Model, usage: Usage, now: float) -> None:
        """`model` has just answered this conversation with `usage`."""
        session = self._table.get(key)
        if session is None:
            self._table[key] = Session(model.id, now, _cacheable(model, usage))
            if len(self._table) > self._limit:
                self._table.popitem(last=False)
        else:
            session.model = model.id
            session.seen = now
            session.cached_tokens = _cacheable(model, usage)
            self._table.move_to_end(key)

    def keep(self, reply_id: str, model: Model) -> None:
        """`model` gave the reply `reply_id`."""
        self._replies[_digest(reply_id)] = model.id
        if len(self._replies) > self._limit:
            self._replies.popitem(last=False)

    def keeper(self, reply_id: str) -> str | None:
        """The id of the model that gave a reply, if it is known."""
        key = _digest(reply_id)
        model = self._replies.get(key)
        if model is not None:
            self._replies.move_to_end(key)
        return model

    def __len__(self) -> int:
        return len(self._table)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _cacheable(model: Model, usage: Usage) -> int:
    """Input tokens that the provider's cache now holds of this conversation."""
    cached = usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_long_tokens
    if cached or model.provider == "anthropic":
        return cached
    return usage.total_input if usage.total_input >= model.min_cache_tokens else 0
