"""A JSON array that arrives in pieces, split into its elements without reading them.

Without `?alt=sse` Google streams a reply as one array, `[{...}\\n,\\n{...}]`. Only brackets and
strings matter to find where an element ends, so that is all that is looked at, each byte once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.sse import MAX_EVENT_BYTES

_OUTSIDE = re.compile(rb'["\[\]{}]')
_INSIDE = re.compile(rb'["\\]')


class Frame(NamedTuple):
    """One message of a stream: the bytes as they came, and the JSON text within them (b"" where
    there is none: a comment, the end of an array)."""

    raw: bytes
    data: bytes


class ArraySplitter:
    """Bytes, split anywhere, to frames of one element each; their `raw` joined is what came.
    `closed`: the array's end was seen."""

    __slots__ = ("_at", "_depth", "_in_string", "_rest", "_start", "closed")

    def __init__(self) -> None:
        self._rest = b""
        self._at = 0
        self._depth = 0
        self._start = 0
        self._in_string = False
        self.closed = False

    def feed(self, data: bytes) -> list[Frame]:
        """The elements that are whole now. Raises ProviderError(MALFORMED_REPLY) for what is no
        array, or for an element over 16 MiB."""
        if self.closed:
            return [Frame(data, b"")]
        text = self._rest + data
        if not self._depth and text.lstrip()[:1] not in (b"", b"["):
            raise ProviderError(
                "The provider's stream is not a JSON array.", kind=ErrorKind.MALFORMED_REPLY
            )
        frames, done = self._scan(text)
        if self._at_end():
            frames.append(Frame(text[done:], b""))
            return frames
        self._rest = text[done:]
        self._at -= done
        self._start -= done
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ProviderError(
                f"The provider's stream holds an element of more than {MAX_EVENT_BYTES:,} bytes.",
                kind=ErrorKind.MALFORMED_REPLY,
            )
        return frames

    def _at_end(self) -> bool:
        return self.closed

    def _scan(self, text: bytes) -> tuple[list[Frame], int]:
        """The whole elements, and where the last of them ends."""
        frames: list[Frame] = []
        done = 0
        while not self.closed:
            found = (_INSIDE if self._in_string else _OUTSIDE).search(text, self._at)
            if found is None:
                self._at = len(text)
                break
            at = found.start()
            char = found[0]
            if char == b"\\":
                if at + 1 == len(text):
                    self._at = at
                    break
                self._at = at + 2
                continue
            self._at = at + 1
            if char == b'"':
                self._in_string = not self._in_string
            elif char in b"[{":
                self._depth += 1
                if self._depth == 2:
                    self._start = at
            else:
                self._depth -= 1
                if self._depth == 1:
                    frames.append(Frame(text[done : at + 1], text[self._start : at + 1]))
                    done = at + 1
                self.closed = self._depth == 0
        return frames, done
