"""Cache breakpoints put into a Messages body, and nothing else in it touched.

A breakpoint is `cache_control` on a block; a text that is given as a plain string becomes the one
text block that it stands for. What cannot bear one (thinking, an empty text) passes it to the block
before. Format: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import RequestError
from hybridllm.wire.prefix import Block, Section
from hybridllm.wire.splice import element_spans, splice, top_level

SHORT = b'{"type":"ephemeral"}'
LONG = b'{"type":"ephemeral","ttl":"1h"}'
MOST = 4
_UNMARKABLE = frozenset({"thinking", "redacted_thinking"})


class _Kind(Struct):
    type: str = ""
    text: str | None = None
    cache_control: Raw | None = None
    defer_loading: bool = False


_kind = msgspec.json.Decoder(_Kind).decode


def mark(
    body: bytes, places: Sequence[tuple[Block, bool]], *, native: bool
) -> tuple[bytes, list[bool]]:
    """`body` with a breakpoint after each of the blocks, of the longer lifetime where its flag says
    so; and which of them could be put. `native`: the body's places are the blocks' own; in a body
    that was translated only the ends of sections and the blocks of the first message are where they
    were. A body that cannot be read so is handed back as it is.
    """
    try:
        return _Marking(body, native).mark(places)
    except (msgspec.DecodeError, UnicodeDecodeError, RequestError):
        return body, [False] * len(places)


class _Marking:
    """One body on its way."""

    def __init__(self, body: bytes, native: bool) -> None:
        self._body = body
        self._native = native
        self._top = top_level(body)
        self._edits: dict[str, bytes] = {}

    def mark(self, places: Sequence[tuple[Block, bool]]) -> tuple[bytes, list[bool]]:
        done = [self._put(block, LONG if long else SHORT) for block, long in places[:MOST]]
        done += [False] * (len(places) - len(done))
        edits: dict[str, bytes | None] = dict(self._edits)
        return (splice(self._body, edits) if edits else self._body), done

    def _put(self, block: Block, control: bytes) -> bool:
        if block.section is Section.TOOLS:
            return self._edit("tools", -1, control)
        if block.section is Section.SYSTEM:
            if not (self._native or block.last):
                return False
            return self._edit("system", block.index if self._native else -1, control)
        if self._native:
            return self._message(block.index, block.inner, control)
        if block.last and block.inner < 0:
            return self._message(-1, -1, control)
        return block.index == 0 and block.inner >= 0 and self._message(0, block.inner, control)

    def _edit(self, key: str, index: int, control: bytes) -> bool:
        """The block at `index` of a section that is a list, or a text."""
        raw = self._value(key)
        marked = _mark_within(raw, index, control) if raw is not None else None
        if marked is None:
            return False
        self._edits[key] = marked
        return True

    def _message(self, index: int, inner: int, control: bytes) -> bool:
        raw = self._value("messages")
        if raw is None:
            return False
        spans = element_spans(raw)
        if not -len(spans) <= index < len(spans):
            return False
        start, end = spans[index]
        message = raw[start:end]
        content = bytes(top_level(message).get("content", b""))
        marked = _mark_within(content, inner, control)
        if marked is None:
            return False
        self._edits["messages"] = raw[:start] + splice(message, {"content": marked}) + raw[end:]
        return True

    def _value(self, key: str) -> bytes | None:
        if key in self._edits:
            return self._edits[key]
        raw = self._top.get(key)
        return None if raw is None else bytes(raw)


def _mark_within(raw: bytes, index: int, control: bytes) -> bytes | None:
    """A list of blocks, or a text, with the breakpoint at `index`, -1 for the last block that can
    bear one. None: there is none."""
    if raw.startswith(b'"'):
        if raw == b'""' or index > 0:
            return None
        return b'[{"type":"text","text":' + raw + b',"cache_control":' + control + b"}]"
    spans = element_spans(raw) if raw.startswith(b"[") else []
    wanted = spans[index : index + 1] if index >= 0 else spans[::-1]
    for start, end in wanted:
        block = raw[start:end]
        kind = _kind(block)
        if kind.cache_control is not None:
            return raw
        if kind.type in _UNMARKABLE or kind.text == "" or kind.defer_loading:
            continue
        return raw[:start] + splice(block, {"cache_control": control}) + raw[end:]
    return None
