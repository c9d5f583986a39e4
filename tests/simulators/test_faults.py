"""Every fault, as a client of the official SDK meets it. Nothing here waits for a clock: what
would take time is advanced, or given up by a timeout of the client."""

import json
from http.client import IncompleteRead, RemoteDisconnected

import anthropic
import openai
import pytest
from google.genai import errors as google_errors

from hybridllm.simulators import Fault, Simulators
from tests.simulators.speakers import GPT, SPEAKERS
from tests.simulators.wire import PATHS, events

PROMPT = "Go on. [[sim output_tokens=100]]"
USER = [{"role": "user", "content": PROMPT}]
BODIES = {
    "openai": {"model": "gpt-4o-mini", "messages": USER},
    "anthropic": {"model": "claude-sonnet-4-6", "max_tokens": 500, "messages": USER},
    "google": {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]},
}
PROVIDERS = tuple(BODIES)


def streaming(provider):
    """(path, body) of a stream of server-sent events."""
    if provider == "google":
        return PATHS["google"].replace("generate", "streamGenerate") + "?alt=sse", BODIES["google"]
    return PATHS[provider], {**BODIES[provider], "stream": True}


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def call(request, raw):
    """One call to a provider; (path, body) for it."""

    def made(provider):
        path, body = streaming(provider) if request.param else (PATHS[provider], BODIES[provider])
        return raw.post(provider, path, body)

    return made


class TestOutage:
    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_the_connection_closes_without_a_byte(self, sims, call, provider):
        sims.faults(Fault(kind="outage", provider=provider))
        with pytest.raises(RemoteDisconnected):
            call(provider)
        assert sims.calls()[0].outcome == "cut" and sims.calls()[0].status is None

    def test_with_a_status_it_is_that_status(self, sims, call):
        sims.faults(Fault(kind="outage", status=503))
        assert [call(provider).status for provider in PROVIDERS] == [503] * 3

    def test_the_sdks_see_a_connection_error(self, sims, gpt, claude):
        sims.faults(Fault(kind="outage"))
        with pytest.raises(openai.APIConnectionError):
            gpt.chat.completions.create(**BODIES["openai"])
        with pytest.raises(anthropic.APIConnectionError):
            claude.messages.create(**BODIES["anthropic"])

    def test_it_lasts_for_its_time_and_begins_at_its_time(self, sims, call):
        sims.faults(Fault(kind="outage", provider="openai", status=503, start=600, duration=300))
        assert call("openai").status == 200
        sims.advance(300)
        assert call("openai").status == 200
        sims.advance(400)
        assert call("openai").status == 503 and call("anthropic").status == 200
        sims.advance(300)
        assert call("openai").status == 200


class TestError:
    def test_a_number_of_calls(self, sims, call):
        sims.faults(Fault(kind="error", status=429, retry_after=7, calls=2))
        replies = [call("openai") for _ in range(3)]
        assert [reply.status for reply in replies] == [429, 429, 200]
        assert replies[0].headers["retry-after"] == "7"

    def test_google_says_when_to_come_back_in_the_body(self, sims, call):
        sims.faults(Fault(kind="error", status=429, retry_after=7))
        reply = call("google")
        assert "retry-after" not in reply.headers
        details = reply.json()["error"]["details"]
        assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"} in details

    def test_one_model_by_pattern(self, sims, raw):
        sims.faults(Fault(kind="error", model="gpt-4o*"))
        assert raw.chat(messages=USER).status == 500
        assert raw.chat(model="gpt-4.1", messages=USER).status == 200

    def test_a_rate_is_left_to_chance_that_repeats_itself(self):
        def statuses(seed):
            with Simulators(seed=seed) as sims:
                sims.faults(Fault(kind="error", probability=0.3))
                speaker = GPT(sims, "sim-a")
                for _ in range(100):
                    try:
                        speaker.ask("Hello")
                    except openai.InternalServerError:
                        pass
                return [call.status for call in sims.calls()]

        first = statuses(4)
        assert 15 <= first.count(500) <= 45
        assert first == statuses(4) != statuses(5)

    def test_retries_of_the_sdk_get_past_a_passing_error(self, sims):
        sims.faults(Fault(kind="error", status=503, retry_after=0, calls=1, provider="openai"))
        assert GPT(sims, "sim-a", max_retries=1).ask("Hello").text
        assert [call.status for call in sims.calls()] == [503, 200]


class TestSlowAndStalled:
    """The client gives up; the call is seen to be cancelled."""

    def cancelled(self, sims):
        for _ in range(2000):
            if not sims.counts().open:
                break
            sims.advance(0)
        return [call.outcome for call in sims.calls()]

    def test_silence_before_the_first_byte(self, sims, gpt):
        sims.faults(Fault(kind="slow", seconds=3600))
        with pytest.raises(openai.APITimeoutError):
            gpt.chat.completions.create(**BODIES["openai"], timeout=0.3)
        assert self.cancelled(sims) == ["cancelled"]

    def test_a_short_silence_ends(self, sims, call):
        sims.faults(Fault(kind="slow", seconds=0.01))
        assert call("anthropic").status == 200

    @pytest.mark.parametrize("provider", PROVIDERS)
    @pytest.mark.parametrize("stream", [False, True])
    def test_silence_in_the_middle(self, sims, raw, provider, stream):
        sims.faults(Fault(kind="stall"))
        path, body = streaming(provider) if stream else (PATHS[provider], BODIES[provider])
        with pytest.raises(TimeoutError):
            raw.request("POST", provider, path, body, timeout=0.3)
        assert self.cancelled(sims) == ["cancelled"]

    def test_a_stall_with_an_end_goes_on(self, sims, call):
        sims.faults(Fault(kind="stall", seconds=0.01))
        for provider in PROVIDERS:
            assert call(provider).body.rstrip().endswith((b"}", b"[DONE]"))


