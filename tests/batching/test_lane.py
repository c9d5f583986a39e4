"""What the lane promises: stored before it is acknowledged, answered once, billed once, by the
deadline or reported; on both databases, before batches that do as they are told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest
from sqlalchemy import Connection

from hybridllm.batching.lane import Lane
from hybridllm.batching.structs import NewLine
from hybridllm.errors import ErrorKind, HybridError, RequestError
from hybridllm.providers.batches.api import Outcome
from hybridllm.store import batch_jobs, open_store
from hybridllm.store.schema import batch_lines, batch_requests, batches
from tests.batching.fakes import FakeJob, FakeProvider, refusal
from tests.batching.lanes import KEY, Home, accepted, chat, lines, names, new


async def test_every_line_is_answered_once_at_the_price_of_batches(
    home: Home, provider: FakeProvider
) -> None:
    batch = await accepted(home, 40)
    assert (batch.state, batch.total) == ("open", 40)
    ended = await home.ended(batch.id)
    assert (ended.answered, ended.failed, ended.late) == (40, 0, 0)
    results = await home.results(batch.id)
    assert names(results) == [f"c{n}" for n in range(40)]
    assert {(r.state, r.status, r.mode, r.model) for r in results} == {
        ("answered", 200, "batch", "openai/gpt-4o-mini")
    }
    # 10 tokens in and 5 out, at half of $0.15 and $0.60 a million.
    assert {r.cost for r in results} == {10 * 75_000 + 5 * 300_000}
    assert ended.cost == 40 * results[0].cost
    rows = home.rows()
    assert {(f"{row.request_id}-{row.attempt}") for row in rows} == set(provider.billed)
    assert {(row.batch, row.answered, row.outcome, row.task) for row in rows} == {
        (True, True, "ok", "classification")
    }
    assert sum(row.cost for row in rows) == ended.cost
    assert {row.batch_gap for row in rows} == {results[0].cost}


async def test_a_caller_of_any_dialect_gets_its_own(home: Home) -> None:
    found = {
        dialect: (await accepted(home, 3, dialect)).id
        for dialect in ("openai", "anthropic", "google")
    }
    bodies = {}
    for dialect, id in found.items():
        await home.ended(id)
        bodies[dialect] = json.loads((await home.results(id))[0].body)
    assert bodies["openai"]["choices"][0]["message"]["content"] == "Done."
    assert bodies["anthropic"]["content"][0]["text"] == "Done."
    assert bodies["google"]["candidates"][0]["content"]["parts"][0]["text"] == "Done."


async def test_a_line_that_is_no_request_has_failed_when_the_batch_is_accepted(
    home: Home, provider: FakeProvider
) -> None:
    bad = [
        NewLine(custom_id="json", body=b"{"),
        NewLine(custom_id="task", body=chat(), task="clasification"),
        NewLine(custom_id="stream", body=chat(stream=True)),
    ]
    batch = await home.lane.accept(new(), [*bad, *lines(1)])
    assert (batch.state, batch.total, batch.failed) == ("open", 4, 3)
    errors = {r.custom_id: json.loads(r.body)["error"] for r in await home.results(batch.id)}
    assert "JSON" in errors["json"]["message"]
    assert "classification" in errors["task"]["message"]
    assert errors["stream"]["param"] == "stream"
    assert (await home.ended(batch.id)).answered == 1
    alone = await home.lane.accept(new(), bad)
    assert (alone.state, alone.failed) == ("ended", 3)


async def test_what_is_not_accepted_leaves_nothing_behind(home: Home) -> None:
    for count in (3, 300):
        with pytest.raises(RequestError, match="Two lines have the custom_id 'c0'"):
            await home.lane.accept(new(), [*lines(count), *lines(1)])

    async def broken() -> AsyncIterator[NewLine]:
        for line in lines(300):
            yield line
        raise HybridError("The caller went away.")

    with pytest.raises(HybridError, match="went away"):
        await home.lane.accept(new(), broken())
    engine = open_store(home.store_url)
    with engine.connect() as connection:
        for table in (batches, batch_lines, batch_requests):
            assert connection.execute(table.select()).all() == []
    engine.dispose()


@pytest.mark.parametrize("count", [1, 300])
async def test_what_is_given_up_while_it_is_accepted_leaves_nothing_behind(
    home: Home, count: int
) -> None:
    """Whenever the caller goes away, also while its transaction is on its way."""
    given_up = 0
    for ticks in range(8):
        task = asyncio.ensure_future(accepted(home, count))
        for _ in range(ticks):
            await asyncio.sleep(0 if ticks < 5 else 0.001)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        given_up += task.cancelled()
    assert given_up
    engine = open_store(home.store_url)
    with engine.connect() as connection:
        found = {
            table.name: len(connection.execute(table.select()).all())
            for table in (batches, batch_lines, batch_requests)
        }
    engine.dispose()
    whole = 8 - given_up
    assert found == {
        "batches": whole,
        "batch_lines": whole * count,
        "batch_requests": whole * count,
    }


async def test_batches_are_their_keys_own_newest_first(home: Home) -> None:
    ids = [(await accepted(home, 1)).id for _ in range(5)]
    await accepted(home, 1, "anthropic")
    assert await home.lane.batch(ids[0], "yours") is None
    assert await home.lane.batches("yours") == []
    listed = await home.lane.batches(KEY, "openai", "batch", None, 3)
    assert [batch.id for batch in listed] == ids[:1:-1]
    more = await home.lane.batches(KEY, "openai", "batch", listed[-1].id, 3)
    assert [batch.id for batch in more] == ids[1::-1]
    assert await home.lane.cancel(ids[0], "yours") is None
    assert not await home.lane.delete(ids[0], "yours")


async def test_a_waiting_caller_is_told_of_the_end(home: Home) -> None:
    batch = await accepted(home, 2)
    waiting = asyncio.ensure_future(home.lane.wait(batch.id, KEY, 30))
    still = await home.lane.wait(batch.id, KEY, 0)
    assert still is not None and still.state == "open"
    await home.ended(batch.id)
    told = await waiting
    assert told is not None and told.state == "ended"


async def test_a_passing_error_is_retried_and_only_the_answer_is_billed(
    home: Home, provider: FakeProvider
) -> None:
    error = json.dumps({"error": {"message": "Busy", "type": "server_error"}}).encode()
    provider.endings["1-1"] = Outcome(custom_id="", ending="refused", status=500, body=error)
    batch = await accepted(home, 3)
    ended = await home.ended(batch.id)
    assert ended.answered == 3
    rows = [row for row in home.rows() if row.request_id.endswith("-1")]
    assert [(row.attempt, row.outcome, row.error_kind, row.cost > 0) for row in rows] == [
        (1, "error", "server_error", False),
        (2, "ok", "", True),
    ]


async def test_a_lines_own_fault_is_handed_back(home: Home, provider: FakeProvider) -> None:
    said = {"error": {"message": "No such knob", "type": "invalid_request_error"}}
    body = json.dumps(said).encode()
    provider.endings["0-1"] = Outcome(custom_id="", ending="refused", status=400, body=body)
    batch = await accepted(home, 2)
    ended = await home.ended(batch.id)
    assert (ended.answered, ended.failed) == (1, 1)
    first, _ = await home.results(batch.id)
    assert (first.state, first.status, first.cost) == ("failed", 400, 0)
    assert json.loads(first.body) == said


async def test_an_expired_line_goes_to_the_next_model_of_its_chain(
    home: Home, provider: FakeProvider
) -> None:
    provider.endings["0-1"] = Outcome(custom_id="", ending="expired")
    batch = await accepted(home, 2)
    await home.ended(batch.id)
    first, second = await home.results(batch.id)
    assert second.model == "openai/gpt-4o-mini"
    assert first.model == "google/gemini-2.5-flash"
    assert first.mode == "batch"


@pytest.mark.parametrize("kind", [ErrorKind.BAD_REQUEST, ErrorKind.NOT_FOUND])
async def test_a_job_that_a_provider_refuses_goes_to_the_next(
    home: Home, provider: FakeProvider, kind: ErrorKind
) -> None:
    provider.refusals = [refusal(kind)]
    batch = await accepted(home, 3)
    await home.ended(batch.id)
    assert {r.model for r in await home.results(batch.id)} == {"google/gemini-2.5-flash"}


async def test_a_full_queue_is_waited_for(home: Home, provider: FakeProvider) -> None:
    provider.refusals = [refusal(ErrorKind.RATE_LIMITED, 429)]
    batch = await accepted(home, 3)
    await home.ended(batch.id)
    assert {r.model for r in await home.results(batch.id)} == {"openai/gpt-4o-mini"}


@pytest.mark.parametrize("tags", [True, False], ids=["with tags", "without"])
async def test_a_job_whose_acknowledgement_was_lost_is_not_sent_twice(
    home: Home, provider: FakeProvider, tags: bool
) -> None:
    provider.tags = tags
    provider.lost = [refusal(ErrorKind.TIMEOUT, 504)]
    batch = await accepted(home, 5)
    ended = await home.ended(batch.id)
    assert ended.answered == 5
    assert provider.calls["submit"] == 1
    assert len(provider.billed) == 5 == len(home.rows())


async def test_a_job_that_is_taken_while_it_is_looked_at_is_not_doubted(home: Home) -> None:
    batch = await accepted(home, 1)
    await home.turn()
    driver = home.lane.driver
    (job,) = await driver._desk.read(partial(batch_jobs.jobs_in, states=("submitted",)))
    await driver._attend(job._replace(state="claimed", next_at=0))  # as it was read before
    (same,) = await driver._desk.read(partial(batch_jobs.jobs_in, states=("submitted",)))
    assert same == job
    assert (await home.ended(batch.id)).answered == 1


@pytest.mark.parametrize("state", ["doubtful", "submitted", "ended"])
async def test_a_job_that_moves_on_while_it_is_looked_at_is_left_to_that(
    home: Home, provider: FakeProvider, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    batch = await accepted(home, 2)
    await home.ended(batch.id)
    driver = home.lane.driver
    (job,) = await driver._desk.read(partial(batch_jobs.jobs_in, states=("collected",)))
    calls = dict(provider.calls)
    for _ in range(3):
        await driver._attend(job._replace(state=state, next_at=0))  # as it was read before
        await driver.settle()
    assert dict(provider.calls) == calls
    (same,) = await driver._desk.read(partial(batch_jobs.jobs_in, states=("collected",)))
    assert same == job
    assert not caplog.records


async def test_where_no_tags_are_kept_the_results_tell_whose_job_it_is(
    home: Home, provider: FakeProvider
) -> None:
    """A stranger's batch of the same size is taken on trial, and found not to be ours."""
    provider.tags = False
    others = [f"other-{n}" for n in range(5)]
    provider.jobs["stranger"] = FakeJob("stranger", "gpt-4o-mini", "openai", "x", others)
    provider.lost = [refusal(ErrorKind.TIMEOUT, 504)]
    batch = await accepted(home, 5)
    ended = await home.ended(batch.id)
    assert ended.answered == 5
    assert provider.calls["submit"] == 1


