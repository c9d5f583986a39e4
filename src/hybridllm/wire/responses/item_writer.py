"""Neutral turns to input items.

Each part of a turn that is no content (a thought, a call, a result) is an item of its own. Thoughts
that OpenAI sealed or keeps go back as they came; what can be read of others becomes text.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BadBase64
from posixpath import splitext
from typing import Any
from urllib.parse import urlsplit

from msgspec import Raw

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
from hybridllm.wire.dialect import DropPolicy, Target
from hybridllm.wire.responses.parts import CONTENT
from hybridllm.wire.responses.signatures import NATIVE, is_own

WHERE = "OpenAI's responses API"
Item = dict[str, Any]

_DETAILS = frozenset({"low", "high", "auto", "original"})
_FORMATS = {
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}


class ItemWriter:
    """Writes the items of one request. `native`: a caller of this dialect wrote them, so that file
    ids and cache breakpoints are OpenAI's own; other providers' marks are let go."""

    def __init__(self, target: Target, policy: DropPolicy, *, native: bool) -> None:
        self._target = target
        self._policy = policy
        self._native = native
        self._messages = 0

    def system(self, texts: list[Text]) -> list[Any]:
        """The system prompt, as far as it is not in `instructions`."""
        content = [made for text in texts for made in self._content(text, "system")]
        return [{"type": "message", "role": "system", "content": content}] if content else []

    def write(self, message: Message, path: str) -> list[Any]:
        """The items that one turn makes. Raises Inexpressible."""
        items: list[Any] = []
        content: list[Any] = []
        if earlier := _earlier_reasoning(message.parts):
            content.append(_said(earlier))
        for i, part in enumerate(message.parts):
            at = f"{path}.parts[{i}]"
            item = self._item(part, message.role, at)
            if item is not None:
                items += self._message(message.role, content)
                content = []
                items.append(item)
            elif message.role == "assistant":
                content += self._answer(part, at)
            elif not isinstance(part, Thinking | ToolCall):  # only a model thinks and calls
                content += self._content(part, at)
        return items + self._message(message.role, content)

    def _item(self, part: Part, role: str, path: str) -> Any:
        """The part as an item of its own; None if it is content, or nothing."""
        match part:
            case Opaque() if part.origin == NATIVE and not part.kind.startswith(CONTENT):
                return Raw(part.raw.encode())
            case ToolResult() if role != "assistant":
                return self._result(part, path)
            case Thinking() if role == "assistant" and is_own(part):
                return _reasoning(part)
            case ToolCall() if role == "assistant":
                return {
                    "type": "function_call",
                    "call_id": part.id,
                    "name": part.name,
                    "arguments": part.arguments or "{}",
                }
        return None

    def _message(self, role: str, content: list[Any]) -> list[Item]:
        if not content:
            return []
        message: Item = {"type": "message", "role": role, "content": content}
        if role == "assistant":
            self._messages += 1
            message["id"] = f"msg_{self._messages}"
            message["status"] = "completed"
        return [message]

    def _answer(self, part: Part, path: str) -> list[Any]:
        """A part of what a model said."""
        match part:
            case Text():
                return [_said(part.text)] if part.text else []
            case Refusal():
                return [{"type": "refusal", "refusal": part.text}] if part.text else []
            case Thinking() | ToolResult():
                return []  # thoughts of others are told before; a model has no results
            case Opaque() if part.origin == NATIVE:
                return [Raw(part.raw.encode())]
            case Opaque():
                self._policy.unsupported(part.kind, harmless=False, where=WHERE)
            case _:
                self._policy.unsupported(path, harmless=False, where=WHERE)
        return []

    def _content(self, part: Part, path: str) -> list[Any]:
        """A part of what a caller said, or a function put out."""
        match part:
            case Text() | Refusal() if part.text:
                cache = part.cache if isinstance(part, Text) else None
                return [self._marked({"type": "input_text", "text": part.text}, cache)]
            case Media():
                return [self._marked(made, part.cache) for made in self._media(part, path)]
            case Opaque() if part.origin == NATIVE:
                return [Raw(part.raw.encode())]
            case Opaque():
                self._policy.unsupported(part.kind, harmless=False, where=WHERE)
        return []

    def _result(self, result: ToolResult, path: str) -> Item:
        content = [
            made
            for i, part in enumerate(result.parts)
            for made in self._content(part, f"{path}.parts[{i}]")
        ]
        if result.is_error:
            self._policy.unsupported("is_error", harmless=True, where=WHERE)
        plain = len(content) == 1 and content[0].keys() == {"type", "text"}
        output = content[0]["text"] if plain else content or ""
        item = {"type": "function_call_output", "call_id": result.call_id, "output": output}
        if result.name and self._native:
            item["name"] = result.name
        return item

    def _marked(self, made: Item, cache: CacheMark | None) -> Item:
        if cache is not None and self._native:
            made["prompt_cache_breakpoint"] = {"mode": "explicit"}
            if cache is CacheMark.LONG:
                made["prompt_cache_breakpoint"]["ttl"] = "12h"
        return made

    def _media(self, media: Media, path: str) -> list[Item]:
        media_type = media.media_type.partition(";")[0].strip().lower()
        if media.file_id and not self._native:
            return self._refused(f"{path}.file_id")
        if media_type.startswith("audio/"):
            return self._audio(media, media_type, path)
        if media_type.startswith("image/") or (media.url and _is_image_url(media, media_type)):
            return self._image(media, media_type, path)
        if media_type.startswith("text/") and media.data and not self._native:
            return self._document_text(media, path)
        return self._file(media, media_type, path)

    def _refused(self, field: str) -> list[Item]:
        self._policy.unsupported(field, harmless=False, where=WHERE)
        return []

    def _audio(self, media: Media, media_type: str, path: str) -> list[Item]:
        kind = _FORMATS.get(media_type)
        if kind is None and self._native:
            kind = media_type.removeprefix("audio/")
        if kind is None or not media.data:
            return self._refused(f"{path}.media_type")
        return [{"type": "input_audio", "input_audio": {"data": media.data, "format": kind}}]

    def _image(self, media: Media, media_type: str, path: str) -> list[Item]:
        if not self._target.vision:
            return self._refused(f"{path}.media_type")
        detail = media.detail if media.detail in _DETAILS else "auto"
        image: Item = {"type": "input_image", "detail": detail}
        if media.file_id:
            image["file_id"] = media.file_id
        else:
            image["image_url"] = media.url or f"data:{media_type};base64,{media.data}"
        return [image]

    def _document_text(self, media: Media, path: str) -> list[Item]:
        try:
            text = b64decode(media.data).decode()
        except (BadBase64, UnicodeDecodeError):
            return self._refused(f"{path}.data")
        return [{"type": "input_text", "text": text}] if text else []

    def _file(self, media: Media, media_type: str, path: str) -> list[Item]:
        """OpenAI wants a name with a file's data."""
        if not self._target.documents or media_type.startswith("video/"):
            return self._refused(f"{path}.media_type")
        file: Item = {"type": "input_file"}
        if media.name:
            file["filename"] = media.name
        if media.file_id:
            file["file_id"] = media.file_id
        elif media.url:
            file["file_url"] = media.url
        else:
            file.setdefault("filename", "document.pdf")
            file["file_data"] = f"data:{media_type or 'application/pdf'};base64,{media.data}"
        return [file]


def _said(text: str) -> Item:
    return {"type": "output_text", "text": text, "annotations": []}


def _reasoning(thought: Thinking) -> Item:
    summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    item: Item = {"type": "reasoning", "summary": summary}
    if thought.id is not None:
        item["id"] = thought.id
    if thought.sealed is not None:
        item["encrypted_content"] = thought.sealed
    return item


def _earlier_reasoning(parts: list[Part]) -> str:
    """What can be read of another provider's thoughts."""
    texts = [p.text for p in parts if isinstance(p, Thinking) and not is_own(p) and p.text]
    if not texts:
        return ""
    return "<earlier_reasoning>\n" + "\n\n".join(texts) + "\n</earlier_reasoning>"


def _is_image_url(media: Media, media_type: str) -> bool:
    """An address without a type counts as a picture unless its name says otherwise."""
    return not media_type and splitext(urlsplit(media.url).path)[1].lower() != ".pdf"
