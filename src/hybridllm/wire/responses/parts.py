"""Content of a message or of a function's output to neutral parts: a string, or an array of parts.

A part of a type that has no neutral part is kept whole as `Opaque`, its kind `content.<type>`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import Media, Opaque, Part, Refusal, Text
from hybridllm.wire.openai.parts import Mark, cache_of, data_url
from hybridllm.wire.reading import read, required
from hybridllm.wire.responses.signatures import NATIVE

CONTENT = "content."
_AUDIO = {"mp3": "audio/mp3", "wav": "audio/wav"}


class _Typed(Struct):
    type: str
    prompt_cache_breakpoint: Mark | None = None


class _Text(Struct):
    text: str


class _Refusal(Struct):
    refusal: str


class _Image(Struct):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class _File(Struct):
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Sound(Struct):
    data: str
    format: str


class _Audio(Struct):
    input_audio: _Sound


_typed = msgspec.json.Decoder(_Typed)
_text = msgspec.json.Decoder(_Text)
_refusal = msgspec.json.Decoder(_Refusal)
_image = msgspec.json.Decoder(_Image)
_file = msgspec.json.Decoder(_File)
_audio = msgspec.json.Decoder(_Audio)
_string = msgspec.json.Decoder(str)
_array = msgspec.json.Decoder(list[Raw])


def read_content(raw: Raw, path: str) -> list[Part]:
    """The content at `path`. Raises RequestError naming the malformed field."""
    if bytes(raw)[:1] == b'"':
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


def read_output(raw: Raw, path: str) -> list[Text | Media]:
    """What a function put out."""
    found: list[Text | Media] = []
    for i, part in enumerate(read_content(raw, path)):
        if not isinstance(part, Text | Media):
            raise RequestError(
                f"'{path}' may hold text, images and files only.", field=f"{path}[{i}].type"
            )
        found.append(part)
    return found


def _part(raw: Raw, path: str) -> Part:
    typed = read(_typed, raw, path)
    cache = cache_of(typed.prompt_cache_breakpoint)
    match typed.type:
        case "input_text" | "output_text" | "text":
            return Text(text=read(_text, raw, path).text, cache=cache)
        case "refusal":
            return Refusal(text=read(_refusal, raw, path).refusal)
        case "input_image":
            found = _image_part(read(_image, raw, path), path)
            found.cache = cache
            return found
        case "input_file":
            found = _file_part(read(_file, raw, path), path)
            found.cache = cache
            return found
        case "input_audio":
            sound = read(_audio, raw, path).input_audio
            media_type = _AUDIO.get(sound.format, f"audio/{sound.format}")
            return Media(media_type=media_type, data=sound.data, cache=cache)
    return Opaque(origin=NATIVE, kind=CONTENT + typed.type, raw=bytes(raw).decode())


def _image_part(image: _Image, path: str) -> Media:
    if image.file_id:
        return Media(media_type="image/*", file_id=image.file_id, detail=image.detail)
    if not image.image_url:
        required(f"{path}.image_url", "Send the image's address or data URL, or a file_id.")
    if image.image_url.startswith("data:"):
        media_type, data = data_url(image.image_url, f"{path}.image_url")
        return Media(media_type=media_type, data=data, detail=image.detail)
    return Media(media_type="", url=image.image_url, detail=image.detail)


def _file_part(file: _File, path: str) -> Media:
    """A file is a PDF unless its data says otherwise."""
    name = file.filename
    if file.file_data:
        media_type, data = "application/pdf", file.file_data
        if data.startswith("data:"):
            media_type, data = data_url(data, f"{path}.file_data")
        return Media(media_type=media_type, data=data, name=name)
    if file.file_url:
        return Media(media_type="application/pdf", url=file.file_url, name=name)
    if not file.file_id:
        required(f"{path}.file_data", "Send the file's data or address, or a file_id.")
    return Media(media_type="", file_id=file.file_id, name=name)
