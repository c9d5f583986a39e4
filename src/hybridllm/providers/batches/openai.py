"""OpenAI's batch API: a file up, a batch of it, a file or two down
(https://platform.openai.com/docs/api-reference/batch)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.batches.api import Ending, Job, Limits, Outcome, Progress, Ready
from hybridllm.providers.batches.calls import SLACK, Calls, Nothing, one_line, repeat
from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream

URLS = {"openai": b"/v1/chat/completions", "responses": b"/v1/responses"}
"""Where the requests of a dialect go."""
TAG = "hybridllm"
"""Under which name in the metadata."""
_FULL = "token_limit_exceeded"
_ENDED = frozenset({"failed", "completed", "expired", "cancelled"})
_encode = msgspec.json.Encoder().encode


class _File(Struct):
    id: str


class _Counts(Struct):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Problem(Struct):
    code: str | None = None
    message: str | None = None
    line: int | None = None


class _Problems(Struct):
    data: list[_Problem] | None = None


class _Batch(Struct):
    id: str
    status: str
    created_at: int
    request_counts: _Counts | None = None
    metadata: dict[str, str] | None = None
    errors: _Problems | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None

    def job(self) -> Job:
        count = self.request_counts.total if self.request_counts else 0
        return Job(id=self.id, count=count, created_at=self.created_at)


class _Page(Struct):
    data: list[_Batch]
    has_more: bool = False


class _Response(Struct):
    status_code: int
    request_id: str | None = None
    body: Raw = Raw(b"")


class _Error(Struct):
    code: str | None = None
    message: str | None = None


class _Line(Struct):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


class OpenAIBatches:
    """See `BatchApi`. The input file expires by itself after 30 days."""

    limits = Limits(requests=50_000, bytes=200_000_000, seconds=86_400)

    async def submit(
        self,
        upstream: Upstream,
        key: Key | None,
        model: str,
        dialect: str,
        lines: Sequence[Ready],
        tag: str,
    ) -> Job:
        """See `BatchApi.submit`. The upload may happen twice, the batch does not."""
        calls = Calls(upstream, key, dialect)
        url = URLS[dialect]
        file_id = await _upload(calls, lines, url)
        wanted = {
            "input_file_id": file_id,
            "endpoint": url.decode(),
            "completion_window": "24h",
            "metadata": {TAG: tag},
        }
        try:
            made = await calls.ask(_Batch, "POST", "/batches", body=_encode(wanted), once=True)
        except ProviderError as e:
            if e.body:  # the provider's own refusal: no batch will read the file
                await _forget(calls, file_id)
            raise
        return Job(id=made.id, count=len(lines), created_at=made.created_at)

    async def find(
        self, upstream: Upstream, key: Key | None, tag: str, since: int, known: frozenset[str]
    ) -> list[Job]:
        """See `BatchApi.find`. The list begins with the newest."""
        calls = Calls(upstream, key, "openai")
        found: list[Job] = []
        query: dict[str, str] = {"limit": "100"}
        while True:
            page = await calls.get(_Page, "/batches?" + urlencode(query))
            for batch in page.data:
                if batch.created_at < since - SLACK:
                    return found
                if batch.id not in known and (batch.metadata or {}).get(TAG) == tag:
                    found.append(batch.job())
            if not page.has_more or not page.data:
                return found
            query["after"] = page.data[-1].id

    async def poll(self, upstream: Upstream, key: Key | None, job: str) -> Progress:
        """See `BatchApi.poll`."""
        batch = await _batch(Calls(upstream, key, "openai"), job)
        counts = batch.request_counts or _Counts()
        done = counts.completed + counts.failed
        if batch.status != "failed":
            return Progress(ended=batch.status in _ENDED, done=done)
        problems = (batch.errors.data if batch.errors else None) or [_Problem()]
        return Progress(
            ended=True,
            refused="; ".join(map(_told, problems[:3])),
            full=any(problem.code == _FULL for problem in problems),
        )

    async def results(
        self, upstream: Upstream, key: Key | None, job: str
    ) -> AsyncIterator[Outcome]:
        """See `BatchApi.results`."""
        calls = Calls(upstream, key, "openai")
        batch = await _batch(calls, job)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                target = f"/files/{quote(file_id, safe='')}/content"
                async for line in calls.lines(target):
                    if line.strip():
                        yield _outcome(calls.decoded(_Line, line))

    async def cancel(self, upstream: Upstream, key: Key | None, job: str) -> None:
        """See `BatchApi.cancel`. What has ended already is left as it is."""
        calls = Calls(upstream, key, "openai")
        target = f"/batches/{quote(job, safe='')}/cancel"
        try:
            await repeat(lambda: calls.ask(_Batch, "POST", target))
        except ProviderError as e:
            if e.kind is not ErrorKind.BAD_REQUEST or not e.body:
                raise
            if (await _batch(calls, job)).status not in _ENDED:
                raise


async def _upload(calls: Calls, lines: Sequence[Ready], url: bytes) -> str:
    """The id of a new file with the lines."""
    body, content_type = _form(lines, url)
    file = await repeat(
        lambda: calls.ask(_File, "POST", "/files", body=body, content_type=content_type)
    )
    return file.id


async def _batch(calls: Calls, job: str) -> _Batch:
    return await calls.get(_Batch, f"/batches/{quote(job, safe='')}")


async def _forget(calls: Calls, file_id: str) -> None:
    """Delete a file, if that can be done."""
    try:
        await calls.ask(Nothing, "DELETE", f"/files/{quote(file_id, safe='')}")
    except ProviderError:
        return


def _form(lines: Sequence[Ready], url: bytes) -> tuple[bytes, str]:
    """The upload's body and content type."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="batch.jsonl"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    pieces = [head.encode()]
    for line in lines:
        pieces.append(b'{"custom_id":%b,"method":"POST","url":"%b","body":' % (
            _encode(line.custom_id), url,
        ))  # fmt: skip
        pieces.append(one_line(line.body))
        pieces.append(b"}\n")
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"


def _told(problem: _Problem) -> str:
    message = problem.message or problem.code or "The batch failed."
    return f"Line {problem.line}: {message}" if problem.line else message


def _outcome(line: _Line) -> Outcome:
    response = line.response
    if response is not None:
        ending: Ending = "answered" if response.status_code < 300 else "refused"
        return Outcome(
            custom_id=line.custom_id,
            ending=ending,
            status=response.status_code,
            body=bytes(response.body),
            request_id=response.request_id or "",
        )
    error = line.error or _Error()
    if error.code == "batch_expired":
        return Outcome(custom_id=line.custom_id, ending="expired")
    if error.code == "batch_cancelled":
        return Outcome(custom_id=line.custom_id, ending="cancelled")
    body = _encode(
        {
            "error": {
                "message": error.message or "The request failed.",
                "type": "server_error",
                "param": None,
                "code": error.code,
            }
        }
    )
    return Outcome(custom_id=line.custom_id, ending="refused", status=500, body=body)
