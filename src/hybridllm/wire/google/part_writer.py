"""Neutral parts to the Parts of a request's content."""

from __future__ import annotations

from posixpath import splitext
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from hybridllm.wire.conversation import (
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
from hybridllm.wire.google.signatures import NATIVE, SKIP_VALIDATION
from hybridllm.wire.google.thinking import signs_calls

_WHERE = "Google's generateContent API"
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".pdf": "application/pdf",
    ".txt": "text/plain",
    ".wav": "audio/wav",
    ".mp3": "audio/mp3",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".mp4": "video/mp4",
}


def text_part(text: str) -> dict[str, Any]:
    return {"text": text}


def arguments_object(arguments: str) -> Raw | None:
    """A tool call's arguments as they stand; None if they are not one JSON object."""
    if not arguments.strip():
        return Raw(b"{}")
    try:
        _decode_object(arguments)
    except msgspec.DecodeError:
        return None
    return Raw(arguments.encode())


def media_part(media: Media, media_type: str) -> dict[str, Any]:
    """`inlineData` or `fileData`, the same in requests, replies and function responses."""
    named = {"displayName": media.name} if media.name else {}
    if media.data:
        return {"inlineData": {"mimeType": media_type, "data": media.data, **named}}
    typed = {"mimeType": media_type} if media_type else {}
    return {"fileData": {"fileUri": media.url or media.file_id, **typed, **named}}


class PartWriter:
    """Writes the messages of one request."""

    def __init__(self, messages: list[Message], target: Target, policy: DropPolicy) -> None:
        self._policy = policy
        self._signs_calls = target.reasoning and signs_calls(target.model)
        self._names = {
            part.id: part.name
            for message in messages
            for part in message.parts
            if isinstance(part, ToolCall)
        }

    def write(self, message: Message, path: str) -> list[dict[str, Any]]:
        """The message's parts. Another provider's thoughts become one leading text. Raises
        Inexpressible."""
        parts = message.parts
        written: list[dict[str, Any]] = []
        signature: str | None = None
        for i, part in enumerate(parts):
            if isinstance(part, Thinking):
                if part.origin != NATIVE:
                    continue
                if part.signature and not part.text:
                    if i + 1 < len(parts) and isinstance(parts[i + 1], Text | Media):
                        signature = part.signature
                    else:
                        written.append({"text": "", "thoughtSignature": part.signature})
                    continue
            made = self._part(part, f"{path}.parts[{i}]")
            if made is None:
                continue
            if signature:
                made["thoughtSignature"] = signature
                signature = None
            written.append(made)
        earlier = _earlier_reasoning(parts)
        if self._signs_calls and message.role == "assistant":
            _excuse_unsigned_call(written)
        return [text_part(earlier), *written] if earlier else written

    def _part(self, part: Part, path: str) -> dict[str, Any] | None:
        match part:
            case Text() | Refusal():
                return text_part(part.text)
            case Thinking():
                return _thought(part)
            case ToolCall():
                return self._call(part, path)
            case ToolResult():
                return self._result(part, path)
            case Media():
                return self._media(part, path)
            case Opaque():
                if part.origin == NATIVE:
                    raw: dict[str, Any] = dict(_decode_object(part.raw))
                    return raw
                self._policy.unsupported(part.kind, harmless=False, where=_WHERE)
                return None

    def _call(self, call: ToolCall, path: str) -> dict[str, Any]:
        args = arguments_object(call.arguments)
        if args is None:
            raise Inexpressible(
                f"{path}.arguments",
                f"The arguments of the call to '{call.name}' are not an object.",
            )
        made: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": args}}
        if call.signature and call.origin == NATIVE:
            made["thoughtSignature"] = call.signature
        return made

    def _result(self, result: ToolResult, path: str) -> dict[str, Any]:
        name = result.name or self._names.get(result.call_id)
        if not name:
            raise Inexpressible(
                f"{path}.call_id",
                f"{_WHERE} wants the function's name with its result, and no call in the "
                "conversation has this id.",
                "Send the assistant's message with the call too.",
            )
        texts = [part.text for part in result.parts if isinstance(part, Text)]
        made: dict[str, Any] = {
            "id": result.call_id,
            "name": name,
            "response": _response(texts, result.is_error),
        }
        media = [
            found
            for i, part in enumerate(result.parts)
            if isinstance(part, Media)
            and (found := self._media(part, f"{path}.parts[{i}]")) is not None
        ]
        if media:
            made["parts"] = media
        return {"functionResponse": made}

    def _media(self, media: Media, path: str) -> dict[str, Any] | None:
        media_type = media.media_type
        if media.url and not media_type:
            media_type = _TYPES.get(splitext(urlsplit(media.url).path)[1].lower(), "")
            if not media_type:
                self._policy.unsupported(f"{path}.url", harmless=False, where=_WHERE)
                return None
        if media.file_id and not media.file_id.startswith(("https://", "gs://", "files/")):
            self._policy.unsupported(f"{path}.file_id", harmless=False, where=_WHERE)
            return None
        return media_part(media, media_type)


def _thought(thinking: Thinking) -> dict[str, Any]:
    made: dict[str, Any] = {"text": thinking.text, "thought": True}
    if thinking.signature:
        made["thoughtSignature"] = thinking.signature
    return made


def _earlier_reasoning(parts: list[Part]) -> str:
    """What can be read of another provider's thoughts."""
    texts = [p.text for p in parts if isinstance(p, Thinking) and p.origin != NATIVE and p.text]
    if not texts:
        return ""
    return "<earlier_reasoning>\n" + "\n\n".join(texts) + "\n</earlier_reasoning>"


def _excuse_unsigned_call(written: list[dict[str, Any]]) -> None:
    """From Gemini 3 on the first call of each step must be signed; another model's cannot be."""
    first = next((part for part in written if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", SKIP_VALIDATION)


def _response(texts: list[str], is_error: bool) -> dict[str, Any] | Raw:
    """A JSON object stands for itself; other text goes under `output`, or `error`."""
    if is_error:
        return {"error": "\n".join(texts)}
    if not texts:
        return {}
    text = "\n".join(texts)
    if text.lstrip().startswith("{"):
        try:
            names = set(_decode_object(text))
        except msgspec.DecodeError:
            names = set()
        if names and not (len(names) == 1 and names & {"output", "error"}):
            return Raw(text.encode())
    return {"output": text}