async def test_a_job_that_never_arrived_is_sent_again(home: Home, provider: FakeProvider) -> None:
    provider.refusals = [refusal(ErrorKind.CONNECTION, 502)]
    batch = await accepted(home, 5)
    ended = await home.ended(batch.id)
    assert ended.answered == 5
    assert {row.attempt for row in home.rows()} == {2}


async def test_cancelling_ends_what_waits_at_once_and_what_is_submitted_soon(
    home: Home, provider: FakeProvider
) -> None:
    provider.holding = True
    batch = await accepted(home, 4)
    other = await accepted(home, 2)
    cancelled = await home.lane.cancel(other.id, KEY)
    assert cancelled is not None and (cancelled.state, cancelled.cancelled) == ("ended", 2)
    await home.turn(2)
    begun = await home.lane.cancel(batch.id, KEY)
    assert begun is not None and begun.state == "cancelling"
    ended = await home.ended(batch.id)
    assert (ended.cancelled, ended.answered) == (4, 0)
    assert provider.calls["cancel"] == 1
    assert [r.state for r in await home.results(batch.id)] == ["cancelled"] * 4
    assert sum(row.cost for row in home.rows()) == 0


async def test_lines_of_a_shared_job_are_given_up_and_paid_for(
    home: Home, provider: FakeProvider
) -> None:
    provider.holding = True
    kept, dropped = await accepted(home, 2), await accepted(home, 3)
    await home.turn(2)
    await home.lane.cancel(dropped.id, KEY)
    ended = await home.ended(dropped.id)
    assert (ended.cancelled, provider.calls["cancel"]) == (3, 0)
    assert not await home.lane.delete(dropped.id, "yours")
    assert await home.lane.delete(dropped.id, KEY)
    assert await home.lane.batch(dropped.id, KEY) is None
    provider.holding = False
    assert (await home.ended(kept.id)).answered == 2
    rows = home.rows()
    assert len(rows) == 5 and sum(row.answered for row in rows) == 2
    assert {f"{row.request_id}-{row.attempt}" for row in rows} == set(provider.billed)


