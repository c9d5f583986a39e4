"""Content blocks of a request to neutral parts.

A block of a kind that only Anthropic has, or one that says more than the neutral part can carry
(a citing document, a call made by code), is kept whole as `Opaque`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.errors import RequestError
from hybridllm.wire.anthropic.signatures import NATIVE, joined_calls, redacted, thinking
from hybridllm.wire.conversation import (
    CacheMark,
    Media,
    Opaque,
    Part,
    Text,
    ToolCall,
    ToolResult,
)
from hybridllm.wire.reading import read, required


class Mark(Struct):
    """`cache_control`."""

    ttl: str | None = None


class _Typed(Struct):
    type: str
    cache_control: Mark | None = None


class _Text(Struct):
    text: str


class _Source(Struct):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""


class _Media(Struct):
    source: Raw
    title: str | None = None
    context: str | None = None
    citations: dict[str, Any] | None = None
    transformations: dict[str, Any] | None = None


class _ToolUse(Struct):
    id: str
    name: str
    input: Raw
    caller: dict[str, Any] | None = None
    toolset_name: str | None = None


class _ToolResult(Struct):
    tool_use_id: str
    content: Raw | UnsetType = UNSET
    is_error: bool | None = None
    toolset_name: str | None = None


class _Thinking(Struct):
    thinking: str
    signature: str


class _Redacted(Struct):
    data: str


_typed = msgspec.json.Decoder(_Typed)
_text = msgspec.json.Decoder(_Text)
_media = msgspec.json.Decoder(_Media)
_source = msgspec.json.Decoder(_Source)
_tool_use = msgspec.json.Decoder(_ToolUse)
_tool_result = msgspec.json.Decoder(_ToolResult)
_thinking = msgspec.json.Decoder(_Thinking)
_redacted = msgspec.json.Decoder(_Redacted)
_object = msgspec.json.Decoder(dict[str, Raw])
_string = msgspec.json.Decoder(str)
_array = msgspec.json.Decoder(list[Raw])


def mark_of(mark: Mark | None, path: str) -> CacheMark | None:
    """A cache breakpoint; 5 minutes unless it says otherwise."""
    if mark is None:
        return None
    try:
        return CacheMark(mark.ttl or "5m")
    except ValueError:
        field = f"{path}.cache_control.ttl".lstrip(".")
        raise RequestError(f"'{field}' must be '5m' or '1h'.", field=field) from None


def read_content(raw: Raw, path: str) -> list[Part]:
    """A message's content: a string or blocks. Raises RequestError naming the malformed field."""
    if _is_string(raw):
        return [Text(text=_string.decode(raw))]
    blocks = read(_array, raw, path)
    return joined_calls([_block(block, f"{path}[{i}]") for i, block in enumerate(blocks)])


def read_texts(raw: Raw, path: str) -> list[Text]:
    """A system prompt: a string or text blocks."""
    parts = read_content(raw, path)
    for i, part in enumerate(parts):
        if not isinstance(part, Text):
            raise RequestError(f"'{path}' may hold text only.", field=f"{path}[{i}].type")
    return [part for part in parts if isinstance(part, Text)]


def _block(raw: Raw, path: str) -> Part:
    typed = read(_typed, raw, path)
    cache = mark_of(typed.cache_control, path)
    match typed.type:
        case "text":
            return Text(text=read(_text, raw, path).text, cache=cache)
        case "image" | "document":
            return _media_part(raw, path, typed.type, cache)
        case "tool_use":
            return _call(raw, path, cache)
        case "tool_result":
            return _result(raw, path, cache)
        case "thinking":
            found = read(_thinking, raw, path)
            return thinking(found.thinking, found.signature)
        case "redacted_thinking":
            return redacted(read(_redacted, raw, path).data)
    return _opaque(typed.type, raw)


def _opaque(kind: str, raw: Raw) -> Opaque:
    return Opaque(origin=NATIVE, kind=kind, raw=bytes(raw).decode())


def _media_part(raw: Raw, path: str, kind: str, cache: CacheMark | None) -> Part:
    block = read(_media, raw, path)
    cites = block.citations is not None and block.citations.get("enabled")
    if cites or block.context or block.transformations:
        return _opaque(kind, raw)
    at = f"{path}.source"
    if kind == "document" and read(_typed, block.source, at).type == "content":
        return _opaque(kind, raw)
    source = read(_source, block.source, at)
    media = Media(media_type=source.media_type, name=block.title, cache=cache)
    match source.type:
        case "base64":
            if not source.media_type:
                required(f"{at}.media_type")
            media.data = source.data or required(f"{at}.data")
        case "url":
            media.url = source.url or required(f"{at}.url")
        case "file":
            media.file_id = source.file_id or required(f"{at}.file_id")
        case "text" if kind == "document":
            media.data = b64encode(source.data.encode()).decode()
        case _:
            raise RequestError(
                f"'{at}.type' must be 'base64', 'url' or 'file'.", field=f"{at}.type"
            )
    if kind == "document" and not media.media_type:
        media.media_type = "text/plain" if source.type == "text" else "application/pdf"
    return media


def _call(raw: Raw, path: str, cache: CacheMark | None) -> Part:
    call = read(_tool_use, raw, path)
    if call.toolset_name or (call.caller or {}).get("type", "direct") != "direct":
        return _opaque("tool_use", raw)
    read(_object, call.input, f"{path}.input")
    return ToolCall(id=call.id, name=call.name, arguments=bytes(call.input).decode(), cache=cache)


def _result(raw: Raw, path: str, cache: CacheMark | None) -> Part:
    result = read(_tool_result, raw, path)
    content: list[Part] = []
    if result.content is not UNSET and bytes(result.content) != b"null":
        content = read_content(result.content, f"{path}.content")
    parts = [part for part in content if isinstance(part, Text | Media)]
    if result.toolset_name or len(parts) < len(content):
        return _opaque("tool_result", raw)
    return ToolResult(
        call_id=result.tool_use_id, parts=parts, is_error=bool(result.is_error), cache=cache
    )


def _is_string(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b'"'
