"""Google's batch mode, through its own SDK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from google.genai.types import JobState

from hybridllm.simulators import Fault, Profile, Simulators
from tests.simulators.batches.conftest import KEY
from tests.simulators.wire import Raw

MODEL = "gemini-2.5-flash"
PATH = f"/v1beta/models/{MODEL}:batchGenerateContent"


def request(key: str, text: str = "Hi. [[sim output_tokens=7]]", **config: Any) -> Any:
    return types.InlinedRequest(
        contents=text,
        metadata={"key": key},
        config=types.GenerateContentConfig(**config) if config else None,
    )


def requests(count: int) -> list[Any]:
    return [
        request(f"line-{at}", f"Number {at}. [[sim output_tokens={at % 9 + 1}]]")
        for at in range(count)
    ]


def submit(gemini: genai.Client, src: Sequence[Any], name: str = "mine") -> types.BatchJob:
    return gemini.batches.create(
        model=MODEL, src=list(src), config=types.CreateBatchJobConfig(display_name=name)
    )


def results(gemini: genai.Client, job: types.BatchJob) -> dict[str, types.InlinedResponse]:
    found = gemini.batches.get(name=job.name)
    assert found.done and found.dest is not None
    return {one.metadata["key"]: one for one in found.dest.inlined_responses}


class TestABatch:
    def test_goes_through_its_states_by_the_clock(self, slow, slow_gemini):
        job = submit(slow_gemini, requests(10))
        assert (job.state, job.display_name) == (JobState.JOB_STATE_PENDING, "mine")
        assert job.model == f"models/{MODEL}" and job.name.startswith("batches/")
        assert slow_gemini.batches.get(name=job.name).state is JobState.JOB_STATE_PENDING
        slow.advance(500)
        job = slow_gemini.batches.get(name=job.name)
        assert job.state is JobState.JOB_STATE_RUNNING and job.dest is None and not job.done
        slow.advance(500)
        job = slow_gemini.batches.get(name=job.name)
        assert job.state is JobState.JOB_STATE_SUCCEEDED and job.done
        assert job.create_time < job.end_time == job.update_time

    def test_answers_as_a_live_call_does_out_of_order_each_once(self, sims, gemini):
        job = submit(gemini, requests(40))
        found = results(gemini, job)
        assert sorted(found) == sorted(f"line-{at}" for at in range(40))
        assert list(found) != [f"line-{at}" for at in range(40)]
        for at in range(3):
            live = gemini.models.generate_content(
                model=MODEL, contents=f"Number {at}. [[sim output_tokens={at % 9 + 1}]]"
            )
            reply = found[f"line-{at}"].response
            assert reply.text == live.text
            assert reply.usage_metadata == live.usage_metadata

    def test_each_request_is_a_record_with_its_bill(self, sims, gemini):
        found = results(gemini, submit(gemini, requests(30)))
        records = {call.attempt: call for call in sims.calls() if call.batch}
        assert records.keys() == found.keys()
        for key, record in records.items():
            usage = found[key].response.usage_metadata
            assert record.billed.output_tokens == usage.candidates_token_count
            assert record.billed.input_tokens == usage.prompt_token_count
        assert sims.counts().by_endpoint["batch/generateContent"] == 30

    def test_settings_reach_the_model(self, sims, gemini):
        schema = {"type": "OBJECT", "properties": {"ok": {"type": "BOOLEAN"}}, "required": ["ok"]}
        src = [
            request("short", "Hi. [[sim output_tokens=50]]", max_output_tokens=3),
            request("schema", "Hi.", response_mime_type="application/json",
                    response_schema=schema),
            request("system", "Hi.", system_instruction="Be brief."),
        ]  # fmt: skip
        found = results(gemini, submit(gemini, src))
        assert found["short"].response.candidates[0].finish_reason.value == "MAX_TOKENS"
        assert '"ok":' in found["schema"].response.text
        assert found["system"].response.usage_metadata.prompt_token_count > 2

    @pytest.mark.parametrize("version", ["v1", "v1beta"])
    def test_results_stand_in_the_response_as_well(self, raw: Raw, version):
        body = {"batch": {"display_name": "a", "input_config": {"requests": {"requests": [
            {"request": {"contents": [{"parts": [{"text": "Hi"}]}]}, "metadata": {"key": "k"}},
        ]}}}}  # fmt: skip
        made = raw.post("google", PATH.replace("v1beta", version), body).json()
        assert made["metadata"]["state"] == "BATCH_STATE_PENDING"
        reply = raw.request("GET", "google", f"/{version}/{made['name']}").json()
        inlined = reply["response"]["inlinedResponses"]["inlinedResponses"]
        assert inlined == reply["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
        assert inlined[0]["metadata"] == {"key": "k"}
        assert reply["done"] is True
        assert reply["metadata"]["batchStats"] == {
            "requestCount": "1", "successfulRequestCount": "1",
        }  # fmt: skip


class TestErrorsInIt:
    def test_a_bad_request_fails_alone(self, sims, gemini):
        found = results(gemini, submit(gemini, [request("good"), request("bad", "[[sim no]]")]))
        assert found["good"].response.text and found["good"].error is None
        assert found["bad"].error.code == 3 and "'no'" in found["bad"].error.message

    def test_a_fault_fails_a_share_of_it(self, sims, gemini):
        sims.faults(Fault(kind="batch_errors", share=0.3, status=503))
        found = results(gemini, submit(gemini, requests(50)))
        assert [one.error.code for one in found.values() if one.error] == [14] * 15


class TestTheEnd:
    def test_cancelled_it_keeps_what_was_done(self, slow, slow_gemini):
        job = submit(slow_gemini, requests(10))
        slow.advance(500)
        slow_gemini.batches.cancel(name=job.name)
        slow.advance(100)
        job = slow_gemini.batches.get(name=job.name)
        assert job.state is JobState.JOB_STATE_CANCELLED
        assert len(job.dest.inlined_responses) == slow.counts().lines == 5

    def test_expired_it_has_no_results(self, sims, gemini):
        sims.faults(Fault(kind="batch_expiry"))
        job = submit(gemini, requests(3))
        sims.advance(172_800)
        job = gemini.batches.get(name=job.name)
        assert job.state is JobState.JOB_STATE_EXPIRED and job.dest is None
        assert sims.counts().lines == 0

    def test_a_part_may_expire(self, sims, gemini):
        sims.faults(Fault(kind="batch_expiry", share=0.5))
        job = submit(gemini, requests(10))
        sims.advance(172_800)
        found = results(gemini, job)
        assert [one.error.code for one in found.values() if one.error] == [4] * 5

    def test_what_has_ended_cannot_be_cancelled(self, sims, gemini):
        job = submit(gemini, requests(1))
        with pytest.raises(errors.ClientError, match="FAILED_PRECONDITION"):
            gemini.batches.cancel(name=job.name)

    def test_deleted_it_is_gone(self, sims, gemini):
        job = submit(gemini, requests(1))
        gemini.batches.delete(name=job.name)
        with pytest.raises(errors.ClientError, match="NOT_FOUND"):
            gemini.batches.get(name=job.name)


class TestCreating:
    @pytest.mark.parametrize(
        ("batch", "words"),
        [
            ({}, "no requests"),
            ({"inputConfig": {"fileName": "files/a"}}, "takes no files"),
            ({"inputConfig": {"requests": {"requests": [{}]}}}, "requests[0].request"),
            ({"inputConfig": {"requests": {"requests": [3]}}}, "requests[0]"),
            ({"inputConfig": {"requests": {"lines": []}}}, 'Unknown name "lines"'),
            ({"name2": "x"}, 'Unknown name "name2"'),
            ({"displayName": 3, "inputConfig": {"requests": {"requests": [{"request": {}}]}}},
             "display_name"),
            ({"inputConfig": {"requests": {"requests": [{"request": {"model": "models/x"}}]}}},
             "request.model"),
        ],
    )  # fmt: skip
    def test_refuses_the_whole_and_names_the_place(self, raw: Raw, batch, words):
        reply = raw.post("google", PATH, {"batch": batch})
        assert reply.status == 400
        error = reply.json()["error"]
        assert error["status"] == "INVALID_ARGUMENT" and words in error["message"]

    def test_refuses_what_is_no_json(self, raw: Raw):
        assert raw.request("POST", "google", PATH, b"{no").status == 400

    def test_refuses_a_body_beyond_20_mb(self, raw: Raw):
        reply = raw.request("POST", "google", PATH, b" " * 20_971_521)
        assert reply.status == 413 and "20971520" in reply.json()["error"]["message"]

    def test_an_unknown_model_is_not_found(self, sims, gemini):
        with pytest.raises(errors.ClientError, match="NOT_FOUND"):
            gemini.batches.create(model="gemini-none", src=[request("a")])

    def test_a_fault_refuses_it(self, sims, gemini):
        sims.faults(Fault(kind="batch_refused", message="Not today."))
        with pytest.raises(errors.ClientError, match=r"Not today\."):
            submit(gemini, requests(1))

    def test_enqueued_tokens_are_limited_until_batches_end(self):
        with Simulators(Profile(batch_seconds=100, batch_enqueued_tokens=60)) as sims:
            gemini = genai.Client(api_key=KEY, http_options={"base_url": sims.google_url})
            submit(gemini, requests(3))
            with pytest.raises(errors.ClientError, match="RESOURCE_EXHAUSTED"):
                submit(gemini, requests(3))
            sims.advance(100)
            submit(gemini, requests(3))

    def test_another_key_sees_nothing(self, sims, gemini):
        job = submit(gemini, requests(1))
        other = genai.Client(api_key="sim-other", http_options={"base_url": sims.google_url})
        with pytest.raises(errors.ClientError, match="NOT_FOUND"):
            other.batches.get(name=job.name)
        assert list(other.batches.list()) == []

    def test_lists_go_page_by_page(self, sims, gemini):
        made = [submit(gemini, requests(1)).name for _ in range(5)]
        config = types.ListBatchJobsConfig(page_size=2)
        assert [job.name for job in gemini.batches.list(config=config)] == made[::-1]
