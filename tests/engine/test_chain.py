"""What goes wrong at a provider, what the caller sees of it, and what the ledger says.

Every test reconciles the ledger with the provider's own count of calls, attempt by attempt.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from hybridllm.simulators import Fault, Simulators
from tests.running import Reply, RunningGateway

CONFIG = """
[retries]
base_seconds = 0.01
cap_seconds = 0.2
budget_floor = 100.0

[breaker]
failures = 4
open_seconds = 4.0
"""
HASTY = "[providers.openai]\ndeadlines = { first_byte = 1.0, between_bytes = 1.0 }\n"
MINI = "openai/gpt-4o-mini"
FLASH = "google/gemini-2.5-flash"


@pytest.fixture
def fresh(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway with short waits, whose breakers know nothing yet; no faults are left behind."""
    with RunningGateway(
        tmp_path_factory.mktemp("chain"), simulators.env(), config=CONFIG
    ) as running:
        yield running
    simulators.clear_faults()


def classify(gateway: RunningGateway, text: str = "Spam or not?", **more: Any) -> Reply:
    body = {"model": "task/classification", "messages": [{"role": "user", "content": text}]}
    return gateway.post("/v1/chat/completions", body | {"max_tokens": 20} | more)


def tried(gateway: RunningGateway, simulators: Simulators, reply: Reply) -> list[dict[str, Any]]:
    """The ledger's rows of a request, which are exactly the calls that the providers saw."""
    rows = gateway.attempts(reply.headers["x-hybridllm-request-id"])
    assert [row["attempt"] for row in rows] == list(range(1, len(rows) + 1))
    names = {f"{row['request_id']}-{row['attempt']}" for row in rows}
    request_id = reply.headers["x-hybridllm-request-id"]
    seen = {c.attempt for c in simulators.calls() if c.attempt.startswith(f"{request_id}-")}
    assert names == seen
    assert sum(row["answered"] for row in rows) == (1 if reply.status == 200 else 0)
    return rows


def models(rows: list[dict[str, Any]]) -> list[str]:
    return [row["model"] for row in rows]


@pytest.mark.parametrize("status", [None, 503], ids=["connection closed", "503"])
def test_an_outage_is_survived_by_another_provider(
    fresh: RunningGateway, simulators: Simulators, status: int | None
) -> None:
    simulators.faults(Fault(kind="outage", provider="openai", status=status))
    reply = classify(fresh)
    assert reply.status == 200, reply.body
    assert reply.json()["choices"][0]["message"]["content"]
    assert reply.headers["x-hybridllm-model"] == FLASH
    rows = tried(fresh, simulators, reply)
    assert models(rows) == [MINI, MINI, MINI, FLASH]
    assert int(reply.headers["x-hybridllm-attempts"]) == 4
    assert {row["outcome"] for row in rows[:-1]} == {"error"}
    # A refusal is free; a call that was sent and never answered may be billed, so it is estimated.
    assert all((row["cost"] > 0) is row["usage_estimated"] for row in rows[:-1])
    assert {row["usage_estimated"] for row in rows[:-1]} == {status is None}


def test_a_breaker_spares_a_sick_model_and_trusts_it_again(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="outage", provider="openai"))
    assert models(tried(fresh, simulators, classify(fresh, "one"))) == [MINI, MINI, MINI, FLASH]
    second = tried(fresh, simulators, classify(fresh, "two"))
    assert models(second) == [MINI, FLASH], "the fourth failure in a row opens the breaker"
    third = classify(fresh, "three")
    assert models(tried(fresh, simulators, third)) == [FLASH]
    assert "gpt-4o-mini" in third.headers["x-hybridllm-reason"]
    assert fresh.request("GET", "/api/v1/health").json()["resting_models"] == [MINI]
    simulators.clear_faults()
    for turn in range(200):
        if models(tried(fresh, simulators, classify(fresh, f"later {turn}"))) == [MINI]:
            return
        time.sleep(0.1)
    raise AssertionError("the model was never tried again")


