"""Google's batch mode: requests in one body, responses in one (https://ai.google.dev/api/batch-api).

Larger batches than a body holds would need Google's file uploads, which are not used: the lane
makes several batches instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw, Struct, structs

from hybridllm.errors import ProviderError
from hybridllm.providers.batches.api import Job, Limits, Outcome, Progress, Ready
from hybridllm.providers.batches.calls import SLACK, Calls, Nothing, repeat
from hybridllm.providers.google import VERSION
from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream

MAX_RESULT_BYTES = 1_073_741_824
"""The whole of a batch's replies is one document, of which some are twice in it."""
_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})
_STATUSES = {
    1: (499, "CANCELLED"), 2: (500, "UNKNOWN"), 3: (400, "INVALID_ARGUMENT"),
    4: (504, "DEADLINE_EXCEEDED"), 5: (404, "NOT_FOUND"), 7: (403, "PERMISSION_DENIED"),
    8: (429, "RESOURCE_EXHAUSTED"), 9: (400, "FAILED_PRECONDITION"), 10: (409, "ABORTED"),
    13: (500, "INTERNAL"), 14: (503, "UNAVAILABLE"), 16: (401, "UNAUTHENTICATED"),
}  # fmt: skip
"""HTTP's status and the name, by gRPC's code (https://grpc.io/docs/guides/status-codes/)."""
_CANCELLED, _EXPIRED = 1, 4
_encode = msgspec.json.Encoder().encode


class _Stats(Struct, rename="camel"):
    """Protobuf's JSON has 64-bit numbers as strings."""

    request_count: int | str = 0
    successful_request_count: int | str = 0
    failed_request_count: int | str = 0

    @property
    def total(self) -> int:
        return _number(self.request_count)

    @property
    def done(self) -> int:
        return _number(self.successful_request_count) + _number(self.failed_request_count)


def _number(value: int | str) -> int:
    return value if isinstance(value, int) else int(value) if value.isdecimal() else 0


class _Error(Struct):
    code: int = 2
    message: str = ""
    details: Raw = Raw(b"")


class _Inlined(Struct):
    response: Raw = Raw(b"")
    error: _Error | None = None
    metadata: dict[str, Any] | None = None


class _Responses(Struct, rename="camel"):
    inlined_responses: list[_Inlined] = msgspec.field(default_factory=list)


class _Output(Struct, rename="camel"):
    inlined_responses: _Responses = msgspec.field(default_factory=_Responses)


class _Metadata(Struct, rename="camel"):
    state: str = ""
    display_name: str = ""
    create_time: datetime | None = None
    batch_stats: _Stats = msgspec.field(default_factory=_Stats)

    @property
    def ended(self) -> bool:
        """States are called JOB_STATE_ or BATCH_STATE_."""
        return self.state.partition("_STATE_")[2] in _ENDED

    @property
    def unix(self) -> int:
        return int(self.create_time.timestamp()) if self.create_time else 0


class _Operation(Struct):
    name: str
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    done: bool = False
    error: _Error | None = None

    @property
    def ended(self) -> bool:
        return self.done or self.metadata.ended

    def job(self) -> Job:
        metadata = self.metadata
        return Job(id=self.name, count=metadata.batch_stats.total, created_at=metadata.unix)


class _OutputMetadata(Struct):
    output: _Output | None = None


class _Results(Struct):
    """An operation's results are in its metadata, in its response, or in both."""

    metadata: _OutputMetadata = msgspec.field(default_factory=_OutputMetadata)
    response: _Output | None = None


class _Page(Struct, rename="camel"):
    operations: list[_Operation] = msgspec.field(default_factory=list)
    next_page_token: str = ""


