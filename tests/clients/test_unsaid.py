"""What a provider cannot say: a clear 400 that names the field, or the header that names what was
left out. Nothing is lost in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors as google_errors

from hybridllm.simulators import Simulators
from tests.clients.cells import MODELS, THINKERS, Cell, said
from tests.clients.schema import check_error
from tests.clients.talks import AnthropicTalk, GoogleTalk, OpenAITalk, anthropic_tool
from tests.clients.tape import Tape, Wiretap
from tests.running import RunningGateway

OTHERS = {
    "openai": ("anthropic", "google"),
    "anthropic": ("openai", "google"),
    "google": ("openai", "anthropic"),
}
OPUS = "anthropic/claude-opus-4-7"
HELLO = said("Hello.")
TURN = {"role": "user", "content": HELLO}
WEB = {"type": "web_search_20250305", "name": "web_search"}
SAFETY = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
LOOK = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {"city": "Lisbon"}}
FAILED = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "No.", "is_error": True}


@dataclass(frozen=True)
class Unsaid:
    """What an SDK sends besides a plain question; `dropped` or `refused` is the name given."""

    sdk: str
    providers: tuple[str, ...]
    sends: dict[str, Any]
    dropped: str | None = None
    refused: str | None = None
    model: str | None = None


TABLE = (
    Unsaid("openai", ("anthropic",), {"seed": 7}, dropped="seed"),
    Unsaid("openai", ("anthropic",), {"frequency_penalty": 1}, dropped="frequency_penalty"),
    Unsaid("openai", ("anthropic",), {"temperature": 0}, dropped="temperature", model=OPUS),
    Unsaid("openai", OTHERS["openai"], {"service_tier": "flex"}, dropped="service_tier"),
    Unsaid("openai", OTHERS["openai"], {"metadata": {"team": "a"}}, dropped="metadata"),
    Unsaid("openai", OTHERS["openai"], {"verbosity": "low"}, dropped="verbosity"),
    Unsaid("openai", OTHERS["openai"], {"logprobs": True}, refused="logprobs"),
    Unsaid("openai", OTHERS["openai"], {"n": 2}, refused="n"),
    Unsaid("openai", OTHERS["openai"], {"web_search_options": {}}, refused="web_search_options"),
    Unsaid(
        "openai", ("anthropic",), {"response_format": {"type": "json_object"}}, refused="output"
    ),
    Unsaid("openai", ("openai",), {"reasoning_effort": "low"}, refused="reasoning_effort"),
    Unsaid("anthropic", ("openai",), {"extra_body": {"top_k": 5}}, dropped="top_k"),
    Unsaid(
        "anthropic",
        ("openai",),
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        dropped="reasoning",
    ),
    Unsaid(
        "anthropic",
        ("openai",),
        {
            "tools": [anthropic_tool("get_time")],
            "messages": [
                TURN,
                {"role": "assistant", "content": [LOOK]},
                {"role": "user", "content": [FAILED]},
            ],
        },
        dropped="is_error",
    ),
    Unsaid("anthropic", OTHERS["anthropic"], {"tools": [WEB]}, refused="web_search"),
    Unsaid("anthropic", OTHERS["anthropic"], {"container": "c_1"}, refused="container"),
    Unsaid(
        "anthropic",
        ("openai",),
        {"stop_sequences": ["ENOUGH"]},
        refused="stop",
        model=THINKERS["openai"],
    ),
    Unsaid("google", OTHERS["google"], {"safety_settings": [SAFETY]}, dropped="safetySettings"),
    Unsaid("google", ("openai",), {"top_k": 5}, dropped="top_k"),
    Unsaid("google", OTHERS["google"], {"tools": [{"google_search": {}}]}, refused="googleSearch"),
    Unsaid(
        "google",
        OTHERS["google"],
        {"candidate_count": 2},
        refused="generationConfig.candidateCount",
    ),
    Unsaid(
        "google",
        OTHERS["google"],
        {"cached_content": "cachedContents/1"},
        refused="cachedContent",
    ),
)
CASES = [
    pytest.param(
        case,
        provider,
        id=f"{case.sdk}-sdk->{provider}-{case.dropped or case.refused}",
    )
    for case in TABLE
    for provider in case.providers
]
ERRORS = (openai.APIStatusError, anthropic.APIStatusError, google_errors.APIError)


def send(cell: Cell, model: str, more: dict[str, Any]) -> None:
    """One plain question with `more` through the SDK's own arguments."""
    talk = cell.talk(model=model)
    match talk:
        case OpenAITalk():
            talk.client.chat.completions.create(**{"model": model, "messages": [TURN], **more})
        case AnthropicTalk():
            asked = {"model": model, "max_tokens": 2000, "messages": [TURN], **more}
            talk.client.messages.create(**asked)
        case GoogleTalk():
            talk.client.models.generate_content(model=model, contents=HELLO, config=more)


@pytest.mark.parametrize(("case", "provider"), CASES)
def test_what_cannot_be_said(
    case: Unsaid,
    provider: str,
    today: RunningGateway,
    simulators: Simulators,
    wiretap: Wiretap,
    tape: Tape,
) -> None:
    cell = Cell(case.sdk, provider, today, simulators, wiretap, tape)
    model = case.model or MODELS[provider]
    before = len(simulators.calls())
    if case.dropped is not None:
        send(cell, model, case.sends)
        assert case.dropped in tape.last.dropped
        assert case.dropped not in wiretap.sent(provider)
        return
    with pytest.raises(ERRORS) as caught:
        send(cell, model, case.sends)
    assert tape.last.status == 400
    check_error(case.sdk, tape.last)
    assert f"{case.refused}" in str(caught.value)
    if provider != case.sdk:
        assert len(simulators.calls()) == before, "no provider was asked"
        assert "wire.drop" in str(caught.value), "and the way out is told"
