"""Neutral parts to the content blocks of a request."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as BadBase64
from hashlib import blake2b
from posixpath import splitext
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from hybridllm.wire.anthropic.signatures import NATIVE, thinking_blocks
from hybridllm.wire.conversation import (
    CacheMark,
    Media,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from hybridllm.wire.dialect import DropPolicy, Inexpressible, Target

WHERE = "Anthropic's messages API"
Block = dict[str, Any]

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NOT_ID = re.compile(r"[^a-zA-Z0-9_-]")
_object = msgspec.json.Decoder(dict[str, Raw])


def tool_id(call_id: str) -> str:
    """A call's id as Anthropic takes it (`^[a-zA-Z0-9_-]+$`): the same for call and result, and
    ids that were different stay so."""
    if _ID.fullmatch(call_id):
        return call_id
    digest = blake2b(call_id.encode(), digest_size=6).hexdigest()
    return f"call_{_NOT_ID.sub('_', call_id)[:40]}_{digest}"


def arguments_object(arguments: str) -> Raw | None:
    """A tool call's arguments as they stand; None if they are not one JSON object."""
    if not arguments.strip():
        return Raw(b"{}")
    try:
        _object.decode(arguments)
    except msgspec.DecodeError:
        return None
    return Raw(arguments.encode())


def marked(block: Block, cache: CacheMark | None) -> Block:
    """The block with its cache breakpoint."""
    if cache is not None:
        block["cache_control"] = {"type": "ephemeral"}
        if cache is CacheMark.LONG:
            block["cache_control"]["ttl"] = cache.value
    return block


class BlockWriter:
    """Writes the messages of one request. `native`: an Anthropic caller wrote them."""

    def __init__(self, target: Target, policy: DropPolicy, *, native: bool) -> None:
        self._target = target
        self._policy = policy
        self._native = native

    def write(self, message: Message, path: str) -> list[Block]:
        """The message's blocks. Thoughts that Anthropic cannot verify become one leading text.
        Raises Inexpressible."""
        blocks: list[Block] = []
        for i, part in enumerate(message.parts):
            blocks += self._part(part, f"{path}.parts[{i}]")
        earlier = [
            part.text
            for part in message.parts
            if isinstance(part, Thinking) and not _verifiable(part) and part.text
        ]
        if earlier:
            text = "<earlier_reasoning>\n" + "\n\n".join(earlier) + "\n</earlier_reasoning>"
            blocks.insert(_thoughts_at_front(blocks), {"type": "text", "text": text})
        return blocks

    def _part(self, part: Part, path: str) -> list[Block]:
        match part:
            case Text():
                return [marked(_text(part.text), part.cache)] if part.text else []
            case Refusal():
                return [_text(part.text)] if part.text else []
            case Thinking():
                return thinking_blocks(part) if _verifiable(part) else []
            case ToolCall():
                return [self._call(part, path)]
            case ToolResult():
                return [self._result(part, path)]
            case Media():
                return self._media(part, path)
            case Opaque():
                if part.origin == NATIVE:
                    return [dict(_object.decode(part.raw))]
                self._policy.unsupported(part.kind, harmless=False, where=WHERE)
                return []

    def _call(self, call: ToolCall, path: str) -> Block:
        arguments = arguments_object(call.arguments)
        if arguments is None:
            raise Inexpressible(
                f"{path}.arguments",
                f"The arguments of the call to '{call.name}' are not an object.",
            )
        block: Block = {"type": "tool_use", "id": tool_id(call.id), "name": call.name}
        block["input"] = arguments
        return marked(block, call.cache)

    def _result(self, result: ToolResult, path: str) -> Block:
        block: Block = {"type": "tool_result", "tool_use_id": tool_id(result.call_id)}
        content: list[Block] = []
        for i, part in enumerate(result.parts):
            content += self._part(part, f"{path}.parts[{i}]")
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            block["content"] = content[0]["text"]
        elif content:
            block["content"] = content
        if result.is_error:
            block["is_error"] = True
        return marked(block, result.cache)

    def _media(self, media: Media, path: str) -> list[Block]:
        if media.detail not in (None, "auto"):
            self._policy.unsupported("detail", harmless=True, where=WHERE)
        if media.file_id and not self._native:
            self._policy.unsupported(f"{path}.file_id", harmless=False, where=WHERE)
            return []
        media_type = media.media_type.partition(";")[0].strip().lower()
        if not media_type and media.url:
            extension = splitext(urlsplit(media.url).path)[1].lower()
            media_type = "application/pdf" if extension == ".pdf" else "image/*"
        if media_type.startswith("image/") or (not media_type and media.file_id):
            kind, able = "image", self._target.vision
        else:
            kind, able = "document", self._target.documents or media_type.startswith("text/")
        source = _source(media, media_type)
        if source is None or not able:
            self._policy.unsupported(f"{path}.media_type", harmless=False, where=WHERE)
            return []
        block: Block = {"type": kind, "source": source}
        if media.name and kind == "document":
            block["title"] = media.name
        return [marked(block, media.cache)]


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _source(media: Media, media_type: str) -> Block | None:
    """None for what Anthropic cannot read, such as sound."""
    if media.file_id:
        return {"type": "file", "file_id": media.file_id}
    if media_type.startswith("text/") and media.data:
        try:
            text = b64decode(media.data).decode()
        except (BadBase64, UnicodeDecodeError):
            return None
        return {"type": "text", "media_type": "text/plain", "data": text}
    if media_type != "application/pdf" and not media_type.startswith("image/"):
        return None
    if media.url:
        return {"type": "url", "url": media.url}
    return {"type": "base64", "media_type": media_type, "data": media.data}


def _verifiable(part: Thinking) -> bool:
    """Anthropic takes its own thoughts back, signed or sealed, and no others."""
    return part.origin == NATIVE and bool(part.signature or part.sealed)


def _thoughts_at_front(blocks: list[Block]) -> int:
    """How many blocks of thinking the turn begins with: nothing may come before them."""
    for i, block in enumerate(blocks):
        if block["type"] not in ("thinking", "redacted_thinking"):
            return i
    return len(blocks)
