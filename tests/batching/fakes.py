"""A batch API of no cost, in this process: it answers at once, counts, and fails as told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from hybridllm.catalog.structs import Usage
from hybridllm.engine.runtime import Runtime
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.batches.api import BatchApi, Job, Limits, Outcome, Progress, Ready
from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream
from hybridllm.wire.conversation import Reply, Text
from hybridllm.wire.registry import get_dialect

USAGE = Usage(input_tokens=10, output_tokens=5)


@dataclass
class FakeJob:
    id: str
    model: str
    dialect: str
    tag: str
    names: list[str]
    made_at: int = 0
    ended: bool = False
    cancelled: bool = False


@dataclass
class FakeProvider:
    """The batches that all providers have. `holding` keeps jobs from ending and `deaf` from being
    cancelled; `refusals` are raised by the next submissions, those in `lost` after the job was
    made; `endings` says what becomes of an attempt by its custom id's end."""

    tags: bool = True
    limits: Limits = field(
        default_factory=lambda: Limits(requests=50_000, bytes=200_000_000, seconds=86_400)
    )
    holding: bool = False
    deaf: bool = False
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    refusals: list[ProviderError] = field(default_factory=list)
    lost: list[ProviderError] = field(default_factory=list)
    endings: dict[str, Outcome] = field(default_factory=dict)
    billed: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def apis(self, _runtime: Runtime, _provider: str) -> BatchApi:
        return self

    async def submit(
        self, upstream: Upstream, key: Key | None, model: str, dialect: str,
        lines: Sequence[Ready], tag: str,
    ) -> Job:  # fmt: skip
        self.calls["submit"] += 1
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        names = [line.custom_id for line in lines]
        assert len(set(names)) == len(names)
        job = FakeJob(f"b{len(self.jobs)}", model, dialect, tag, names)
        self.jobs[job.id] = job
        if self.lost:
            raise self.lost.pop(0)
        return Job(id=job.id, count=len(names))

    async def find(
        self, upstream: Upstream, key: Key | None, tag: str, since: int, known: frozenset[str]
    ) -> list[Job]:
        self.calls["find"] += 1
        return [
            Job(id=job.id, count=len(job.names))
            for job in self.jobs.values()
            if job.id not in known and (not self.tags or job.tag == tag)
        ]

    async def poll(self, upstream: Upstream, key: Key | None, job: str) -> Progress:
        self.calls["poll"] += 1
        await asyncio.sleep(0)
        found = self.jobs[job]
        if not self.holding or found.cancelled:
            found.ended = True
        return Progress(ended=found.ended)

    async def results(
        self, upstream: Upstream, key: Key | None, job: str
    ) -> AsyncIterator[Outcome]:
        found = self.jobs[job]
        dialect = get_dialect(found.dialect)
        reply = Reply(id="r", model=found.model, parts=[Text(text="Done.")], usage=USAGE)
        body = dialect.encode_reply(reply)
        for name in reversed(found.names):
            outcome = self.endings.get("-".join(name.split("-")[2:]))
            if outcome is None and found.cancelled:
                outcome = Outcome(custom_id=name, ending="cancelled")
            if outcome is None:
                outcome = Outcome(custom_id=name, ending="answered", status=200, body=body)
            if outcome.ending == "answered":
                self.billed[name] = 1
            yield Outcome(
                custom_id=name, ending=outcome.ending, status=outcome.status, body=outcome.body
            )

    async def cancel(self, upstream: Upstream, key: Key | None, job: str) -> None:
        self.calls["cancel"] += 1
        self.jobs[job].cancelled = not self.deaf


def refusal(kind: ErrorKind, status: int = 400) -> ProviderError:
    """What a provider says when it does not take a job."""
    return ProviderError("No.", kind=kind, status=status, body=b"{}")
