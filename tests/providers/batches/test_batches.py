"""What the lane relies on, of each provider's batch API alike, proved at the simulators."""

from __future__ import annotations

import json
import time

import pytest

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.batches.api import Ready
from hybridllm.simulators import Fault, Profile, Simulators
from hybridllm.wire.registry import get_dialect
from tests.providers.batches.sides import MODELS, Side, body_of, open_side, ready

CREATE = "*atches.create"


def text_of(dialect, body):
    reply = get_dialect(dialect).decode_reply(body)
    return "".join(part.text for part in reply.parts if hasattr(part, "text"))


class TestABatch:
    async def test_is_handed_over_and_answered_each_line_once(self, side: Side):
        lines = ready(side.dialect, 25)
        job = await side.submit(lines)
        assert job.id and job.count == 25 and abs(job.created_at - time.time()) < 3600
        assert not (await side.poll(job.id)).ended
        await side.advance(500)
        halfway = await side.poll(job.id)
        assert not halfway.ended
        await side.advance(500)
        assert (await side.poll(job.id)).ended
        outcomes = await side.results(job.id)
        assert len(outcomes) == 25
        texts = {one.custom_id: text_of(side.dialect, one.body) for one in outcomes}
        assert texts == {f"line-{at}": f"Answer {at}." for at in range(25)}
        assert {one.ending for one in outcomes} == {"answered"}

    async def test_reports_the_usage_that_is_billed(self, side: Side):
        job = await side.submit(ready(side.dialect, 5))
        await side.advance(1000)
        records = {call.attempt: call for call in side.sims.calls() if call.batch}
        for one in await side.results(job.id):
            usage, _ = get_dialect(side.dialect).meter(one.body)
            billed = records[one.custom_id].billed
            assert (usage.input_tokens, usage.output_tokens) == (
                billed.input_tokens, billed.output_tokens,
            )  # fmt: skip

    async def test_is_asked_for_once_by_one_call_each(self, side: Side):
        job = await side.submit(ready(side.dialect, 1))
        await side.poll(job.id)
        counts = side.sims.counts()
        created = [n for name, n in counts.by_endpoint.items() if name.endswith("batches.create")]
        assert created == [1]

    async def test_keeps_lines_of_any_content_as_they_are(self, side: Side):
        text = 'Line\nbreaks, "quotes", é, \u2028, \U0001f600 and \\ [[sim echo]]'
        lines = [Ready("odd-1", json.dumps(body_of(side.dialect, text)).encode())]
        lines.append(
            Ready("odd-2", json.dumps(body_of(side.dialect, text), ensure_ascii=False).encode())
        )
        job = await side.submit(lines)
        await side.advance(1000)
        found = [text_of(side.dialect, one.body) for one in await side.results(job.id)]
        assert found == [text.removesuffix(" [[sim echo]]")] * 2


class TestLinesThatFail:
    async def test_bring_the_error_of_a_live_call(self, side: Side):
        bad = body_of(side.dialect, "[[sim wrong]]")
        job = await side.submit([Ready("bad", json.dumps(bad).encode()), *ready(side.dialect, 2)])
        await side.advance(1000)
        outcomes = {one.custom_id: one for one in await side.results(job.id)}
        assert outcomes["line-0"].ending == outcomes["line-1"].ending == "answered"
        failed = outcomes["bad"]
        assert (failed.ending, failed.status) == ("refused", 400)
        error = get_dialect(side.dialect).decode_error(failed.status, {}, failed.body)
        assert error.kind is ErrorKind.BAD_REQUEST and "wrong" in error.message

    async def test_tell_what_may_be_tried_again(self, side: Side):
        side.sims.faults(Fault(kind="batch_errors", status=500, share=0.5))
        job = await side.submit(ready(side.dialect, 4))
        await side.advance(1000)
        failed = [one for one in await side.results(job.id) if one.ending == "refused"]
        assert len(failed) == 2
        for one in failed:
            error = get_dialect(side.dialect).decode_error(one.status, {}, one.body)
            assert error.retryable


