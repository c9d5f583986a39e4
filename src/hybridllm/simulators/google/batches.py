"""models/{model}:batchGenerateContent and /batches, under /v1 and /v1beta
(https://ai.google.dev/api/batch-api). Requests come in the body; files are not simulated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from hybridllm.simulators.ask import Refused
from hybridllm.simulators.batches import Batch, Desk, Line, weigh
from hybridllm.simulators.google import errors
from hybridllm.simulators.google.generate import GenerateContent
from hybridllm.simulators.google.names import camel, list_of, message_of
from hybridllm.simulators.models import find_model
from hybridllm.simulators.provider import Administration, Document, Incoming, Provider, Request
from hybridllm.simulators.timeline import Ending
from hybridllm.simulators.world import World

WINDOW = 172_800
MAX_BYTES = 20_971_520
_V = "/v1(?:beta)?"
_ONE = re.compile(_V + "/batches/(?P<id>[^/:]+)")
_TYPE = "type.googleapis.com/google.ai.generativelanguage."
_BODY = frozenset({"batch"})
_BATCH = frozenset({"displayName", "inputConfig", "model", "priority", "webhookConfig", "name"})
_INPUT = frozenset({"requests", "fileName"})
_REQUESTS = frozenset({"requests"})
_INLINED = frozenset({"request", "metadata"})
_encode = msgspec.json.Encoder().encode

_CODES = {
    400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 499: 1, 500: 13, 503: 14, 504: 4,
}  # fmt: skip
"""gRPC's codes (https://grpc.io/docs/guides/status-codes/)."""
_CANCELLED, _EXPIRED = 1, 4


class Inlined(Struct, frozen=True):
    """One request; `metadata` comes back with its answer."""

    request: Any
    metadata: Any


class GoogleBatch(Batch):
    """Its requests came in one body, its responses go out in one."""

    def __init__(
        self,
        *,
        id: str,
        key: str,
        model: str,
        display_name: str,
        requests: Sequence[Inlined],
    ) -> None:
        super().__init__(id=id, key=key, model=model, total=len(requests))
        self.display_name = display_name
        self.output = bytearray()
        self._requests = requests
        self._endpoint = GenerateContent()
        self._metadata = b""

    def line(self, place: int) -> Line:
        inlined = self._requests[place]
        metadata = inlined.metadata
        self._metadata = _encode(metadata) if metadata is not None else b""
        custom_id = str(metadata.get("key", "")) if isinstance(metadata, dict) else ""
        incoming = Incoming(inlined.request, self.model, {}, {})
        return Line(custom_id, self._endpoint, incoming)

    def answer(self, line: Line, request_id: str, body: bytes) -> None:
        self._write(b'"response":' + body)

    def refuse(self, line: Line, request_id: str, refused: Refused) -> None:
        self._fail(_CODES.get(refused.status, 2), refused.message)

    def leave(self, place: int, ending: Ending) -> None:
        """Only where a part expires: the whole has no responses."""
        if ending == "expired" and self.worked:
            self.line(place)
            self._fail(_EXPIRED, "The request was not processed before the batch expired.")

    def _fail(self, code: int, message: str) -> None:
        self._write(b'"error":' + _encode({"code": code, "message": message}))

    def _write(self, content: bytes) -> None:
        if self.output:
            self.output += b","
        self.output += b"{" + content
        if self._metadata:
            self.output += b',"metadata":' + self._metadata
        self.output += b"}"

    def close(self) -> None:
        super().close()
        self._requests = ()

    def state(self, now: float) -> str:
        """At a time up to which everything is done."""
        line = self.timeline
        if now >= line.end:
            if line.ending == "expired":
                return "EXPIRED" if not self.worked else "SUCCEEDED"
            return "CANCELLED" if line.ending == "cancelled" else "SUCCEEDED"
        return "PENDING" if now < line.begins else "RUNNING"

    def operation(self, now: float) -> dict[str, Any]:
        """The batch as an operation, without its output."""
        line, state = self.timeline, self.state(now)
        ended = now >= line.end
        updated = line.end if ended else max(line.created, now)
        metadata: dict[str, Any] = {
            "@type": _TYPE + "v1main.GenerateContentBatch",
            "model": f"models/{self.model}",
            "displayName": self.display_name,
            "createTime": _time(self.unix(line.created)),
            "updateTime": _time(self.unix(updated)),
            "batchStats": self._stats(ended),
            "state": f"BATCH_STATE_{state}",
            "name": f"batches/{self.id}",
        }
        found: dict[str, Any] = {"name": f"batches/{self.id}", "metadata": metadata}
        if ended:
            metadata["endTime"] = _time(self.unix(line.end))
            found["done"] = True
        if state == "CANCELLED":
            found["error"] = {"code": _CANCELLED, "message": "The batch was cancelled."}
        if state == "EXPIRED":
            found["error"] = {"code": _EXPIRED, "message": "The batch expired."}
        return found

    def _stats(self, ended: bool) -> dict[str, str]:
        """Protobuf's JSON: 64-bit numbers are strings, and zeros are left out."""
        expired = self.undone if ended and self.timeline.ending == "expired" else 0
        counts = {
            "requestCount": self.total,
            "successfulRequestCount": self.answered,
            "failedRequestCount": self.errored + expired,
            "pendingRequestCount": 0 if ended else self.total - self.worked,
        }
        return {name: str(number) for name, number in counts.items() if number}

    def document(self, now: float) -> Document:
        """The batch as an operation, its output in both places where clients look."""
        operation = self.operation(now)
        if now < self.timeline.end or self.state(now) == "EXPIRED":
            return Document([_encode(operation)], b"application/json; charset=UTF-8")
        metadata = _encode(operation.pop("metadata"))
        rest = _encode(operation)
        opening, closing = b'{"inlinedResponses":{"inlinedResponses":[', b"]}}"
        pieces: list[bytes | bytearray] = [
            rest[:-1] + b',"metadata":' + metadata[:-1] + b',"output":' + opening,
            self.output,
            closing + b"}",
        ]
        if self.state(now) == "SUCCEEDED":
            kind = _encode(_TYPE + "v1main.GenerateContentBatchOutput")
            pieces += [
                b',"response":{"@type":' + kind + b"," + opening[1:],
                self.output,
                closing,
            ]
        pieces.append(b"}")
        return Document(pieces, b"application/json; charset=UTF-8")


