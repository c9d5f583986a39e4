"""From lines that wait to a job at a provider.

The job's row and its lines' are committed before the provider is called: that is the intent. Where
the call's own end does not say whether the provider took it, the job is doubtful and is looked for
(`finding`) before anything of it is sent again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from sqlalchemy import Connection

from hybridllm.batching import states
from hybridllm.batching.desk import Desk, credential_of, now_us
from hybridllm.batching.ending import elsewhere, log
from hybridllm.batching.notes import custom_id, new_job_id, note_of, packed, request_id
from hybridllm.batching.planning import LIVE, trip_of
from hybridllm.batching.timing import US, rest_seconds, taken
from hybridllm.catalog.structs import Model
from hybridllm.engine.entry import NOT_SENT
from hybridllm.engine.judge import KEY_COOLDOWN_SECONDS, UNHEALTHY
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.way import prepare
from hybridllm.errors import ErrorKind, HybridError, ProviderError
from hybridllm.providers.batches.api import BatchApi, Ready
from hybridllm.providers.keys import Key
from hybridllm.store import batch_jobs as sql
from hybridllm.store import batches as batches_sql
from hybridllm.store.batch_jobs import Group, JobRow
from hybridllm.store.batches import LineRow

_CROWDED = (ErrorKind.RATE_LIMITED, ErrorKind.QUOTA_EXHAUSTED)
_CERTAIN = (ErrorKind.OVERLOADED, ErrorKind.UNAVAILABLE)
"""Kinds of errors above 499 with which a provider refuses a call."""
_AT_WORK = ("claimed", "doubtful", "submitted")


class Prepared(Struct):
    """What a job's lines are to the provider, the lines that cannot be said to it, and those whose
    note has changed: with which variant of the prompt they are sent."""

    ready: list[Ready]
    unsaid: list[LineRow]
    noted: list[LineRow]


class Submitter:
    """Submits groups. Of a model that cannot take its jobs it remembers how often, in a row."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._setbacks: dict[tuple[str, str], int] = {}
        self._rests: dict[tuple[str, str], float] = {}
        self._shares: dict[str, float] = {}

    def rests(self, group: Group) -> float:
        """Seconds for which the group is to be left alone."""
        return self._rests.get((group.model, group.dialect), 0.0) - time.monotonic()

    async def submit(self, group: Group) -> None:
        """Submit one job of the group's lines, as many as go into one."""
        desk = self._desk
        runtime = desk.runtime
        model = runtime.models.get(group.model)
        api = None if model is None else desk.apis(runtime, model.provider)
        if model is None or api is None or model.provider not in runtime.upstreams:
            await desk.write("moving on", partial(_move_on, desk=desk, group=group))
            return
        key = runtime.upstreams[model.provider].keys.pick(time.monotonic())
        if key is None and len(runtime.upstreams[model.provider].keys):
            self._rest(group, 1.0)
            return
        job = self._job(group, model, key)
        claimed = await desk.write("claim", partial(self._claim, group=group, job=job, api=api))
        if claimed is None:
            self._rest(group, desk.config.poll_seconds)
            return
        await self._hand_over(group, model, key, api, *claimed)

    def _job(self, group: Group, model: Model, key: Key | None) -> JobRow:
        return JobRow(
            new_job_id(), "claimed", model.provider, model.id, group.dialect,
            key.account if key is not None else "", credential_of(key), "", "[]",
            0, 0, 0, 0, now_us(),
        )  # fmt: skip

    def _claim(
        self, connection: Connection, group: Group, job: JobRow, api: BatchApi
    ) -> tuple[JobRow, list[LineRow]] | None:
        """The job with its lines, in the store. None: nothing may be enqueued now."""
        config = self._desk.config
        limit = min(config.job_lines, api.limits.requests)
        found = sql.waiting_lines(connection, group.model, group.dialect, now_us(), limit)
        tokens = None
        if config.max_enqueued_tokens:
            at_work = sql.jobs_in(connection, _AT_WORK)
            held = sum(one.tokens for one in at_work if one.model == group.model)
            tokens = config.max_enqueued_tokens - held
            if not held:
                tokens = max(1, tokens)  # a line above the bound goes alone
        share = self._shares.get(group.model, 1.0)
        lines = [
            line._replace(
                state=states.after(line.state, "claim"), job=job.id, attempts=line.attempts + 1
            )
            for line in found[: taken(found, api.limits, config, tokens, share)]
        ]
        if not lines:
            return None
        job = job._replace(
            lines=len(lines),
            size=sum(line.size for line in lines),
            tokens=sum(line.tokens for line in lines),
            deadline_at=min(line.deadline_at for line in lines),
        )
        sql.add_job(connection, job)
        sql.put_lines(connection, lines)
        return job, lines

    async def _hand_over(
        self,
        group: Group,
        model: Model,
        key: Key | None,
        api: BatchApi,
        job: JobRow,
        lines: list[LineRow],
    ) -> None:
        desk = self._desk
        runtime = desk.runtime
        prepared = await desk.read(partial(_prepared, runtime=runtime, model=model, lines=lines))
        if prepared.unsaid:
            left = job._replace(lines=len(prepared.ready))
            await desk.write(
                "unsaid", partial(_put_aside, desk=desk, job=left, rows=prepared.unsaid)
            )
            job = left
        if not prepared.ready:
            return
        if prepared.noted:
            await desk.write("noted", partial(sql.put_notes, rows=prepared.noted))
        desk.check_lease()
        desk.step("before submitting")
        try:
            taken_job = await api.submit(
                runtime.upstreams[model.provider], key, model.name, group.dialect,
                prepared.ready, job.id,
            )  # fmt: skip
        except ProviderError as error:
            await self._not_taken(group, model, key, job, error)
            return
        desk.step("after submitting")
        self._setbacks.pop((group.model, group.dialect), None)
        self._shares.pop(group.model, None)
        await desk.write("submit", partial(record_submitted, desk=desk, job=job.id,
                                           external=taken_job.id))  # fmt: skip

    async def _not_taken(
        self, group: Group, model: Model, key: Key | None, job: JobRow, error: ProviderError
    ) -> None:
        """The provider's answer to a job was no, or there was none."""
        desk = self._desk
        setbacks = self._setbacks[group.model, group.dialect] = (
            self._setbacks.get((group.model, group.dialect), 0) + 1
        )
        rest = max(rest_seconds(setbacks, desk.random), error.retry_after or 0.0)
        log.warning(
            "Provider '%s' did not take %d lines for %s: %s", model.provider, job.lines, model.id,
            error.kind,
        )  # fmt: skip
        self._rest(group, rest)
        if not certainly_refused(error):
            await desk.write("doubt", partial(record_doubt, desk=desk, job=job.id, why=error.kind))
            return
        if key is not None and error.kind in KEY_COOLDOWN_SECONDS:
            keys = desk.runtime.upstreams[model.provider].keys
            if len(keys) > 1:
                keys.cool(key, time.monotonic() + max(rest, KEY_COOLDOWN_SECONDS[error.kind]))
        if error.kind in _CROWDED:
            self._shares[group.model] = max(0.01, self._shares.get(group.model, 1.0) / 2)
        waits = error.kind in _CROWDED or (
            (error.kind in UNHEALTHY or error.kind in KEY_COOLDOWN_SECONDS)
            and setbacks <= desk.config.retries
        )
        if not waits:
            self._setbacks.pop((group.model, group.dialect), None)
            self._rests.pop((group.model, group.dialect), None)
        await desk.write("refuse", partial(_record_refused, desk=desk, job=job.id, why=error.kind,
                                           rest=rest if waits else None))  # fmt: skip

    def _rest(self, group: Group, seconds: float) -> None:
        self._rests[group.model, group.dialect] = time.monotonic() + seconds


