"""Every call is counted, so that a ledger can be reconciled with what the providers saw."""

import asyncio

import openai
import pytest

from hybridllm.simulators import Fault, SimulatorProcess, Simulators, prompt_of
from tests.simulators.speakers import SPEAKERS
from tests.simulators.wire import Raw

USER = [{"role": "user", "content": "Hello [[sim output_tokens=7]]"}]


def test_a_call_is_on_record_with_what_it_was_billed(sims, speaker):
    said = speaker.ask(prompt_of(300, directive="output_tokens=21"))
    (call,) = sims.calls()
    assert (call.provider, call.model) == (speaker.provider, speaker.model)
    assert (call.status, call.outcome, call.stream) == (200, "ok", False)
    assert (call.billed.all_input, call.billed.output_tokens) == (said.input, said.output)
    assert call.reported and call.faults == []


def test_a_stream_is_on_record_as_one(sims, speaker):
    speaker.stream("Hello")
    assert sims.calls()[0].stream and sims.calls()[0].outcome == "ok"


def test_the_callers_id_of_the_attempt_is_kept(sims, speaker):
    speaker.ask("Hello", headers={"x-hybridllm-attempt": "attempt-17"})
    assert [call.attempt for call in sims.calls()] == ["attempt-17"]


def test_the_request_id_is_the_one_in_the_reply(sims, raw):
    reply = raw.chat(messages=USER)
    assert sims.calls()[0].request_id == reply.headers["x-request-id"]


def test_refused_calls_are_counted_too(sims, raw):
    raw.chat(messages=[])
    raw.chat(model="gpt-99", messages=USER)
    raw.post("openai", "/v1/chat/completions", {}, {"authorization": None})
    assert [call.status for call in sims.calls()] == [400, 404, 401]
    assert all(call.outcome == "error" and call.billed is None for call in sims.calls())


def test_sums_are_of_all_calls(sims, raw):
    raw.chat(messages=USER)
    raw.messages(messages=USER)
    sims.faults(Fault(kind="error", status=503, calls=1))
    raw.chat(messages=USER)
    counts = sims.counts()
    assert (counts.calls, counts.open) == (3, 0)
    assert counts.by_provider == {"openai": 2, "anthropic": 1}
    assert counts.by_outcome == {"ok": 2, "error": 1}
    assert counts.by_model == {"openai/gpt-4o-mini": 2, "anthropic/claude-sonnet-4-6": 1}
    assert counts.billed.output_tokens == 14
    assert [call.provider for call in sims.calls("openai")] == ["openai", "openai"]


def test_a_reset_is_a_fresh_start(sims, speaker):
    long = prompt_of(2000)
    speaker.ask(long)
    sims.faults(Fault(kind="error"))
    sims.reset()
    assert sims.calls() == [] and sims.counts().calls == 0
    assert speaker.ask(long).cached == 0


def test_without_keeping_calls_the_sums_remain():
    with Simulators(keep_calls=False) as sims:
        Raw(sims, "sim-a").chat(messages=USER)
        assert sims.calls() == [] and sims.counts().calls == 1


async def test_many_calls_at_once_are_all_counted(sims):
    client = openai.AsyncOpenAI(base_url=sims.openai_url, api_key="sim-a", max_retries=0)
    async with client:
        replies = await asyncio.gather(
            *(client.chat.completions.create(model="gpt-4o", messages=USER) for _ in range(100))
        )
    assert len({reply.id for reply in replies}) == 100
    counts = sims.counts()
    assert (counts.calls, counts.open, counts.billed.output_tokens) == (100, 0, 700)


class TestControl:
    """The same over HTTP, on any provider's port."""

    @pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
    def test_every_port_shows_the_same(self, sims, raw, provider):
        raw.chat(messages=USER)
        assert raw.request("GET", provider, "/_sim/counts").json()["calls"] == 1
        (call,) = raw.request("GET", provider, "/_sim/calls?provider=openai").json()
        assert call["model"] == "gpt-4o-mini" and call["billed"]["output_tokens"] == 7
        assert raw.request("GET", provider, "/_sim/calls?provider=google").json() == []

    def test_faults_are_set_shown_and_cleared(self, raw):
        fault = {"kind": "error", "status": 503, "calls": 2}
        assert raw.post("openai", "/_sim/faults", [fault]).status == 200
        assert raw.chat(messages=USER).status == 503
        assert raw.request("GET", "openai", "/_sim/faults").json()[0]["calls"] == 1
        assert raw.request("DELETE", "openai", "/_sim/faults").json() == []
        assert raw.chat(messages=USER).status == 200

    @pytest.mark.parametrize(
        "plan", [{}, [{"kind": "oops"}], [{"kind": "error", "colour": 1}], [{"status": 500}]]
    )
    def test_a_wrong_plan_is_refused(self, raw, plan):
        reply = raw.post("openai", "/_sim/faults", plan)
        assert reply.status == 400 and "error" in reply.json()

    def test_time_passes_and_everything_is_reset(self, sims, raw):
        sims.faults(Fault(kind="outage", status=503, duration=60))
        assert raw.chat(messages=USER).status == 503
        assert raw.post("openai", "/_sim/clock", {"advance": 61}).json() == {"advanced": 61.0}
        assert raw.chat(messages=USER).status == 200
        assert raw.post("openai", "/_sim/clock", {"advance": -1}).status == 400
        assert raw.post("openai", "/_sim/reset", None).json()["calls"] == 0

    def test_what_is_not_there_says_what_is(self, raw):
        reply = raw.request("GET", "openai", "/_sim/nothing")
        assert reply.status == 404 and "calls, counts, faults" in reply.json()["error"]


class TestAsAProcess:
    """`SimulatorProcess` has the same interface and keeps the same promises."""

    def test_it_is_used_like_simulators(self):
        with SimulatorProcess() as sims:
            for kind in SPEAKERS:
                assert kind(sims, "sim-a").ask("[[sim output_tokens=9]]").output == 9
            assert [call.provider for call in sims.calls()] == ["openai", "anthropic", "google"]
            assert sims.counts().billed.output_tokens == 27
            sims.faults(Fault(kind="error", status=503, duration=60))
            with pytest.raises(openai.InternalServerError):
                SPEAKERS[0](sims, "sim-a").ask("Hello")
            sims.advance(61)
            assert SPEAKERS[0](sims, "sim-a").ask("Hello").text
            sims.clear_faults()
            sims.reset()
            assert sims.counts().calls == 0 and sims.calls() == []

    def test_its_addresses_are_gone_when_it_is(self):
        sims = SimulatorProcess()
        with sims:
            assert sims.env()["OPENAI_BASE_URL"] == sims.openai_url
            assert sims.pid
        sims.stop()
        with pytest.raises(RuntimeError, match="not running"):
            sims.env()


class TestLife:
    def test_before_the_start_it_says_how_to_start(self):
        sims = Simulators()
        for use in (sims.env, sims.counts, sims.calls):
            with pytest.raises(RuntimeError, match="with Simulators"):
                use()

    async def test_it_may_be_awaited(self):
        async with Simulators() as sims:
            assert sims.anthropic_url.startswith("http://127.0.0.1:")

    def test_stopping_hangs_up_on_calls_under_way(self):
        with Simulators() as sims:
            sims.faults(Fault(kind="stall"))
            client = openai.OpenAI(base_url=sims.openai_url, api_key="sim-a", max_retries=0)
            stream = client.chat.completions.create(model="gpt-4o", messages=USER, stream=True)
            next(iter(stream))
        with pytest.raises(openai.APIError):
            list(stream)
