"""Content of a message to neutral parts: a string, or an array of typed parts.

A part of a type that has no neutral part is kept whole as `Opaque`.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import CacheMark, Media, Opaque, Part, Refusal, Text
from hybridllm.wire.openai.signatures import NATIVE
from hybridllm.wire.reading import read, required

_DATA_URL = re.compile(r"data:([^,]*?)(;base64)?,", re.DOTALL)
_AUDIO = {"mp3": "audio/mp3", "wav": "audio/wav"}


class Mark(Struct):
    """`prompt_cache_breakpoint`."""

    ttl: str | None = None


class _Typed(Struct):
    type: str
    prompt_cache_breakpoint: Mark | None = None


class _Text(Struct):
    text: str


class _Refusal(Struct):
    refusal: str


class _Url(Struct):
    url: str
    detail: str | None = None


class _Image(Struct):
    image_url: _Url | str


class _Sound(Struct):
    data: str
    format: str


class _Audio(Struct):
    input_audio: _Sound


class _FileFields(Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _File(Struct):
    file: _FileFields


_typed = msgspec.json.Decoder(_Typed)
_text = msgspec.json.Decoder(_Text)
_refusal = msgspec.json.Decoder(_Refusal)
_image = msgspec.json.Decoder(_Image)
_audio = msgspec.json.Decoder(_Audio)
_file = msgspec.json.Decoder(_File)
_string = msgspec.json.Decoder(str)
_array = msgspec.json.Decoder(list[Raw])


def read_content(raw: Raw, path: str) -> list[Part]:
    """A message's content. Raises RequestError naming the malformed field."""
    first = bytes(raw)[:1]
    if first == b"n":
        return []
    if first == b'"':
        text = read(_string, raw, path)
        return [Text(text=text)] if text else []
    parts: list[Raw] = read(_array, raw, path)
    return [_part(part, f"{path}[{i}]") for i, part in enumerate(parts)]


def read_texts(raw: Raw, path: str) -> list[Text]:
    """Content that may hold text only."""
    texts: list[Text] = []
    for i, part in enumerate(read_content(raw, path)):
        if not isinstance(part, Text):
            raise RequestError(f"'{path}' may hold text only.", field=f"{path}[{i}].type")
        texts.append(part)
    return texts


def _part(raw: Raw, path: str) -> Part:
    typed = read(_typed, raw, path)
    cache = cache_of(typed.prompt_cache_breakpoint)
    match typed.type:
        case "text":
            return Text(text=read(_text, raw, path).text, cache=cache)
        case "refusal":
            return Refusal(text=read(_refusal, raw, path).refusal)
        case "image_url":
            found = read(_image, raw, path).image_url
            image = _Url(found) if isinstance(found, str) else found
            return _image_part(image, f"{path}.image_url.url", cache)
        case "input_audio":
            sound = read(_audio, raw, path).input_audio
            media_type = _AUDIO.get(sound.format, f"audio/{sound.format}")
            return Media(media_type=media_type, data=sound.data, cache=cache)
        case "file":
            return _file_part(read(_file, raw, path).file, f"{path}.file", cache)
    return Opaque(origin=NATIVE, kind=typed.type, raw=bytes(raw).decode())


def cache_of(mark: Mark | None) -> CacheMark | None:
    """OpenAI's two lifetimes (30 minutes, 12 hours) are the shorter and the longer."""
    if mark is None:
        return None
    return CacheMark.LONG if mark.ttl == "12h" else CacheMark.SHORT


def _image_part(image: _Url, path: str, cache: CacheMark | None) -> Media:
    if not image.url:
        required(path)
    if image.url.startswith("data:"):
        media_type, data = data_url(image.url, path)
        return Media(media_type=media_type, data=data, detail=image.detail, cache=cache)
    return Media(media_type="", url=image.url, detail=image.detail, cache=cache)


def _file_part(file: _FileFields, path: str, cache: CacheMark | None) -> Media:
    name = file.filename
    if file.file_data:
        media_type, data = "application/pdf", file.file_data
        if data.startswith("data:"):
            media_type, data = data_url(data, f"{path}.file_data")
        return Media(media_type=media_type, data=data, name=name, cache=cache)
    if not file.file_id:
        required(f"{path}.file_data", "Send the file's data, or a file_id.")
    return Media(media_type="", file_id=file.file_id, name=name, cache=cache)


def data_url(url: str, path: str) -> tuple[str, str]:
    """Media type and base64 text of a `data:` URL."""
    found = _DATA_URL.match(url)
    if found is None or not found[2] or not found[1] or found.end() == len(url):
        raise RequestError(
            f"'{path}' is not a data URL of base64.",
            field=path,
            remedy="Write data:<media type>;base64,<data>.",
        )
    return found[1], url[found.end() :]
