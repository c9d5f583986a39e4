"""OpenAI's batches and files, through its own SDK: every state, every refusal, and bills that are
those of live calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import openai
import pytest
from openai.types import Batch, FileObject
from openai.types.chat import ChatCompletion

from hybridllm.simulators import Fault, Profile, Simulators
from tests.simulators.batches.conftest import KEY
from tests.simulators.wire import Raw, conforms

CHAT = "/v1/chat/completions"


def line(custom_id: str, text: str = "Hi. [[sim output_tokens=7]]", **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": CHAT,
        "body": {"model": "gpt-4o-mini", "messages": messages, **body},
    }


def lines(count: int) -> list[dict[str, Any]]:
    return [line(f"line-{at}", f"Number {at}. [[sim output_tokens={at % 9 + 1}]]")
            for at in range(count)]  # fmt: skip


def jsonl(requests: Sequence[Any]) -> bytes:
    return b"".join(
        (one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in requests
    )


def submit(gpt: openai.OpenAI, requests: Sequence[Any], **more: Any) -> Batch:
    file = gpt.files.create(file=("in.jsonl", jsonl(requests)), purpose="batch")
    options = {"endpoint": CHAT, "completion_window": "24h", **more}
    return gpt.batches.create(input_file_id=file.id, **options)


def results(gpt: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(one) for one in gpt.files.content(file_id).text.splitlines()]


class TestABatch:
    def test_goes_through_every_state_by_the_clock(self, slow, slow_gpt):
        batch = submit(slow_gpt, lines(10), metadata={"team": "a"})
        assert (batch.status, batch.metadata) == ("validating", {"team": "a"})
        assert batch.expires_at == batch.created_at + 86_400
        seen = []
        for _ in range(4):
            slow.advance(240)
            batch = slow_gpt.batches.retrieve(batch.id)
            conforms(Batch, batch.to_dict())
            seen.append((batch.status, batch.request_counts.completed))
        assert [status for status, _ in seen] == ["in_progress"] * 3 + ["finalizing"]
        assert [done for _, done in seen] == [2, 4, 7, 10]
        assert batch.output_file_id is None
        slow.advance(100)
        batch = slow_gpt.batches.retrieve(batch.id)
        assert batch.status == "completed" and batch.error_file_id is None
        assert batch.created_at < batch.in_progress_at < batch.finalizing_at < batch.completed_at
        assert batch.usage.output_tokens == sum(at % 9 + 1 for at in range(10))

    def test_answers_as_a_live_call_does_out_of_order_each_once(self, sims, gpt):
        requests = lines(40)
        batch = gpt.batches.retrieve(submit(gpt, requests).id)
        found = results(gpt, batch.output_file_id)
        ids = [one["custom_id"] for one in found]
        assert sorted(ids) == sorted(one["custom_id"] for one in requests)
        assert ids != [one["custom_id"] for one in requests]
        by_id = {one["custom_id"]: one["response"] for one in found}
        for request in requests[:3]:
            live = gpt.chat.completions.create(**request["body"])
            reply = by_id[request["custom_id"]]
            made = conforms(ChatCompletion, reply["body"])
            assert reply["status_code"] == 200 and made.choices == live.choices
            assert made.usage == live.usage

    def test_each_request_is_a_record_with_its_bill(self, sims, gpt):
        batch = gpt.batches.retrieve(submit(gpt, lines(30)).id)
        records = {call.attempt: call for call in sims.calls() if call.batch == batch.id}
        assert len(records) == 30
        for one in results(gpt, batch.output_file_id):
            record, usage = records[one["custom_id"]], one["response"]["body"]["usage"]
            assert record.billed.input_tokens == usage["prompt_tokens"]
            assert record.billed.output_tokens == usage["completion_tokens"]
            assert record.request_id == one["response"]["request_id"]
        counts = sims.counts()
        assert counts.lines == 30 and counts.by_endpoint["batch/chat.completions"] == 30
        assert counts.by_endpoint["batches.create"] == counts.by_endpoint["files.create"] == 1
        assert counts.billed == counts.billed_lines
        assert counts.billed.output_tokens == batch.usage.output_tokens

    def test_is_billed_though_nobody_asks_for_it(self, slow, slow_gpt):
        submit(slow_gpt, lines(10))
        assert slow.counts().lines == 0
        slow.advance(500)
        assert slow.counts().lines == 5
        slow.advance(500)
        assert len([call for call in slow.calls() if call.batch]) == 10

    def test_sums_alone_are_kept_under_load(self):
        with Simulators(keep_calls=False) as sims:
            gpt = openai.OpenAI(base_url=sims.openai_url, api_key=KEY, max_retries=0)
            submit(gpt, lines(20))
            assert sims.counts().lines == 20 and sims.calls() == []

    @pytest.mark.parametrize(
        ("endpoint", "body", "member"),
        [
            ("/v1/responses", {"model": "gpt-4o-mini", "input": "Hi"}, "output"),
            ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hi"}, "data"),
        ],
    )
    def test_holds_requests_of_other_endpoints(self, sims, gpt, endpoint, body, member):
        request = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
        batch = gpt.batches.retrieve(submit(gpt, [request], endpoint=endpoint).id)
        (found,) = results(gpt, batch.output_file_id)
        assert found["response"]["body"][member]

    def test_prefixes_are_cached_within_it_and_billed_so(self, sims, gpt):
        prompt = "word " * 2000
        batch = submit(gpt, [line(f"{at}", prompt) for at in range(5)])
        batch = gpt.batches.retrieve(batch.id)
        assert batch.usage.input_tokens_details.cached_tokens >= 4 * 1920

    def test_takes_longer_or_shorter_by_chance_that_repeats_itself(self):
        def waits(seed):
            with Simulators(Profile(batch_seconds=1000, batch_jitter=0.5), seed=seed) as sims:
                gpt = openai.OpenAI(base_url=sims.openai_url, api_key=KEY, max_retries=0)
                made = [submit(gpt, lines(1)) for _ in range(6)]
                sims.advance(1500)
                made = [gpt.batches.retrieve(one.id) for one in made]
                return [one.completed_at - one.created_at for one in made]

        first = waits(1)
        assert all(500 <= wait <= 1500 for wait in first) and len(set(first)) > 1
        assert [round(a - b) in (-1, 0, 1) for a, b in zip(first, waits(1), strict=True)] == [
            True
        ] * 6


class TestErrorsInIt:
    def test_a_bad_request_fails_alone(self, sims, gpt):
        requests = [line("good"), line("bad", temperature=9), line("streamed", stream=True)]
        batch = gpt.batches.retrieve(submit(gpt, requests).id)
        assert batch.status == "completed"
        assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 2)
        assert [one["custom_id"] for one in results(gpt, batch.output_file_id)] == ["good"]
        failed = {one["custom_id"]: one for one in results(gpt, batch.error_file_id)}
        reply = failed["bad"]["response"]
        assert (reply["status_code"], reply["body"]["error"]["param"]) == (400, "temperature")
        assert failed.keys() == {"bad", "streamed"}
        outcomes = {call.attempt: call.outcome for call in sims.calls() if call.batch}
        assert outcomes == {"good": "ok", "bad": "error", "streamed": "error"}

    def test_a_fault_fails_a_share_of_it(self, sims, gpt):
        sims.faults(Fault(kind="batch_errors", share=0.3, status=500, calls=1))
        batch = gpt.batches.retrieve(submit(gpt, lines(50)).id)
        assert (batch.request_counts.completed, batch.request_counts.failed) == (35, 15)
        statuses = [one["response"]["status_code"] for one in results(gpt, batch.error_file_id)]
        assert statuses == [500] * 15
        assert sims.counts().by_status["500"] == 15
        again = gpt.batches.retrieve(submit(gpt, lines(5)).id)
        assert again.request_counts.failed == 0


class TestTheEnd:
    def test_cancelled_it_keeps_what_was_done(self, slow, slow_gpt):
        batch = submit(slow_gpt, lines(10))
        slow.advance(500)
        cancelled = slow_gpt.batches.cancel(batch.id)
        assert cancelled.status == "cancelling" and cancelled.cancelling_at
        assert slow_gpt.batches.retrieve(batch.id).status == "cancelling"
        slow.advance(400)
        batch = slow_gpt.batches.retrieve(batch.id)
        assert batch.status == "cancelled" and batch.cancelled_at > batch.cancelling_at
        found = results(slow_gpt, batch.output_file_id)
        assert len(found) == batch.request_counts.completed == slow.counts().lines == 5

    def test_what_has_ended_cannot_be_cancelled(self, sims, gpt):
        batch = submit(gpt, lines(1))
        with pytest.raises(openai.ConflictError, match="completed"):
            gpt.batches.cancel(batch.id)

    def test_it_expires_with_what_was_not_done(self, sims, gpt):
        sims.faults(Fault(kind="batch_expiry", share=0.4))
        batch = submit(gpt, lines(20))
        assert gpt.batches.retrieve(batch.id).status == "in_progress"
        sims.advance(86_400)
        batch = gpt.batches.retrieve(batch.id)
        assert batch.status == "expired" and batch.expired_at == batch.expires_at
        assert len(results(gpt, batch.output_file_id)) == 12
        left = results(gpt, batch.error_file_id)
        assert [one["error"]["code"] for one in left] == ["batch_expired"] * 8
        assert all(one["response"] is None for one in left)
        assert sims.counts().lines == 12

    def test_too_slow_it_expires_too(self, slow, slow_gpt):
        slow.faults(Fault(kind="batch_slow", seconds=2 * 86_400))
        batch = submit(slow_gpt, lines(100))
        slow.advance(90_000)
        batch = slow_gpt.batches.retrieve(batch.id)
        assert batch.status == "expired" and 40 < batch.request_counts.completed < 60

    def test_a_fault_makes_it_slow(self, slow, slow_gpt):
        slow.faults(Fault(kind="batch_slow", seconds=3000, calls=1))
        first, second = submit(slow_gpt, lines(3)), submit(slow_gpt, lines(3))
        slow.advance(1000)
        assert slow_gpt.batches.retrieve(first.id).status == "in_progress"
        assert slow_gpt.batches.retrieve(second.id).status == "completed"
        slow.advance(3000)
        assert slow_gpt.batches.retrieve(first.id).status == "completed"


class TestValidation:
    @pytest.mark.parametrize(
        ("requests", "code", "at"),
        [
            ([line("a"), b"{no json"], "invalid_json_line", 2),
            ([line("a"), b"[]"], "invalid_request", 2),
            ([line("a"), b"", line("b"), line("a")], "duplicate_custom_id", 4),
            ([{**line("a"), "url": "/v1/responses"}], "url_mismatch", 1),
            ([{**line("a"), "method": "GET"}], "invalid_method", 1),
            ([line("a"), line("b", model="gpt-4o")], "model_mismatch", 2),
            ([line("a", model="gpt-99")], "model_not_found", 1),
            ([line("a", model=None)], "missing_required_parameter", 1),
            ([{"custom_id": "a", "method": "POST", "url": CHAT}], "missing_required_parameter", 1),
            ([{"method": "POST", "url": CHAT, "body": {}}], "missing_required_parameter", 1),
            ([{**line("a"), "body": 3}], "invalid_request", 1),
            ([], "empty_file", None),
        ],
    )
    def test_refuses_the_whole_and_names_the_line(self, sims, gpt, requests, code, at):
        batch = submit(gpt, requests)
        assert batch.status == "validating" and batch.errors is None
        batch = gpt.batches.retrieve(batch.id)
        conforms(Batch, batch.to_dict())
        assert batch.status == "failed" and batch.failed_at is not None
        assert [(one.code, one.line) for one in batch.errors.data] == [(code, at)]
        assert (batch.output_file_id, batch.error_file_id) == (None, None)
        assert sims.counts().lines == 0

    def test_takes_50_000_requests_and_no_more(self, sims, gpt):
        requests = [line(str(at), "Hi") for at in range(50_001)]
        batch = gpt.batches.retrieve(submit(gpt, requests).id)
        assert [one.code for one in batch.errors.data] == ["too_many_tasks"]

    def test_a_fault_refuses_it(self, sims, gpt):
        sims.faults(Fault(kind="batch_refused", message="Not today.", model="gpt-4o-mini"))
        batch = gpt.batches.retrieve(submit(gpt, lines(1)).id)
        assert batch.status == "failed" and batch.errors.data[0].message == "Not today."

    def test_enqueued_tokens_are_limited_until_batches_end(self):
        profile = Profile(batch_seconds=100, batch_enqueued_tokens=60)
        with Simulators(profile) as sims:
            gpt = openai.OpenAI(base_url=sims.openai_url, api_key=KEY, max_retries=0)
            first = submit(gpt, lines(3))
            second = submit(gpt, lines(3))
            other = submit(gpt, [line("a", "Another model.", model="gpt-4.1")])
            sims.advance(50)
            (error,) = gpt.batches.retrieve(second.id).errors.data
            assert error.code == "token_limit_exceeded" and "gpt-4o-mini" in error.message
            assert gpt.batches.retrieve(other.id).status == "in_progress"
            sims.advance(50)
            assert gpt.batches.retrieve(first.id).status == "completed"
            third = submit(gpt, lines(3))
            sims.advance(100)
            assert gpt.batches.retrieve(third.id).status == "completed"


class TestCreating:
    @pytest.mark.parametrize(
        ("wrong", "param"),
        [
            ({"endpoint": "/v1/audio"}, "endpoint"),
            ({"completion_window": "1h"}, "completion_window"),
            ({"metadata": {"a": 1}}, "metadata.a"),
            ({"extra_body": {"models": []}}, "models"),
        ],
    )
    def test_refuses_what_cannot_be(self, sims, gpt, wrong, param):
        with pytest.raises(openai.BadRequestError) as error:
            submit(gpt, lines(1), **wrong)
        assert error.value.param == param

    def test_needs_a_file_for_batches_of_the_same_key(self, sims, gpt):
        file = gpt.files.create(file=("a.txt", b"x"), purpose="assistants")
        for file_id in (file.id, "file-none"):
            with pytest.raises(openai.BadRequestError) as error:
                gpt.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h")
            assert error.value.param == "input_file_id"

    def test_another_key_sees_nothing(self, sims, gpt):
        batch = submit(gpt, lines(1))
        other = gpt.with_options(api_key="sim-other")
        for call in (other.batches.retrieve, other.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                call(batch.id)
        with pytest.raises(openai.NotFoundError):
            other.files.content(batch.input_file_id)
        assert list(other.batches.list()) == list(other.files.list()) == []

    def test_a_bad_key_is_refused(self, sims, gpt):
        with pytest.raises(openai.AuthenticationError):
            gpt.with_options(api_key="no").batches.list()

    def test_lists_go_page_by_page_newest_first(self, sims, gpt):
        made = [submit(gpt, lines(1)).id for _ in range(5)]
        page = gpt.batches.list(limit=2)
        assert len(page.data) == 2 and page.has_more
        assert [one.id for one in page] == made[::-1]
        with pytest.raises(openai.BadRequestError):
            gpt.batches.list(after="batch_none")


class TestFiles:
    def test_live_until_deleted(self, sims, gpt):
        file = gpt.files.create(file=("in.jsonl", b"{}\n"), purpose="batch")
        conforms(FileObject, file.to_dict())
        assert (file.bytes, file.filename, file.purpose) == (3, "in.jsonl", "batch")
        assert file.expires_at == file.created_at + 30 * 86_400
        assert gpt.files.retrieve(file.id) == file
        assert gpt.files.content(file.id).read() == b"{}\n"
        assert gpt.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            gpt.files.retrieve(file.id)

    def test_expire_when_asked_to(self, sims, gpt):
        expires = {"anchor": "created_at", "seconds": 3600}
        file = gpt.files.create(file=("a.txt", b"x"), purpose="user_data", expires_after=expires)
        sims.advance(3600)
        with pytest.raises(openai.NotFoundError):
            gpt.files.content(file.id)

    def test_are_listed_by_purpose(self, sims, gpt):
        names = [("a.txt", "assistants"), ("b.jsonl", "batch"), ("c.jsonl", "batch")]
        for name, purpose in names:
            gpt.files.create(file=(name, b"x"), purpose=purpose)
        assert [file.filename for file in gpt.files.list(purpose="batch", limit=1)] == [
            "c.jsonl", "b.jsonl",
        ]  # fmt: skip
        assert next(file.filename for file in gpt.files.list(order="asc")) == "a.txt"

    @pytest.mark.parametrize(
        ("file", "purpose"),
        [(("in.txt", b"x"), "batch"), (("in.jsonl", b"x"), "wishes")],
    )
    def test_refuse_what_cannot_be(self, sims, gpt, file, purpose):
        with pytest.raises(openai.BadRequestError):
            gpt.files.create(file=file, purpose=purpose)

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/json", b"{}"),
            ("multipart/form-data", b"x"),
            ("multipart/form-data; boundary=b", b"no form"),
            ("multipart/form-data; boundary=b", b"--b--\r\n"),
        ],
    )
    def test_refuse_a_body_that_is_no_form(self, raw: Raw, content_type, body):
        reply = raw.request("POST", "openai", "/v1/files", body, {"content-type": content_type})
        assert reply.status == 400 and reply.json()["error"]["message"]


class TestFaults:
    def test_an_outage_reaches_every_call_about_batches(self, sims, gpt):
        batch = submit(gpt, lines(1))
        sims.faults(Fault(kind="outage", provider="openai"))
        for call in (gpt.batches.retrieve, gpt.batches.cancel, gpt.files.content):
            with pytest.raises(openai.APIConnectionError):
                call(batch.id)

    def test_an_error_of_one_endpoint(self, sims, gpt):
        sims.faults(Fault(kind="error", status=503, endpoint="batches.*"))
        file = gpt.files.create(file=("in.jsonl", jsonl(lines(1))), purpose="batch")
        with pytest.raises(openai.InternalServerError):
            gpt.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
        assert gpt.chat.completions.create(**line("a")["body"]).choices

    def test_a_cut_reply_leaves_the_batch_made(self, sims, gpt):
        sims.faults(Fault(kind="cut", endpoint="batches.create", calls=1))
        with pytest.raises(openai.APIConnectionError):
            submit(gpt, lines(2), metadata={"tag": "t"})
        (batch,) = gpt.batches.list()
        assert batch.metadata == {"tag": "t"} and sims.counts().lines == 2

    def test_results_break_off_in_the_middle(self, sims, gpt):
        batch = gpt.batches.retrieve(submit(gpt, lines(20)).id)
        sims.faults(Fault(kind="cut", endpoint="files.content", calls=1))
        with pytest.raises(openai.APIConnectionError):
            gpt.files.content(batch.output_file_id).read()
        assert len(results(gpt, batch.output_file_id)) == 20
