"""/v1/batches (https://platform.openai.com/docs/api-reference/batch)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from hybridllm.simulators.ask import Refused
from hybridllm.simulators.batches import Batch, Desk, Line, weigh
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.batch_input import Input, Problem, check_input, request_at
from hybridllm.simulators.openai.files import File, FileStore
from hybridllm.simulators.openai.paging import page
from hybridllm.simulators.openai.parameters import check_metadata
from hybridllm.simulators.provider import Administration, Generation, Incoming, Provider, Request
from hybridllm.simulators.timeline import Ending
from hybridllm.simulators.world import World

WINDOW = 86_400
ENDPOINTS = ("/v1/responses", "/v1/chat/completions", "/v1/embeddings")
_FIELDS = ("completion_window", "endpoint", "input_file_id", "metadata", "output_expires_after")
_PATH = "/v1/batches"
_ONE = re.compile(_PATH + "/(?P<id>[^/]+)")
_encode = msgspec.json.Encoder().encode


class OpenAIBatch(Batch):
    """Its requests stay in its input file; replies go to one file, errors to another."""

    def __init__(
        self,
        *,
        id: str,
        key: str,
        endpoint: Generation,
        input_file: File,
        found: Input,
        said: Mapping[str, Any],
        files: FileStore,
    ) -> None:
        total = 0 if found.problems else len(found.starts)
        super().__init__(id=id, key=key, model=found.model, total=total)
        self.problems = found.problems
        self.said = said
        self.input_file = input_file
        self.output_file_id: str | None = None
        self.error_file_id: str | None = None
        self._endpoint = endpoint
        self._starts = found.starts
        self._files = files
        self._replies = bytearray()
        self._errors = bytearray()

    def fail(self, problem: Problem) -> None:
        """Refuse the whole, before it is opened."""
        self.problems.append(problem)
        self.total = 0

    def line(self, place: int) -> Line:
        request = request_at(self.input_file.data, self._starts[place])
        data = msgspec.json.decode(request.body)  # type: ignore[arg-type]
        return Line(str(request.custom_id), self._endpoint, Incoming(data, "", {}, {}))

    def answer(self, line: Line, request_id: str, body: bytes) -> None:
        self._write(self._replies, line.custom_id, 200, request_id, body)

    def refuse(self, line: Line, request_id: str, refused: Refused) -> None:
        body = errors.body_of(refused)
        self._write(self._errors, line.custom_id, refused.status, request_id, body)

    def _write(
        self, into: bytearray, custom_id: str, status: int, request_id: str, body: bytes
    ) -> None:
        name = request_id.encode()
        into += b'{"id":"batch_%b","custom_id":%b,' % (name, _encode(custom_id))
        into += b'"response":{"status_code":%d,"request_id":"%b","body":' % (status, name)
        into += body
        into += b'},"error":null}\n'

    def leave(self, place: int, ending: Ending) -> None:
        if ending != "expired":
            return
        request = request_at(self.input_file.data, self._starts[place])
        left = {
            "id": f"batch_req_{self.id[6:]}{place:06d}",
            "custom_id": request.custom_id,
            "response": None,
            "error": {
                "code": "batch_expired",
                "message": "This request could not be executed before the completion window "
                "expired.",
            },
        }
        self._errors += _encode(left) + b"\n"

    def close(self) -> None:
        super().close()
        seconds = (self.said.get("output_expires_after") or {}).get("seconds")
        for name, data in (("output", self._replies), ("error", self._errors)):
            if data:
                filename = f"{self.id}_{name}.jsonl"
                file = self._files.add(self.key, filename, "batch_output", data, seconds)
                setattr(self, f"{name}_file_id", file.id)

    def status(self, now: float) -> str:
        """At a time up to which everything is done."""
        line = self.timeline
        if now < line.begins and line.cancelled is None:
            return "validating"
        if self.problems:
            return "failed"
        if now >= line.end:
            return line.ending
        if line.cancelled is not None:
            return "cancelling"
        return "finalizing" if now >= line.finishes and not line.stuck else "in_progress"

    def shown(self, now: float) -> dict[str, Any]:
        line, status = self.timeline, self.status(now)
        begun = status not in ("validating", "failed")
        closing = status in ("finalizing", "completed", "expired")
        ended = self.unix(line.end)
        problems = None
        if status == "failed":
            problems = {"object": "list", "data": [msgspec.to_builtins(p) for p in self.problems]}
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.said["endpoint"],
            "model": self.model or None,
            "errors": problems,
            "input_file_id": self.input_file.id,
            "completion_window": "24h",
            "status": status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": int(self.created),
            "in_progress_at": self.unix(line.begins) if begun else None,
            "expires_at": self.unix(line.created + line.window),
            "finalizing_at": self.unix(min(line.finishes, line.end)) if closing else None,
            "completed_at": ended if status == "completed" else None,
            "failed_at": self.unix(line.begins) if status == "failed" else None,
            "expired_at": ended if status == "expired" else None,
            "cancelling_at": None if line.cancelled is None else self.unix(line.cancelled),
            "cancelled_at": ended if status == "cancelled" else None,
            "request_counts": {
                "total": self.total if begun else 0,
                "completed": self.answered,
                "failed": self.errored + (self.undone if status == "expired" else 0),
            },
            "usage": self._usage() if self.closed else None,
            "metadata": self.said.get("metadata"),
        }

    def _usage(self) -> dict[str, Any]:
        billed = self.billed
        return {
            "input_tokens": billed.all_input,
            "input_tokens_details": {"cached_tokens": billed.cache_read_tokens},
            "output_tokens": billed.output_tokens,
            "output_tokens_details": {"reasoning_tokens": billed.reasoning_tokens},
            "total_tokens": billed.all_input + billed.output_tokens,
        }


class _OfBatches(Administration):
    def __init__(self, desk: Desk[OpenAIBatch]) -> None:
        self.desk = desk

    def model_of(self, named: str) -> str:
        return self.desk.model_of(named)

    def get(self, request: Request) -> OpenAIBatch:
        batch = self.desk.find(request.key, request.named)
        if batch is None:
            raise Refused(404, errors.INVALID, f"No batch found with id '{request.named[:64]}'.")
        return batch


class CreateBatch(_OfBatches):
    name = "batches.create"
    pattern = re.compile(_PATH)

    def __init__(
        self,
        desk: Desk[OpenAIBatch],
        provider: Provider,
        world: World,
        files: FileStore,
        live: Mapping[str, Generation],
    ) -> None:
        super().__init__(desk)
        self._provider = provider
        self._world = world
        self._files = files
        self._live = live

    async def serve(self, request: Request) -> Any:
        said = self._said(request.body)
        file = self._files.find(request.key, said["input_file_id"])
        if file is None or file.purpose != "batch":
            raise errors.invalid(
                f"Invalid 'input_file_id': there is no file '{said['input_file_id'][:64]}' with "
                "the purpose 'batch'.",
                "input_file_id",
            )
        found = check_input(file.data, said["endpoint"])
        faults = self.desk.faults(found.model)
        batch = OpenAIBatch(
            id=f"batch_{self.desk.number():024d}",
            key=request.key,
            endpoint=self._live[said["endpoint"]],
            input_file=file,
            found=found,
            said=said,
            files=self._files,
        )
        if not found.problems:
            self._refuse(batch, faults)
        self.desk.open(batch, faults)
        shown = batch.shown(batch.timeline.created)
        # However fast it is: nobody has looked at the file yet.
        return {**shown, "status": "validating", "errors": None, "failed_at": None,
                "in_progress_at": None, "finalizing_at": None, "completed_at": None}  # fmt: skip

    def _said(self, body: bytes) -> dict[str, Any]:
        try:
            said = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._provider.bad_json() from None
        if not isinstance(said, dict):
            raise errors.invalid("Invalid request body: expected a JSON object.")
        for name in said.keys() - set(_FIELDS):
            raise errors.unknown(name[:64])
        for name in ("input_file_id", "endpoint", "completion_window"):
            if said.get(name) is None:
                raise errors.missing(name)
            if not isinstance(said[name], str):
                raise errors.wrong_type(name, "a string", said[name])
        if said["completion_window"] != "24h":
            raise errors.one_of(said["completion_window"], ["24h"], "completion_window")
        if said["endpoint"] not in ENDPOINTS:
            raise errors.one_of(said["endpoint"], ENDPOINTS, "endpoint")
        if said.get("metadata") is not None:
            check_metadata(said)
        return said

    def _refuse(self, batch: OpenAIBatch, faults: Mapping[str, Fault]) -> None:
        """What is wrong with a batch whose file is in order."""
        if (fault := faults.get("batch_refused")) is not None:
            batch.fail(Problem("invalid_request", fault.message or "Simulated validation error."))
        limit = self._world.profile.batch_enqueued_tokens
        if not limit:
            return
        weight = weigh(self._world, batch)
        if self.desk.enqueued(batch.key, batch.model) + weight <= limit:
            batch.weight = weight
            return
        batch.fail(
            Problem(
                "token_limit_exceeded",
                f"Enqueued token limit reached for {batch.model} in organization org-sim. Limit: "
                f"{limit:,} enqueued tokens. Please try again once some in_progress batches have "
                "been completed.",
            )
        )


class GetBatch(_OfBatches):
    name = "batches.retrieve"
    method = "GET"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        batch = self.get(request)
        return batch.shown(await self.desk.settle(batch))


class ListBatches(_OfBatches):
    name = "batches.list"
    method = "GET"
    pattern = re.compile(_PATH)

    async def serve(self, request: Request) -> Any:
        shown = []
        for batch in self.desk.all(request.key):
            shown.append(batch.shown(await self.desk.settle(batch)))
        return page(shown, request.query, 100)


class CancelBatch(_OfBatches):
    name = "batches.cancel"
    pattern = re.compile(_PATH + "/(?P<id>[^/]+)/cancel")

    async def serve(self, request: Request) -> Any:
        batch = self.get(request)
        now = await self.desk.settle(batch)
        status = batch.status(now)
        if status in ("failed", "completed", "expired", "cancelled"):
            raise Refused(409, errors.INVALID, f"Cannot cancel a batch with status '{status}'.")
        if batch.timeline.cancelled is None:
            batch.timeline.cancelled = now
        return {**batch.shown(now), "status": "cancelling", "cancelled_at": None}


def batch_endpoints(
    provider: Provider, world: World, files: FileStore, live: Mapping[str, Generation]
) -> tuple[Administration, ...]:
    """`live` are the endpoints whose requests a batch may hold, by path."""
    desk: Desk[OpenAIBatch] = Desk(provider, world, WINDOW)
    return (
        CreateBatch(desk, provider, world, files, live),
        GetBatch(desk),
        ListBatches(desk),
        CancelBatch(desk),
    )
