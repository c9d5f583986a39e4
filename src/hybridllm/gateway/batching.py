"""What the endpoints of all batch APIs share: the lane, its errors, and a batch's time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from hybridllm.batching.lane import Lane
from hybridllm.batching.structs import Batch, NewBatch, NewLine, Result
from hybridllm.durations import MAX_DEADLINE_SECONDS, seconds_of
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.gateway.request import Request

if TYPE_CHECKING:
    from hybridllm.gateway.endpoint import Service

DEADLINE = "x-hybridllm-deadline"
DAY_SECONDS = 86_400.0
_PAGE = 100


class Kept(msgspec.Struct, omit_defaults=True):
    """What an endpoint needs to know again of a batch and the lane need not understand, kept in
    `NewBatch.metadata`. `metadata` and `name` are the caller's; `window` is as the caller said."""

    metadata: dict[str, str] | None = None
    name: str = ""
    window: str = ""


def kept_of(batch: Batch) -> Kept:
    """What was kept with `batch`."""
    return msgspec.json.decode(batch.new.metadata or "{}", type=Kept)


def keep(kept: Kept) -> str:
    """As `NewBatch.metadata` holds it."""
    return msgspec.json.encode(kept).decode()


def inline(result: Result) -> msgspec.Raw:
    """A result's body as part of a line of JSON: a provider's may hold line ends, and what failed
    may be no JSON at all."""
    body = result.body
    if result.state == "answered" and b"\n" not in body and b"\r" not in body:
        return msgspec.Raw(body)
    try:
        return msgspec.Raw(msgspec.json.format(body, indent=-1))
    except msgspec.DecodeError:
        return msgspec.Raw(msgspec.json.encode(body.decode("utf-8", "replace")))


def now_us() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


def seconds(moment: int) -> int:
    """Unix seconds of Unix microseconds."""
    return moment // 1_000_000


def iso(moment: int) -> str:
    """RFC 3339 of Unix microseconds."""
    stamp = datetime.fromtimestamp(moment / 1_000_000, UTC)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def deadline_of(request: Request, default: float = DAY_SECONDS) -> int:
    """When all must be answered, Unix microseconds: what the header says, else `default` seconds
    from now. Raises RequestError."""
    said = request.text(DEADLINE.encode())
    now = now_us()
    return now + int(default * 1e6) if said is None else parse_deadline(said, now)


def parse_deadline(said: str, now: int) -> int:
    """`6h`, `2d`, seconds, or an ISO 8601 time, as Unix microseconds. Raises RequestError."""
    try:
        at = now + int(seconds_of(said) * 1e6)
    except ValueError:
        try:
            moment = datetime.fromisoformat(said.strip())
        except ValueError:
            raise _no_deadline(f"'{said[:40]}' is neither a span of time nor a time.") from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        at = int(moment.timestamp() * 1e6)
    if not 0 < at - now <= MAX_DEADLINE_SECONDS * 1e6:
        raise _no_deadline("The deadline is past, or more than 30 days away.")
    return at


def _no_deadline(why: str) -> RequestError:
    return RequestError(
        why,
        field=DEADLINE,
        remedy="Write 90s, 30m, 6h, 2d, a number of seconds, or 2026-11-30T18:00:00Z.",
    )


async def accept(
    service: Service, new: NewBatch, lines: Iterable[NewLine] | AsyncIterable[NewLine]
) -> Batch:
    """Give a batch to the lane. When this returns it is durable, and so is the wish to be told of
    its end."""
    batch = await service.lane.accept(new, lines)
    if new.webhook:
        await service.webhooks.wish(batch, new.webhook)
    return batch


def own(batch: Batch | None, dialect: str, missing: RequestError) -> Batch:
    """The batch, if it came by this API. Raises `missing` otherwise."""
    if batch is None or batch.new.dialect != dialect or batch.new.kind != "batch":
        raise missing
    return batch


async def newest(lane: Lane, key: str, dialect: str, before: str | None) -> AsyncIterator[Batch]:
    """A key's batches of a dialect from the newest on, read page by page."""
    while True:
        page = await lane.batches(key, dialect, "batch", before, _PAGE)
        for batch in page:
            yield batch
        if len(page) < _PAGE:
            return
        before = page[-1].id


def bounded(request: Request, name: str, default: int, most: int) -> int:
    """A number in the query. Raises RequestError unless it is from 1 to `most`."""
    said = request.query(name)
    if said is None:
        return default
    if not said.isdecimal() or not 1 <= int(said[:9]) <= most:
        raise RequestError(
            f"'{name}' is not from 1 to {most:,}.", field=name, remedy="Leave it out, or mend it."
        )
    return int(said)


def not_found(what: str, id: str, field: str | None = None) -> RequestError:
    """An error for what is not there, or belongs to another key."""
    return RequestError(f"No {what} found with id '{id[:100]}'.", kind=ErrorKind.NOT_FOUND,
                        field=field)  # fmt: skip
