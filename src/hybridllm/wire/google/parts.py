"""One Part of a request's content to the neutral parts that it stands for.

A signature on a text or media part becomes a Thinking of its own right before it, empty but for the
signature; the writer joins the two again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import Media, Opaque, Part, Text, Thinking, ToolCall, ToolResult
from hybridllm.wire.google.fields import Fields, text_of
from hybridllm.wire.google.signatures import NATIVE, from_wire

FILE_API = "https://generativelanguage.googleapis.com/"
_KINDS = ("text", "functionCall", "functionResponse", "inlineData", "fileData")
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class PartReader:
    """Reads the parts of one request in order, so that calls and results find each other."""

    __slots__ = ("_numbered", "_open")

    def __init__(self) -> None:
        self._numbered = 0
        self._open: list[tuple[str, str]] = []

    def read(self, raw: Raw, path: str) -> list[Part]:
        """The part at `path`. Raises RequestError naming the malformed field."""
        if bytes(raw).lstrip()[:1] == b'"':
            return [Text(text=_decode_text(raw))]
        fields = Fields(raw, path)
        thought = fields.take("thought", bool) or False
        signature = fields.take("thoughtSignature", str)
        kinds = [(kind, value) for kind in _KINDS if (value := fields.raw(kind)) is not None]
        if not kinds and not fields:
            return _signed([], thought, signature)
        if len(kinds) != 1 or fields:
            return [self._opaque(raw, path, kinds[0][0] if kinds else "", fields)]
        kind, value = kinds[0]
        at = f"{path}.{kind}"
        if kind == "text":
            return _signed([Text(text=_string(value, at))], thought, signature)
        if kind == "functionCall":
            return [self._call(Fields(value, at), signature)]
        if kind == "functionResponse":
            return [self._result(Fields(value, at))]
        return _signed([_MEDIA[kind](Fields(value, at))], False, signature)

    def _opaque(self, raw: Raw, path: str, kind: str, fields: Fields) -> Opaque:
        """A part that only Google can say: executable code, a clip of a video..."""
        further = next(iter(fields.rest()), "")
        if not kind and not further:
            raise RequestError(f"'{path}' holds no part.", field=path)
        return Opaque(origin=NATIVE, kind=further or kind, raw=text_of(raw))

    def _call(self, fields: Fields, signature: str | None) -> ToolCall:
        name = _required(fields, "name")
        call_id = fields.take("id", str)
        if not call_id:
            self._numbered += 1
            call_id = f"call_{self._numbered}"
        self._open.append((call_id, name))
        args = fields.raw("args")
        if args is not None:
            Fields(args, fields.at("args"))
        seal = from_wire(signature) if signature else None
        return ToolCall(
            id=call_id,
            name=name,
            arguments="{}" if args is None else text_of(args),
            signature=seal.value if seal else None,
            origin=seal.origin if seal else "",
        )

    def _result(self, fields: Fields) -> ToolResult:
        name = _required(fields, "name")
        call_id = self._answered(fields.take("id", str), name)
        parts: list[Text | Media] = []
        is_error = False
        response = fields.raw("response")
        if response is not None:
            is_error, text = _response(response, fields.at("response"))
            if text is not None:
                parts.append(Text(text=text))
        for part in fields.objects("parts"):
            for kind, read in _MEDIA.items():
                if (found := part.object(kind)) is not None:
                    parts.append(read(found))
        return ToolResult(call_id=call_id, name=name, parts=parts, is_error=is_error)

    def _answered(self, call_id: str | None, name: str) -> str:
        """The id of the call that a result answers: by id, else the first open one of its name,
        else the first open one."""
        matching = [call for call in self._open if call[0] == call_id or call[1] == name]
        exact = [call for call in matching if call[0] == call_id]
        if call_id and not exact:
            return call_id
        for call in (exact or matching or self._open)[:1]:
            self._open.remove(call)
            return call[0]
        self._numbered += 1
        return f"call_{self._numbered}"


def _signed(parts: list[Part], thought: bool, signature: str | None) -> list[Part]:
    """Text or media, with what its signature says."""
    seal = from_wire(signature) if signature else None
    if thought:
        text = "".join(part.text for part in parts if isinstance(part, Text))
        if seal is None:
            return [Thinking(text=text, origin=NATIVE)]
        return [
            Thinking(
                text=text,
                signature=None if seal.sealed else seal.value,
                sealed=seal.value if seal.sealed else None,
                origin=seal.origin,
            )
        ]
    if seal is None:
        return parts
    # An empty text part is only there to carry the signature.
    kept = [part for part in parts if not (isinstance(part, Text) and not part.text)]
    return [Thinking(signature=seal.value, origin=seal.origin), *kept]


def _response(raw: Raw, path: str) -> tuple[bool, str | None]:
    """(is_error, text) of a function's response: the text under `output` or `error` where that is
    all there is, else the object's JSON text."""
    values = _object(raw, path)
    if not values:
        return False, None
    name, value = next(iter(values.items()))
    if len(values) == 1 and name in ("output", "error") and bytes(value)[:1] == b'"':
        return name == "error", _decode_text(value)
    return False, text_of(raw)


def _inline(fields: Fields) -> Media:
    return Media(
        media_type=_required(fields, "mimeType"),
        data=_required(fields, "data"),
        name=fields.take("displayName", str),
    )


def _file(fields: Fields) -> Media:
    """A web address is anyone's; Google's own files and buckets are known to Google alone."""
    uri = _required(fields, "fileUri")
    web = uri.startswith(("https://", "http://")) and not uri.startswith(FILE_API)
    return Media(
        media_type=fields.take("mimeType", str) or "",
        url=uri if web else "",
        file_id="" if web else uri,
        name=fields.take("displayName", str),
    )


_MEDIA: dict[str, Callable[[Fields], Media]] = {"inlineData": _inline, "fileData": _file}


def _required(fields: Fields, name: str) -> str:
    value = fields.take(name, str)
    if not value:
        path = fields.at(name)
        raise RequestError(f"'{path}' is required.", field=path)
    return value


def _object(raw: Raw, path: str) -> dict[str, Raw]:
    """The fields as they are spelled, nulls and all."""
    try:
        return _decode_object(raw)
    except msgspec.DecodeError as e:
        raise RequestError(f"'{path}' must be an object.", field=path) from e


def _string(raw: Raw, path: str) -> str:
    try:
        return _decode_text(raw)
    except msgspec.DecodeError as e:
        raise RequestError(f"'{path}' must be a string.", field=path) from e
