"""What traffic teaches of prefixes: how soon they come again, on which model, and whose."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.catalog.structs import Model, Usage
from hybridllm.engine.prefixes import Prefixes, Reuse
from hybridllm.routing.caching import Mark
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect

DIALECT = get_dialect("openai")
RULES = "Always answer in the words of the handbook. " * 150


def model(name: str = "gpt-4o", provider: str = "openai") -> Model:
    return Model(
        provider=provider, name=name, context_window=200_000, max_output_tokens=64_000, prices=()
    )


GPT, SONNET, OPUS = model(), model("sonnet", "anthropic"), model("opus", "anthropic")


def body(*said: str, system: str = RULES) -> bytes:
    turns = [
        {"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(said)
    ]
    return json.dumps(
        {"model": "auto", "messages": [{"role": "system", "content": system}, *turns]}
    ).encode()


class Talk:
    """Requests to one table, in a time of their own."""

    def __init__(self, **settings: Any) -> None:
        self.table = Prefixes(**settings)
        self.now = 1_000.0

    def look(self, *said: str, caller: str = "ann", task: str = "work", **more: Any) -> Reuse:
        raw = body(*said, **more)
        facts = DIALECT.facts(raw, RequestShape())
        found = self.table.look(raw, facts, caller, task, self.now)
        assert found is not None
        return found

    def ask(self, *said: str, on: Model = GPT, marks: bool = True, **more: Any) -> Reuse:
        """Look, and be answered: with everything marked where the provider wants that."""
        found = self.look(*said, **more)
        total = found.links[-1].end // 4
        usage = Usage(input_tokens=total)
        if on.provider == "anthropic" and marks:
            stretches = found.prospect.stretches
            found.marks = tuple(Mark(stretch.after) for stretch in stretches)
            usage = Usage(cache_write_tokens=total)
        self.table.note(found, on, usage)
        return found


def chances(found: Reuse) -> list[int]:
    """Within five minutes: of the root, where there is one, and of the whole."""
    return [stretch.chance[0] for stretch in found.prospect.stretches]


def test_a_request_too_short_for_any_cache_is_not_looked_at() -> None:
    raw = body("Hi", system="Short.")
    assert Prefixes().look(raw, DIALECT.facts(raw, RequestShape()), "a", "t", 0.0) is None


def test_a_new_prefix_is_taken_to_be_the_only_one() -> None:
    assert all(chance < 218 for chance in chances(Talk().look("One?")))


def test_a_system_prompt_that_comes_again_is_expected_again() -> None:
    talk = Talk()
    talk.ask("One?")
    talk.now += 30
    root, tail = chances(talk.look("Two?"))
    assert root > 500 and tail < 218


def test_one_that_comes_back_too_late_is_not() -> None:
    talk = Talk()
    for n in range(6):
        talk.ask(f"No {n}?")
        talk.now += 900
    root = talk.look("And?").prospect.stretches[0].chance
    assert root[0] < 218, "within five minutes it never came"
    assert root[1] > 600, "within the hour it always did"


def test_new_roots_are_expected_to_be_as_those_before_were() -> None:
    talk = Talk()
    for n in range(8):
        for m in range(3):
            talk.ask(f"No {m}?", system=f"{n} {RULES}")
            talk.now += 10
    assert chances(talk.look("One?", system=f"New. {RULES}"))[0] > 500


def test_conversations_that_go_on_teach_what_to_expect_of_the_next() -> None:
    talk = Talk()
    for n in range(6):
        said = [f"Begin {n}."]
        for turn in range(4):
            talk.ask(*said)
            talk.now += 20
            said += [f"Answer {turn}.", f"More {turn}."]
    assert chances(talk.look("Begin anew."))[-1] > 500


def test_requests_that_no_other_follows_teach_that_too() -> None:
    talk = Talk()
    for n in range(40):
        talk.ask(f"Only {n}.")
        talk.now += 20
    assert chances(talk.look("Another."))[-1] < 50


def test_a_conversations_own_rhythm_outweighs_that_of_others() -> None:
    talk = Talk()
    for n in range(10):
        talk.ask(f"Fast {n}.")
        talk.now += 20
        talk.ask(f"Fast {n}.", "Yes.", "More.")
    said = ["Slow."]
    for turn in range(6):
        talk.ask(*said)
        talk.now += 1_000
        said += [f"Answer {turn}.", f"More {turn}."]
    soon, later = talk.look(*said).prospect.stretches[-1].chance
    assert soon < 218 and later > 600


def test_tasks_are_told_apart() -> None:
    talk = Talk()
    for n in range(10):
        talk.ask(f"Chat {n}.", task="chat")
        talk.now += 20
        talk.ask(f"Chat {n}.", "Yes.", "More.", task="chat")
        talk.ask(f"Classify {n}.", task="classification")
    assert chances(talk.look("New.", task="chat"))[-1] > 500
    assert chances(talk.look("New.", task="classification"))[-1] < 218


def test_a_model_that_conversations_leave_is_not_expected_to_read_what_it_wrote() -> None:
    talk = Talk()
    for n in range(12):
        talk.ask(f"Begin {n}.", on=SONNET)
        talk.now += 20
        talk.ask(f"Begin {n}.", "Yes.", "More.", on=GPT)
    tail = talk.look("Begin anew.").prospect.stretches[-1]
    assert tail.chance[0] > 500
    assert tail.on[SONNET.id][0] < 218


class TestWarmth:
    def test_an_implicit_cache_holds_what_was_sent(self) -> None:
        talk = Talk()
        talk.ask("One?", on=GPT)
        talk.now += 60
        whole = talk.look("One?", "Yes.", "Two?").prospect.warm[GPT.id]
        other = talk.look("Other?").prospect.warm[GPT.id]
        assert whole.tokens > other.tokens > 1_024
        talk.now += 300
        assert talk.look("One?", "Yes.", "Two?").prospect.warm == {}

    def test_what_was_not_marked_is_not_held_by_a_cache_of_marks(self) -> None:
        talk = Talk()
        talk.ask("One?", on=SONNET, marks=False)
        assert talk.look("One?").prospect.warm == {}

    def test_what_was_marked_is_held_by_that_model_alone_and_for_its_time(self) -> None:
        talk = Talk()
        found = talk.look("One?")
        found.marks = (Mark(0, long=True), Mark(1))
        talk.table.note(found, SONNET, Usage(cache_write_tokens=found.links[-1].end // 4))
        assert set(talk.look("One?").prospect.warm) == {SONNET.id}
        assert talk.look("One?").prospect.warm[SONNET.id].after == 1
        talk.now += 400
        assert talk.look("One?").prospect.warm[SONNET.id].after == 0, "the root is for an hour"
        talk.now += 3_300
        assert talk.look("One?").prospect.warm == {}

    def test_no_more_is_held_than_the_provider_says(self) -> None:
        talk = Talk()
        found = talk.look("One?")
        found.marks = (Mark(0), Mark(1))
        talk.table.note(found, SONNET, Usage(input_tokens=found.links[-1].end // 4))
        assert talk.look("One?").prospect.warm == {}

    def test_each_model_has_its_own(self) -> None:
        talk = Talk()
        talk.ask("One?", on=SONNET)
        talk.ask("One?", "Yes.", "Two?", on=OPUS)
        warm = talk.look("One?", "Yes.", "Two?", "Yes.", "Three?").prospect.warm
        assert warm[OPUS.id].after > warm[SONNET.id].after


class TestIsolation:
    def test_another_callers_prefix_is_unknown_and_must_not_be_marked(self) -> None:
        talk = Talk(isolate=True)
        talk.ask("One?", on=SONNET, caller="ann")
        bobs = talk.look("One?", caller="bob")
        assert bobs.prospect.warm == {}
        assert bobs.alone
        assert not talk.look("One?", caller="ann").alone

    def test_what_no_other_caller_has_may_be(self) -> None:
        talk = Talk(isolate=True)
        talk.ask("One?", caller="ann")
        assert not talk.look("One?", system=f"Bob's. {RULES}", caller="bob").alone

    def test_cache_keys_are_the_callers_own(self) -> None:
        talk = Talk(isolate=True)
        assert talk.look("One?", caller="ann").key != talk.look("One?", caller="bob").key

    def test_without_it_callers_share(self) -> None:
        talk = Talk(isolate=False)
        talk.ask("One?", on=SONNET, caller="ann")
        bobs = talk.look("One?", caller="bob")
        assert SONNET.id in bobs.prospect.warm and not bobs.alone
        assert bobs.key == talk.look("Two?", caller="ann").key

    def test_a_prefix_that_its_owner_left_is_free_again(self) -> None:
        talk = Talk(isolate=True)
        talk.ask("One?", caller="ann")
        talk.now += 3_601
        assert not talk.look("One?", caller="bob").alone


def test_the_key_of_a_prefix_is_the_same_in_every_conversation_and_turn() -> None:
    talk = Talk()
    keys = {talk.ask("One?").key, talk.ask("Two?").key}
    keys.add(talk.ask("Two?", "Yes.", "Three?").key)
    assert len(keys) == 1
    assert talk.look("One?", system=f"Else. {RULES}").key not in keys


def test_a_document_before_the_question_is_a_prefix_too() -> None:
    def asked(question: str) -> bytes:
        said = [{"type": "text", "text": RULES}, {"type": "text", "text": question}]
        return json.dumps(
            {"model": "auto", "messages": [{"role": "user", "content": said}]}
        ).encode()

    table = Prefixes()
    for n in range(3):
        raw = asked(f"No {n}?")
        found = table.look(raw, DIALECT.facts(raw, RequestShape()), "a", "t", 10.0 * n)
        assert found is not None
        table.note(found, GPT, Usage(input_tokens=2_000))
    root, tail = found.prospect.stretches
    assert (root.after, tail.after) == (0, 1)
    assert root.chance[0] > 500


def test_the_table_is_bounded_and_keeps_no_prompt() -> None:
    talk = Talk(limit=50)
    for n in range(200):
        talk.ask(f"No {n}?", system=f"{n} {RULES}")
    assert len(talk.table) <= 50
    assert "handbook" not in repr(vars(talk.table))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(1, 5),
            st.sampled_from([5, 200, 2_000, 9_000]),
            st.sampled_from([GPT, SONNET, OPUS]),
        ),
        max_size=25,
    )
)
def test_whatever_the_traffic_chances_are_chances_and_nothing_is_warmer_than_its_input(
    steps: list[tuple[int, int, int, Model]],
) -> None:
    talk = Talk()
    for system, turns, gap, on in steps:
        said = [f"Turn {n}." for n in range(2 * turns - 1)]
        found = talk.ask(*said, on=on, system=f"{system} {RULES}")
        talk.now += gap
        ends = [stretch.end for stretch in found.prospect.stretches]
        assert ends == sorted(set(ends)) and ends[-1] == found.prospect.size
        for stretch in found.prospect.stretches:
            for soon, later in (stretch.chance, *stretch.on.values()):
                assert 0 <= soon <= later <= 1_000
        for warm in found.prospect.warm.values():
            assert warm.of(10_000, found.prospect.size) <= 10_000


@pytest.mark.parametrize("marked", [False, True])
def test_a_body_that_the_model_sees_more_than_is_left_alone(marked: bool) -> None:
    dialect = get_dialect("responses")
    raw = json.dumps({"model": "auto", "input": RULES, "previous_response_id": "r"}).encode()
    assert Prefixes().look(raw, dialect.facts(raw, RequestShape()), "a", "t", 0.0) is None
