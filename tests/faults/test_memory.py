"""Nothing is left behind: memory and open files end where they began, after requests, and after
streams whose callers went away. `make memory` runs a million and ten thousand of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hybridllm.config import Deadlines
from hybridllm.providers.client import Client
from hybridllm.providers.head import field_lines, request_line
from hybridllm.providers.origin import Origin
from hybridllm.simulators import SimulatorProcess
from tests.gateway.upstream import PATHS, streaming
from tests.running import RunningGateway

CANCELLED = int(os.environ.get("HYBRIDLLM_CANCELLED", "400"))
REQUESTS = int(os.environ.get("HYBRIDLLM_REQUESTS", "4000"))
WARM_UP = 1_500
AT_ONCE = 16
SESSIONS = "[routing]\nmax_sessions = 500\n"
"""So few that the table of conversations is full before the measuring begins."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    with (
        SimulatorProcess(keep_calls=False) as simulators,
        RunningGateway(tmp_path, simulators.env(), config=SESSIONS) as running,
    ):
        yield running


class Held:
    """What the gateway's process holds: resident memory in MB, and open files."""

    def __init__(self, gateway: RunningGateway) -> None:
        pid = gateway.process.pid
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        self.mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        self.files = len(os.listdir(f"/proc/{pid}/fd"))


def check(before: Held, after: Held) -> None:
    assert after.mb - before.mb < max(8.0, 0.1 * before.mb), f"{before.mb:.1f} → {after.mb:.1f} MB"
    assert after.files - before.files <= 2 * AT_ONCE, f"{before.files} → {after.files} files"


async def together(count: int, one: Any) -> None:
    """`count` calls, AT_ONCE at a time."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


@asynccontextmanager
async def asking(gateway: RunningGateway) -> AsyncIterator[Any]:
    """A function that sends request `number`, whole or streamed, and reads the reply."""
    origin = Origin(gateway.url, env={})
    client = Client()
    pool = client.pool(origin, AT_ONCE)
    head = request_line("POST", PATHS["openai"]) + field_lines(
        [(b"host", origin.authority.encode()), (b"content-type", b"application/json")]
    )

    async def one(number: int) -> None:
        stream = b',"stream":true' if number % 4 == 0 else b""
        body = (
            b'{"model":"task/classification","messages":[{"role":"user","content":"Call %d"}]%b}'
            % (number, stream)
        )
        response = await client.request(pool, head, (), body, Deadlines())
        reply = await response.read()
        assert response.status == 200, reply

    yield one
    pool.retire()


async def test_requests_leave_nothing_behind(gateway: RunningGateway) -> None:
    async with asking(gateway) as one:
        await together(WARM_UP, one)
        before = Held(gateway)
        await together(REQUESTS, one)
    check(before, Held(gateway))


async def test_cancelled_streams_leave_nothing_behind(gateway: RunningGateway) -> None:
    async def cancel(number: int) -> None:
        body = {
            "model": "task/classification",
            "messages": [
                {"role": "user", "content": f"{number} [[sim output_tokens=4000 event_ms=20]]"}
            ],
            "stream": True,
        }
        async with streaming(gateway, PATHS["openai"], body) as stream:
            await stream.chunk()
            stream.hang_up()

    async with asking(gateway) as one:
        await together(WARM_UP, one)
    await together(100, cancel)
    before = Held(gateway)
    await together(CANCELLED, cancel)
    for _ in range(100):
        if Held(gateway).files <= before.files:
            break
        await asyncio.sleep(0.1)
    check(before, Held(gateway))
