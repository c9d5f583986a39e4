"""A deadline is met or reported: batches that would miss it are not waited for."""

from __future__ import annotations

import json

import msgspec
import pytest

from hybridllm.batching.structs import NewLine
from hybridllm.config import BatchConfig
from hybridllm.simulators import Fault, Simulators
from tests.batching.fakes import FakeProvider
from tests.batching.lanes import AT_ONCE, Home, accepted, chat, lines, new


def configure(home: Home, **changes: object) -> None:
    """Another `[batch]` section, as after a reload."""
    batch: BatchConfig = msgspec.structs.replace(AT_ONCE, **changes)
    home.runtime.config = msgspec.structs.replace(home.runtime.config, batch=batch)


async def test_a_deadline_shorter_than_a_batch_takes_goes_live_at_once(
    home: Home, provider: FakeProvider
) -> None:
    batch = await accepted(home, 3, seconds=600)
    ended = await home.ended(batch.id)
    assert (ended.answered, ended.late) == (3, 0)
    assert {r.mode for r in await home.results(batch.id)} == {"sync"}
    assert provider.calls["submit"] == 0
    assert {row.batch for row in home.rows()} == {False}


async def test_quick_batches_that_were_seen_make_shorter_deadlines_possible(
    home: Home, provider: FakeProvider
) -> None:
    for _ in range(3):
        await home.ended((await accepted(home, 1)).id)
    batch = await accepted(home, 3, seconds=600)
    await home.ended(batch.id)
    assert {r.mode for r in await home.results(batch.id)} == {"batch"}


async def test_a_job_that_takes_too_long_is_cancelled_and_the_rest_asked_live(
    home: Home, provider: FakeProvider
) -> None:
    provider.holding = True
    batch = await accepted(home, 3)
    await home.turn(2)
    assert provider.calls["submit"] == 1
    configure(home, margin_seconds=50_000)
    ended = await home.ended(batch.id)
    assert provider.calls["cancel"] == 1
    assert (ended.answered, ended.late) == (3, 0)
    rows = home.rows()
    assert sorted((row.batch, row.outcome) for row in rows) == (
        [(False, "ok")] * 3 + [(True, "cancelled")] * 3
    )
    assert sum(row.cost for row in rows) == ended.cost


async def test_what_a_job_answers_after_it_was_overtaken_is_billed_and_not_delivered(
    home: Home, provider: FakeProvider
) -> None:
    provider.holding = provider.deaf = True
    batch = await accepted(home, 3)
    await home.turn(2)
    (job,) = provider.jobs.values()
    configure(home, margin_seconds=100_000)
    ended = await home.ended(batch.id)
    assert ended.answered == 3
    assert {r.mode for r in await home.results(batch.id)} == {"sync"}
    provider.holding = False
    while not provider.billed:
        await home.turn()
    assert set(provider.billed) == set(job.names)
    rows = home.rows()
    assert sorted((row.batch, row.answered) for row in rows) == (
        [(False, True)] * 3 + [(True, False)] * 3
    )
    after = await home.lane.batch(batch.id, "mine")
    assert after is not None and after.cost == sum(row.cost for row in rows)
    assert after.answered == 3


@pytest.mark.parametrize("late", ["answer", "fail"])
async def test_nothing_is_lost_when_no_model_answers(
    real: Home, simulators: Simulators, late: str, caplog: pytest.LogCaptureFixture
) -> None:
    configure(real, late=late)
    simulators.faults(Fault(kind="outage", status=503))
    one = NewLine(custom_id="one", body=chat("A secret"), task="classification")
    batch = await real.lane.accept(new(seconds=0.3), [one])
    ended = await real.ended(batch.id)
    assert ended.failed == 1
    (result,) = await real.results(batch.id)
    error = json.loads(result.body)["error"]
    assert result.status == 504 and "by its deadline" in error["message"]
    assert "secret" not in caplog.text


async def test_a_late_line_may_fail_at_once(home: Home, provider: FakeProvider) -> None:
    configure(home, late="fail")
    batch = await home.lane.accept(new(seconds=-1), lines(2))
    ended = await home.ended(batch.id)
    assert (ended.failed, ended.cost) == (2, 0)
    assert home.rows() == []
