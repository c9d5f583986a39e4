"""Coding agents, the hardest clients: their conversations against models of every provider, moved
from one to another in mid conversation, and back.

The simulated providers verify every signature that they are sent, and refuse a conversation that a
real one would refuse: a call without its result, a signed thought that was changed.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybridllm.simulators import Simulators
from tests.clients.cells import signatures_sent
from tests.clients.coding import (
    ARGUMENTS,
    ENABLED,
    UNSHOWN,
    ClaudeCode,
    Minimal,
    calls_of,
    picture,
)
from tests.clients.tape import Exchange, Tape, Wiretap
from tests.running import RunningGateway

CLAUDE = "anthropic/claude-sonnet-4-6"
O3 = "openai/o3"
GEMINI = "google/gemini-3-flash-preview"
SKIP = "skip_thought_signature_validator"


def reads(*names: str, thinks: int = 30, say: str = "Looking.") -> str:
    """A prompt to which the model thinks and calls these tools; and says `say` in the end."""
    return f'Go on. [[sim reasoning_tokens={thinks} tools={",".join(names)} say "{say}"]]'


def row_of(gateway: RunningGateway, simulators: Simulators, exchange: Exchange) -> dict[str, Any]:
    """The request's only row in the ledger, whose usage is what the provider billed."""
    (row,) = gateway.attempts(exchange.request_id)
    (call,) = [c for c in simulators.calls() if c.attempt == f"{exchange.request_id}-1"]
    assert call.billed is not None
    for name in call.billed.__struct_fields__:
        assert row[name] == getattr(call.billed, name), name
    return row


@pytest.mark.parametrize("thinking", [ENABLED, UNSHOWN], ids=["shown", "not shown"])
@pytest.mark.parametrize("model", [CLAUDE, O3, GEMINI])
def test_a_coding_session(
    model: str,
    thinking: dict[str, Any],
    today: RunningGateway,
    simulators: Simulators,
    wiretap: Wiretap,
    tape: Tape,
) -> None:
    provider = model.partition("/")[0]
    agent = ClaudeCode(today, tape, f"session {model} {thinking}", model, thinking)
    rows = []
    for number in range(3):
        message = agent.ask(f"Step {number}. {reads('Read', 'Grep', 'mcp__issues__list')}")
        rows.append(row_of(today, simulators, tape.last))
        assert message.stop_reason == "tool_use"
        names = ("Read", "Grep", "mcp__issues__list")
        assert calls_of(message) == [(name, ARGUMENTS) for name in names]
        message = agent.answer(
            "x = 1\n" * 20, FileNotFoundError("no such file"), picture() if number else "[]"
        )
        rows.append(row_of(today, simulators, tape.last))
        assert message.stop_reason == "end_turn"
        (said,) = [block.text for block in message.content if block.type == "text"]
        # To OpenAI a result's picture goes in a user message, whose text a simulated model obeys.
        assert said == "Looking." or (provider == "openai" and number > 0)
    assert [row["provider"] for row in rows] == [provider] * 6
    assert not any(row["moved_from"] for row in rows)
    assert all(row["reasoning_tokens"] > 0 for row in rows)
    assert all(row["cache_read_tokens"] > 3_000 for row in rows[1:]), "the prefix stays the same"
    sent = wiretap.sent(provider)
    if provider == "anthropic":
        kept = [b for b in agent.thoughts() if b["type"] == "thinking"]
        assert len(kept) == 6
        assert [b["thinking"] == "" for b in kept] == [thinking == UNSHOWN] * 6
        assert signatures_sent("anthropic", sent) == [b["signature"] for b in kept[:-1]]
    if provider == "google":
        signed = signatures_sent("google", sent)
        assert len(signed) >= 3 and SKIP not in signed
    if provider == "openai":
        text = json.dumps(sent)
        assert "hllm1" not in text and "signature" not in text
        assert "is_error" in tape.last.dropped


