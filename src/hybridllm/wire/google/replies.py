"""Whole replies: GenerateContentResponse to Reply and back, its usage and its finish.

Format: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse. Google counts
cached tokens within the prompt's, the results of its own tools apart from the prompt, and thoughts
apart from the candidates' tokens.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, Struct

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    Finish,
    Media,
    Opaque,
    Part,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
)
from hybridllm.wire.google.part_writer import arguments_object, media_part
from hybridllm.wire.google.signatures import NATIVE, from_wire, to_wire

FINISHES: dict[str, Finish] = {
    "FINISH_REASON_UNSPECIFIED": Finish.OTHER,
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "SAFETY": Finish.CONTENT_FILTER,
    "RECITATION": Finish.CONTENT_FILTER,
    "LANGUAGE": Finish.OTHER,
    "OTHER": Finish.OTHER,
    "BLOCKLIST": Finish.CONTENT_FILTER,
    "PROHIBITED_CONTENT": Finish.CONTENT_FILTER,
    "SPII": Finish.CONTENT_FILTER,
    "MALFORMED_FUNCTION_CALL": Finish.MALFORMED_TOOL_CALL,
    "IMAGE_SAFETY": Finish.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": Finish.CONTENT_FILTER,
    "IMAGE_OTHER": Finish.OTHER,
    "NO_IMAGE": Finish.OTHER,
    "IMAGE_RECITATION": Finish.CONTENT_FILTER,
    "UNEXPECTED_TOOL_CALL": Finish.MALFORMED_TOOL_CALL,
    "TOO_MANY_TOOL_CALLS": Finish.OTHER,
    "MISSING_THOUGHT_SIGNATURE": Finish.OTHER,
    "MALFORMED_RESPONSE": Finish.OTHER,
    "ESCALATION": Finish.OTHER,
    "PUP_LIMITED_DISABLED": Finish.OTHER,
    "CONTINUATION": Finish.PAUSE,
    "MODEL_ARMOR": Finish.CONTENT_FILTER,
}
"""Google's finish reasons. A reason that is newer than this table is OTHER."""

REASONS: dict[Finish, str] = {
    Finish.STOP: "STOP",
    Finish.TOOL_CALLS: "STOP",
    Finish.STOP_SEQUENCE: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.CONTEXT_EXCEEDED: "MAX_TOKENS",
    Finish.CONTENT_FILTER: "SAFETY",
    Finish.REFUSAL: "SAFETY",
    Finish.MALFORMED_TOOL_CALL: "MALFORMED_FUNCTION_CALL",
    Finish.PAUSE: "CONTINUATION",
    Finish.OTHER: "OTHER",
}


class WireUsage(Struct):
    promptTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    toolUsePromptTokenCount: int | None = None


_NO_ARGS = Raw(b"{}")


class WireCall(Struct):
    name: str = ""
    args: Raw = _NO_ARGS
    id: str | None = None

    def arguments(self) -> str:
        text = bytes(self.args).decode()
        return "{}" if text == "null" else text


class WireMedia(Struct):
    mimeType: str = ""
    data: str = ""
    fileUri: str = ""
    displayName: str | None = None


class WirePart(Struct):
    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None
    functionCall: WireCall | None = None
    inlineData: WireMedia | None = None
    fileData: WireMedia | None = None


class WireContent(Struct):
    parts: list[Raw] | None = None


class WireCandidate(Struct):
    content: WireContent | None = None
    finishReason: str | None = None
    index: int | None = None


class WireFeedback(Struct):
    blockReason: str | None = None


class WireError(Struct):
    code: int | None = None
    message: str | None = None
    status: str | None = None


class WireReply(Struct):
    candidates: list[WireCandidate] | None = None
    promptFeedback: WireFeedback | None = None
    usageMetadata: WireUsage | None = None
    modelVersion: str | None = None
    responseId: str | None = None
    createTime: str | None = None
    error: WireError | None = None