class GoogleBatches:
    """See `BatchApi`. Google limits a batch by its body alone (20 MiB); the number of requests is
    ours, so that what is written around each of them fits besides."""

    limits = Limits(requests=25_000, bytes=20_000_000, seconds=172_800)

    async def submit(
        self,
        upstream: Upstream,
        key: Key | None,
        model: str,
        dialect: str,
        lines: Sequence[Ready],
        tag: str,
    ) -> Job:
        """See `BatchApi.submit`. The tag is the batch's display name."""
        calls = Calls(upstream, key, "google")
        target = f"/{VERSION}/models/{quote(model, safe='')}:batchGenerateContent"
        requests = b",".join(
            b'{"request":%b,"metadata":{"key":%b}}' % (line.body, _encode(line.custom_id))
            for line in lines
        )
        body = b'{"batch":{"displayName":%b,"inputConfig":{"requests":{"requests":[%b]}}}}' % (
            _encode(tag), requests,
        )  # fmt: skip
        del requests
        made = await calls.ask(_Operation, "POST", target, body=body, once=True)
        return structs.replace(made.job(), count=len(lines))

    async def find(
        self, upstream: Upstream, key: Key | None, tag: str, since: int, known: frozenset[str]
    ) -> list[Job]:
        """See `BatchApi.find`. The list's order is not documented, so it is read to its end."""
        calls = Calls(upstream, key, "google")
        found: list[Job] = []
        query = {"pageSize": "100"}
        while True:
            page = await calls.get(_Page, f"/{VERSION}/batches?{urlencode(query)}")
            for operation in page.operations:
                metadata = operation.metadata
                recent = metadata.unix >= since - SLACK
                if recent and metadata.display_name == tag and operation.name not in known:
                    found.append(operation.job())
            if not page.next_page_token:
                return found
            query["pageToken"] = page.next_page_token

    async def poll(self, upstream: Upstream, key: Key | None, job: str) -> Progress:
        """See `BatchApi.poll`. The last poll brings the results too, which are read anew."""
        operation = await _operation(Calls(upstream, key, "google"), job)
        refused = ""
        if operation.metadata.state.endswith("_FAILED"):
            error = operation.error or _Error()
            refused = error.message or "The batch failed."
        return Progress(
            ended=operation.ended,
            done=operation.metadata.batch_stats.done,
            refused=refused,
        )

    async def results(
        self, upstream: Upstream, key: Key | None, job: str
    ) -> AsyncIterator[Outcome]:
        """See `BatchApi.results`. Google has one document of them all: it is in memory once."""
        calls = Calls(upstream, key, "google")
        found = await calls.get(_Results, _path(job), limit=MAX_RESULT_BYTES)
        output = found.metadata.output or found.response or _Output()
        for inlined in output.inlined_responses.inlined_responses:
            yield _outcome(inlined)

    async def cancel(self, upstream: Upstream, key: Key | None, job: str) -> None:
        """See `BatchApi.cancel`. What has ended already is left as it is."""
        calls = Calls(upstream, key, "google")
        try:
            await repeat(lambda: calls.ask(Nothing, "POST", f"{_path(job)}:cancel"))
        except ProviderError as e:
            if e.status != 400:
                raise
            if not (await _operation(calls, job)).ended:
                raise


def _path(job: str) -> str:
    """A job's name is `batches/...`."""
    return f"/{VERSION}/batches/{quote(job.removeprefix('batches/'), safe='')}"


async def _operation(calls: Calls, job: str) -> _Operation:
    return await calls.get(_Operation, _path(job), limit=MAX_RESULT_BYTES)


def _outcome(inlined: _Inlined) -> Outcome:
    custom_id = str((inlined.metadata or {}).get("key", ""))
    error = inlined.error
    if error is None:
        return Outcome(
            custom_id=custom_id, ending="answered", status=200, body=bytes(inlined.response)
        )
    if error.code == _CANCELLED:
        return Outcome(custom_id=custom_id, ending="cancelled")
    if error.code == _EXPIRED:
        return Outcome(custom_id=custom_id, ending="expired")
    status, name = _STATUSES.get(error.code, (500, "UNKNOWN"))
    told: dict[str, Any] = {"code": status, "message": error.message, "status": name}
    if error.details:
        told["details"] = error.details
    return Outcome(
        custom_id=custom_id, ending="refused", status=status, body=_encode({"error": told})
    )
