"""/v1/messages/batches (https://docs.anthropic.com/en/api/creating-message-batches)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.simulators.anthropic import errors
from hybridllm.simulators.anthropic.messages import Messages
from hybridllm.simulators.ask import Refused
from hybridllm.simulators.batches import Batch, Desk, Line
from hybridllm.simulators.provider import Administration, Document, Incoming, Provider, Request
from hybridllm.simulators.timeline import Ending
from hybridllm.simulators.world import World

WINDOW = 86_400
MAX_REQUESTS = 100_000
MAX_BYTES = 256 * 1024 * 1024
_PATH = "/v1/messages/batches"
_ONE = re.compile(_PATH + "/(?P<id>[^/]+)")
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_INVALID = re.compile(r"(?s)(.*) - at `\$\.?(.*)`")
_LEFT: dict[Ending, bytes] = {"cancelled": b"canceled", "expired": b"expired"}
_encode = msgspec.json.Encoder().encode


class _Entry(Struct, forbid_unknown_fields=True):
    custom_id: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET


class _Body(Struct, forbid_unknown_fields=True):
    requests: list[_Entry] | UnsetType = UNSET


class _Params(Struct):
    model: Any = None


_decode = msgspec.json.Decoder(_Body).decode


class MessageBatch(Batch):
    """Its requests are slices of the body that brought them, its results one document."""

    def __init__(self, *, id: str, key: str, model: str, requests: Sequence[_Entry]) -> None:
        super().__init__(id=id, key=key, model=model, total=len(requests))
        self.weight = self.total
        self.results = bytearray()
        self._requests = requests
        self._endpoint = Messages()

    def line(self, place: int) -> Line:
        entry = self._requests[place]
        data = msgspec.json.decode(entry.params)  # type: ignore[arg-type]
        return Line(str(entry.custom_id), self._endpoint, Incoming(data, "", {}, {}))

    def answer(self, line: Line, request_id: str, body: bytes) -> None:
        body = body.replace(b'"service_tier":"standard"', b'"service_tier":"batch"', 1)
        self._write(line.custom_id, b'{"type":"succeeded","message":%b}' % body)

    def refuse(self, line: Line, request_id: str, refused: Refused) -> None:
        error = errors.body_of(refused, request_id)
        self._write(line.custom_id, b'{"type":"errored","error":%b}' % error)

    def leave(self, place: int, ending: Ending) -> None:
        self._write(str(self._requests[place].custom_id), b'{"type":"%b"}' % _LEFT[ending])

    def _write(self, custom_id: str, result: bytes) -> None:
        self.results += b'{"custom_id":%b,"result":%b}\n' % (_encode(custom_id), result)

    def close(self) -> None:
        super().close()
        self._requests = ()

    def status(self, now: float) -> str:
        """At a time up to which everything is done."""
        if now >= self.timeline.end:
            return "ended"
        return "in_progress" if self.timeline.cancelled is None else "canceling"

    def shown(self, now: float, host: str) -> dict[str, Any]:
        line, status = self.timeline, self.status(now)
        ended = status == "ended"
        left = self.undone if ended else 0
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {
                "processing": 0 if ended else self.total,
                "succeeded": self.answered if ended else 0,
                "errored": self.errored if ended else 0,
                "canceled": left if line.ending == "cancelled" else 0,
                "expired": left if line.ending == "expired" else 0,
            },
            "created_at": _time(self.unix(line.created)),
            "expires_at": _time(self.unix(line.created + line.window)),
            "ended_at": _time(self.unix(line.end)) if ended else None,
            "cancel_initiated_at": (
                None if line.cancelled is None else _time(self.unix(line.cancelled))
            ),
            "archived_at": None,
            "results_url": f"http://{host}{_PATH}/{self.id}/results" if ended else None,
        }


def _time(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _OfBatches(Administration):
    def __init__(self, desk: Desk[MessageBatch]) -> None:
        self.desk = desk

    def model_of(self, named: str) -> str:
        return self.desk.model_of(named)

    def get(self, request: Request) -> MessageBatch:
        batch = self.desk.find(request.key, request.named)
        if batch is None:
            raise Refused(404, "not_found_error", f"Message batch {request.named[:64]} not found.")
        return batch


class CreateBatch(_OfBatches):
    name = "messages.batches.create"
    pattern = re.compile(_PATH)
    max_bytes: ClassVar[int] = MAX_BYTES

    def __init__(self, desk: Desk[MessageBatch], provider: Provider, world: World) -> None:
        super().__init__(desk)
        self._provider = provider
        self._world = world

    async def serve(self, request: Request) -> Any:
        entries = self._entries(request.body)
        model = _check(entries)
        faults = self.desk.faults(model)
        if (fault := faults.get("batch_refused")) is not None:
            raise errors.invalid(fault.message or "Simulated validation error.")
        limit = self._world.profile.batch_enqueued_requests
        if limit and self.desk.enqueued(request.key, model) + len(entries) > limit:
            raise Refused(
                429,
                "rate_limit_error",
                f"This request would exceed your organization's limit of {limit:,} batch requests "
                "in the processing queue.",
                retry_after=60,
            )
        batch = MessageBatch(
            id=f"msgbatch_01{self.desk.number():022d}",
            key=request.key,
            model=model,
            requests=entries,
        )
        self.desk.open(batch, faults)
        # However fast it is: nothing has been done in the moment in which it is made.
        shown = batch.shown(float("-inf"), _host(request))
        return {**shown, "processing_status": "in_progress"}

    def _entries(self, body: bytes) -> list[_Entry]:
        try:
            entries = _decode(body).requests
        except msgspec.ValidationError as e:
            raise errors.invalid(_told(str(e))) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._provider.bad_json() from None
        if entries is UNSET:
            raise errors.invalid("requests: Field required")
        return entries


def _check(entries: list[_Entry]) -> str:
    """The model of the first request. Raises Refused for what is wrong with the batch itself: what
    is wrong with a request is found when it is worked on."""
    if not entries:
        raise errors.invalid("requests: List should have at least 1 item after validation, not 0")
    if len(entries) > MAX_REQUESTS:
        raise errors.invalid(
            f"requests: List should have at most {MAX_REQUESTS} items after validation, not "
            f"{len(entries)}"
        )
    seen: set[str] = set()
    for at, entry in enumerate(entries):
        for name in ("custom_id", "params"):
            if getattr(entry, name) is UNSET:
                raise errors.invalid(f"requests.{at}.{name}: Field required")
        custom_id = str(entry.custom_id)
        if not _CUSTOM_ID.fullmatch(custom_id):
            raise errors.invalid(
                f"requests.{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
            )
        if custom_id in seen:
            raise errors.invalid(
                f"requests.{at}.custom_id: Duplicate custom_id '{custom_id}'; each must be unique "
                "in the batch"
            )
        seen.add(custom_id)
        if bytes(memoryview(entry.params)[:1]) != b"{":  # type: ignore[arg-type]
            raise errors.invalid(f"requests.{at}.params: Input should be a valid dictionary")
    try:
        model = msgspec.json.decode(entries[0].params, type=_Params).model  # type: ignore[arg-type]
    except msgspec.ValidationError:
        return ""
    return str(model)[:100]


def _told(message: str) -> str:
    """msgspec's message as Anthropic has it: the path first, with dots."""
    found = _INVALID.fullmatch(message)
    if found is None:
        return message
    path = re.sub(r"\[(\d+)\]", r".\1", found[2])
    return f"{path}: {found[1]}" if path else found[1]


