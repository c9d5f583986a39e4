"""The beginning of a generateContent body taken out of it, for a cache that holds it already.

A cache (cachedContents) holds a system instruction, tools, their configuration and leading
contents. A request that names one must bring none of the first three, and its contents come after
the cache's (https://ai.google.dev/api/caching). Nothing is decoded: equal bytes are equal
beginnings.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec import Struct

from hybridllm.errors import RequestError
from hybridllm.wire.google.fields import camel
from hybridllm.wire.splice import element_spans, splice, top_level

_OWN = ("systemInstruction", "tools", "toolConfig")
_REFUSED = frozenset({"cachedContent"})
_NULL = b"null"


class Beginning(Struct, frozen=True):
    """What a cache may hold of a body: everything but its contents, and the first `contents` of
    them. `digest` names it; it ends at byte `end` of the body's `Parts.size`."""

    contents: int
    end: int
    digest: bytes


class Parts(Struct, frozen=True):
    """A body. `own` are the fields besides contents that a cache holds, by their names in the body;
    `beginnings` are in order of their length, and each leaves at least one of the contents out."""

    body: bytes
    own: dict[str, bytes]
    contents: bytes
    spans: list[tuple[int, int]]
    beginnings: list[Beginning]
    size: int


def parts_of(body: bytes) -> Parts | None:
    """None for a body of which nothing can be taken out safely: it names a cache itself, a field is
    there twice, or its contents are no list of objects."""
    try:
        top = top_level(body)
        names = [camel(name) for name in top]
        if len(set(names)) < len(names) or _REFUSED & set(names):
            return None
        found = {name: bytes(raw) for name, raw in top.items()}
        contents = found.get("contents", b"")
        if not contents.startswith(b"["):
            return None
        # As it stands, a body that names a field twice is noticed here.
        splice(body, {"contents": contents})
        spans = element_spans(contents)
    except RequestError:
        return None
    if not spans or any(contents[start] != 0x7B for start, _ in spans):
        return None
    own = {k: v for k, v in found.items() if camel(k) in _OWN and v != _NULL}
    return _measured(body, own, contents, spans)


def _measured(
    body: bytes, own: dict[str, bytes], contents: bytes, spans: list[tuple[int, int]]
) -> Parts:
    by_name = {camel(name): value for name, value in own.items()}
    running, end = sha256(), 0
    for name in _OWN:
        value = by_name.get(name, b"")
        # With its length, so that no two bodies run together into the same bytes.
        running.update(b"%s %d " % (name.encode(), len(value)) + value)
        end += len(value)
    beginnings = [Beginning(0, end, running.digest())] if own else []
    for count, (start, stop) in enumerate(spans[:-1], 1):
        running.update(b"%d " % (stop - start) + contents[start:stop])
        end += stop - start
        beginnings.append(Beginning(count, end, running.digest()))
    start, stop = spans[-1]
    return Parts(body, own, contents, spans, beginnings, end + stop - start)


def cache_body(parts: Parts, beginning: Beginning, model: str, seconds: int) -> bytes:
    """The body that makes a cache of `beginning` for `model` (its name on the wire)."""
    edits: dict[str, bytes | None] = {
        "model": _text(f"models/{model}"),
        "ttl": _text(f"{seconds}s"),
    }
    edits |= {camel(name): value for name, value in parts.own.items()}
    if beginning.contents:
        end = parts.spans[beginning.contents - 1][1]
        edits["contents"] = parts.contents[:end] + b"]"
    return splice(b"{}", edits)


def body_with(parts: Parts, beginning: Beginning, name: str) -> bytes:
    """The body without `beginning`, which the cache `name` holds; no other byte is touched."""
    start = parts.spans[beginning.contents][0]
    edits: dict[str, bytes | None] = dict.fromkeys(parts.own)
    edits["contents"] = b"[" + parts.contents[start:]
    edits["cachedContent"] = _text(name)
    return splice(parts.body, edits)


def _text(text: str) -> bytes:
    return msgspec.json.encode(text)