def test_a_rate_limit_waits_as_long_as_the_provider_says(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", provider="openai", status=429, retry_after=0.05, calls=2))
    rows = tried(fresh, simulators, classify(fresh))
    assert models(rows) == [MINI, MINI, MINI]
    assert [row["error_kind"] for row in rows] == ["rate_limited", "rate_limited", ""]


def test_a_rate_limit_longer_than_the_cap_moves_on_at_once(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", provider="openai", status=429, retry_after=30))
    assert models(tried(fresh, simulators, classify(fresh))) == [MINI, FLASH]


def test_a_bad_request_is_handed_back_and_sent_to_no_one_else(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", provider="openai", status=400, message="No such knob"))
    reply = classify(fresh)
    assert reply.status == 400
    assert reply.json()["error"]["message"] == "No such knob"
    assert models(tried(fresh, simulators, reply)) == [MINI]


def test_a_rejected_key_tells_nothing_of_the_callers(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", provider="openai", status=401))
    reply = classify(fresh)
    assert reply.status == 200
    rows = tried(fresh, simulators, reply)
    assert models(rows) == [MINI, FLASH]
    assert rows[0]["error_kind"] == "authentication"


@pytest.mark.parametrize("kind", ["slow", "stall"])
def test_a_provider_that_says_nothing_misses_its_deadline(
    simulators: Simulators, tmp_path: Path, kind: Any
) -> None:
    with RunningGateway(tmp_path, simulators.env(), config=CONFIG + HASTY) as hasty:
        simulators.faults(Fault(kind=kind, provider="openai", seconds=60, after_events=0))
        reply = classify(hasty, stream=kind == "stall")
        simulators.clear_faults()
        assert reply.status == 200
        rows = tried(hasty, simulators, reply)
    assert models(rows) == [MINI, FLASH]
    assert rows[0]["error_kind"] == "timeout"
    assert rows[0]["cost"] > 0 and rows[0]["usage_estimated"], "it may be billed all the same"


def test_a_malformed_reply_is_not_handed_on(fresh: RunningGateway, simulators: Simulators) -> None:
    simulators.faults(Fault(kind="malformed", provider="google"))
    body = {"model": FLASH, "messages": [{"role": "user", "content": "Hi"}]}
    reply = fresh.post("/v1/chat/completions", body)
    rows = tried(fresh, simulators, reply)
    assert rows[0]["error_kind"] == "malformed_reply"
    assert reply.status == 200
    assert reply.headers["x-hybridllm-model"] != FLASH


def test_before_any_content_a_broken_stream_falls_back(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="cut", provider="openai", after_events=1))
    reply = classify(fresh, stream=True)
    assert reply.status == 200
    assert reply.headers["x-hybridllm-model"] == FLASH
    assert reply.body.endswith(b"data: [DONE]\n\n")
    rows = tried(fresh, simulators, reply)
    assert models(rows)[-1] == FLASH
    assert {row["error_kind"] for row in rows[:-1]} == {"connection"}


def test_after_content_a_broken_stream_is_never_begun_anew(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="cut", provider="openai", after_events=4))
    reply = classify(fresh, stream=True)
    assert reply.status == 200
    *_, last = [e for e in reply.body.split(b"\n\n") if e]
    error = json.loads(last.removeprefix(b"data: "))["error"]
    assert error["message"]
    rows = fresh.attempts(reply.headers["x-hybridllm-request-id"])
    (row,) = rows
    assert (row["model"], row["outcome"], row["answered"]) == (MINI, "cut", True)
    assert row["usage_estimated"] and row["output_tokens"] > 0 and row["cost"] > 0


@pytest.mark.parametrize("sdk", ["openai", "anthropic", "google"])
def test_a_stream_that_breaks_raises_the_sdks_own_error(
    fresh: RunningGateway, simulators: Simulators, sdk: str
) -> None:
    simulators.faults(Fault(kind="stream_error", status=503, after_events=4))
    say = "Tell me. [[sim output_tokens=40]]"
    if sdk == "openai":
        client = openai.OpenAI(base_url=f"{fresh.url}/v1", api_key="x", max_retries=0)
        with pytest.raises(openai.APIError):
            list(
                client.chat.completions.create(
                    model="claude-sonnet-4-6",
                    messages=[{"role": "user", "content": say}],
                    stream=True,
                )
            )
    elif sdk == "anthropic":
        messages_api = anthropic.Anthropic(base_url=fresh.url, api_key="x", max_retries=0)
        with (
            pytest.raises(anthropic.APIStatusError),
            messages_api.messages.stream(
                model=MINI, max_tokens=100, messages=[{"role": "user", "content": say}]
            ) as events,
        ):
            events.until_done()
    else:
        from google import genai

        options = genai.types.HttpOptions(base_url=fresh.url)
        caller = genai.Client(api_key="x", http_options=options)
        with pytest.raises(genai.errors.ServerError):
            list(caller.models.generate_content_stream(model=MINI, contents=say))


def test_a_prompt_too_long_for_one_model_goes_to_one_with_more_context(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    """Our estimate said that it fits; the provider's own count says otherwise."""
    simulators.faults(
        Fault(
            kind="error",
            provider="openai",
            status=400,
            message="This model's maximum context length is 128000 tokens. However, your messages "
            "resulted in 140000 tokens. Please reduce the length of the messages.",
        )
    )
    rows = tried(fresh, simulators, classify(fresh))
    assert models(rows) == [MINI, FLASH]
    assert rows[0]["error_kind"] == "context_exceeded"


def test_when_every_provider_is_down_the_caller_gets_one_clear_error(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="outage"))
    reply = classify(fresh)
    assert reply.status in (500, 502, 503)
    assert reply.json()["error"].keys() == {"message", "type", "param", "code"}
    providers = {row["provider"] for row in tried(fresh, simulators, reply)}
    assert providers == {"openai", "google", "anthropic"}


def test_a_concrete_model_is_obeyed_and_still_falls_back(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    body = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    reply = fresh.post("/v1/messages", body, {"x-hybridllm-task": "classification"})
    assert reply.headers["x-hybridllm-model"] == "anthropic/claude-sonnet-4-6"
    simulators.faults(Fault(kind="outage", provider="anthropic"))
    reply = fresh.post("/v1/messages", body, {"x-hybridllm-task": "classification"})
    assert reply.status == 200
    assert reply.headers["x-hybridllm-model"] == MINI
    assert reply.json()["type"] == "message"


def test_retries_stay_within_their_budget(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A storm is not amplified: 60 requests at a failing provider cause few calls more than 60."""
    config = CONFIG.replace("budget_floor = 100.0", "budget_floor = 0.0\nbudget_ratio = 0.1")
    config = config.replace("failures = 4", "failures = 1000\nwindow = 1000")
    with RunningGateway(
        tmp_path_factory.mktemp("budget"), simulators.env(), config=config
    ) as running:
        simulators.faults(Fault(kind="outage", provider="openai"))
        before = len(simulators.calls("openai"))
        for number in range(60):
            assert classify(running, f"number {number}").status == 200
        calls = len(simulators.calls("openai")) - before
        simulators.clear_faults()
    assert 60 <= calls <= 66


def test_missing_and_wrong_usage_is_estimated_or_taken_as_told(
    fresh: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="usage", provider="openai", usage="missing"))
    (row,) = tried(fresh, simulators, classify(fresh, "word " * 400))
    assert row["usage_estimated"]
    assert 300 <= row["input_tokens"] <= 900 and row["cost"] > 0