class TestTheEnd:
    async def test_cancelled_it_keeps_what_was_done(self, side: Side):
        job = await side.submit(ready(side.dialect, 10))
        await side.advance(500)
        await side.cancel(job.id)
        await side.advance(100)
        assert (await side.poll(job.id)).ended
        outcomes = await side.results(job.id)
        done = [one for one in outcomes if one.ending == "answered"]
        assert len(done) == side.sims.counts().lines == 5
        assert {one.ending for one in outcomes} <= {"answered", "cancelled"}

    async def test_what_has_ended_may_be_cancelled_in_vain(self, side: Side):
        job = await side.submit(ready(side.dialect, 3))
        await side.advance(1000)
        await side.cancel(job.id)
        assert len(await side.results(job.id)) == 3

    async def test_what_expires_says_so_or_says_nothing(self, side: Side):
        side.sims.faults(Fault(kind="batch_expiry", share=1))
        job = await side.submit(ready(side.dialect, 4))
        await side.advance(side.api.limits.seconds)
        progress = await side.poll(job.id)
        assert progress.ended and not progress.refused
        assert {one.ending for one in await side.results(job.id)} <= {"expired"}
        assert side.sims.counts().lines == 0

    async def test_a_share_may_expire(self, side: Side):
        side.sims.faults(Fault(kind="batch_expiry", share=0.5))
        job = await side.submit(ready(side.dialect, 10))
        await side.advance(side.api.limits.seconds)
        assert (await side.poll(job.id)).ended
        endings = [one.ending for one in await side.results(job.id)]
        assert endings.count("answered") == endings.count("expired") == 5


class TestWhatIsUnsure:
    async def test_a_batch_whose_reply_was_lost_is_found(self, side: Side):
        before = int(time.time())
        known = (await side.submit(ready(side.dialect, 1), tag="other")).id
        side.sims.faults(Fault(kind="cut", endpoint=CREATE, calls=1))
        with pytest.raises(ProviderError) as error:
            await side.submit(ready(side.dialect, 7))
        assert error.value.kind is ErrorKind.CONNECTION
        (found,) = await side.find(since=before, known=frozenset({known}))
        await side.advance(1000)
        assert {one.custom_id for one in await side.results(found.id)} == {
            f"line-{at}" for at in range(7)
        }
        assert side.sims.counts().lines == 8

    async def test_a_batch_that_was_never_made_is_not(self, side: Side):
        side.sims.faults(Fault(kind="outage", endpoint=CREATE, calls=1))
        with pytest.raises(ProviderError):
            await side.submit(ready(side.dialect, 2))
        assert await side.find() == []
        assert side.sims.counts().lines == 0

    async def test_known_and_old_ones_are_left_out(self, side: Side):
        job = await side.submit(ready(side.dialect, 1))
        assert [one.id for one in await side.find()] == [job.id]
        assert await side.find(known=frozenset({job.id})) == []
        assert await side.find(since=int(time.time()) + 86_400) == []

    async def test_it_is_found_among_many(self, side: Side):
        made = await side.submit(ready(side.dialect, 1), tag="first")
        others = {
            (await side.submit(ready(side.dialect, 1), tag=f"other-{at}")).id for at in range(105)
        }
        found = await side.find(tag="first", known=frozenset(others))
        assert [one.id for one in found] == [made.id]


