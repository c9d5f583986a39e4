"""Anthropic's message batches, through its own SDK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anthropic
import pytest
from anthropic.types import Message
from anthropic.types.messages import (
    DeletedMessageBatch,
    MessageBatch,
    MessageBatchIndividualResponse,
)

from hybridllm.simulators import Fault, Profile, Simulators
from tests.simulators.batches.conftest import KEY
from tests.simulators.wire import Raw, conforms

PATH = "/v1/messages/batches"


def entry(custom_id: str, text: str = "Hi. [[sim output_tokens=7]]", **params: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    wanted = {"model": "claude-sonnet-4-6", "max_tokens": 100, "messages": messages}
    return {"custom_id": custom_id, "params": {**wanted, **params}}


def entries(count: int) -> list[Any]:
    return [
        entry(f"line-{at}", f"Number {at}. [[sim output_tokens={at % 9 + 1}]]")
        for at in range(count)
    ]


def submit(claude: anthropic.Anthropic, requests: Sequence[Any]) -> MessageBatch:
    return claude.messages.batches.create(requests=requests)


def results(
    claude: anthropic.Anthropic, batch: MessageBatch
) -> dict[str, MessageBatchIndividualResponse]:
    found = [
        conforms(MessageBatchIndividualResponse, one.to_dict())
        for one in claude.messages.batches.results(batch.id)
    ]
    assert len({one.custom_id for one in found}) == len(found)
    return {one.custom_id: one for one in found}


class TestABatch:
    def test_is_in_progress_until_it_ends(self, slow, slow_claude):
        batch = submit(slow_claude, entries(10))
        assert batch.processing_status == "in_progress" and batch.results_url is None
        assert (batch.expires_at - batch.created_at).total_seconds() == 86_400
        slow.advance(500)
        batch = slow_claude.messages.batches.retrieve(batch.id)
        assert (batch.request_counts.processing, batch.request_counts.succeeded) == (10, 0)
        slow.advance(500)
        batch = slow_claude.messages.batches.retrieve(batch.id)
        conforms(MessageBatch, batch.to_dict())
        assert batch.processing_status == "ended" and batch.ended_at > batch.created_at
        assert (batch.request_counts.processing, batch.request_counts.succeeded) == (0, 10)
        assert batch.results_url.endswith(f"{PATH}/{batch.id}/results")

    def test_answers_as_a_live_call_does_out_of_order_each_once(self, sims, claude):
        requests = entries(40)
        batch = submit(claude, requests)
        found = results(claude, batch)
        assert list(found) != [one["custom_id"] for one in requests]
        for request in requests[:3]:
            live: Message = claude.messages.create(**request["params"])
            message = found[request["custom_id"]].result.message
            assert message.content == live.content and message.stop_reason == live.stop_reason
            assert message.usage.service_tier == "batch"
            assert message.usage.output_tokens == live.usage.output_tokens

    def test_each_request_is_a_record_with_its_bill(self, sims, claude):
        batch = submit(claude, entries(30))
        found = results(claude, batch)
        records = {call.attempt: call for call in sims.calls() if call.batch == batch.id}
        assert records.keys() == found.keys()
        for custom_id, record in records.items():
            usage = found[custom_id].result.message.usage
            assert (record.billed.input_tokens, record.billed.output_tokens) == (
                usage.input_tokens, usage.output_tokens,
            )  # fmt: skip
        assert sims.counts().lines == 30

    def test_prefixes_are_cached_within_it(self, sims, claude):
        system = [{"type": "text", "text": "word " * 2000, "cache_control": {"type": "ephemeral"}}]
        batch = submit(claude, [entry(f"{at}", system=system) for at in range(5)])
        usages = [one.result.message.usage for one in results(claude, batch).values()]
        assert (
            sorted(bool(usage.cache_read_input_tokens) for usage in usages) == [False] + [True] * 4
        )

    def test_has_no_results_before_its_end(self, slow, slow_claude, raw: Raw):
        batch = submit(slow_claude, entries(1))
        with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
            slow_claude.messages.batches.results(batch.id)
        with pytest.raises(anthropic.BadRequestError, match="no available results"):
            slow_claude.get(f"{PATH}/{batch.id}/results", cast_to=object)


class TestErrorsInIt:
    def test_a_bad_request_fails_alone(self, sims, claude):
        requests = [
            entry("good"), entry("bad", max_tokens=0), entry("streamed", stream=True),
            entry("unknown", model="claude-none"),
        ]  # fmt: skip
        batch = submit(claude, requests)
        found = results(claude, batch)
        assert found["good"].result.type == "succeeded"
        assert found["bad"].result.error.error.type == "invalid_request_error"
        assert "max_tokens" in found["bad"].result.error.error.message
        assert found["streamed"].result.type == "errored"
        assert found["unknown"].result.error.error.type == "not_found_error"
        counts = claude.messages.batches.retrieve(batch.id).request_counts
        assert (counts.succeeded, counts.errored) == (1, 3)

    def test_a_fault_fails_a_share_of_it(self, sims, claude):
        sims.faults(Fault(kind="batch_errors", share=0.3, status=529))
        batch = submit(claude, entries(50))
        failed = [one for one in results(claude, batch).values() if one.result.type == "errored"]
        assert [one.result.error.error.type for one in failed] == ["overloaded_error"] * 15


class TestTheEnd:
    def test_cancelled_it_keeps_what_was_done(self, slow, slow_claude):
        batch = submit(slow_claude, entries(10))
        slow.advance(500)
        cancelled = slow_claude.messages.batches.cancel(batch.id)
        assert cancelled.processing_status == "canceling" and cancelled.cancel_initiated_at
        slow.advance(100)
        batch = slow_claude.messages.batches.retrieve(batch.id)
        counts = batch.request_counts
        assert batch.processing_status == "ended"
        assert (counts.succeeded, counts.canceled) == (5, 5)
        kinds = [one.result.type for one in results(slow_claude, batch).values()]
        assert sorted(kinds) == ["canceled"] * 5 + ["succeeded"] * 5
        assert slow.counts().lines == 5

    def test_it_expires_with_what_was_not_done(self, sims, claude):
        sims.faults(Fault(kind="batch_expiry", share=0.4))
        batch = submit(claude, entries(20))
        assert claude.messages.batches.retrieve(batch.id).processing_status == "in_progress"
        sims.advance(86_400)
        batch = claude.messages.batches.retrieve(batch.id)
        assert batch.ended_at == batch.expires_at
        assert (batch.request_counts.succeeded, batch.request_counts.expired) == (12, 8)
        kinds = [one.result.type for one in results(claude, batch).values()]
        assert kinds.count("expired") == 8

    def test_what_has_ended_cannot_be_cancelled(self, sims, claude):
        batch = submit(claude, entries(1))
        with pytest.raises(anthropic.BadRequestError, match="has ended"):
            claude.messages.batches.cancel(batch.id)

    def test_only_what_has_ended_can_be_deleted(self, slow, slow_claude):
        batch = submit(slow_claude, entries(1))
        with pytest.raises(anthropic.BadRequestError, match="while it is processing"):
            slow_claude.messages.batches.delete(batch.id)
        slow.advance(1000)
        deleted = slow_claude.messages.batches.delete(batch.id)
        conforms(DeletedMessageBatch, deleted.to_dict())
        with pytest.raises(anthropic.NotFoundError):
            slow_claude.messages.batches.retrieve(batch.id)


class TestCreating:
    @pytest.mark.parametrize(
        ("requests", "words"),
        [
            ([], "at least 1 item"),
            ([entry("a"), entry("a")], r"requests.1.custom_id: Duplicate"),
            ([entry("a b")], r"requests.0.custom_id: String should match"),
            ([entry("x" * 65)], r"requests.0.custom_id: String should match"),
            ([{"custom_id": "a"}], r"requests.0.params: Field required"),
            ([{"params": {}}], r"requests.0.custom_id: Field required"),
            ([{"custom_id": "a", "params": 3}], r"requests.0.params: Input should be"),
            ([{"custom_id": 3, "params": {}}], r"requests.0.custom_id: Expected `str`"),
            ([{**entry("a"), "more": 1}], "more"),
        ],
    )
    def test_refuses_the_whole_and_names_the_place(self, sims, claude, requests, words):
        with pytest.raises(anthropic.BadRequestError, match=words):
            submit(claude, requests)
        assert sims.counts().lines == 0 and not claude.messages.batches.list().data

    @pytest.mark.parametrize("body", [b"{}", b"{no json", b"[]", b'{"requests": 3}'])
    def test_refuses_another_body(self, raw: Raw, body):
        reply = raw.request("POST", "anthropic", PATH, body)
        assert reply.status == 400
        assert reply.json()["error"]["type"] == "invalid_request_error"

    def test_takes_100_000_requests_and_no_more(self, sims, raw: Raw):
        one = b'{"custom_id":"%d","params":{"model":"claude-sonnet-4-6"}}'
        body = b'{"requests":[%b]}' % b",".join(one % at for at in range(100_001))
        reply = raw.request("POST", "anthropic", PATH, body)
        assert reply.status == 400 and "100000" in reply.json()["error"]["message"]

    def test_a_fault_refuses_it(self, sims, claude):
        sims.faults(Fault(kind="batch_refused", message="Not today."))
        with pytest.raises(anthropic.BadRequestError, match=r"Not today\."):
            submit(claude, entries(1))

    def test_enqueued_requests_are_limited_until_batches_end(self):
        with Simulators(Profile(batch_seconds=100, batch_enqueued_requests=5)) as sims:
            claude = anthropic.Anthropic(base_url=sims.anthropic_url, api_key=KEY, max_retries=0)
            submit(claude, entries(3))
            with pytest.raises(anthropic.RateLimitError):
                submit(claude, entries(3))
            sims.advance(100)
            submit(claude, entries(3))

    def test_another_key_sees_nothing(self, sims, claude):
        batch = submit(claude, entries(1))
        other = claude.with_options(api_key="sim-other")
        for call in (other.messages.batches.retrieve, other.messages.batches.cancel):
            with pytest.raises(anthropic.NotFoundError):
                call(batch.id)
        assert other.messages.batches.list().data == []

    def test_lists_go_both_ways(self, sims, claude):
        made = [submit(claude, entries(1)).id for _ in range(5)][::-1]
        assert [one.id for one in claude.messages.batches.list(limit=2)] == made
        before = claude.messages.batches.list(limit=2, before_id=made[3])
        assert [one.id for one in before.data] == made[1:3] and before.has_more
        with pytest.raises(anthropic.BadRequestError):
            claude.messages.batches.list(after_id="none")
        with pytest.raises(anthropic.BadRequestError):
            claude.messages.batches.list(limit=0)

    def test_a_cut_reply_leaves_the_batch_made(self, sims, claude):
        sims.faults(Fault(kind="cut", endpoint="messages.batches.create", calls=1))
        with pytest.raises(anthropic.APIConnectionError):
            submit(claude, entries(2))
        assert len(claude.messages.batches.list().data) == 1 and sims.counts().lines == 2