async def test_a_deleted_batch_leaves_nothing_behind(home: Home) -> None:
    batch = await accepted(home, 3)
    assert not await home.lane.delete(batch.id, KEY)
    await home.ended(batch.id)
    assert await home.lane.delete(batch.id, KEY)
    assert await home.lane.batch(batch.id, KEY) is None
    assert await home.results(batch.id) == []


async def test_only_one_process_drives_and_another_takes_over(home: Home) -> None:
    batch = await accepted(home, 3)
    await home.turn()
    first = home.lane
    home.start()
    assert not await home.lane.driver.take()
    seen = await home.lane.batch(batch.id, KEY)
    assert seen is not None and seen.total == 3
    await first.driver.release()
    assert (await home.ended(batch.id)).answered == 3
    assert not await first.driver._renew()
    await first._database.close()


async def test_a_process_that_stands_by_rests_whatever_it_accepts(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    take = batch_jobs.take_lease

    def counted(connection: Connection, name: str, holder: str, now: int, until: int) -> bool:
        tried.append(holder)
        return take(connection, name, holder, now, until)

    await home.turn()  # it has the lease
    monkeypatch.setattr(batch_jobs, "take_lease", counted)
    other = Lane(lambda: home.runtime, home.ledger, home.store_url, apis=home.apis)
    await other.open()
    await other.accept(new(), lines(1))
    await asyncio.sleep(0.3)
    await other.close()
    assert len(tried) == 1, "it will try again in five seconds"


async def test_late_answers_are_marked_and_logged(
    home: Home, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    batch = await home.lane.accept(new(seconds=-5), lines(2))
    with caplog.at_level(logging.WARNING, "hybridllm.batching"):
        ended = await home.ended(batch.id)
    assert (ended.answered, ended.late) == (2, 2)
    assert all(r.late and r.mode == "sync" for r in await home.results(batch.id))
    assert "after its deadline" in caplog.text
    assert "Spam" not in caplog.text
