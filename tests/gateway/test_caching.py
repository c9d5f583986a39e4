"""What providers are sent for their prompt caches, and what it comes to in the ledger: through a
real gateway, before simulated providers that hold it to their rules."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from google import genai
from google.genai import types

from hybridllm.simulators import Simulators, prompt_of
from tests.relay import Relay, marks
from tests.running import Reply, RunningGateway

ON = '[caching]\nenabled = true\noff = ["analysis"]\n'
SONNET, OPUS = "claude-sonnet-4-6", "claude-opus-4-7"
_NUMBER = count(1)


@pytest.fixture(scope="module")
def relay(simulators: Simulators) -> Iterator[Relay]:
    with Relay(simulators.env()) as running:
        yield running


@pytest.fixture(scope="module")
def caching(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path_factory.mktemp("caching"), relay.env(), config=ON) as running:
        yield running


def prose(tokens: int) -> str:
    """A text that no other test has."""
    number = next(_NUMBER)
    return prompt_of(tokens, seed=number, start=f"Handbook {number}.")


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": text}


def claude(
    gateway: RunningGateway, system: Any, *messages: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """The usage that Anthropic billed. The question is a new one where no messages are given."""
    headers = more.pop("headers", None)
    asked = messages or (said(f"Question {next(_NUMBER)}?"),)
    body = {"model": SONNET, "max_tokens": 20, "system": system, "messages": list(asked), **more}
    found: dict[str, Any] = fine(gateway.post("/v1/messages", body, headers)).json()["usage"]
    return found


def fine(reply: Reply) -> Reply:
    assert reply.status == 200, reply.body
    return reply


class TestAnthropic:
    def test_a_beginning_that_comes_again_is_marked_and_then_read(
        self, caching: RunningGateway, relay: Relay
    ) -> None:
        system = prose(3_000)
        task = {"x-hybridllm-task": "classification"}  # of which nothing is known here
        first = claude(caching, system, headers=task)
        assert marks(relay.last().json()) == [], "a mark costs, and nothing came again yet"
        second = claude(caching, system, headers=task)
        assert marks(relay.last().json()) == [("system[0]", "5m")]
        third = claude(caching, system, headers=task)
        assert first["cache_creation_input_tokens"] == first["cache_read_input_tokens"] == 0
        assert second["cache_creation_input_tokens"] == third["cache_read_input_tokens"] > 2_900

    def test_the_rest_of_the_body_stays_as_it_was(
        self, caching: RunningGateway, relay: Relay
    ) -> None:
        system = prose(2_000)
        claude(caching, system)
        claude(caching, system, said("Über ⟨x⟩?"), metadata={"user_id": "u"})
        body = relay.last().json()
        assert body["system"] == [
            {"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}
        ]
        assert body["messages"] == [said("Über ⟨x⟩?")]
        assert body["metadata"] == {"user_id": "u"}

    def test_a_conversation_reads_what_it_has_said_and_never_has_more_than_four_marks(
        self, caching: RunningGateway, relay: Relay
    ) -> None:
        system, messages = prose(2_000), [said(prose(600))]
        read: list[int] = []
        for turn in range(7):
            usage = claude(caching, system, *messages)
            read.append(usage["cache_read_input_tokens"])
            assert len(marks(relay.last().json())) <= 4
            messages += [said(prose(300), "assistant"), said(f"Turn {turn}: {prose(300)}")]
        assert read[2] >= 2_000 and read[-1] > read[-2] > read[-3], "it reads ever more"
        assert read[-1] >= 2_000 + 600 + 4 * 600

    def test_below_a_models_minimum_nothing_is_marked(
        self, caching: RunningGateway, relay: Relay
    ) -> None:
        system = prose(1_200)
        for _ in range(4):
            claude(caching, system, model=OPUS)  # which caches nothing so short
            assert marks(relay.last().json()) == []
        claude(caching, system)
        assert marks(relay.last().json()) != [], "the other model caches it"

    def test_a_caller_who_sets_marks_is_obeyed(self, caching: RunningGateway, relay: Relay) -> None:
        control = {"type": "ephemeral", "ttl": "1h"}
        system = [
            {"type": "text", "text": prose(1_500), "cache_control": control},
            {"type": "text", "text": prose(1_500)},
        ]
        for turn in range(3):
            usage = claude(caching, system, said(f"Question {turn}?"))
            assert marks(relay.last().json()) == [("system[0]", "1h")]
        assert 1_400 < usage["cache_read_input_tokens"] < 1_700

    def test_marks_are_set_in_what_another_dialect_said(
        self, caching: RunningGateway, relay: Relay
    ) -> None:
        system = prose(2_000)
        for _ in range(3):
            body = {"model": SONNET, "max_tokens": 20, "messages": [said(system, "system")]}
            body["messages"] += [said(f"Question {next(_NUMBER)}?")]
            reply = fine(caching.post("/v1/chat/completions", body)).json()
        assert relay.last().provider == "anthropic"
        assert marks(relay.last().json()) == [("system[0]", "5m")]
        assert reply["usage"]["prompt_tokens_details"]["cached_tokens"] > 1_900

    def test_the_ledger_prices_what_was_written_and_read(self, caching: RunningGateway) -> None:
        system = prose(3_000)
        rows = []
        for turn in range(3):
            body = {"model": SONNET, "max_tokens": 20, "system": system}
            body["messages"] = [said(f"Question {turn}?")]
            reply = fine(caching.post("/v1/messages", body))
            rows += caching.attempts(reply.headers["x-hybridllm-request-id"])
        for row in rows:
            # Picodollars a token, by Anthropic's price list: $3, $3.75, $0.30 and $15 a million.
            assert row["cost"] == (
                row["input_tokens"] * 3_000_000
                + row["cache_write_tokens"] * 3_750_000
                + row["cache_read_tokens"] * 300_000
                + row["output_tokens"] * 15_000_000
            )
        assert (
            sum(row["cache_write_tokens"] for row in rows) == rows[2]["cache_read_tokens"] > 2_900
        )
        assert rows[2]["cost"] * 2 < rows[0]["cost"]


class TestOpenAI:
    def key(self, caching: RunningGateway, relay: Relay, system: str, **more: Any) -> Any:
        body = {"model": "gpt-4o", "max_tokens": 20, **more}
        body["messages"] = [said(system, "system"), said(f"Question {next(_NUMBER)}?")]
        fine(caching.post("/v1/chat/completions", body))
        assert relay.last().provider == "openai"
        return relay.last().json().get("prompt_cache_key")

    def test_requests_of_one_beginning_have_one_key(
        self, caching: RunningGateway, relay: Relay
    ) -> None:
        system = prose(2_000)
        keys = [self.key(caching, relay, system) for _ in range(4)]
        assert isinstance(keys[0], str) and 0 < len(keys[0]) <= 64
        assert set(keys) == {keys[0]}
        assert self.key(caching, relay, prose(2_000)) not in (keys[0], None)

    def test_the_callers_own_key_stays(self, caching: RunningGateway, relay: Relay) -> None:
        assert self.key(caching, relay, prose(2_000), prompt_cache_key="mine") == "mine"

    def test_what_is_too_short_for_any_cache_has_none(
        self, caching: RunningGateway, relay: Relay
    ) -> None:
        assert self.key(caching, relay, "Be brief.") is None

    def test_responses_have_the_key_too(self, caching: RunningGateway, relay: Relay) -> None:
        rules, keys = prose(2_000), []
        for _ in range(2):
            body = {"model": "gpt-4o", "instructions": rules, "max_output_tokens": 20}
            body["input"] = f"Question {next(_NUMBER)}?"
            fine(caching.post("/v1/responses", body))
            keys.append(relay.last().json()["prompt_cache_key"])
        assert keys[0] == keys[1]


def test_googles_body_is_the_callers_own(caching: RunningGateway, relay: Relay) -> None:
    system = {"parts": [{"text": prose(3_000)}]}
    for turn in range(3):
        contents = [{"role": "user", "parts": [{"text": f"Question {turn}?"}]}]
        body = {"systemInstruction": system, "contents": contents}
        reply = fine(caching.post("/v1beta/models/gemini-2.5-flash:generateContent", body))
        assert relay.last().provider == "google"
        assert relay.last().json() == body
    assert reply.json()["usageMetadata"]["cachedContentTokenCount"] > 2_000


@pytest.fixture(scope="module")
def cache(simulators: Simulators) -> str:
    """Made at Google itself, with the provider's key."""
    key = simulators.env()["GEMINI_API_KEY"]
    google = genai.Client(
        api_key=key, http_options=types.HttpOptions(base_url=simulators.google_url)
    )
    config = types.CreateCachedContentConfig(system_instruction=prose(3_000), ttl="3600s")
    name = google.caches.create(model="gemini-2.5-flash", config=config).name
    assert name is not None
    return name


