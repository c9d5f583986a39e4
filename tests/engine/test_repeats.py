"""What a model was sent before counts as repeated while a cache could hold it, and no longer."""

from __future__ import annotations

from hybridllm.catalog.structs import Usage
from hybridllm.config_file import load_preset
from hybridllm.engine.repeats import Repeats
from hybridllm.wire.dialect import Facts, Turn

MODELS = load_preset("guide").catalog.models
SONNET = MODELS["anthropic/claude-sonnet-4-6"]
FOUR = MODELS["openai/gpt-4o"]
SYSTEM = "You answer from the handbook below. " * 400


def asked(first: str, *, system: str = SYSTEM) -> Facts:
    return Facts(
        model="auto",
        system=system,
        turns=[Turn("user", first)],
        text_bytes=len(system) + len(first),
    )


def billed(input_tokens: int, read: int = 0) -> Usage:
    return Usage(input_tokens=input_tokens, cache_read_tokens=read, output_tokens=10)


def test_a_shared_system_prompt_counts_by_its_share_of_the_input() -> None:
    repeats = Repeats()
    assert repeats.note(asked("one"), "k", SONNET, billed(4000), 0) == 0
    other = "two" * 4800
    assert repeats.note(asked(other), "k", SONNET, billed(8000), 10) == 4000 * 14_400 // 14_403


def test_a_conversations_next_request_repeats_the_one_before() -> None:
    repeats = Repeats()
    repeats.note(asked("one", system=""), "k", SONNET, billed(5000), 0)
    assert repeats.note(asked("one", system=""), "k", SONNET, billed(5600), 60) == 5000
    assert repeats.note(asked("one", system=""), "k", SONNET, billed(6000), 120) == 5600


def test_what_a_cache_served_is_not_left() -> None:
    repeats = Repeats()
    repeats.note(asked("one"), "k", SONNET, billed(5000), 0)
    assert repeats.note(asked("one"), "k", SONNET, billed(600, read=4990), 60) == 0


def test_another_model_or_caller_or_time_has_not_seen_it() -> None:
    repeats = Repeats()
    for model, caller, now in ((SONNET, "k", 0), (FOUR, "k", 1), (SONNET, "l", 2)):
        assert repeats.note(asked("one"), caller, model, billed(5000), now) == 0
    assert repeats.note(asked("one"), "k", SONNET, billed(5000), 301) == 0
    assert repeats.note(asked("one"), "k", SONNET, billed(5000), 601) == 5000


def test_what_is_too_short_for_the_models_cache_does_not_count() -> None:
    repeats = Repeats()
    few = SONNET.min_cache_tokens - 1
    for now in range(3):
        assert repeats.note(asked("one"), "k", SONNET, billed(few), now) == 0


def test_the_table_is_bounded() -> None:
    repeats = Repeats(limit=10)
    for number in range(100):
        repeats.note(asked(f"{number}"), "k", SONNET, billed(5000), number)
    assert len(repeats) == 10
