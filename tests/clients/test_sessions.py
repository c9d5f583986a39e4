"""A conversation stays with its model while that is warm, over HTTP: known by its name or by its
beginning, until something speaks for a move; and the move is in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hybridllm.simulators import Fault, Simulators
from hybridllm.simulators.prose import prose
from tests.running import Reply, RunningGateway

SONNET = "anthropic/claude-sonnet-4-6"
GPT = "openai/gpt-4o"
LONG = prose(1_500, seed=3)
"""Long enough for OpenAI to cache it: a conversation of which nothing is cached is not warm, and
loses nothing by moving."""
MINI = "openai/gpt-4o-mini"
PRO = "google/gemini-2.5-pro"
FLASH = "google/gemini-2.5-flash"
CONFIG = """
[retries]
attempts = 1

[breaker]
failures = 1000
window = 1000

[caching]
enabled = false

[models."openai/gpt-4o"]
price = { input = 2.5, output = 10, cache_read = 0.25 }
"""
"""What traffic teaches of prefixes is left out, so that each test finds the router as it was; what
providers cache by themselves is counted upon all the same."""


@pytest.fixture(scope="module")
def sticky(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway with the guide's tasks, which tries each model once."""
    home = tmp_path_factory.mktemp("sticky")
    with RunningGateway(home, simulators.env(), config=CONFIG) as running:
        yield running


def chat(gateway: RunningGateway, *said: str, model: str = "auto", **more: Any) -> Reply:
    """One request over OpenAI's chat: turns of user and assistant by turns. `headers` are sent,
    the rest is in the body."""
    headers = more.pop("headers", {})
    messages = [
        {"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(said)
    ]
    body = {"model": model, "messages": messages, "max_tokens": 50, **more}
    reply = gateway.post("/v1/chat/completions", body, headers)
    assert reply.status == 200, reply.body
    return reply


def served(reply: Reply) -> str:
    return reply.headers["x-hybridllm-model"]


def moved_from(gateway: RunningGateway, reply: Reply) -> list[str]:
    """What each attempt's row says of a move."""
    rows = gateway.attempts(reply.headers["x-hybridllm-request-id"])
    return [row["moved_from"] for row in rows]


NAMED = {
    "x-session-id": lambda name: {"headers": {"x-session-id": name}},
    "session_id": lambda name: {"session_id": name},
}


@pytest.mark.parametrize("way", NAMED)
def test_a_named_conversation_stays_where_it_began(sticky: RunningGateway, way: str) -> None:
    """Its second turn's task alone would have gone to a model that is nominally cheaper, and would
    have to be paid in full there."""
    name = NAMED[way](f"named by {way}")
    begun = f"By {way}. {LONG}"
    first = chat(sticky, begun, model="task/general", **name)
    assert served(first) == GPT
    alone = chat(sticky, f"By {way}, alone. {LONG}", model="task/analysis")
    assert served(alone) == PRO
    second = chat(sticky, begun, "Done.", "ok, continue", model="task/analysis", **name)
    assert served(second) == GPT
    assert moved_from(sticky, second) == [""]
    reason = second.headers["x-hybridllm-reason"]
    assert "keeps its conversation" in reason
    assert "gemini-2.5-pro is nominally cheaper, but would pay full price" in reason


def test_a_conversation_moves_to_what_is_cheaper_even_at_full_price(
    sticky: RunningGateway,
) -> None:
    begun = f"Not worth keeping. {LONG}"
    assert served(chat(sticky, begun, model="task/general")) == GPT
    moved = chat(sticky, begun, "Done.", "Spam or not?", model="task/classification")
    assert served(moved) in (MINI, FLASH)
    assert moved_from(sticky, moved) == [GPT]


@pytest.mark.parametrize("way", NAMED)
def test_another_name_is_another_conversation(sticky: RunningGateway, way: str) -> None:
    name, other = NAMED[way](f"one by {way}"), NAMED[way](f"two by {way}")
    said = f"The same words, by {way}. {LONG}"
    assert served(chat(sticky, said, model="task/general", **name)) == GPT
    elsewhere = chat(sticky, said, model="task/classification", **other)
    assert served(elsewhere) in (MINI, FLASH)
    assert moved_from(sticky, elsewhere) == [""]


def test_a_conversation_without_a_name_is_known_by_its_beginning(sticky: RunningGateway) -> None:
    begun = f"Known by its beginning. {LONG}"
    assert served(chat(sticky, begun, model="task/general")) == GPT
    second = chat(sticky, begun, "Done.", "ok, continue", model="task/analysis")
    assert served(second) == GPT
    begun = f"Begun otherwise. {LONG}"
    other = chat(sticky, begun, "Done.", "ok, continue", model="task/analysis")
    assert served(other) == PRO


def test_a_conversation_of_which_nothing_is_cached_goes_where_its_task_goes(
    sticky: RunningGateway,
) -> None:
    name = {"session_id": "short"}
    assert served(chat(sticky, "Short.", model="task/general", **name)) == GPT
    moved = chat(sticky, "Short, too.", model="task/classification", **name)
    assert (served(moved), moved_from(sticky, moved)) == (MINI, [GPT])


def test_a_model_asked_for_by_name_moves_it_and_the_ledger_says_so(
    sticky: RunningGateway,
) -> None:
    name = {"headers": {"x-session-id": "asked for"}}
    assert served(chat(sticky, "One.", model=SONNET, **name)) == SONNET
    moved = chat(sticky, "Two.", model=MINI, **name)
    assert (served(moved), moved_from(sticky, moved)) == (MINI, [SONNET])
    stays = chat(sticky, "Three.", model=MINI, session_id="asked for")
    assert moved_from(sticky, stays) == [""], "the body's name is the header's"


def test_an_outage_moves_it_and_it_stays_where_it_went(
    sticky: RunningGateway, simulators: Simulators
) -> None:
    """A fallback is a move too: the row of the attempt that answered says from where."""
    name = {"headers": {"x-session-id": "outage"}}
    assert served(chat(sticky, "One.", model="task/code_review", **name)) == SONNET
    simulators.faults(Fault(kind="outage", provider="anthropic", status=503))
    try:
        moved = chat(sticky, "Two.", model="task/code_review", **name)
    finally:
        simulators.clear_faults()
    refuge = served(moved)
    assert refuge.partition("/")[0] != "anthropic"
    *missed, answered = moved_from(sticky, moved)
    assert answered == SONNET
    assert missed[0] == "", "the first attempt was with the conversation's own model"
    again = chat(sticky, "Three.", model=refuge, **name)
    assert moved_from(sticky, again) == [""]