class GetBatch(_OfBatches):
    name = "messages.batches.retrieve"
    method = "GET"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        batch = self.get(request)
        return batch.shown(await self.desk.settle(batch), _host(request))


class ListBatches(_OfBatches):
    name = "messages.batches.list"
    method = "GET"
    pattern = re.compile(_PATH)

    async def serve(self, request: Request) -> Any:
        batches = self.desk.all(request.key)
        chosen, more = _page(batches, request.query)
        data = []
        for batch in chosen:
            data.append(batch.shown(await self.desk.settle(batch), _host(request)))
        return {
            "data": data,
            "has_more": more,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }


def _page(batches: list[MessageBatch], query: Mapping[str, str]) -> tuple[list[MessageBatch], bool]:
    """Those after `after_id` or just before `before_id`, and whether there are more beyond."""
    given = query.get("limit", "20")
    if not given.isdecimal() or not 1 <= int(given) <= 1000:
        raise errors.invalid("limit: Input should be from 1 to 1000")
    limit = int(given)
    places = {batch.id: at for at, batch in enumerate(batches)}
    for name in ("after_id", "before_id"):
        if name in query and query[name] not in places:
            raise errors.invalid(f"{name}: there is no message batch '{query[name][:64]}'")
    if "before_id" in query:
        end = places[query["before_id"]]
        start = max(end - limit, 0)
        return batches[start:end], start > 0
    start = places[query["after_id"]] + 1 if "after_id" in query else 0
    return batches[start : start + limit], start + limit < len(batches)


class CancelBatch(_OfBatches):
    name = "messages.batches.cancel"
    pattern = re.compile(_PATH + "/(?P<id>[^/]+)/cancel")

    async def serve(self, request: Request) -> Any:
        batch = self.get(request)
        now = await self.desk.settle(batch)
        if batch.status(now) == "ended":
            raise errors.invalid(f"Batch {batch.id} cannot be canceled because it has ended.")
        if batch.timeline.cancelled is None:
            batch.timeline.cancelled = now
        return {**batch.shown(float("-inf"), _host(request)), "processing_status": "canceling"}


class Results(_OfBatches):
    name = "messages.batches.results"
    method = "GET"
    pattern = re.compile(_PATH + "/(?P<id>[^/]+)/results")

    async def serve(self, request: Request) -> Document:
        batch = self.get(request)
        if batch.status(await self.desk.settle(batch)) != "ended":
            raise errors.invalid(f"Batch {batch.id} has no available results.")
        return Document([batch.results], b"application/x-jsonl")


class DeleteBatch(_OfBatches):
    name = "messages.batches.delete"
    method = "DELETE"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        batch = self.get(request)
        if batch.status(await self.desk.settle(batch)) != "ended":
            raise errors.invalid(f"Batch {batch.id} cannot be deleted while it is processing.")
        self.desk.delete(batch)
        return {"id": batch.id, "type": "message_batch_deleted"}


def _host(request: Request) -> str:
    return request.headers.get("host", "")


def batch_endpoints(provider: Provider, world: World) -> tuple[Administration, ...]:
    desk: Desk[MessageBatch] = Desk(provider, world, WINDOW)
    return (
        CreateBatch(desk, provider, world),
        GetBatch(desk),
        ListBatches(desk),
        CancelBatch(desk),
        Results(desk),
        DeleteBatch(desk),
    )
