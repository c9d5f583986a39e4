"""The prompt that a model gets is the one that the configuration has for it: through a real
gateway, before simulated providers, by what those were sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from hybridllm.simulators import Fault, Simulators, prompt_of
from tests.relay import Relay, marks
from tests.running import Reply, RunningGateway

MINI = "gpt-4o-mini"
CONFIG = """
[caching]
enabled = true

[tasks.classification]
candidates = ["gpt-4o-mini"]
fallbacks = ["gemini-2.5-flash", "claude-sonnet-4-6"]

[tasks.general]
candidates = ["claude-sonnet-4-6"]
response_cache = "1h"

[tasks.extraction]
candidates = ["gpt-4o-mini"]

[prompts.classification]
openai = "prompts/plainer.toml"
"google" = "prompts/shots.toml"

[prompts.general]
"claude-sonnet-4-6" = "prompts/xml.toml"
"""
PLAINER = 'system = "# Task\\n{system}\\n# Rules\\nOne word."\n'
SHOTS = """
prompt = "Input: {prompt}\\nOutput:"
format = "Answer with one word."
[[shots]]
user = "Win now"
assistant = "spam"
"""
XML = """
match = "Summarise: {text}"
prompt = "<document>{text}</document>\\nSummarise it."
[[shots]]
user = "A dog."
assistant = "Dog."
"""


@pytest.fixture(scope="module")
def relay(simulators: Simulators) -> Iterator[Relay]:
    with Relay(simulators.env()) as running:
        yield running


@pytest.fixture(scope="module")
def varying(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    home = tmp_path_factory.mktemp("variants")
    (home / "prompts").mkdir()
    for name, text in (("plainer", PLAINER), ("shots", SHOTS), ("xml", XML)):
        (home / "prompts" / f"{name}.toml").write_text(text)
    with RunningGateway(home, relay.env(), config=CONFIG) as running:
        yield running


def said(content: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": content}


def chat(gateway: RunningGateway, task: str, *messages: dict[str, Any], **more: Any) -> Reply:
    body = {"model": "auto", "messages": list(messages), **more}
    reply = gateway.post("/v1/chat/completions", body, {"x-hybridllm-task": task})
    assert reply.status == 200, reply.body
    return reply


def row_of(gateway: RunningGateway, reply: Reply) -> dict[str, Any]:
    return gateway.attempts(reply.headers["x-hybridllm-request-id"])[-1]


def test_a_model_gets_its_variant_and_ledger_and_header_name_it(
    varying: RunningGateway, relay: Relay
) -> None:
    reply = chat(varying, "classification", said("Be kind.", "system"), said("Über spam?"), seed=7)
    sent = relay.last().json()
    assert sent["messages"] == [
        said("# Task\nBe kind.\n# Rules\nOne word.", "system"),
        said("Über spam?"),
    ]
    assert (sent["seed"], sent["model"]) == (7, MINI)
    row = row_of(varying, reply)
    assert row["variant"] == reply.headers["x-hybridllm-variant"]
    assert row["variant"].startswith("plainer@")
    given = "Be kind.Über spam?# Task\n\n# Rules\nOne word."
    assert row["text_bytes"] == len(given.encode())


def test_without_a_system_prompt_the_variants_becomes_it(
    varying: RunningGateway, relay: Relay
) -> None:
    chat(varying, "classification", said("Is it?"))
    assert relay.last().json()["messages"][0] == said("# Task\n\n# Rules\nOne word.", "system")


def test_a_request_of_another_task_stays_byte_for_byte(
    varying: RunningGateway, relay: Relay
) -> None:
    body = b'{"model" :"gpt-4o-mini",  "messages":[{"role":"user","content":"caf\\u00e9"}]}'
    reply = varying.post("/v1/chat/completions", body, {"x-hybridllm-task": "extraction"})
    assert relay.last().body == body
    assert "x-hybridllm-variant" not in reply.headers
    assert row_of(varying, reply)["variant"] == ""


def test_a_caller_who_names_a_model_gets_his_own_prompt(
    varying: RunningGateway, relay: Relay
) -> None:
    reply = chat(varying, "classification", said("Is it?"), model=MINI)
    assert relay.last().json()["messages"] == [said("Is it?")]
    assert row_of(varying, reply)["variant"] == ""


def test_a_fallback_gets_its_own_variant_or_the_original(
    varying: RunningGateway, relay: Relay, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", status=401, provider="openai", calls=1))
    try:
        reply = chat(varying, "classification", said("Be kind.", "system"), said("Is it?"))
    finally:
        simulators.clear_faults()
    sent = relay.last()
    assert sent.provider == "google"
    turns = [(one["role"], one["parts"][0]["text"]) for one in sent.json()["contents"]]
    assert turns == [
        ("user", "Input: Win now\nOutput:"),
        ("model", "spam"),
        ("user", "Input: Is it?\nOutput:"),
    ]
    system = "".join(part["text"] for part in sent.json()["systemInstruction"]["parts"])
    assert system == "Be kind.\n\nAnswer with one word."
    attempts = varying.attempts(reply.headers["x-hybridllm-request-id"])
    assert [row["variant"].partition("@")[0] for row in attempts] == ["plainer", "shots"]


def test_examples_stand_before_a_conversation_and_leave_its_tools_alone(
    varying: RunningGateway, relay: Relay
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    chat(
        varying,
        "general",
        said("Summarise: a cat."),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "It sits."},
        said("Summarise: a mat."),
        tools=[tool],
    )
    sent = relay.last().json()["messages"]
    assert [one["role"] for one in sent] == ["user", "assistant"] * 2 + ["user"]
    assert "<document>A dog.</document>\nSummarise it." in str(sent[0]).replace("\\n", "\n")
    assert "<document>a cat.</document>" in str(sent[2])
    assert [block["type"] for block in sent[3]["content"]] == ["tool_use"]
    assert [block["type"] for block in sent[4]["content"]] == ["tool_result", "text"]
    assert "Summarise: a mat." in str(sent[4]), "later turns are as the caller wrote them"


def test_marks_for_prompt_caches_stand_where_the_conversation_goes_on(
    varying: RunningGateway, relay: Relay
) -> None:
    system = said(prompt_of(3_000, start="Handbook of variants."), "system")
    talk = [system, said("Summarise: one."), said("Yes.", "assistant"), said("And two?")]
    for number in range(3):
        reply = chat(varying, "general", *talk, said("Yes.", "assistant"), said(f"And {number}?"))
    found = [place for place, _ in marks(relay.last().json())]
    assert any(place.startswith("system") for place in found)
    row = row_of(varying, reply)
    assert row["cache_read_tokens"] > 2_500 and row["variant"].startswith("xml@")


def test_answers_that_are_given_again_name_the_variant_that_they_answer(
    varying: RunningGateway, relay: Relay
) -> None:
    first, again = (
        chat(varying, "general", said("Summarise: the same."), temperature=0) for _ in range(2)
    )
    assert (first.headers["x-hybridllm-cache"], again.headers["x-hybridllm-cache"]) == (
        "miss",
        "hit",
    )
    assert again.headers["x-hybridllm-variant"] == first.headers["x-hybridllm-variant"]
    (row,) = varying.attempts(again.headers["x-hybridllm-request-id"])
    assert row["variant"].startswith("xml@")


def test_a_changed_variant_is_a_new_version_without_a_restart(
    varying: RunningGateway, relay: Relay
) -> None:
    before = chat(varying, "classification", said("Is it?")).headers["x-hybridllm-variant"]
    (varying.home / "prompts" / "plainer.toml").write_text('system = "Another."\n')
    end = time.monotonic() + 20
    while (now := chat(varying, "classification", said("Is it?"))) and time.monotonic() < end:
        if now.headers["x-hybridllm-variant"] != before:
            break
        time.sleep(0.1)
    assert now.headers["x-hybridllm-variant"].startswith("plainer@")
    assert relay.last().json()["messages"][0] == said("Another.", "system")
