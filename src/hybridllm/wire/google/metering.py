"""What metering reads of a reply or of a chunk that passes through: as little as it can."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.catalog.structs import Usage
from hybridllm.wire.conversation import Finish
from hybridllm.wire.google.replies import (
    WireError,
    WireFeedback,
    WireUsage,
    neutral_finish,
    neutral_usage,
)


class _Part(Struct):
    text: str | None = None
    thoughtSignature: Raw | UnsetType = UNSET
    functionCall: Raw | UnsetType = UNSET

    def is_content(self) -> bool:
        """Anything but an empty text or a signature alone; a part without text is some other
        kind: a call, an image, code."""
        return bool(self.text) or (self.text is None and self.thoughtSignature is UNSET)


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct):
    content: _Content | None = None
    finishReason: str | None = None
    index: int | None = None


class Metered(Struct):
    """A reply or a chunk."""

    candidates: list[_Candidate] | None = None
    usageMetadata: WireUsage | None = None
    promptFeedback: WireFeedback | None = None
    error: WireError | None = None

    def usage(self) -> Usage | None:
        return neutral_usage(self.usageMetadata) if self.usageMetadata is not None else None

    def content_parts(self) -> int:
        """How many parts hold content."""
        return sum(
            1
            for candidate in self.candidates or ()
            if candidate.content is not None
            for part in candidate.content.parts or ()
            if part.is_content() or part.functionCall is not UNSET
        )

    def calls(self) -> bool:
        """Whether the first candidate calls a function."""
        return any(
            part.functionCall is not UNSET
            for candidate in (self.candidates or ())[:1]
            if candidate.content is not None
            for part in candidate.content.parts or ()
        )

    def blocked(self) -> bool:
        return self.promptFeedback is not None and self.promptFeedback.blockReason is not None


read = msgspec.json.Decoder(Metered).decode


def meter(body: bytes) -> tuple[Usage | None, Finish | None]:
    """Usage and finish of a whole reply; (None, None) if it cannot be read: the caller gets it all
    the same."""
    try:
        reply = read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    reason = reply.candidates[0].finishReason if reply.candidates else None
    if reason is not None:
        return reply.usage(), neutral_finish(reason, reply.calls())
    return reply.usage(), Finish.CONTENT_FILTER if reply.blocked() else None
