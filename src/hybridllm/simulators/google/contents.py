"""The contents of a generateContent request: turns, parts, calls, results and their signatures."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BadBase64
from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.simulators.ask import Segment
from hybridllm.simulators.google import errors
from hybridllm.simulators.google.names import list_of, message_of
from hybridllm.simulators.media import decode_base64, file_tokens, google_image_tokens
from hybridllm.simulators.signatures import valid

_DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode",
         "codeExecutionResult", "toolCall", "toolResponse")  # fmt: skip
PART = frozenset(
    (*_DATA, "thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata")
)
_SKIP = (b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go")
"""Documented stand-ins for a signature (https://ai.google.dev/gemini-api/docs/thought-signatures).
"""


class Reading(Struct):
    """What has been read so far. `signs_calls`: calls of the current turn must be signed.
    `calls` counts the function calls of the content before."""

    segments: list[Segment]
    signs_calls: bool
    last_user: str = ""
    answers_tools: bool = False
    calls: int = 0


def read_contents(body: dict[str, Any], reading: Reading) -> None:
    """Raises Refused naming the content at fault."""
    raw = list_of(body.get("contents", []))
    if not raw:
        raise errors.invalid("* GenerateContentRequest.contents: contents is not specified")
    contents = []
    for at, value in enumerate(raw):
        content = message_of(value, frozenset({"role", "parts"}), f"contents[{at}]")
        role = content.get("role", "user")
        if role not in ("user", "model", "function"):
            raise errors.invalid("Please use a valid role: user, model.")
        parts = list_of(content.get("parts", []))
        if not parts:
            raise errors.invalid(
                f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty."
            )
        contents.append((role, parts))
    current = _current_turn(contents)
    for at, (role, parts) in enumerate(contents):
        where = f"contents[{at}]"
        before = reading.calls
        read_parts(parts, where, role, reading)
        _check_turn(parts, role, before, reading)
        if role == "model" and at >= current and reading.signs_calls:
            _check_signed(parts, at)
    if reading.calls and contents[-1][0] == "model":
        raise errors.invalid(
            "Please ensure that function call turn comes immediately after a user turn or after a "
            "function response turn."
        )


def _current_turn(contents: list[tuple[str, list[Any]]]) -> int:
    """Where the current turn begins: after the last user content that is no function result."""
    for at in range(len(contents) - 1, -1, -1):
        role, parts = contents[at]
        if role == "user" and not any(_has(part, "functionResponse") for part in parts):
            return at
    return 0


def _has(part: Any, name: str) -> bool:
    return isinstance(part, dict) and (
        name in part or "".join("_" + c.lower() if c.isupper() else c for c in name) in part
    )


def _check_signed(parts: list[Any], at: int) -> None:
    calls = [part for part in parts if _has(part, "functionCall")]
    if calls and not _has(calls[0], "thoughtSignature"):
        call = calls[0].get("functionCall") or calls[0].get("function_call") or {}
        raise errors.invalid(
            f"Function call `default_api:{str(call.get('name'))[:64]}` in the {at + 1}. content "
            "block is missing a `thought_signature`. Learn more: "
            "https://ai.google.dev/gemini-api/docs/thought-signatures"
        )


def _check_turn(parts: list[Any], role: str, before: int, reading: Reading) -> None:
    responses = sum(_has(part, "functionResponse") for part in parts)
    if responses and not before:
        raise errors.invalid(
            "Please ensure that function response turn comes immediately after a function call "
            "turn."
        )
    if before and responses != before:
        raise errors.invalid(
            "Please ensure that the number of function response parts is equal to the number of "
            "function call parts of the function call turn."
        )
    reading.calls = sum(_has(part, "functionCall") for part in parts) if role == "model" else 0
    reading.answers_tools = bool(responses)


def read_parts(parts: list[Any], where: str, role: str, reading: Reading) -> None:
    """Add the parts of one content."""
    texts: list[str] = []
    for at, value in enumerate(parts):
        place = f"{where}.parts[{at}]"
        part = message_of(value, PART, place)
        data = [name for name in _DATA if name in part]
        if len(data) > 1:
            raise errors.invalid(
                f"Invalid value at '{place}' (oneof), oneof field 'data' is already set. Cannot "
                f"set '{data[1]}'"
            )
        if not data and "thoughtSignature" not in part:
            raise errors.invalid(
                f"* GenerateContentRequest.{place}.data: required oneof field 'data' must have one "
                "initialized field"
            )
        if "thoughtSignature" in part:
            _check_signature(part["thoughtSignature"], place)
        if data:
            reading.segments.append(_segment(data[0], part[data[0]], place))
            if data[0] == "text" and not part.get("thought"):
                texts.append(part["text"])
    if role == "user" and not any(_has(part, "functionResponse") for part in parts):
        reading.last_user = "\n".join(texts)


def _check_signature(signature: Any, where: str) -> None:
    try:
        raw = b64decode(signature.replace("-", "+").replace("_", "/"), validate=True)
    except (AttributeError, BadBase64, ValueError):
        raw = b""
    if raw in _SKIP or (isinstance(signature, str) and signature.encode() in _SKIP):
        return
    if not raw:
        raise errors.invalid(
            f"Invalid value at '{where}.thought_signature' (TYPE_BYTES), Base64 decoding failed"
        )
    if not valid("google", signature.replace("-", "+").replace("_", "/")):
        raise errors.invalid("Corrupted thought signature.")


def _segment(kind: str, value: Any, where: str) -> Segment:
    if kind == "text":
        if not isinstance(value, str):
            raise errors.invalid(f"Invalid value at '{where}.text' (TYPE_STRING)")
        return Segment(value)
    if kind == "functionCall":
        known = frozenset({"id", "name", "args", "partialArgs", "willContinue"})
        call = message_of(value, known, f"{where}.function_call")
        if not call.get("name"):
            raise errors.invalid(
                f"* GenerateContentRequest.{where}.function_call.name: Name cannot be empty."
            )
        return Segment(f"{call['name']} {msgspec.json.encode(call.get('args', {})).decode()}")
    if kind == "functionResponse":
        known = frozenset({"id", "name", "response", "willContinue", "scheduling", "parts"})
        response = message_of(value, known, f"{where}.function_response")
        if not response.get("name"):
            raise errors.invalid(
                f"* GenerateContentRequest.{where}.function_response.name: Name cannot be empty."
            )
        if not isinstance(response.get("response"), dict):
            raise errors.invalid(
                f"Invalid value at '{where}.function_response.response' "
                "(type.googleapis.com/google.protobuf.Struct)"
            )
        return Segment(msgspec.json.encode(response["response"]).decode())
    if kind == "inlineData":
        return _blob(value, where)
    raw = msgspec.json.encode(value).decode()
    return Segment(raw, tokens=258 if kind == "fileData" else None)


def _blob(value: Any, where: str) -> Segment:
    blob = message_of(value, frozenset({"mimeType", "data", "displayName"}), f"{where}.inline_data")
    kind, data = blob.get("mimeType"), blob.get("data")
    if not isinstance(kind, str) or "/" not in kind:
        raise errors.invalid("Unable to process input: mimeType parameter is required.")
    if not isinstance(data, str):
        raise errors.invalid(f"Invalid value at '{where}.inline_data.data' (TYPE_BYTES)")
    plain = data.replace("-", "+").replace("_", "/")
    raw = decode_base64(plain + "=" * (-len(plain) % 4))
    if raw is None:
        raise errors.invalid(
            f"Invalid value at '{where}.inline_data.data' (TYPE_BYTES), Base64 decoding failed"
        )
    tokens = google_image_tokens(raw) if kind.startswith("image/") else file_tokens(data)
    return Segment(data, tokens=tokens)
