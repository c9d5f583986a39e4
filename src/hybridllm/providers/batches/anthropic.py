"""Anthropic's Message Batches (https://docs.anthropic.com/en/api/creating-message-batches).

A batch bears no name of ours: after a lost reply its candidates are those made since, and which one
it is shows in the custom ids of its results.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.batches.api import Ending, Job, Limits, Outcome, Progress, Ready
from hybridllm.providers.batches.calls import SLACK, Calls, repeat
from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream

PATH = "/v1/messages/batches"
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What a live call's error of a type comes with
(https://docs.anthropic.com/en/api/errors)."""
_ENDINGS: dict[str, Ending] = {"canceled": "cancelled", "expired": "expired"}
_encode = msgspec.json.Encoder().encode


class _Counts(Struct):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def ended(self) -> int:
        return self.succeeded + self.errored + self.canceled + self.expired


class _Batch(Struct):
    id: str
    processing_status: str
    created_at: datetime
    request_counts: _Counts

    def job(self) -> Job:
        counts = self.request_counts
        return Job(id=self.id, count=counts.processing + counts.ended, created_at=self.unix)

    @property
    def unix(self) -> int:
        return int(self.created_at.timestamp())


class _Page(Struct):
    data: list[_Batch]
    has_more: bool = False
    last_id: str | None = None


class _Error(Struct):
    type: str = ""


class _ErrorReply(Struct):
    error: _Error = msgspec.field(default_factory=_Error)
    request_id: str | None = None


class _Result(Struct):
    type: str
    message: Raw = Raw(b"")
    error: Raw = Raw(b"")


class _Line(Struct):
    custom_id: str
    result: _Result


class AnthropicBatches:
    """See `BatchApi`."""

    limits = Limits(requests=100_000, bytes=256_000_000, seconds=86_400)

    async def submit(
        self,
        upstream: Upstream,
        key: Key | None,
        model: str,
        dialect: str,
        lines: Sequence[Ready],
        tag: str,
    ) -> Job:
        """See `BatchApi.submit`. Custom ids may be letters, digits, - and _, at most 64."""
        calls = Calls(upstream, key, "anthropic")
        requests = [
            b'{"custom_id":%b,"params":%b}' % (_encode(line.custom_id), line.body) for line in lines
        ]
        body = b'{"requests":[' + b",".join(requests) + b"]}"
        del requests
        batch = await calls.ask(_Batch, "POST", PATH, body=body, once=True)
        return Job(id=batch.id, count=len(lines), created_at=batch.unix)

    async def find(
        self, upstream: Upstream, key: Key | None, tag: str, since: int, known: frozenset[str]
    ) -> list[Job]:
        """See `BatchApi.find`. The list begins with the newest."""
        calls = Calls(upstream, key, "anthropic")
        found: list[Job] = []
        query: dict[str, str] = {"limit": "100"}
        while True:
            page = await calls.get(_Page, f"{PATH}?{urlencode(query)}")
            for batch in page.data:
                if batch.unix < since - SLACK:
                    return found
                if batch.id not in known:
                    found.append(batch.job())
            if not page.has_more or not page.last_id:
                return found
            query["after_id"] = page.last_id

    async def poll(self, upstream: Upstream, key: Key | None, job: str) -> Progress:
        """See `BatchApi.poll`. Anthropic counts what is done only at the end."""
        batch = await _batch(Calls(upstream, key, "anthropic"), job)
        return Progress(ended=batch.processing_status == "ended", done=batch.request_counts.ended)

    async def results(
        self, upstream: Upstream, key: Key | None, job: str
    ) -> AsyncIterator[Outcome]:
        """See `BatchApi.results`."""
        calls = Calls(upstream, key, "anthropic")
        async for line in calls.lines(f"{_path(job)}/results"):
            if line.strip():
                yield _outcome(calls, calls.decoded(_Line, line))

    async def cancel(self, upstream: Upstream, key: Key | None, job: str) -> None:
        """See `BatchApi.cancel`. What has ended already is left as it is."""
        calls = Calls(upstream, key, "anthropic")
        try:
            await repeat(lambda: calls.ask(_Batch, "POST", f"{_path(job)}/cancel"))
        except ProviderError as e:
            if e.kind is not ErrorKind.BAD_REQUEST or not e.body:
                raise
            if (await _batch(calls, job)).processing_status != "ended":
                raise


def _path(job: str) -> str:
    return f"{PATH}/{quote(job, safe='')}"


async def _batch(calls: Calls, job: str) -> _Batch:
    return await calls.get(_Batch, _path(job))


def _outcome(calls: Calls, line: _Line) -> Outcome:
    result = line.result
    if result.type == "succeeded":
        return Outcome(
            custom_id=line.custom_id, ending="answered", status=200, body=bytes(result.message)
        )
    if result.type in _ENDINGS:
        return Outcome(custom_id=line.custom_id, ending=_ENDINGS[result.type])
    reply = calls.decoded(_ErrorReply, result.error or Raw(b"{}"))
    return Outcome(
        custom_id=line.custom_id,
        ending="refused",
        status=_STATUS.get(reply.error.type, 500),
        body=bytes(result.error),
        request_id=reply.request_id or "",
    )
