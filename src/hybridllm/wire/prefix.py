"""A request's blocks in the order in which providers cache them: tools, system prompt, messages.

Only the raw bytes and the place of each are taken, whatever the dialect: equal bytes in a caller's
body become equal prefixes at a provider, also across dialects, since translation is the same each
time. A message is one block; the first after the system prompt, where a shared context often stands
before the question, is told apart block by block.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec
from msgspec import Raw, Struct

_NOTHING = Raw(b"")
_UNSAID = (b"", b"null", b"[]", b"{}", b'""')
_CACHE_CONTROL = re.compile(rb',?\s*"(?:cache_control|prompt_cache_breakpoint)"\s*:\s*\{[^{}]*\}')
_SYSTEM = frozenset({"system", "developer"})


class Section(StrEnum):
    """Where a block stands."""

    TOOLS = "tools"
    SYSTEM = "system"
    MESSAGES = "messages"


class Block(Struct, frozen=True):
    """One block. `index` counts within its section; `inner` is the block's place within the first
    message, -1 for a whole one. `last`: no other block of its section follows."""

    raw: bytes
    section: Section
    index: int = 0
    inner: int = -1
    last: bool = True


class _Body(Struct):
    """The names that the four dialects have for the three sections."""

    tools: Raw = _NOTHING
    functions: Raw = _NOTHING
    system: Raw = _NOTHING
    instructions: Raw = _NOTHING
    systemInstruction: Raw = _NOTHING
    system_instruction: Raw = _NOTHING
    messages: Raw = _NOTHING
    input: Raw = _NOTHING
    contents: Raw = _NOTHING


class _Message(Struct):
    role: str = ""
    content: Raw = _NOTHING
    parts: Raw = _NOTHING


_body = msgspec.json.Decoder(_Body).decode
_message = msgspec.json.Decoder(_Message).decode
_items = msgspec.json.Decoder(list[Raw]).decode


def blocks_of(body: bytes, *, marked: bool = False) -> list[Block]:
    """The blocks of a chat request in any dialect, without the caller's own breakpoints where it is
    `marked` (they move from turn to turn). A body that is none of a chat has no blocks."""
    try:
        blocks = _read(_body(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    if marked:
        return [
            msgspec.structs.replace(block, raw=_CACHE_CONTROL.sub(b"", block.raw))
            for block in blocks
        ]
    return blocks


def _read(body: _Body) -> list[Block]:
    blocks = [
        Block(bytes(raw), Section.TOOLS) for raw in (body.tools, body.functions) if _is_said(raw)
    ]
    said: list[Block] = []
    for raw in (body.system, body.instructions, body.systemInstruction, body.system_instruction):
        said += _blocks(raw, Section.SYSTEM)
    messages = _list(body.messages) or _list(body.input) or _list(body.contents)
    first = 0
    while first < len(messages) and _role(messages[first]) in _SYSTEM:
        said.append(Block(bytes(messages[first]), Section.SYSTEM))
        first += 1
    end = len(said) - 1
    blocks += [
        Block(block.raw, Section.SYSTEM, index, last=index == end)
        for index, block in enumerate(said)
    ]
    rest = messages[first:]
    end = len(rest) - 1
    for index, raw in enumerate(rest):
        if index:
            blocks.append(Block(bytes(raw), Section.MESSAGES, index, -1, index == end))
        else:
            blocks += _first(raw, not end)
    return blocks


def _first(raw: Raw, last: bool) -> list[Block]:
    """The blocks of the first message, of which the last ends with the message itself."""
    try:
        message = _message(raw)
    except msgspec.DecodeError:
        return [Block(bytes(raw), Section.MESSAGES, 0, -1, last)]
    parts = _list(message.content) or _list(message.parts)
    if len(parts) < 2:
        return [Block(bytes(raw), Section.MESSAGES, 0, -1, last)]
    *before, end = [bytes(part) for part in parts]
    return [
        *(Block(part, Section.MESSAGES, 0, inner, False) for inner, part in enumerate(before)),
        Block(end, Section.MESSAGES, 0, -1, last),
    ]


def _blocks(raw: Raw, section: Section) -> list[Block]:
    items = _list(raw)
    return [Block(bytes(item), section) for item in items or ((raw,) if _is_said(raw) else ())]


def _list(raw: Raw) -> list[Raw]:
    view = memoryview(raw)
    return _items(raw) if view.nbytes and view[0] == 0x5B else []


def _is_said(raw: Raw) -> bool:
    return memoryview(raw).nbytes > 4 or bytes(raw) not in _UNSAID


def _role(raw: Raw) -> str:
    try:
        return _message(raw).role
    except msgspec.DecodeError:
        return ""