decode_wire_reply = msgspec.json.Decoder(WireReply).decode
_decode_part = msgspec.json.Decoder(WirePart).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def malformed(e: Exception) -> ProviderError:
    """Never quotes the reply, which may hold what the caller wrote."""
    return ProviderError(
        f"Google's reply cannot be read ({type(e).__name__}).", kind=ErrorKind.MALFORMED_REPLY
    )


def neutral_usage(wire: WireUsage) -> Usage:
    """Google's counts as kinds that do not overlap."""
    cached = wire.cachedContentTokenCount or 0
    thoughts = wire.thoughtsTokenCount or 0
    fresh = (wire.promptTokenCount or 0) - cached + (wire.toolUsePromptTokenCount or 0)
    return Usage(
        input_tokens=max(0, fresh),
        cache_read_tokens=cached,
        output_tokens=(wire.candidatesTokenCount or 0) + thoughts,
        reasoning_tokens=thoughts,
    )


def wire_usage(usage: Usage) -> dict[str, int]:
    """usageMetadata. Writes to a cache, which Google does not count apart, are prompt tokens."""
    wire = {
        "promptTokenCount": usage.total_input,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.total_input + usage.output_tokens,
    }
    if usage.cache_read_tokens:
        wire["cachedContentTokenCount"] = usage.cache_read_tokens
    if usage.reasoning_tokens:
        wire["thoughtsTokenCount"] = usage.reasoning_tokens
    return wire


def neutral_finish(reason: str, calls: bool) -> Finish:
    """Google says STOP for a turn that ends in calls."""
    finish = FINISHES.get(reason, Finish.OTHER)
    return Finish.TOOL_CALLS if calls and finish is Finish.STOP else finish


def call_id(response_id: str, number: int, call: WireCall) -> str:
    """The call's id; where Google sends none, one made of the response's id and its place."""
    if call.id:
        return call.id
    seed = f"{response_id}\n{number}\n{call.name}\n{call.arguments()}"
    return "call_" + blake2b(seed.encode(), digest_size=12).hexdigest()


def read_reply(body: bytes) -> Reply:
    """The first candidate. Raises ProviderError(MALFORMED_REPLY)."""
    try:
        wire = decode_wire_reply(body)
        candidate = wire.candidates[0] if wire.candidates else None
        parts: list[Part] = []
        for raw in raw_parts(candidate):
            parts += read_part(raw, wire.responseId or "", len(parts))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise malformed(e) from e
    finish = Finish.OTHER
    if candidate is not None:
        calls = any(isinstance(part, ToolCall) for part in parts)
        finish = neutral_finish(candidate.finishReason or "", calls)
    elif wire.promptFeedback and wire.promptFeedback.blockReason:
        finish = Finish.CONTENT_FILTER
    return Reply(
        id=wire.responseId or "",
        model=wire.modelVersion or "",
        parts=parts,
        finish=finish,
        usage=neutral_usage(wire.usageMetadata) if wire.usageMetadata else None,
        created=created_at(wire.createTime),
    )


def raw_parts(candidate: WireCandidate | None) -> list[Raw]:
    return (candidate.content.parts or []) if candidate and candidate.content else []


def created_at(time: str | None) -> int:
    """Unix seconds of an RFC 3339 time; 0 if there is none that can be read."""
    try:
        return int(datetime.fromisoformat(time).timestamp()) if time else 0
    except ValueError:
        return 0


