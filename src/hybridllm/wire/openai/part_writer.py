"""Neutral parts to the content parts of a request."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BadBase64
from posixpath import splitext
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from hybridllm.wire.conversation import CacheMark, Media, Opaque, Part, Refusal, Text
from hybridllm.wire.dialect import DropPolicy, Target
from hybridllm.wire.openai.signatures import NATIVE

WHERE = "OpenAI's chat completions API"
Content = dict[str, Any]

_FORMATS = {
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}
_object = msgspec.json.Decoder(dict[str, Raw])
_DETAILS = frozenset({"low", "high", "auto", "original"})


def text_content(text: str) -> Content:
    return {"type": "text", "text": text}


def content_of(parts: list[Content]) -> str | list[Content]:
    """A lone text is a string, which is all that some compatible servers take."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text" and len(parts[0]) == 2:
        text: str = parts[0]["text"]
        return text
    return parts


class PartWriter:
    """Writes the parts of one request. `native`: an OpenAI caller wrote them, so that file ids and
    cache breakpoints are OpenAI's own; other providers' marks are let go, for OpenAI caches by
    itself."""

    def __init__(self, target: Target, policy: DropPolicy, *, native: bool) -> None:
        self._target = target
        self._policy = policy
        self._native = native

    def write(self, part: Part, path: str) -> list[Content]:
        """The part as content; none where the policy drops it. Raises Inexpressible."""
        match part:
            case Text():
                return [self._marked(text_content(part.text), part.cache)] if part.text else []
            case Refusal():
                return [{"type": "refusal", "refusal": part.text}] if part.text else []
            case Media():
                return [self._marked(made, part.cache) for made in self._media(part, path)]
            case Opaque() if part.origin == NATIVE:
                return [dict(_object.decode(part.raw))]
            case Opaque():
                self._policy.unsupported(part.kind, harmless=False, where=WHERE)
        return []

    def _marked(self, made: Content, cache: CacheMark | None) -> Content:
        if cache is not None and self._native:
            made["prompt_cache_breakpoint"] = {"mode": "explicit"}
            if cache is CacheMark.LONG:
                made["prompt_cache_breakpoint"]["ttl"] = "12h"
        return made

    def _media(self, media: Media, path: str) -> list[Content]:
        media_type = media.media_type.partition(";")[0].strip().lower()
        if media.file_id:
            return self._file_id(media, path)
        if media_type.startswith("audio/"):
            return self._audio(media, media_type, path)
        if media_type.startswith("image/") or (media.url and _is_image_url(media, media_type)):
            return self._image(media, media_type, path)
        if media_type.startswith("text/") and media.data and not self._native:
            return self._document_text(media, path)
        return self._file(media, media_type, path)

    def _refused(self, field: str) -> list[Content]:
        self._policy.unsupported(field, harmless=False, where=WHERE)
        return []

    def _file_id(self, media: Media, path: str) -> list[Content]:
        """Another provider's files are not here."""
        if not self._native:
            return self._refused(f"{path}.file_id")
        return [{"type": "file", "file": {"file_id": media.file_id, **_named(media)}}]

    def _audio(self, media: Media, media_type: str, path: str) -> list[Content]:
        kind = _FORMATS.get(media_type)
        if kind is None and self._native:
            kind = media_type.removeprefix("audio/")
        if kind is None or not media.data:
            return self._refused(f"{path}.media_type")
        return [{"type": "input_audio", "input_audio": {"data": media.data, "format": kind}}]

    def _image(self, media: Media, media_type: str, path: str) -> list[Content]:
        if not self._target.vision:
            return self._refused(f"{path}.media_type")
        image = {"url": media.url or f"data:{media_type};base64,{media.data}"}
        if media.detail in _DETAILS:
            image["detail"] = media.detail
        return [{"type": "image_url", "image_url": image}]

    def _document_text(self, media: Media, path: str) -> list[Content]:
        try:
            text = b64decode(media.data).decode()
        except (BadBase64, UnicodeDecodeError):
            return self._refused(f"{path}.data")
        return [text_content(text)] if text else []

    def _file(self, media: Media, media_type: str, path: str) -> list[Content]:
        """Files are read from their data alone, and OpenAI wants a name with it."""
        if media.url:
            return self._refused(f"{path}.url")
        if not self._target.documents or media_type.startswith("video/"):
            return self._refused(f"{path}.media_type")
        data = f"data:{media_type or 'application/pdf'};base64,{media.data}"
        name = _named(media) or {"filename": "document.pdf"}
        return [{"type": "file", "file": {**name, "file_data": data}}]


def _named(media: Media) -> dict[str, str]:
    return {"filename": media.name} if media.name else {}


def _is_image_url(media: Media, media_type: str) -> bool:
    """An address without a type counts as a picture unless its name says otherwise."""
    return not media_type and splitext(urlsplit(media.url).path)[1].lower() != ".pdf"


def raw_of(opaque: Opaque) -> Raw:
    """An opaque part as it came."""
    return Raw(opaque.raw.encode())