def _time(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _OfBatches(Administration):
    def __init__(self, desk: Desk[GoogleBatch]) -> None:
        self.desk = desk

    def model_of(self, named: str) -> str:
        return self.desk.model_of(named)

    def get(self, request: Request) -> GoogleBatch:
        batch = self.desk.find(request.key, request.named)
        if batch is None:
            raise Refused(404, "NOT_FOUND", f"Batch not found: batches/{request.named[:64]}")
        return batch


class CreateBatch(_OfBatches):
    name = "batches.create"
    pattern = re.compile(_V + "/models/(?P<model>[^/:]+):batchGenerateContent")
    max_bytes: ClassVar[int] = MAX_BYTES

    def __init__(self, desk: Desk[GoogleBatch], provider: Provider, world: World) -> None:
        super().__init__(desk)
        self._provider = provider
        self._world = world

    def model_of(self, named: str) -> str:
        return named

    async def serve(self, request: Request) -> Any:
        model = request.named
        if find_model("google", model) is None:
            raise Refused(
                404,
                "NOT_FOUND",
                f"models/{model[:100]} is not found, or is not supported for batchGenerateContent.",
            )
        batch = self._read(request)
        faults = self.desk.faults(model)
        if (fault := faults.get("batch_refused")) is not None:
            raise errors.invalid(fault.message or "Simulated validation error.")
        self._weigh(batch)
        self.desk.open(batch, faults)
        # However fast it is: nothing has been done in the moment in which it is made.
        operation = batch.operation(float("-inf"))
        operation["metadata"]["state"] = "BATCH_STATE_PENDING"
        return operation

    def _read(self, request: Request) -> GoogleBatch:
        try:
            data = msgspec.json.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._provider.bad_json() from None
        wanted = message_of(message_of(data, _BODY, "").get("batch", {}), _BATCH, "batch")
        source = message_of(wanted.get("inputConfig", {}), _INPUT, "batch.input_config")
        if "fileName" in source:
            raise errors.invalid("The simulator takes no files: send the requests in the body.")
        path = "batch.input_config.requests"
        given = message_of(source.get("requests", {}), _REQUESTS, path)
        requests = [
            _inlined(one, f"{path}.requests[{at}]", request.named)
            for at, one in enumerate(list_of(given.get("requests", [])))
        ]
        if not requests:
            raise errors.invalid(f"* {path}: the batch has no requests.\n")
        display_name = wanted.get("displayName", "")
        if not isinstance(display_name, str):
            raise errors.invalid("Invalid value at 'batch.display_name' (TYPE_STRING)")
        return GoogleBatch(
            id=f"sim{self.desk.number():017d}",
            key=request.key,
            model=request.named,
            display_name=display_name,
            requests=requests,
        )

    def _weigh(self, batch: GoogleBatch) -> None:
        """Raises Refused where too much is enqueued."""
        limit = self._world.profile.batch_enqueued_tokens
        if not limit:
            return
        batch.weight = weigh(self._world, batch)
        if self.desk.enqueued(batch.key, batch.model) + batch.weight > limit:
            metric = "batch_enqueued_tokens"
            raise Refused(
                429,
                "RESOURCE_EXHAUSTED",
                f"You exceeded your current quota. Quota exceeded for metric: {metric}, limit: "
                f"{limit}, model: {batch.model}.",
                extra={
                    "details": errors.retry_details(
                        60.0,
                        quotaMetric=f"generativelanguage.googleapis.com/{metric}",
                        quotaValue=str(limit),
                    )
                },
            )


def _inlined(value: Any, path: str, model: str) -> Inlined:
    """Raises Refused for what is wrong with its frame, and for another model."""
    named = message_of(value, _INLINED, path)
    request = named.get("request")
    if not isinstance(request, dict):
        raise errors.invalid(f"* {path}.request: the request is missing.\n")
    own = request.get("model")
    if own is not None and own != f"models/{model}":
        raise errors.invalid(
            f"* {path}.request.model: all requests of a batch must be for models/{model}.\n"
        )
    return Inlined(request, named.get("metadata"))


class GetBatch(_OfBatches):
    name = "batches.retrieve"
    method = "GET"
    pattern = _ONE

    async def serve(self, request: Request) -> Document:
        batch = self.get(request)
        return batch.document(await self.desk.settle(batch))


class ListBatches(_OfBatches):
    name = "batches.list"
    method = "GET"
    pattern = re.compile(_V + "/batches")

    async def serve(self, request: Request) -> Any:
        query = {camel(name): value for name, value in request.query.items()}
        batches = self.desk.all(request.key)
        size, start = _number(query, "pageSize", 50), _number(query, "pageToken", 0)
        operations = []
        for batch in batches[start : start + size]:
            operations.append(batch.operation(await self.desk.settle(batch)))
        reply: dict[str, Any] = {"operations": operations} if operations else {}
        if start + size < len(batches):
            reply["nextPageToken"] = str(start + size)
        return reply


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    given = query.get(name, "")
    if given and not given.isdecimal():
        raise errors.invalid(f"Invalid value at '{name}' (TYPE_INT32), \"{given[:50]}\"")
    return int(given) if given else usual


class CancelBatch(_OfBatches):
    name = "batches.cancel"
    pattern = re.compile(_V + "/batches/(?P<id>[^/:]+):cancel")

    async def serve(self, request: Request) -> Any:
        batch = self.get(request)
        now = await self.desk.settle(batch)
        if now >= batch.timeline.end:
            raise Refused(
                400, "FAILED_PRECONDITION", f"batches/{batch.id} has ended and is not cancelled."
            )
        if batch.timeline.cancelled is None:
            batch.timeline.cancelled = now
        return {}


class DeleteBatch(_OfBatches):
    name = "batches.delete"
    method = "DELETE"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        batch = self.get(request)
        await self.desk.settle(batch)
        self.desk.delete(batch)
        return {}


def batch_endpoints(provider: Provider, world: World) -> tuple[Administration, ...]:
    desk: Desk[GoogleBatch] = Desk(provider, world, WINDOW)
    return (
        CreateBatch(desk, provider, world),
        GetBatch(desk),
        ListBatches(desk),
        CancelBatch(desk),
        DeleteBatch(desk),
    )