MOVES = [
    pytest.param(CLAUDE, GEMINI, id="claude-gemini"),
    pytest.param(CLAUDE, "google/gemini-4-argon", id="claude-gemini 4"),
    pytest.param(CLAUDE, O3, id="claude-o3"),
    pytest.param(GEMINI, CLAUDE, id="gemini-claude"),
    pytest.param(GEMINI, O3, id="gemini-o3"),
    pytest.param(O3, CLAUDE, id="o3-claude"),
    pytest.param(O3, GEMINI, id="o3-gemini"),
]


@pytest.mark.parametrize(("first", "second"), MOVES)
def test_a_session_moves_to_another_provider_and_back(
    first: str,
    second: str,
    today: RunningGateway,
    simulators: Simulators,
    wiretap: Wiretap,
    tape: Tape,
) -> None:
    """In the middle of a round of tool use, both times: the other's calls and results are taken
    over, its signatures left out, its readable thoughts kept as text."""
    at, other = first.partition("/")[0], second.partition("/")[0]
    agent = ClaudeCode(today, tape, f"move {first} {second}", first, ENABLED)
    agent.ask(f"One. {reads('Read', 'Grep')}")
    agent.answer("x = 1", "found")
    agent.ask(f"Two. {reads('Edit')}")
    own = signatures_sent(at, wiretap.sent(at))
    shown = [b["thinking"] for b in agent.thoughts() if b.get("thinking")]

    agent.model = second
    message = agent.answer("edited")
    assert message.stop_reason == "end_turn"
    moved = row_of(today, simulators, tape.last)
    assert (moved["model"], moved["moved_from"]) == (second, first)
    sent = wiretap.sent(other)
    assert set(signatures_sent(other, sent)) <= {SKIP}
    for thought in shown:
        assert thought in json.dumps(sent), "what can be read is kept"
    agent.ask(f"Three. {reads('Bash')}")
    assert row_of(today, simulators, tape.last)["moved_from"] == ""
    assert "hllm1" not in json.dumps(wiretap.sent(other))

    agent.model = first
    message = agent.answer("done")
    assert message.stop_reason == "end_turn"
    back = row_of(today, simulators, tape.last)
    assert (back["model"], back["moved_from"]) == (first, second)
    sent = wiretap.sent(at)
    assert "hllm1" not in json.dumps(sent)
    returned = signatures_sent(at, sent)
    assert returned[: len(own)] == own, "the first provider has its own signatures back"
    if at != "openai":
        assert len(own) >= 2
    agent.ask(f"Four. {reads('Read')}")
    assert agent.answer("x = 2").stop_reason == "end_turn"


def test_a_sealed_thought_comes_back_to_its_maker(
    today: RunningGateway, wiretap: Wiretap, tape: Tape
) -> None:
    agent = ClaudeCode(today, tape, "sealed", CLAUDE, ENABLED)
    agent.ask("[[sim reasoning_tokens=30 redacted tools=Read]]")
    (sealed,) = agent.thoughts()
    assert sealed["type"] == "redacted_thinking"
    agent.model = GEMINI
    agent.answer("x = 1")
    assert sealed["data"] not in json.dumps(wiretap.sent("google"))
    agent.model = CLAUDE
    agent.ask("Go on.")
    assert sealed in wiretap.sent("anthropic")["messages"][1]["content"]


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
def test_a_forgetful_loop_over_openais_chat_keeps_signatures(
    model: str, today: RunningGateway, wiretap: Wiretap, tape: Tape
) -> None:
    """It sends back {role, content, tool_calls} and no more."""
    provider = model.partition("/")[0]
    loop = Minimal(today, tape, model)
    for number in range(1, 4):
        calls = loop.ask(f"Round {number}. {reads('Read', 'Grep')}")
        assert calls == [("Read", ARGUMENTS), ("Grep", ARGUMENTS)]
        assert loop.answer("x = 1", "found") == []
        signed = signatures_sent(provider, wiretap.sent(provider))
        assert len(signed) == number and SKIP not in signed
        assert "hllm1" not in json.dumps(wiretap.sent(provider))
    assert all(message.keys() <= {"role", "content", "tool_calls", "tool_call_id"}
               for message in loop.messages)  # fmt: skip