def certainly_refused(error: ProviderError) -> bool:
    """Whether the provider surely has no batch of a submission that ended so."""
    if error.code == NOT_SENT:
        return True
    unsure = (ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.MALFORMED_REPLY)
    if error.kind in unsure or not error.body:
        return error.kind in _CROWDED
    return error.status < 500 or error.kind in _CERTAIN


def _prepared(
    connection: Connection, runtime: Runtime, model: Model, lines: Sequence[LineRow]
) -> Prepared:
    """What the provider is sent of each line, and the lines that it cannot be told."""
    places: dict[str, list[int]] = {}
    for line in lines:
        places.setdefault(line.batch, []).append(line.place)
    bodies = {
        batch: batches_sql.request_bodies(connection, batch, wanted)
        for batch, wanted in places.items()
    }
    prepared = Prepared([], [], [])
    for line in lines:
        body = bodies[line.batch].pop(line.place)
        try:
            trip = trip_of(runtime, line, body)
            said = prepare(runtime, trip, model)
        except HybridError:
            prepared.unsaid.append(line)
            continue
        note = note_of(line.note)
        if note.prompt != trip.variant or note.added != trip.added:
            note.prompt, note.added = trip.variant, trip.added
            prepared.noted.append(line._replace(note=packed(note)))
        name = custom_id(request_id(line.batch, line.place), line.attempts)
        prepared.ready.append(Ready(name, said))
    return prepared