class TestFailures:
    async def test_an_outage_is_a_connection_error(self, side: Side):
        job = await side.submit(ready(side.dialect, 1))
        side.sims.faults(Fault(kind="outage"))
        for call in (side.poll(job.id), side.cancel(job.id), side.results(job.id), side.find()):
            with pytest.raises(ProviderError) as error:
                await call
            assert error.value.kind is ErrorKind.CONNECTION and error.value.retryable
            assert error.value.provider == side.provider

    async def test_what_is_safe_is_tried_again(self, side: Side):
        job = await side.submit(ready(side.dialect, 2))
        await side.advance(1000)
        for call in (lambda: side.poll(job.id), lambda: side.results(job.id), side.find):
            side.sims.faults(Fault(kind="error", status=500, calls=2))
            assert await call()

    async def test_a_batch_is_never_asked_for_twice(self, side: Side):
        busy = 529 if side.provider == "anthropic" else 503
        side.sims.faults(Fault(kind="error", status=busy, endpoint=CREATE, calls=1))
        with pytest.raises(ProviderError) as error:
            await side.submit(ready(side.dialect, 2))
        assert error.value.kind is ErrorKind.OVERLOADED
        assert side.sims.counts().by_status[str(busy)] == 1

    async def test_what_is_forbidden_is_told_and_not_tried_again(self, side: Side):
        side.sims.faults(Fault(kind="error", status=403))
        with pytest.raises(ProviderError) as error:
            await side.poll(side.missing)
        assert error.value.kind is ErrorKind.PERMISSION and not error.value.retryable
        assert side.sims.counts().calls == 1

    async def test_a_job_that_is_not_there_is_not_found(self, side: Side):
        for call in (side.poll(side.missing), side.results(side.missing)):
            with pytest.raises(ProviderError) as error:
                await call
            assert error.value.kind is ErrorKind.NOT_FOUND

    async def test_results_that_break_off_raise_and_can_be_read_again(self, side: Side):
        job = await side.submit(ready(side.dialect, 30))
        await side.advance(1000)
        await side.poll(job.id)
        endpoint = {"openai": "files.content", "anthropic": "*results", "google": "*retrieve"}
        side.sims.faults(Fault(kind="cut", endpoint=endpoint[side.provider]))
        with pytest.raises(ProviderError) as error:
            await side.results(job.id)
        assert error.value.kind is ErrorKind.CONNECTION
        side.sims.clear_faults()
        assert len(await side.results(job.id)) == 30

    async def test_a_reply_that_is_none_is_malformed(self, side: Side):
        job = await side.submit(ready(side.dialect, 1))
        side.sims.faults(Fault(kind="malformed"))
        with pytest.raises(ProviderError) as error:
            await side.poll(job.id)
        assert error.value.kind is ErrorKind.MALFORMED_REPLY

    async def test_a_refused_batch_says_why(self, side: Side):
        side.sims.faults(Fault(kind="batch_refused", message="Not these."))
        if side.provider == "openai":  # which says so once it has looked at the file
            job = await side.submit(ready(side.dialect, 1))
            await side.advance(100)
            progress = await side.poll(job.id)
            assert progress.ended and not progress.full
            assert "Not these." in progress.refused
        else:
            with pytest.raises(ProviderError, match=r"Not these\.") as error:
                await side.submit(ready(side.dialect, 1))
            assert error.value.kind is ErrorKind.BAD_REQUEST
        assert side.sims.counts().lines == 0


@pytest.mark.parametrize("dialect", list(MODELS))
async def test_too_much_enqueued_is_told_apart(dialect):
    profile = Profile(batch_seconds=100, batch_enqueued_tokens=100, batch_enqueued_requests=3)
    with Simulators(profile) as sims:
        side = open_side(sims, dialect)
        lines = [Ready(str(at), json.dumps(body_of(dialect, "word " * 30)).encode())
                 for at in range(3)]  # fmt: skip
        await side.submit(lines)
        full = False
        try:
            job = await side.submit(lines)
            await side.advance(10)
            full = (await side.poll(job.id)).full
        except ProviderError as e:
            full = e.kind is ErrorKind.RATE_LIMITED and e.retryable
        assert full
        await side.advance(100)
        again = await side.submit(lines)
        await side.advance(100)
        assert len(await side.results(again.id)) == 3