class TestCut:
    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_the_connection_closes_in_the_middle(self, sims, call, provider):
        sims.faults(Fault(kind="cut", after_events=3))
        with pytest.raises(IncompleteRead) as cut:
            call(provider)
        assert len(cut.value.partial) > 20
        assert sims.calls()[0].outcome == "cut"

    @pytest.mark.parametrize("events_seen", [0, 1, 4])
    def test_after_so_many_events(self, sims, raw, events_seen):
        sims.faults(Fault(kind="cut", after_events=events_seen))
        path, body = streaming("openai")
        with pytest.raises(IncompleteRead) as cut:
            raw.post("openai", path, body)
        assert cut.value.partial.count(b"data: ") == events_seen

    def test_beyond_the_last_event_it_lacks_only_the_end(self, sims, raw):
        sims.faults(Fault(kind="cut", after_events=10_000))
        path, body = streaming("anthropic")
        with pytest.raises(IncompleteRead) as cut:
            raw.post("anthropic", path, body)
        assert b"message_stop" in cut.value.partial


class TestMalformed:
    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_an_event_that_is_no_json(self, sims, raw, provider):
        sims.faults(Fault(kind="malformed", after_events=2))
        path, body = streaming(provider)
        with pytest.raises(json.JSONDecodeError):
            events(raw.post(provider, path, body))

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_half_a_reply(self, sims, raw, provider):
        sims.faults(Fault(kind="malformed"))
        reply = raw.post(provider, PATHS[provider], BODIES[provider])
        assert reply.status == 200
        with pytest.raises(json.JSONDecodeError):
            reply.json()


class TestStreamError:
    def test_openais_sdk_raises_it(self, sims, gpt):
        sims.faults(Fault(kind="stream_error", status=503, message="Full."))
        with pytest.raises(openai.APIError, match=r"Full\.") as error:
            list(gpt.chat.completions.create(**BODIES["openai"], stream=True))
        assert error.value.code == "server_is_overloaded"
        assert (sims.calls()[0].status, sims.calls()[0].outcome) == (200, "error")

    def test_anthropics_sdk_raises_it(self, sims, claude):
        sims.faults(Fault(kind="stream_error", status=529, message="Full."))
        with pytest.raises(anthropic.APIStatusError) as error:
            list(claude.messages.create(**BODIES["anthropic"], stream=True))
        assert (error.value.status_code, error.value.type) == (200, "overloaded_error")

    def test_googles_sdk_raises_it(self, sims, gemini):
        sims.faults(Fault(kind="stream_error", status=503, message="Full."))
        with pytest.raises(google_errors.ServerError) as error:
            list(gemini.models.generate_content_stream(model="gemini-2.5-flash", contents=PROMPT))
        assert error.value.status == "UNAVAILABLE"

    @pytest.mark.parametrize("after", [0, 2])
    def test_googles_json_array_stays_json(self, sims, raw, after):
        sims.faults(Fault(kind="stream_error", status=503, after_events=after))
        path = streaming("google")[0].removesuffix("?alt=sse")
        found = raw.post("google", path, BODIES["google"]).json()
        assert len(found) == after + 1 and found[-1]["error"]["status"] == "UNAVAILABLE"

    def test_without_a_stream_it_is_an_error(self, sims, raw):
        sims.faults(Fault(kind="stream_error", status=503))
        assert raw.chat(messages=USER).status == 503


class TestUsage:
    """The provider bills what it bills; the reply says otherwise."""

    @pytest.mark.parametrize("kind", SPEAKERS)
    @pytest.mark.parametrize(("usage", "output"), [("wrong", 1000), ("zero", 0)])
    def test_wrong(self, sims, kind, usage, output):
        sims.faults(Fault(kind="usage", usage=usage))
        speaker = kind(sims, "sim-a")
        assert [speaker.ask(PROMPT).output, speaker.stream(PROMPT).output] == [output, output]
        assert [call.billed.output_tokens for call in sims.calls()] == [100, 100]
        assert not any(call.reported for call in sims.calls())

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_missing(self, sims, call, provider):
        sims.faults(Fault(kind="usage"))
        reply = call(provider)
        assert b'"usage' not in reply.body
        assert sims.calls()[0].billed.output_tokens == 100


class TestThePlan:
    def test_two_faults_of_different_kinds_meet(self, sims, raw):
        sims.faults(
            Fault(kind="usage", provider="openai"), Fault(kind="malformed", provider="openai")
        )
        path, body = streaming("openai")
        with pytest.raises(json.JSONDecodeError):
            events(raw.post("openai", path, body))
        assert sims.calls()[0].faults == ["usage", "malformed"]

    def test_clearing_ends_them(self, sims, call):
        sims.faults(Fault(kind="error"))
        assert call("openai").status == 500
        sims.clear_faults()
        assert call("openai").status == 200

    @pytest.mark.parametrize(
        "wrong",
        [
            {"status": 200},
            {"provider": "mistral"},
            {"probability": 1.5},
            {"seconds": -1},
            {"after_events": -1},
            {"duration": -5},
            {"share": 1.5},
            {"kind": "batch_slow", "endpoint": "batches.create"},
        ],
    )
    def test_what_cannot_be_is_refused(self, wrong):
        with pytest.raises(ValueError):
            Fault(**{"kind": "error", **wrong})