def read_part(raw: Raw, response_id: str, number: int) -> list[Part]:
    """The neutral parts of one Part of a reply. Raises msgspec.DecodeError."""
    part = _decode_part(raw)
    seal = from_wire(part.thoughtSignature) if part.thoughtSignature else None
    if part.functionCall is not None:
        call = part.functionCall
        return [
            ToolCall(
                id=call_id(response_id, number, call),
                name=call.name,
                arguments=call.arguments(),
                signature=seal.value if seal else None,
                origin=seal.origin if seal else "",
            )
        ]
    if part.thought and part.text is not None:
        return [
            Thinking(
                text=part.text,
                signature=seal.value if seal and not seal.sealed else None,
                sealed=seal.value if seal and seal.sealed else None,
                origin=seal.origin if seal else NATIVE,
            )
        ]
    signed: list[Part] = [Thinking(signature=seal.value, origin=seal.origin)] if seal else []
    if part.text is not None:
        return [*signed, Text(text=part.text)] if part.text else signed
    media = part.inlineData or part.fileData
    if media is not None:
        return [
            *signed,
            Media(
                media_type=media.mimeType,
                data=media.data,
                url=media.fileUri,
                name=media.displayName,
            ),
        ]
    kinds = [name for name in _decode_fields(raw) if name not in ("thought", "thoughtSignature")]
    if not kinds:
        return signed
    return [Opaque(origin=NATIVE, kind=kinds[0], raw=bytes(raw).decode())]


def write_reply(reply: Reply) -> bytes:
    """A GenerateContentResponse of one candidate."""
    parts, broken = _written(reply.parts)
    candidate: dict[str, Any] = {
        "content": {"parts": parts, "role": "model"},
        "finishReason": REASONS[reply.finish],
        "index": 0,
    }
    if broken:
        candidate |= broken
    body: dict[str, Any] = {"candidates": [candidate]}
    if reply.usage is not None:
        body["usageMetadata"] = wire_usage(reply.usage)
    body["modelVersion"] = reply.model
    if reply.created:
        body["createTime"] = datetime.fromtimestamp(reply.created, UTC).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
    if reply.id:
        body["responseId"] = reply.id
    return msgspec.json.encode(body)


def _written(parts: list[Part]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The parts, and what the candidate says of a call that is none."""
    written: list[dict[str, Any]] = []
    broken: dict[str, str] = {}
    signature = ""
    for i, part in enumerate(parts):
        follows = parts[i + 1] if i + 1 < len(parts) else None
        if isinstance(part, ToolCall) and arguments_object(part.arguments) is None:
            broken = malformed_call(part.name, part.arguments)
        elif _signs_next(part, follows):
            assert isinstance(part, Thinking)  # noqa: S101 - what _signs_next has just said
            signature = part.signature or ""
        elif (made := write_part(part)) is not None:
            if signature:
                made["thoughtSignature"] = signature
                signature = ""
            written.append(made)
    return written, broken


def _signs_next(part: Part, follows: Part | None) -> bool:
    """An own signature that came on the text or media after it (see `parts`)."""
    return (
        isinstance(part, Thinking)
        and part.origin == NATIVE
        and bool(part.signature)
        and not part.text
        and isinstance(follows, Text | Media)
    )


def malformed_call(name: str, arguments: str) -> dict[str, str]:
    """A call whose arguments are no JSON object, said as Google says it of its own models."""
    return {
        "finishReason": REASONS[Finish.MALFORMED_TOOL_CALL],
        "finishMessage": f"Malformed function call: {name}({arguments})",
    }


def write_part(part: Part) -> dict[str, Any] | None:
    """One Part of a reply; None for what only another dialect can say."""
    match part:
        case Text() | Refusal():
            return {"text": part.text}
        case Thinking():
            return thought_part(part)
        case ToolCall():
            args = arguments_object(part.arguments)
            made: dict[str, Any] = {
                "functionCall": {"id": part.id, "name": part.name, "args": args}
            }
            if part.signature:
                made["thoughtSignature"] = to_wire(part.signature, part.origin)
            return made
        case Media():
            return media_part(part, part.media_type)
        case Opaque() if part.origin == NATIVE:
            return dict(_decode_fields(part.raw))
    return None


def thought_part(thinking: Thinking) -> dict[str, Any]:
    """A thought, with another provider's signature wrapped."""
    made: dict[str, Any] = {"text": thinking.text}
    if thinking.text or thinking.origin != NATIVE:
        made["thought"] = True
    if thinking.sealed:
        made["thoughtSignature"] = to_wire(thinking.sealed, thinking.origin, sealed=True)
    elif thinking.signature:
        made["thoughtSignature"] = to_wire(thinking.signature, thinking.origin)
    return made
