"""What of a request's facts counts for routing."""

from types import SimpleNamespace

import pytest

from hybridllm.catalog.structs import Task, Tier
from hybridllm.routing import Need, need_of
from hybridllm.routing.need import kind_of_input
from hybridllm.wire.dialect import Facts, Turn

TASK = Task(name="work", tier=Tier.MID)


def test_a_need_is_the_facts_that_count():
    facts = Facts(
        model="gpt-4o",
        turns=[],
        text_bytes=900,
        media=3,
        documents=1,
        tools=2,
        wants_schema=True,
        max_output_tokens=50,
        choices=4,
    )
    assert need_of(SimpleNamespace(task=TASK, requested="openai/gpt-4o"), facts) == Need(
        task=TASK,
        text_bytes=900,
        kind="json",
        media=3,
        documents=1,
        tools=True,
        json_schema=True,
        max_output_tokens=50,
        choices=4,
        requested="openai/gpt-4o",
    )


def test_plain_json_asks_for_no_schema():
    facts = Facts(model="auto", turns=[], wants_json=True)
    need = need_of(SimpleNamespace(task=TASK, requested=None), facts)
    assert not need.json_schema and not need.tools


CODE = "def f(x):\n    return {'a': x}\n" * 20
CASES = {
    "what was said longest decides": ("Be brief.", [("user", CODE)], "code"),
    "a long system prompt outweighs a short question": (
        "Be kind and clear. " * 50,
        [("user", "x{}")],
        "prose",
    ),
    "the last message counts": (
        "",
        [("user", "Hi."), ("assistant", "Yes?"), ("user", "日本語です。")],
        "cjk",
    ),
    "Russian has its own ratio": ("", [("user", "Сколько стоит один запрос?")], "script"),
    "nothing said is nothing known": ("", [], "prose"),
}


@pytest.mark.parametrize(("system", "turns", "kind"), CASES.values(), ids=CASES)
def test_the_kind_of_a_request_is_that_of_its_longest_text(system, turns, kind):
    size = len(system.encode()) + sum(len(text.encode()) for _, text in turns)
    facts = Facts(
        model="auto", system=system, turns=[Turn(*turn) for turn in turns], text_bytes=size
    )
    assert kind_of_input(facts) == kind


def test_tool_calls_and_results_that_outweigh_what_was_said_make_it_json():
    facts = Facts(model="auto", turns=[Turn("user", "Look it up.")], text_bytes=4_000)
    assert kind_of_input(facts) == "json"
