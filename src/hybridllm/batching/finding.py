"""Jobs of which nobody knows whether the provider has them: after a crash in the middle of a
submission, or when its reply was lost.

Where the provider keeps tags, the job's tells it. Elsewhere a candidate is taken for the job on
trial, and its results tell: no two attempts have the same custom id (`collecting`).
"""

from __future__ import annotations

from functools import partial

import msgspec
from sqlalchemy import Connection

from hybridllm.batching import states
from hybridllm.batching.desk import Desk, key_of, now_us
from hybridllm.batching.ending import after_nothing, log, write_changes
from hybridllm.batching.notes import note_of
from hybridllm.batching.submitting import record_submitted, released
from hybridllm.batching.timing import US, rest_seconds
from hybridllm.errors import ProviderError
from hybridllm.store import batch_jobs as sql
from hybridllm.store import batches as batches_sql
from hybridllm.store.batch_jobs import JobRow

SETTLE_SECONDS = 60.0
"""How long a provider may take until it lists what it was sent."""
_LOOKS = 2


class Finder:
    """Looks for doubtful jobs."""

    def __init__(self, desk: Desk, settle_seconds: float = SETTLE_SECONDS) -> None:
        self._desk = desk
        self._settle_us = int(settle_seconds * US)

    async def look(self, job: JobRow) -> None:
        """One look: it is found, it is lost, or it will be looked for again."""
        desk = self._desk
        runtime = desk.runtime
        api = desk.apis(runtime, job.provider)
        upstream = runtime.upstreams.get(job.provider)
        if api is None or upstream is None:
            await self._later(job)
            return
        known = await desk.read(partial(sql.known_externals, provider=job.provider))
        known |= set(msgspec.json.decode(job.excluded))
        key = key_of(upstream, job.credential, job.account)
        try:
            found = await api.find(upstream, key, job.id, job.created_at // US, frozenset(known))
        except ProviderError:
            await self._later(job)
            return
        fitting = [one for one in found if one.count in (0, job.lines)]
        if fitting:
            near = min(fitting, key=lambda one: abs(one.created_at - job.created_at // US))
            await desk.write("found", partial(record_submitted, desk=desk, job=job.id,
                                              external=near.id))  # fmt: skip
        elif job.failures + 1 >= _LOOKS and now_us() - job.created_at >= self._settle_us:
            log.warning("A job of %d lines for %s never arrived.", job.lines, job.model)
            await desk.write("lose", partial(record_lost, desk=desk, job=job.id))
        else:
            await self._later(job)

    async def _later(self, job: JobRow) -> None:
        desk = self._desk
        rest = min(rest_seconds(job.failures + 1, desk.random), 1 + self._settle_us / US / 4)
        await desk.write("look later", partial(put_off, job=job.id, rest=rest))


def put_off(connection: Connection, job: str, rest: float) -> None:
    """Look at the job again after `rest` seconds: nothing could be found out."""
    row = sql.find_job(connection, job)
    if row is not None:
        at = now_us() + int(rest * US)
        sql.put_job(connection, row._replace(next_at=at, failures=row.failures + 1))


def record_lost(connection: Connection, desk: Desk, job: str) -> None:
    """The provider does not have the job: its lines wait again."""
    row = sql.find_job(connection, job)
    assert row is not None  # noqa: S101 - jobs at work are never deleted
    sql.put_job(connection, row._replace(state=states.job_after(row.state, "lose")))
    lines = sql.lines_of_job(connection, job)
    batches = batches_sql.lock_batches(connection, sorted({line.batch for line in lines}))
    now = now_us()
    released_lines = [released(desk, line, 0.0) for line in lines if line.state == "claimed"]
    detached = [
        line._replace(job="") for line in lines if line.state not in ("claimed", "submitted")
    ]
    sql.put_lines(connection, released_lines + detached)
    changes = []
    for line in lines:
        if line.state == "submitted":
            change = after_nothing(
                desk.runtime, desk.apis, line, note_of(line.note), now, expired=False
            )
            change.row = change.row._replace(job="")
            changes.append(change)
    write_changes(connection, batches, changes, now)
