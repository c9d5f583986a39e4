"""A load of callers who keep asking, whatever happens to the gateway."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

OPENAI = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"
GOOGLE = "/v1beta/models/task%2Fanalysis:generateContent"
GOOGLE_STREAM = "/v1beta/models/task%2Fanalysis:streamGenerateContent?alt=sse"


class Told(Struct):
    """What one caller was told: the status, whether the reply came whole, and its body."""

    path: str
    status: int
    whole: bool
    body: bytes
    request_id: str


def asks(numbers: Iterator[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests without end, in each dialect, streamed and not, over tasks of each provider."""
    for number in numbers:
        say = f"Call {number}. [[sim output_tokens={60 + number % 40} delay_ms={number % 7}]]"
        stream = number % 2 == 0
        dialect = number % 3
        if dialect == 0:
            message = {"role": "user", "content": say}
            yield (
                OPENAI,
                {"model": "task/classification", "messages": [message], "stream": stream},
            )
        elif dialect == 1:
            message = {"role": "user", "content": say}
            yield (
                ANTHROPIC,
                {
                    "model": "task/code_generation",
                    "max_tokens": 120,
                    "messages": [message],
                    "stream": stream,
                },
            )
        else:
            contents = [{"role": "user", "parts": [{"text": say}]}]
            yield (GOOGLE_STREAM if stream else GOOGLE), {"contents": contents}


class Load:
    """`callers` at a time. `told` is what they were told, those aside who were cut off."""

    def __init__(self, callers: int = 8) -> None:
        self.callers = callers
        self.told: list[Told] = []
        self.cut_off = 0
        self._asks = asks(itertools.count(1))

    async def run(self, port: int, until: asyncio.Event) -> None:
        """Ask until told to stop or until the gateway is gone."""
        await asyncio.gather(*(self._caller(port, until) for _ in range(self.callers)))

    async def _caller(self, port: int, until: asyncio.Event) -> None:
        while not until.is_set():
            path, body = next(self._asks)
            try:
                self.told.append(await ask(port, path, body))
            except (OSError, asyncio.IncompleteReadError):
                self.cut_off += 1
                return


async def ask(port: int, path: str, body: dict[str, Any]) -> Told:
    """One request on a connection of its own. Raises OSError or IncompleteReadError when the
    gateway goes away before the reply is whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = json.dumps(body).encode()
    try:
        writer.write(
            f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            f"content-length: {len(data)}\r\n\r\n".encode()
            + data
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        found = b""
        if "transfer-encoding: chunked" in head:
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                found += (await reader.readexactly(size + 2))[:-2]
        else:
            length = int(head.partition("content-length: ")[2].split("\r")[0])
            found = await reader.readexactly(length)
    finally:
        writer.close()
    status = int(head.split(" ")[1])
    request_id = head.partition("x-hybridllm-request-id: ")[2].split("\r")[0]
    return Told(path, status, True, found, request_id)
