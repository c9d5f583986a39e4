"""Telling those who asked when a batch has ended: signed, retried, and durable over restarts.

A wish is stored before its batch is acknowledged. Every process that shares the store looks for
what has ended and delivers it; a row is one process's at a time, and falls free when that dies. So
a message is delivered at least once, always with the same `webhook-id`, by which a receiver knows
it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from hybridllm.batching.database import Database
from hybridllm.batching.signing import check_url, secret_of, signed
from hybridllm.batching.structs import Batch
from hybridllm.config import BatchConfig, Deadlines
from hybridllm.errors import HybridError
from hybridllm.providers.client import Client
from hybridllm.providers.head import field_lines, request_line
from hybridllm.providers.origin import Origin
from hybridllm.store import batch_webhooks as sql
from hybridllm.store.batch_webhooks import WebhookRow

DELAYS = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0)
"""Seconds after each attempt that failed; after the last it is given up: two days in all."""
_LOOK_SECONDS = 1.0
_HOLD_US = 60_000_000  # longer than an attempt takes
_KEPT_US = 7 * 86_400 * 1_000_000
_AT_ONCE = 50
_DEADLINES = Deadlines(connect=5.0, first_byte=15.0, between_bytes=15.0, total=20.0)
_log = logging.getLogger("hybridllm.batching")


class Lane(Protocol):
    """What is asked of the lane."""

    async def batch(self, id: str, key: str) -> Batch | None: ...


class Webhooks:
    """The wishes in one store. `lane` gives the lane, `config` the section in force, which a reload
    may change."""

    def __init__(
        self,
        database: Database,
        lane: Callable[[], Lane],
        config: Callable[[], BatchConfig],
        delays: tuple[float, ...] = DELAYS,
    ) -> None:
        self._database = database
        self._lane = lane
        self._config = config
        self._delays = delays
        self._task: asyncio.Task[None] | None = None

    async def wish(self, batch: Batch, url: str) -> None:
        """Have `url` told when `batch` ends. Durable when this returns."""
        now = _now()
        row = WebhookRow(f"msg_{token_hex(12)}", batch.id, batch.new.key, url, "waiting", "",
                         now, 0, now)  # fmt: skip
        await self._database.write(partial(sql.add_webhook, row=row, oldest=now - _KEPT_US))

    def start(self) -> None:
        """Look and deliver from now on, in this event loop."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """End; an attempt under way is cut, and made again by whoever comes next."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            more = False
            if self._config().webhook_hosts:
                try:
                    more = await self.look()
                except Exception as e:
                    _log.warning("Webhooks cannot be delivered now: %s", type(e).__name__)
            await asyncio.sleep(0 if more else _LOOK_SECONDS)

    async def look(self) -> bool:
        """One look: what has ended becomes due, what is due is delivered. Whether there may be
        more to do at once."""
        if not await self._database.read(partial(sql.any_waiting, now=_now())):
            return False
        waiting = await self._take("waiting")
        for row in waiting:
            await self._put(await self._watched(row))
        due = await self._take("due")
        await asyncio.gather(*(self._deliver(row) for row in due))
        return len(waiting) == _AT_ONCE or len(due) == _AT_ONCE

    async def _take(self, state: str) -> list[WebhookRow]:
        now = _now()
        return await self._database.write(
            partial(sql.take_webhooks, state=state, now=now, until=now + _HOLD_US, limit=_AT_ONCE)
        )

    async def _watched(self, row: WebhookRow) -> WebhookRow:
        """The row once its batch was looked at. The longer a batch takes, the rarer the look."""
        batch = await self._lane().batch(row.batch, row.key)
        now = _now()
        if batch is None:
            return row._replace(state="given_up", next_at=now)
        if batch.state != "ended":
            pause = min(max((now - row.created_at) // 20, 1_000_000), 30_000_000)
            return row._replace(next_at=now + pause)
        return row._replace(state="due", body=_told(batch), next_at=now)

    async def _deliver(self, row: WebhookRow) -> None:
        trouble = await self._attempt(row)
        now, attempts = _now(), row.attempts + 1
        host = urlsplit(row.url).hostname
        if not trouble:
            row = row._replace(state="told", attempts=attempts, next_at=now)
        elif trouble == "gone" or attempts > len(self._delays):
            _log.warning("The webhook at %s was given up (%s): %s", host, row.id, trouble)
            row = row._replace(state="given_up", attempts=attempts, next_at=now)
        else:
            pause = self._delays[attempts - 1] * random.uniform(0.8, 1.2)
            row = row._replace(attempts=attempts, next_at=now + int(pause * 1e6))
        await self._put(row)

    async def _put(self, row: WebhookRow) -> None:
        await self._database.write(partial(sql.put_webhook, row=row))

    async def _attempt(self, row: WebhookRow) -> str:
        """Send it once; what went wrong, or ""."""
        config = self._config()
        secret = secret_of(os.environ.get(config.webhook_secret_env))
        if secret is None:
            return f"{config.webhook_secret_env} is not set"
        try:
            check_url(row.url, config.webhook_hosts)  # a reload may have forbidden it
            status = await _post(row.url, secret, row.id, row.body.encode())
        except HybridError as e:
            return e.message
        if 200 <= status < 300:
            return ""
        return "gone" if status == 410 else f"status {status}"


async def _post(url: str, secret: bytes, id: str, body: bytes) -> int:
    """The status that came back. No redirect is followed, and no reply is read."""
    parts = urlsplit(url)
    origin = Origin(f"{parts.scheme}://{parts.netloc}", env=os.environ)
    client = Client()
    pool = client.pool(origin, 1)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = request_line("POST", path) + field_lines([(b"host", origin.authority.encode())])
    headers = [
        (b"content-type", b"application/json"),
        (b"user-agent", b"hybridllm"),
        *signed(secret, id, int(time.time()), body),
    ]
    try:
        response = await client.request(pool, head, headers, body, _DEADLINES)
        response.close()
        return response.status
    finally:
        pool.retire()


def _told(batch: Batch) -> str:
    """The message: which batch, and how it ended. Prompts and answers stay where they are."""
    kind = "deferred" if batch.new.kind == "deferred" else "batch"
    status = "completed"
    if batch.cancelled_at:
        status = "cancelled"
    elif kind == "deferred" and batch.failed:
        status = "failed"
    message = {
        "type": f"{kind}.{status}",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": {
            "id": batch.id,
            "object": kind,
            "status": status,
            "request_counts": {
                "total": batch.total,
                "completed": batch.answered,
                "failed": batch.failed,
                "cancelled": batch.cancelled,
                "late": batch.late,
            },
        },
    }
    return msgspec.json.encode(message).decode()


def _now() -> int:
    return time.time_ns() // 1000
