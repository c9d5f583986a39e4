"""Who drives the lane: one process at a time for a store, by a lease that it renews; the others
stand by. A turn looks at what waits and at what is with providers, and starts what is to be done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from hybridllm.batching.collecting import Collector
from hybridllm.batching.desk import LEASE, Desk, Overtaken, key_of, now_us
from hybridllm.batching.ending import Change, log, write_changes
from hybridllm.batching.finding import SETTLE_SECONDS, Finder, put_off
from hybridllm.batching.living import Asker, abandon_all
from hybridllm.batching.planning import LIVE
from hybridllm.batching.states import after, job_after
from hybridllm.batching.submitting import Submitter, record_doubt
from hybridllm.batching.timing import (
    US,
    margin_seconds,
    rest_seconds,
    ripe,
    too_short,
    usual_seconds,
)
from hybridllm.errors import ProviderError
from hybridllm.store import batch_jobs as sql
from hybridllm.store import batches as batches_sql
from hybridllm.store.batch_jobs import Group, JobRow

LEASE_SECONDS = 15.0
_AT_WORK = ("claimed", "doubtful", "submitted", "ended")
_AT_ONCE = 4
"""Jobs whose requests or results are in memory at the same time."""
_RECENT = 20
_GROUP = 1_000
_FOREVER = 2**62
_HOUR = 3600.0
_DAY_US = 86_400 * US
_LONGEST_PAUSE = 1.0


class Driver:
    """`run` drives until it is cancelled; a test may have single turns of it."""

    def __init__(
        self, desk: Desk, lease_seconds: float = LEASE_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:  # fmt: skip
        self._desk = desk
        self._lease_seconds = lease_seconds
        self._submitter = Submitter(desk)
        self._collector = Collector(desk)
        self._finder = Finder(desk, settle_seconds)
        self.asker = Asker(desk)
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._wake = asyncio.Event()
        self._usual: dict[str, float] = {}
        self._swept_at = -_HOUR
        self.failure: BaseException | None = None
        """What ended a task that nothing should have ended: tests look here."""

    def wake(self) -> None:
        """There is something to look at."""
        self._wake.set()

    # -- the lease

    async def run(self) -> None:
        """Take the lease when it is free and drive while it is held."""
        while True:
            try:
                if await self.take():
                    await self._drive()
            except Overtaken:
                log.warning("Another process drives the lane now.")
            except Exception as error:
                log.warning("The lane cannot be driven, and will be tried again: %s", _told(error))
            await self.stop()
            # Whoever stands by is not woken: what was accepted here, another looks after.
            await asyncio.sleep(self._lease_seconds / 3)

    async def take(self) -> bool:
        """Take the lease and put right what its last holder left; False while another has it."""
        if not await self._renew():
            return False
        while await self._desk.write("abandon", abandon_all) == _GROUP:
            pass
        await self._desk.write("recover", _doubt_all)
        return True

    async def _renew(self) -> bool:
        desk = self._desk
        asked = time.monotonic()
        now = now_us()
        until = now + int(self._lease_seconds * US)
        work = partial(sql.take_lease, name=LEASE, holder=desk.holder, now=now, until=until)
        held = await desk.database.write(work)
        # A little less than the store says, so that we stop before another starts.
        desk.held_until = asked + 0.8 * self._lease_seconds if held else 0.0
        return held

    async def release(self) -> None:
        """Let another process take over at once."""
        self._desk.held_until = 0.0
        await self._desk.database.write(
            partial(sql.drop_lease, name=LEASE, holder=self._desk.holder)
        )

    async def _drive(self) -> None:
        renewing = asyncio.ensure_future(self._keep_renewing())
        try:
            while not renewing.done():
                self._wake.clear()
                await self.turn()
                await self._pause(_LONGEST_PAUSE)
            await renewing
        finally:
            renewing.cancel()

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                if not await self._renew():
                    raise Overtaken
            except Overtaken:
                raise
            except Exception as error:
                log.warning("The lane's lease cannot be renewed: %s", _told(error))
                self._desk.check_lease()

    async def _pause(self, seconds: float) -> None:
        # Not wait_for: it loses a cancellation that comes as it is woken.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    # -- one turn

    async def turn(self) -> None:
        """Look at everything once and start what is to be done."""
        desk = self._desk
        await self._sweep()
        for batch in await desk.read(sql.cancelling):
            await self._cancel_batch(batch)
        groups = await desk.read(partial(sql.waiting_groups, now=now_us()))
        for group in groups:
            await self._consider(group)
        for job in await desk.read(partial(sql.jobs_in, states=_AT_WORK)):
            await self._attend(job)

    async def settle(self) -> None:
        """Wait for all that was started."""
        while tasks := [*self._tasks.values(), *self.asker.tasks]:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)

    async def _consider(self, group: Group) -> None:
        """Submit a group, ask some of it live, or leave it alone."""
        desk = self._desk
        if group.dialect == LIVE:
            await self._ask_due(group, _FOREVER)
            return
        runtime, config, now = desk.runtime, desk.config, now_us()
        model = runtime.models.get(group.model)
        api = None if model is None else desk.apis(runtime, model.provider)
        if model is None or api is None:
            self._start(("submit", group.model, group.dialect), self._submitter.submit(group))
            return
        latency = runtime.learned.latency_ms.get(group.model)
        margin = margin_seconds(config, latency, group.lines)
        short = too_short(now, await self._usual_of(model.provider), margin)
        if group.deadline_at < short:
            await self._ask_due(group, short)
            return
        if self._submitter.rests(group) <= 0 and ripe(group, api.limits, config, now, short):
            self._start(("submit", group.model, group.dialect), self._submitter.submit(group))

    async def _ask_due(self, group: Group, before: int) -> None:
        if self.asker.slots:
            await self.asker.ask_due(group.model, group.dialect, before)
            for task in self.asker.tasks:
                task.add_done_callback(self._done)

    async def _attend(self, job: JobRow) -> None:
        """Do what a job asks for now."""
        await self._watch_deadline(job)
        if job.next_at > now_us() or job.id in self._tasks:
            return
        if job.state == "claimed":
            if ("submit", job.model, job.dialect) not in self._tasks:
                # Its submission failed at something that nobody foresaw, unless it has ended since
                # the job was read.
                await self._desk.write("doubt", partial(_doubt_left, desk=self._desk, job=job.id))
        elif job.state == "doubtful":
            self._start(job.id, self._guarded(job, self._finder.look))
        elif job.state == "submitted":
            self._start(job.id, self._guarded(job, self._collector.poll))
        elif job.state == "ended":
            self._start(job.id, self._guarded(job, self._collector.collect))

    async def _guarded(self, job: JobRow, work: Callable[[JobRow], Awaitable[None]]) -> None:
        """Do this with the job as it is now, unless it has moved on since the turn read it. What
        nobody foresaw must not be tried again without a rest."""
        current = await self._desk.read(partial(sql.find_job, job=job.id))
        if current is None or current.state != job.state:
            return
        try:
            await work(current)
        except Overtaken:
            raise
        except Exception:
            rest = rest_seconds(job.failures + 1, self._desk.random)
            await self._desk.write("put off", partial(put_off, job=job.id, rest=rest))
            raise

    async def _watch_deadline(self, job: JobRow) -> None:
        """A job that is not done when a deadline of its lines comes near is cancelled, so that what
        is done of it is not lost; when that takes too long, those lines are asked live as well."""
        desk = self._desk
        if job.state == "ended" or job.deadline_at == _FOREVER:
            return
        latency = desk.runtime.learned.latency_ms.get(job.model)
        margin = int(margin_seconds(desk.config, latency, job.lines) * US)
        left = job.deadline_at - now_us()
        if left < 2 * margin and job.state == "submitted" and not job.cancelled_at:
            self._start(("cancel", job.id), self._cancel_job(job))
        if left < margin and self.asker.slots and job.id not in self._tasks:
            begun = await self.asker.overtake(job.id, now_us() + margin)
            for task in self.asker.tasks:
                task.add_done_callback(self._done)
            if not begun:
                await desk.write("next deadline", partial(_next_deadline, job=job.id))

    # -- cancelling

    async def _cancel_batch(self, batch: str) -> None:
        """What waits of it is cancelled at once; a job that holds nothing else is cancelled at its
        provider; in a job with other batches' lines it is given up, and paid for."""
        desk = self._desk
        while await desk.write("cancel", partial(_cancel_waiting, batch=batch)):
            pass
        for id in await desk.read(partial(sql.jobs_of_batch, batch=batch, states=("submitted",))):
            found = await desk.read(partial(sql.job_batches, job=id, states=("submitted",)))
            if any(state != "cancelling" for _, state in found):
                await desk.write("give up", partial(_give_up, job=id, batch=batch))
                continue
            job = await desk.read(partial(sql.find_job, job=id))
            if job is not None and job.state == "submitted" and not job.cancelled_at:
                self._start(("cancel", id), self._cancel_job(job))

    async def _cancel_job(self, job: JobRow) -> None:
        desk = self._desk
        runtime = desk.runtime
        api, upstream = desk.apis(runtime, job.provider), runtime.upstreams.get(job.provider)
        if api is None or upstream is None:
            return
        try:
            await api.cancel(
                upstream, key_of(upstream, job.credential, job.account), job.external_id
            )
        except ProviderError as error:
            log.warning("A job for %s could not be cancelled: %s", job.model, error.kind)
        await desk.write("job cancelled", partial(_note_cancelled, job=job.id))

    # -- the rest

    async def _usual_of(self, provider: str) -> float:
        found = self._usual.get(provider)
        if found is None:
            recent = await self._desk.read(
                partial(sql.recent_seconds, provider=provider, limit=_RECENT)
            )
            found = self._usual[provider] = usual_seconds(recent, self._desk.config)
        return found

    async def _sweep(self) -> None:
        """Once an hour, forget what is old."""
        now = time.monotonic()
        if now - self._swept_at < _HOUR:
            return
        self._swept_at = now
        self._usual.clear()
        before = now_us() - int(self._desk.config.keep_days * _DAY_US)
        for state, limit in (
            ("deleted", now_us()),
            ("ended", before),
            ("arriving", now_us() - _DAY_US),
        ):
            while await self._desk.write("sweep", partial(_drop_old, state=state, before=limit)):
                pass
        await self._desk.write("sweep jobs", partial(sql.drop_jobs, before=before))

    def _start(self, key: Hashable, work: Awaitable[None]) -> None:
        """Do this beside the turns, unless it is being done."""
        if key in self._tasks:
            if asyncio.iscoroutine(work):
                work.close()
            return
        task = asyncio.ensure_future(self._limited(work))
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))

    async def _limited(self, work: Awaitable[None]) -> None:
        async with self._room:
            await work

    def _ended(self, key: Hashable, task: asyncio.Task[None]) -> None:
        self._tasks.pop(key, None)
        self._usual.clear()
        self._done(task)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._wake.set()
        if task.cancelled():
            return
        error = task.exception()
        if error is None or isinstance(error, Overtaken):
            return
        if not isinstance(error, Exception):
            self.failure = error
        log.error("The lane failed at something: %s", _told(error))

    async def stop(self) -> None:
        """Drop all that was started: whoever drives next goes on with it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.asker.finish(0.0)


def _doubt_left(connection: Connection, desk: Desk, job: str) -> None:
    row = sql.find_job(connection, job)
    if row is not None and row.state == "claimed":
        record_doubt(connection, desk, job, "left")


def _told(error: BaseException) -> str:
    """What failed, without what might hold a prompt."""
    return type(error).__name__


def _doubt_all(connection: Connection) -> None:
    """Of jobs that were about to be submitted, nobody knows whether they were."""
    for job in sql.jobs_in(connection, ("claimed",)):
        state = job_after(job.state, "doubt")
        sql.put_job(connection, job._replace(state=state, next_at=now_us(), error="taken over"))


def _cancel_waiting(connection: Connection, batch: str) -> bool:
    """Whether there may be more."""
    batches = batches_sql.lock_batches(connection, [batch])
    rows = sql.lines_of_batch(connection, batch, "waiting", _GROUP)
    changes = [Change(row._replace(state=after(row.state, "cancel"))) for row in rows]
    write_changes(connection, batches, changes, now_us())
    return len(rows) == _GROUP


def _give_up(connection: Connection, job: str, batch: str) -> None:
    """Of a batch that is being cancelled, what is in a job with others."""
    batches = batches_sql.lock_batches(connection, [batch])
    rows = [
        row
        for row in sql.lines_of_job(connection, job)
        if row.batch == batch and row.state == "submitted"
    ]
    changes = [Change(row._replace(state=after(row.state, "cancel"))) for row in rows]
    write_changes(connection, batches, changes, now_us())


def _note_cancelled(connection: Connection, job: str) -> None:
    row = sql.find_job(connection, job)
    if row is not None:
        now = now_us()
        sql.put_job(connection, row._replace(cancelled_at=now, next_at=now, polls=0))


def _next_deadline(connection: Connection, job: str) -> None:
    """The first deadline of the lines that the job still holds and nobody asks live."""
    row = sql.find_job(connection, job)
    if row is not None:
        held = sql.lines_of_job(connection, job)
        waiting = [one.deadline_at for one in held if one.state in ("claimed", "submitted")]
        sql.put_job(connection, row._replace(deadline_at=min(waiting, default=_FOREVER)))


def _drop_old(connection: Connection, state: str, before: int) -> bool:
    """Delete one batch that no job holds lines of; whether there was one."""
    for batch in batches_sql.old_batches(connection, state, before, _GROUP):
        if not sql.jobs_of_batch(connection, batch, ("answered", "failed", "cancelled")):
            batches_sql.remove_batch(connection, batch)
            return True
    return False
