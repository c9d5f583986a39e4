"""Who asked is told of the end: at least once, signed, with the same id at every attempt."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from hybridllm.batching.database import Database
from hybridllm.batching.structs import Batch, NewBatch
from hybridllm.batching.webhooks import Webhooks
from hybridllm.config import BatchConfig
from tests.providers.servers import Peer, Server, serving

SECRET = "whsec_" + b64encode(bytes(32)).decode()
AT_ONCE = (0.0, 0.0, 0.0)
BATCH = Batch(
    id="batch_1",
    new=NewBatch(dialect="openai", key="mine", deadline_at=1, kind="deferred"),
    state="open",
    created_at=1,
    total=1,
)


on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what no database can do otherwise than another."""


class OneBatch:
    """What webhooks ask of the lane: the batch as it stands."""

    def __init__(self) -> None:
        self.now = BATCH

    def end(self, **changes: Any) -> None:
        self.now = msgspec.structs.replace(BATCH, state="ended", ended_at=2, **changes)

    async def batch(self, id: str, key: str) -> Batch | None:
        return self.now if (id, key) == (self.now.id, self.now.new.key) else None


class Receiver:
    """Answers with the statuses that it is given, then with 204, and keeps what it was told."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.told: list[tuple[dict[str, str], bytes]] = []

    async def __call__(self, peer: Peer) -> None:
        while request := await peer.request():
            head, _, body = request.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")[1:]
            self.told.append(
                ({n.lower(): v for n, _, v in (x.partition(": ") for x in lines)}, body)
            )
            status = self.statuses.pop(0) if self.statuses else 204
            await peer.send(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status)

    def verified(self) -> list[Any]:
        return [Webhook(SECRET).verify(body, headers) for headers, body in self.told]


@pytest_asyncio.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    opened = Database(store_url)
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYBRIDLLM_WEBHOOK_SECRET", SECRET)


@pytest.fixture
def lane() -> OneBatch:
    return OneBatch()


@asynccontextmanager
async def telling(
    database: Database, lane: OneBatch, receiver: Callable[[Peer], Any]
) -> AsyncIterator[tuple[Webhooks, Server]]:
    async with serving(receiver) as server:
        config = BatchConfig(webhook_hosts=(f"127.0.0.1:{server.port}",))
        webhooks = Webhooks(database, lambda: lane, lambda: config, AT_ONCE)
        await webhooks.wish(BATCH, f"http://127.0.0.1:{server.port}/hook?who=me")
        yield webhooks, server


async def looks(webhooks: Webhooks) -> None:
    for _ in range(8):
        await webhooks.look()


@on_sqlite
async def test_the_end_is_told_once_and_can_be_verified(database: Database, lane: OneBatch) -> None:
    receiver = Receiver()
    async with telling(database, lane, receiver) as (webhooks, _):
        lane.end(answered=1)
        await looks(webhooks)
    [message] = receiver.verified()
    assert message["type"] == "deferred.completed"
    assert message["data"]["id"] == "batch_1"
    assert message["data"]["request_counts"]["completed"] == 1


@on_sqlite
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"answered": 1}, "completed"),
        ({"failed": 1}, "failed"),
        ({"cancelled": 1, "cancelled_at": 2}, "cancelled"),
    ],
)
async def test_how_it_ended_is_told(
    database: Database, lane: OneBatch, changes: dict[str, int], status: str
) -> None:
    receiver = Receiver()
    async with telling(database, lane, receiver) as (webhooks, _):
        lane.end(**changes)
        await looks(webhooks)
    [message] = receiver.verified()
    assert (message["type"], message["data"]["status"]) == (f"deferred.{status}", status)


@on_sqlite
async def test_nothing_is_told_before_the_end(database: Database, lane: OneBatch) -> None:
    receiver = Receiver()
    async with telling(database, lane, receiver) as (webhooks, _):
        await looks(webhooks)
    assert receiver.told == []


async def test_a_receiver_that_fails_is_told_again_with_the_same_id_and_body(
    database: Database, lane: OneBatch
) -> None:
    receiver = Receiver(500, 302, 429)
    async with telling(database, lane, receiver) as (webhooks, _):
        lane.end(answered=1)
        await looks(webhooks)
    assert len(receiver.verified()) == 4
    assert len({headers["webhook-id"] for headers, _ in receiver.told}) == 1
    assert len({body for _, body in receiver.told}) == 1


@on_sqlite
@pytest.mark.parametrize(("statuses", "attempts"), [((410,), 1), ((500,) * 9, 4)])
async def test_a_receiver_that_is_gone_or_never_works_is_given_up(
    database: Database, lane: OneBatch, statuses: tuple[int, ...], attempts: int
) -> None:
    receiver = Receiver(*statuses)
    async with telling(database, lane, receiver) as (webhooks, _):
        lane.end(answered=1)
        await looks(webhooks)
    assert len(receiver.told) == attempts


@on_sqlite
async def test_a_receiver_that_hangs_up_is_tried_again(database: Database, lane: OneBatch) -> None:
    told: list[bytes] = []

    async def hang_up(peer: Peer) -> None:
        told.append(await peer.request())
        if len(told) > 2:
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with telling(database, lane, hang_up) as (webhooks, _):
        lane.end(answered=1)
        await looks(webhooks)
    assert len(told) == 3


async def test_several_processes_tell_it_once(database: Database, lane: OneBatch) -> None:
    receiver = Receiver()
    async with telling(database, lane, receiver) as (webhooks, server):
        config = BatchConfig(webhook_hosts=(f"127.0.0.1:{server.port}",))
        others = [Webhooks(database, lambda: lane, lambda: config, AT_ONCE) for _ in range(3)]
        lane.end(answered=1)
        await asyncio.gather(*(looks(each) for each in (webhooks, *others)))
    assert len(receiver.told) == 1


async def test_a_wish_outlives_the_process_that_took_it(
    database: Database, lane: OneBatch, store_url: str
) -> None:
    receiver = Receiver()
    async with telling(database, lane, receiver) as (_, server):
        await database.close()
        lane.end(answered=1)
        again = Database(store_url)
        config = BatchConfig(webhook_hosts=(f"127.0.0.1:{server.port}",))
        await looks(Webhooks(again, lambda: lane, lambda: config, AT_ONCE))
        await again.close()
    assert len(receiver.verified()) == 1


@on_sqlite
async def test_a_host_that_is_no_longer_allowed_is_not_called(
    database: Database, lane: OneBatch
) -> None:
    receiver = Receiver()
    async with telling(database, lane, receiver) as (_, _server):
        lane.end(answered=1)
        forbidding = BatchConfig(webhook_hosts=("example.com",))
        await looks(Webhooks(database, lambda: lane, lambda: forbidding, AT_ONCE))
    assert receiver.told == []


@on_sqlite
async def test_a_batch_that_was_deleted_is_not_told_of(database: Database, lane: OneBatch) -> None:
    receiver = Receiver()
    async with telling(database, lane, receiver) as (webhooks, _):
        lane.now = msgspec.structs.replace(BATCH, id="another")
        await looks(webhooks)
    assert receiver.told == []


@on_sqlite
async def test_the_message_holds_neither_key_nor_text(database: Database, lane: OneBatch) -> None:
    receiver = Receiver()
    async with telling(database, lane, receiver) as (webhooks, _):
        lane.end(answered=1)
        await looks(webhooks)
    [(_, body)] = receiver.told
    assert set(json.loads(body)) == {"type", "timestamp", "data"}
    assert set(json.loads(body)["data"]) == {"id", "object", "status", "request_counts"}
