"""/cachedContents under /v1 and /v1beta: create, get, list, patch, delete
(https://ai.google.dev/api/caching)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from hybridllm.simulators.counting import Counter, encoding_for
from hybridllm.simulators.google import errors
from hybridllm.simulators.google.explicit_caches import ExplicitCaches, Kept
from hybridllm.simulators.google.names import camel, message_of
from hybridllm.simulators.google.requests import read_generate_request
from hybridllm.simulators.provider import Administration, Provider, Request
from hybridllm.simulators.world import World

USUAL_SECONDS = 3_600.0
MAX_BYTES = 20_971_520
_ALL = re.compile("/v1(?:beta)?/cachedContents")
_ONE = re.compile("/v1(?:beta)?/cachedContents/(?P<id>[^/:]+)")
_CONTENT = ("systemInstruction", "tools", "toolConfig", "contents")
_CREATE = frozenset({*_CONTENT, "model", "ttl", "expireTime", "displayName", "name"})
_PATCH = frozenset({"ttl", "expireTime", "name", "model", "displayName"})
_SECONDS = re.compile(r"(\d+(?:\.\d{1,9})?)s")
_NOTHING = {"role": "user", "parts": [{"text": "-"}]}
"""For a cache without contents, which no request may be."""


def cache_endpoints(provider: Provider, caches: ExplicitCaches) -> tuple[Administration, ...]:
    """The five, over these caches, which have their world."""
    kinds = (CreateCache, ListCaches, GetCache, PatchCache, DeleteCache)
    return tuple(kind(provider, caches) for kind in kinds)


class _OfCaches(Administration):
    max_bytes: ClassVar[int] = MAX_BYTES

    def __init__(self, provider: Provider, caches: ExplicitCaches) -> None:
        self._provider = provider
        self.caches = caches

    @property
    def world(self) -> World:
        assert self.caches.world is not None  # noqa: S101 - they were attached before
        return self.caches.world

    def fields(self, request: Request, known: frozenset[str]) -> dict[str, Any]:
        """The body's. Raises Refused."""
        try:
            data = msgspec.json.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._provider.bad_json() from None
        return message_of(data, known, "")


class CreateCache(_OfCaches):
    name = "cachedContents.create"
    pattern = _ALL

    async def serve(self, request: Request) -> Any:
        fields, now = self.fields(request, _CREATE), self.world.wall()
        model = fields.get("model", "")
        if not isinstance(model, str) or not model.startswith("models/"):
            raise errors.invalid(
                "* CreateCachedContentRequest.cached_content.model: unexpected model name format"
            )
        expires = _expiry(fields, now)
        kept = Kept(
            id=self.caches.new_id(),
            key=request.key,
            model=model.removeprefix("models/"),
            display_name=str(fields.get("displayName", ""))[:128],
            content={name: fields[name] for name in _CONTENT if name in fields},
            tokens=0,
            created=now,
            updated=now,
            expires=now + USUAL_SECONDS if expires is None else expires,
        )
        kept.tokens = _tokens(kept, self.world.counter)
        self.caches.put(kept)
        return _document(kept)


def _tokens(kept: Kept, counter: Counter) -> int:
    """Of what is kept. Raises Refused where it cannot be read, or is too little or too much."""
    contents = kept.content.get("contents")
    body = kept.content if contents else {**kept.content, "contents": [_NOTHING]}
    ask, _ = read_generate_request(body, kept.model, False)
    prompt = ask.prompt if contents else ask.prompt[:-1]
    encoding = encoding_for(ask.model)
    tokens = sum(
        counter.count(one.text, encoding) if one.tokens is None else one.tokens for one in prompt
    )
    least = ask.spec.min_cache_tokens
    if tokens < least:
        raise errors.invalid(
            f"Cached content is too small. total_token_count={tokens}, "
            f"min_total_token_count={least}"
        )
    if tokens > ask.spec.context_window:
        raise errors.invalid(
            f"The input token count ({tokens}) exceeds the maximum number of tokens allowed "
            f"({ask.spec.context_window})."
        )
    return tokens


class ListCaches(_OfCaches):
    name = "cachedContents.list"
    method = "GET"
    pattern = _ALL

    async def serve(self, request: Request) -> Any:
        query = {camel(name): value for name, value in request.query.items()}
        kept = self.caches.of(request.key)
        size, start = _number(query, "pageSize", 50), _number(query, "pageToken", 0)
        reply: dict[str, Any] = {}
        if page := kept[start : start + size]:
            reply["cachedContents"] = [_document(one) for one in page]
        if start + size < len(kept):
            reply["nextPageToken"] = str(start + size)
        return reply


class GetCache(_OfCaches):
    name = "cachedContents.get"
    method = "GET"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        return _document(self.caches.get(request.key, request.named))


class PatchCache(_OfCaches):
    """Only its end can be changed."""

    name = "cachedContents.patch"
    method = "PATCH"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        kept, now = self.caches.get(request.key, request.named), self.world.wall()
        expires = _expiry(self.fields(request, _PATCH), now)
        if expires is None:
            raise errors.invalid(
                "* UpdateCachedContentRequest.cached_content: only its expiration can be updated."
            )
        kept.expires, kept.updated = expires, now
        return _document(kept)


class DeleteCache(_OfCaches):
    name = "cachedContents.delete"
    method = "DELETE"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        self.caches.delete(request.key, request.named)
        return {}


def _expiry(fields: Mapping[str, Any], now: float) -> float | None:
    """The Unix time that `ttl` or `expireTime` says; None: neither does. Raises Refused."""
    ttl, at = fields.get("ttl"), fields.get("expireTime")
    if ttl is not None and at is not None:
        raise errors.invalid("Invalid value: oneof field 'expiration' is already set.")
    if ttl is not None:
        match = _SECONDS.fullmatch(ttl) if isinstance(ttl, str) else None
        if match is None:
            raise errors.invalid(f"Invalid value at 'cached_content.ttl' (Duration), \"{ttl}\"")
        end = now + float(match[1])
    elif at is not None:
        try:
            end = datetime.fromisoformat(at).timestamp()
        except (TypeError, ValueError):
            raise errors.invalid(
                f"Invalid value at 'cached_content.expire_time' (Timestamp), \"{str(at)[:50]}\""
            ) from None
    else:
        return None
    if end <= now:
        raise errors.invalid("The expiration must be in the future.")
    return end


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    given = query.get(name, "")
    if given and not given.isdecimal():
        raise errors.invalid(f"Invalid value at '{name}' (TYPE_INT32), \"{given[:50]}\"")
    return int(given) if given else usual


def _document(kept: Kept) -> dict[str, Any]:
    """What is kept is not shown."""
    shown: dict[str, Any] = {
        "name": f"cachedContents/{kept.id}",
        "model": f"models/{kept.model}",
        "createTime": _time(kept.created),
        "updateTime": _time(kept.updated),
        "expireTime": _time(kept.expires),
        "displayName": kept.display_name,
        "usageMetadata": {"totalTokenCount": kept.tokens},
    }
    return {name: value for name, value in shown.items() if value}


def _time(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
