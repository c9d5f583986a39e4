"""Answers that are written as they are read from the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from hybridllm.engine.call import Answer, Headers

_PIECE_BYTES = 65_536


class Streamed:
    """The pieces of an answer that nobody pays for (see `engine.call.Pieces`): small ones are put
    together, so that a line is no write of its own."""

    cost = 0
    baseline = 0

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        self._pieces = pieces

    async def chunk(self) -> bytes:
        """The next piece; b"" at the end."""
        found: list[bytes] = []
        size = 0
        async for piece in self._pieces:
            found.append(piece)
            size += len(piece)
            if size >= _PIECE_BYTES:
                break
        return b"".join(found)

    def close(self) -> None:
        """Done with it."""
        task = asyncio.ensure_future(self._pieces.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()


def streamed(pieces: AsyncIterator[bytes], content_type: str) -> Answer:
    """An answer of these pieces."""
    headers: Headers = [(b"content-type", content_type.encode())]
    return Answer(status=200, headers=headers, stream=Streamed(_generator(pieces)))


async def _generator(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for piece in pieces:
        yield piece