class TestAnExplicitCacheOfTheCallers:
    def body(self, cache: str) -> dict[str, Any]:
        return {"cachedContent": cache, "contents": [{"role": "user", "parts": [{"text": "And?"}]}]}

    def test_it_is_read_and_priced(self, caching: RunningGateway, relay: Relay, cache: str) -> None:
        path = "/v1beta/models/gemini-2.5-flash:generateContent"
        reply = fine(caching.post(path, self.body(cache)))
        assert relay.last().json() == self.body(cache)
        assert reply.json()["usageMetadata"]["cachedContentTokenCount"] == 3_000
        (row,) = caching.attempts(reply.headers["x-hybridllm-request-id"])
        assert (row["input_tokens"], row["cache_read_tokens"]) == (2, 3_000)
        assert row["text_kind"] == "", "what is not in the body says nothing of tokens per byte"

    def test_no_other_provider_is_asked(
        self, caching: RunningGateway, relay: Relay, cache: str
    ) -> None:
        before = len(relay.sent)
        path = "/v1beta/models/gpt-4o:generateContent"
        reply = caching.post(path, self.body(cache), {"x-hybridllm-task": "general"})
        assert {one.provider for one in relay.sent[before:]} == {"google"}
        assert reply.status == 400, "and that model's caches are its own"
        assert "CachedContent (models/gemini-2.5-flash)" in reply.json()["error"]["message"]


def test_a_task_that_is_left_out_is_left_alone(caching: RunningGateway, relay: Relay) -> None:
    system = prose(2_000)
    for _ in range(4):
        claude(caching, system, headers={"x-hybridllm-task": "analysis"})
        assert marks(relay.last().json()) == []


def test_off_nothing_is_done_and_on_again_at_once(caching: RunningGateway, relay: Relay) -> None:
    system = prose(2_000)

    def until(marked: bool) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            claude(caching, system)
            if bool(marks(relay.last().json())) is marked:
                return
            time.sleep(0.05)
        raise AssertionError("the change was not taken up")

    until(True)
    caching.config.write_text("")  # as it is by default
    caching.hangup()
    try:
        until(False)
        assert TestOpenAI().key(caching, relay, system) is None
    finally:
        caching.config.write_text(ON)
        caching.hangup()
    until(True)
