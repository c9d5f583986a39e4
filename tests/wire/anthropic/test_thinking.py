"""How much to think, for each generation of Claude."""

from __future__ import annotations

from typing import Any

import pytest

from hybridllm.wire.anthropic.thinking import ThinkingConfig, generation_of, thinking_config
from hybridllm.wire.conversation import Reasoning


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("claude-3-haiku-20240307", (3, 0)),
        ("claude-3-5-haiku-20241022", (3, 5)),
        ("claude-sonnet-4-20250514", (4, 0)),
        ("claude-haiku-4-5-20251001", (4, 5)),
        ("anthropic.claude-opus-4-7", (4, 7)),
        ("claude-opus-5", (5, 0)),
        ("claude-next", (99, 0)),
    ],
)
def test_the_generation_is_in_the_name(model: str, version: tuple[int, int]) -> None:
    assert generation_of(model).version == version


def config(
    model: str,
    max_tokens: int = 20_000,
    native: bool = False,
    signed: bool = True,
    **reasoning: Any,
) -> ThinkingConfig | None:
    return thinking_config(
        Reasoning(**reasoning), generation_of(model), max_tokens, native=native, signed=signed
    )


OLD, BOTH, NEW, NEWEST = (
    "claude-haiku-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-7",
    "claude-opus-5-5",
)
ADAPTIVE = {"type": "adaptive"}


def enabled(budget: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget}


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking", "effort"),
    [
        (OLD, {"effort": "low"}, enabled(2048), "low"),
        (OLD, {"effort": "max"}, enabled(10_000), "high"),
        (OLD, {"budget_tokens": 5000}, enabled(5000), None),
        (OLD, {"budget_tokens": 100}, enabled(1024), None),
        (OLD, {"budget_tokens": 20_000}, enabled(10_000), None),
        (OLD, {"budget_tokens": -1}, enabled(8192), None),
        (OLD, {"effort": "none"}, None, None),
        ("claude-sonnet-4-20250514", {"effort": "low"}, enabled(2048), None),
        (BOTH, {"effort": "minimal"}, ADAPTIVE, "low"),
        (BOTH, {"effort": "xhigh"}, ADAPTIVE, "high"),
        (BOTH, {"budget_tokens": 5000}, enabled(5000), None),
        (BOTH, {"budget_tokens": -1}, ADAPTIVE, None),
        (NEW, {"effort": "xhigh"}, ADAPTIVE, "xhigh"),
        (NEW, {"budget_tokens": 16_384}, ADAPTIVE, "high"),
        (NEW, {"budget_tokens": 0}, None, None),
        (NEW, {"show": True}, ADAPTIVE | {"display": "summarized"}, None),
        (NEW, {"show": False}, None, None),
        (NEW, {"effort": "low", "show": False}, ADAPTIVE | {"display": "omitted"}, "low"),
        (NEWEST, {"effort": "none"}, None, "low"),
    ],
)
def test_what_others_ask_for(
    model: str, reasoning: dict[str, Any], thinking: Any, effort: str | None
) -> None:
    assert config(model, **reasoning) == ThinkingConfig(thinking, effort)


@pytest.mark.parametrize("model", [OLD, BOTH, NEW])
def test_an_anthropic_callers_effort_turns_no_thinking_on(model: str) -> None:
    assert config(model, native=True, effort="low") == ThinkingConfig(None, "low")
    off = config(model, native=True, budget_tokens=0)
    assert off == ThinkingConfig({"type": "disabled"}) and off is not None and not off.on


def test_an_anthropic_callers_budget_shows_thoughts_as_these_models_do_unasked() -> None:
    asked = {"native": True, "budget_tokens": 5000, "show": True}
    assert config(BOTH, **asked) == ThinkingConfig(enabled(5000))
    shown = ADAPTIVE | {"display": "summarized"}
    assert config(NEW, **asked) == ThinkingConfig(shown, "medium"), "it would not show them"
    hidden = config(BOTH, **asked | {"show": False})
    assert hidden == ThinkingConfig(enabled(5000) | {"display": "omitted"})


def test_when_there_is_no_room_to_think() -> None:
    assert config(OLD, max_tokens=1024, effort="low") is None
    small = config(OLD, max_tokens=1025, effort="high")
    assert small is not None and small.thinking == enabled(1024)


def test_without_signed_tool_turns_only_adaptive_thinking_is_left() -> None:
    assert config(OLD, signed=False, budget_tokens=5000) is None
    assert config(BOTH, signed=False, budget_tokens=5000) == ThinkingConfig(ADAPTIVE, "medium")
