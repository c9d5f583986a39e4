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
    body: bytes,
    blocks: Sequence[Block],
    places: Sequence[tuple[int, bool]],
    *,
    native: bool,
    before: int = 0,
) -> tuple[bytes, list[bool]]:
    """`body` with breakpoints after the blocks of these numbers, of the longer lifetime where the
    flag says so; and which of them could be put. `blocks` are those of the caller's body. `native`:
    it is this very body. One that was translated has the ends of its sections, the blocks of its
    first message and the ends of its turns where they were, behind `before` messages that
    are not the caller's. A body that cannot be read so is handed back as it is.
    """
    try:
        return _Marking(body, blocks, native, before).mark(places)
    except (msgspec.DecodeError, UnicodeDecodeError, RequestError):
        return body, [False] * len(places)


class _Marking:
    """One body on its way."""

    def __init__(self, body: bytes, blocks: Sequence[Block], native: bool, before: int) -> None:
        self._before = before
        self._body = body
        self._blocks = blocks
        self._native = native
        self._top = top_level(body)
        self._edits: dict[str, bytes] = {}

    def mark(self, places: Sequence[tuple[int, bool]]) -> tuple[bytes, list[bool]]:
        done = [self._put(after, LONG if long else SHORT) for after, long in places[:MOST]]
        done += [False] * (len(places) - len(done))
        edits: dict[str, bytes | None] = dict(self._edits)
        return (splice(self._body, edits) if edits else self._body), done

    def _put(self, after: int, control: bytes) -> bool:
        block = self._blocks[after]
        if block.section is Section.TOOLS:
            return self._edit("tools", -1, control)
        if block.section is Section.SYSTEM:
            if not (self._native or block.last):
                return False
            return self._edit("system", block.index if self._native else -1, control)
        if self._native:
            return self._message(self._before + block.index, block.inner, control)
        if block.last and block.inner < 0:
            return self._message(-1, -1, control)
        if block.inner >= 0:
            return self._message(self._before, block.inner, control)
        turn = _turn_of(self._blocks, after)
        return turn is not None and self._message(self._before + turn, -1, control)

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


class _Said(Struct):
    role: str = ""
    type: str = ""


_said = msgspec.json.Decoder(_Said).decode
_REPLIES = frozenset({"assistant", "model"})
_REPLIED = frozenset({"function_call", "custom_tool_call", "reasoning"})
"""Items of OpenAI's responses that the assistant's turn is made of."""


def _turn_of(blocks: Sequence[Block], after: int) -> int | None:
    """The number of the turn that ends with the message of block `after`, once messages of one side
    that follow each other are one, as Anthropic has them. None: it does not end there."""
    turn, side = -1, ""
    for at, block in enumerate(blocks):
        if block.section is not Section.MESSAGES or block.inner >= 0:
            continue
        said = _said(block.raw)
        if said.role in ("system", "developer"):
            continue
        replies = said.role in _REPLIES or said.type in _REPLIED
        now = "assistant" if replies else "user"
        if now != side:
            if at > after:
                return turn
            # A conversation that begins with the assistant gets a user's turn before it.
            turn += 2 if replies and turn < 0 else 1
            side = now
        elif at > after:
            return None
    return turn