def released(desk: Desk, row: LineRow, rest: float | None) -> LineRow:
    """A line that its job did not keep: it waits for the same model after `rest` seconds, or with
    None for the next one."""
    row = row._replace(state=states.after(row.state, "release"), job="")
    if rest is not None:
        return row._replace(ready_at=now_us() + int(rest * US))
    changes = elsewhere(desk.runtime, desk.apis, row, note_of(row.note))
    return row._replace(**(changes or {"dialect": LIVE}))


def _put_aside(connection: Connection, desk: Desk, job: JobRow, rows: Sequence[LineRow]) -> None:
    """These lines cannot be said to the job's provider."""
    locked = sql.lock_lines(connection, [(row.batch, row.place) for row in rows])
    sql.put_lines(connection, [released(desk, row, None) for row in locked.values()])
    if not job.lines:
        job = job._replace(state=states.job_after(job.state, "refuse"), error="unsaid")
    sql.put_job(connection, job)


def _move_on(connection: Connection, desk: Desk, group: Group) -> None:
    """The group's model cannot be batched any more."""
    rows = sql.waiting_lines(connection, group.model, group.dialect, now_us(), 10_000)
    changed = []
    for row in rows:
        changes = elsewhere(desk.runtime, desk.apis, row, note_of(row.note))
        changed.append(row._replace(**(changes or {"dialect": LIVE})))
    sql.put_lines(connection, changed)


def record_submitted(connection: Connection, desk: Desk, job: str, external: str) -> None:
    """The provider has the job, by the name `external`."""
    row = sql.find_job(connection, job)
    assert row is not None  # noqa: S101 - jobs at work are never deleted
    now = now_us()
    wait = int(desk.config.poll_seconds * US)
    sql.put_job(
        connection,
        row._replace(
            state=states.job_after(row.state, "submit"), external_id=external, failures=0,
            submitted_at=row.submitted_at or now, next_at=now + wait, polls=0,
        ),
    )  # fmt: skip
    sql.move_job_lines(connection, job, states.ends("submit"))


def record_doubt(connection: Connection, desk: Desk, job: str, why: str) -> None:
    """Nobody knows whether the provider has the job."""
    row = sql.find_job(connection, job)
    assert row is not None  # noqa: S101 - jobs at work are never deleted
    state = states.job_after(row.state, "doubt")
    sql.put_job(connection, row._replace(state=state, error=why, next_at=now_us()))


def _record_refused(
    connection: Connection, desk: Desk, job: str, why: str, rest: float | None
) -> None:
    row = sql.find_job(connection, job)
    assert row is not None  # noqa: S101 - jobs at work are never deleted
    sql.put_job(connection, row._replace(state=states.job_after(row.state, "refuse"), error=why))
    rows = [line for line in sql.lines_of_job(connection, job) if line.state == "claimed"]
    sql.put_lines(connection, [released(desk, line, rest) for line in rows])
