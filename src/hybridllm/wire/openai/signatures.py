"""How another provider's reasoning travels through OpenAI's chat dialect, and comes back.

Chat has no field for signed reasoning, yet Claude and Gemini want theirs back in the next turn. So
an assistant message carries it three times over, for three kinds of client:

- `reasoning_content` is the readable text, as compatible servers send it and clients show it;
- `reasoning_details` lists each thought with its signature (or its encrypted `data`), wrapped as in
  `hybridllm.wire.sealing`. It survives in clients that send back the message as they got it
  (`message.model_dump()`); in a stream an entry has an `index`, by which the SDK joins deltas;
- the id of a tool call ends in `-hllm1-` and base64url of what was signed: the call's own signature
  (Gemini's) and, on the message's first call, its signed thoughts, empty or not. OpenAI's ids are
  opaque and a result must repeat them, so they survive in clients that keep `{role, content,
  tool_calls}` alone. Only letters, digits, `-` and `_` are used: any provider takes such an id.

On the way in the suffix is cut off again, from calls and results alike, before a request is sent to
any provider; `reasoning_details` are believed before ids, ids before `reasoning_content`. A thought
without a signature is not worth an id: its text is enough.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from typing import Any

import msgspec
from msgspec import Raw, Struct

from hybridllm.wire.conversation import Part, Thinking, ToolCall
from hybridllm.wire.sealing import MARK_BYTES, unwrap, wrap

NATIVE = "openai"
ID_MARK = "-hllm1-"
_UNKNOWN = "unknown"
_QUOTED_MARK = b'"' + MARK_BYTES


class _Thought(Struct, array_like=True):
    origin: str
    text: str
    signature: str | None
    sealed: str | None


class _Payload(Struct, array_like=True):
    """What an id carries besides the provider's own id."""

    origin: str
    signature: str | None
    thoughts: list[_Thought]


class Opened(Struct):
    """A call's id as its provider knows it, and what it carried."""

    id: str
    origin: str = ""
    signature: str | None = None
    thoughts: list[Thinking] = msgspec.field(default_factory=list)


class _Detail(Struct):
    """An entry of `reasoning_details`."""

    type: str = ""
    text: str | None = None
    signature: str | None = None
    data: str | None = None


_payload = msgspec.json.Decoder(_Payload)
_details = msgspec.json.Decoder(list[_Detail])


def sealed_id(call: ToolCall, thoughts: list[Thinking]) -> str:
    """The id that a caller is given for `call`; `thoughts` are those of its message if it is the
    message's first call."""
    kept = [
        _Thought(thought.origin or _UNKNOWN, thought.text, thought.signature, thought.sealed)
        for thought in thoughts
        if thought.signature or thought.sealed
    ]
    if not kept and not call.signature:
        return call.id
    payload = _Payload(call.origin or _UNKNOWN, call.signature, kept)
    text = urlsafe_b64encode(msgspec.json.encode(payload)).decode().rstrip("=")
    return f"{call.id}{ID_MARK}{text}"


def opened_id(call_id: str) -> Opened:
    """The id that a caller sent back, without what it carries. An id that merely looks like ours is
    left alone."""
    own, mark, text = call_id.rpartition(ID_MARK)
    if not mark:
        return Opened(call_id)
    try:
        payload = _payload.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (BadBase64, msgspec.DecodeError, ValueError):
        return Opened(call_id)
    return Opened(
        own,
        payload.origin if payload.signature else "",
        payload.signature,
        [
            Thinking(text=t.text, signature=t.signature, sealed=t.sealed, origin=t.origin)
            for t in payload.thoughts
        ],
    )


def details_of(thoughts: list[Thinking]) -> list[dict[str, Any]]:
    """`reasoning_details` of a message; empty where `reasoning_content` says it all."""
    if all(t.origin == NATIVE and not t.signature and t.sealed is None for t in thoughts):
        return []
    entries: list[dict[str, Any]] = []
    for thought in thoughts:
        for entry in _entries(thought):
            entries.append({"index": len(entries), **entry})
    return entries


def _entries(thought: Thinking) -> list[dict[str, Any]]:
    """The readable and signed, then the sealed. All are marked, so that ours are known again."""
    entries: list[dict[str, Any]] = []
    if thought.sealed is None or thought.text or thought.signature:
        signature = _wrapped(thought.signature, thought.origin)
        entries.append({"type": "reasoning.text", "text": thought.text, "signature": signature})
    if thought.sealed is not None:
        data = _wrapped(thought.sealed, thought.origin)
        entries.append({"type": "reasoning.encrypted", "data": data})
    return entries


def _wrapped(value: str | None, origin: str) -> str:
    return wrap(value or "", origin or _UNKNOWN, "")


def is_ours(details: Raw) -> bool:
    """Whether `reasoning_details` are ours, and not those of some compatible server."""
    return _QUOTED_MARK in bytes(details)


def read_details(details: Raw) -> list[Thinking]:
    """The thoughts that our `reasoning_details` tell of. Raises msgspec.DecodeError."""
    thoughts: list[Thinking] = []
    for entry in _details.decode(details):
        if entry.data is not None:
            origin, sealed = unwrap(entry.data, NATIVE)
            thoughts.append(Thinking(sealed=sealed, origin=origin))
        else:
            origin, signature = unwrap(entry.signature or "", NATIVE)
            thought = Thinking(text=entry.text or "", signature=signature or None, origin=origin)
            thoughts.append(thought)
    return thoughts


def thoughts_of(reasoning: str | None, details: Raw, ids: list[Opened]) -> list[Part]:
    """The thoughts of one message, from the best of its carriers."""
    found: list[Thinking] = read_details(details) if is_ours(details) else []
    found = found or [thought for opened in ids for thought in opened.thoughts]
    if not found and reasoning:
        # The signer of a call has thought the thoughts before it.
        origin = next((opened.origin for opened in ids if opened.origin), NATIVE)
        found = [Thinking(text=reasoning, origin=origin)]
    return list(found)
