"""Every official SDK against every provider, feature by feature.

A cell is `<sdk>-sdk-><provider>-<feature>`. Whatever it promises besides, each answer in it has the
SDK's declared shape to the field, and shows the usage that the provider billed and the ledger
wrote (`Cell.checked`). What a provider cannot say at all is in `test_unsaid.py`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Literal
from zlib import crc32

import pytest
from pydantic import BaseModel

from hybridllm.simulators import Simulators
from hybridllm.simulators.prose import prose
from tests.clients.cells import (
    MODELS,
    PROVIDERS,
    SDKS,
    THINKERS,
    Cell,
    Feature,
    images_sent,
    results_sent,
    said,
    signatures_sent,
    turns_sent,
)
from tests.clients.schema import check
from tests.clients.talks import ARGUMENTS, PNG, OpenAITalk
from tests.clients.tape import Tape, Wiretap
from tests.running import RunningGateway

ANSWER = 'Só 42: "naïve", \n and a 🦊. ' + prose(40, seed=1)
BOTH = ("get_weather", "get_time")
BOTH_CALLS = [(name, ARGUMENTS[name]) for name in BOTH]


class Verdict(BaseModel):
    """What structured output is asked for."""

    label: Literal["spam"]
    score: int
    reasons: list[str]


def text(cell: Cell) -> None:
    heard = cell.ask(said(ANSWER))
    assert (heard.text, heard.finish) == (ANSWER, cell.finish("stop"))
    assert not cell.tape.last.dropped


def streamed_text(cell: Cell) -> None:
    heard = cell.ask(said(ANSWER), stream=True)
    assert (heard.text, heard.finish) == (ANSWER, cell.finish("stop"))
    assert len(heard.text_pieces) > 3 and "".join(heard.text_pieces) == ANSWER
    assert not cell.tape.last.dropped


def async_text(cell: Cell) -> None:
    async def both() -> None:
        talk = cell.talk()
        for stream in (False, True):
            talk.say(said(f"{ANSWER} {stream}"))
            heard = cell.checked(await talk.aturn(stream=stream))
            assert (heard.text, heard.finish) == (f"{ANSWER} {stream}", cell.finish("stop"))

    asyncio.run(both())


def turns_and_system(cell: Cell) -> None:
    talk = cell.talk(system="Be brief.")
    for name in ("first", "second"):
        talk.say(f"The {name}. {said(f'Answer to the {name}.')}")
        cell.checked(talk.turn(stream=name == "first"))
    assert turns_sent(cell.provider, cell.sent()) == [
        ("system", "Be brief."),
        ("user", f"The first. {said('Answer to the first.')}"),
        ("assistant", "Answer to the first."),
        ("user", f"The second. {said('Answer to the second.')}"),
    ]


def tool_call(cell: Cell) -> None:
    heard = cell.ask("[[sim tools=get_time]]", tools=BOTH)
    assert heard.calls == [("get_time", ARGUMENTS["get_time"])]
    assert (heard.text, heard.finish) == ("", cell.finish("calls"))


def parallel_calls_streamed_and_answered(cell: Cell) -> None:
    talk = cell.talk(tools=BOTH)
    talk.say(f'[[sim tools={",".join(BOTH)} say "Let me look."]]')
    heard = cell.checked(talk.turn(stream=True))
    assert heard.calls == BOTH_CALLS
    assert (heard.text, heard.finish) == ("Let me look.", cell.finish("calls"))
    if cell.sdk != "google":
        whole = "".join(json.dumps(arguments) for _, arguments in BOTH_CALLS)
        assert "".join(heard.argument_pieces).replace(" ", "") == whole.replace(" ", "")
        pieces = [piece for piece in heard.argument_pieces if piece]
        assert len(pieces) > 2 or cell.provider == "google", "Google sends calls whole"
    talk.answer(["21 degrees", "noon"])
    heard = cell.checked(talk.turn())
    assert (heard.text, heard.finish, heard.calls) == ("Let me look.", cell.finish("stop"), [])
    assert results_sent(cell.provider, cell.sent()) == ["21 degrees", "noon"]


def parallel_calls_whole_and_answered_in_a_stream(cell: Cell) -> None:
    talk = cell.talk(tools=BOTH)
    talk.say(f'[[sim tools={",".join(BOTH)} say "Let me look."]]')
    heard = cell.checked(talk.turn())
    assert (heard.calls, heard.finish) == (BOTH_CALLS, cell.finish("calls"))
    talk.answer(["21 degrees", "noon"])
    heard = cell.checked(talk.turn(stream=True))
    assert (heard.text, heard.finish) == ("Let me look.", cell.finish("stop"))
    assert results_sent(cell.provider, cell.sent()) == ["21 degrees", "noon"]


def forced_tool(cell: Cell) -> None:
    heard = cell.ask("Hello", tools=BOTH, choice="get_time")
    assert heard.calls == [("get_time", ARGUMENTS["get_time"])]
    assert heard.finish == cell.finish("calls")


def any_tool(cell: Cell) -> None:
    heard = cell.ask("Hello", tools=BOTH, choice="any", stream=True)
    assert heard.calls == [("get_weather", ARGUMENTS["get_weather"])]
    assert heard.finish == cell.finish("calls")


def no_tool(cell: Cell) -> None:
    heard = cell.ask('[[sim tools=get_time say "No."]]', tools=BOTH, choice="none")
    assert (heard.calls, heard.text, heard.finish) == ([], "No.", cell.finish("stop"))


def one_tool_at_a_time(cell: Cell) -> None:
    """Google has no word for it."""
    heard = cell.ask(f"[[sim tools={','.join(BOTH)}]]", tools=BOTH, parallel=False)
    if cell.provider == "google":
        assert "parallel_tools" in cell.tape.last.dropped
        assert heard.calls == BOTH_CALLS
    else:
        assert heard.calls == BOTH_CALLS[:1]


def structured(cell: Cell) -> None:
    heard = cell.ask("Judge this.", schema=Verdict)
    assert isinstance(heard.parsed, Verdict)
    assert heard.parsed == Verdict.model_validate_json(heard.text)
    assert heard.finish == cell.finish("stop")


def structured_in_a_stream(cell: Cell) -> None:
    heard = cell.ask("Judge this.", schema=Verdict, stream=True)
    assert Verdict.model_validate_json(heard.text).label == "spam"
    assert heard.finish == cell.finish("stop")


def image(cell: Cell) -> None:
    talk = cell.talk()
    talk.say(f"What is this? {said('A dot.')}", PNG)
    heard = cell.checked(talk.turn())
    assert (heard.text, heard.finish) == ("A dot.", cell.finish("stop"))
    assert images_sent(cell.provider, cell.sent()) == [base64.b64encode(PNG).decode()]


def stop_sequence(cell: Cell) -> None:
    """Only Anthropic tells a stop sequence from an end, so only there can its SDK be told."""
    for stream in (False, True):
        heard = cell.ask(said("one two ENOUGH three"), stop="ENOUGH", stream=stream)
        assert heard.text == "one two "
        told = cell.sdk == cell.provider == "anthropic"
        assert heard.finish == ("stop_sequence" if told else cell.finish("stop"))


def length(cell: Cell) -> None:
    for stream in (False, True):
        heard = cell.ask("[[sim output_tokens=50]]", max_tokens=20, stream=stream)
        assert (heard.usage.output, heard.finish) == (20, cell.finish("length"))


def thoughts(cell: Cell) -> None:
    """OpenAI keeps a model's thoughts to itself; Google shows them to those who ask, for which
    OpenAI's chat dialect has no word."""
    for stream in (False, True):
        heard = cell.ask(
            '[[sim reasoning_tokens=20 say "So be it."]]',
            model=THINKERS[cell.provider],
            thinks=True,
            stream=stream,
        )
        assert (heard.text, heard.finish) == ("So be it.", cell.finish("stop"))
        assert heard.usage.reasoning == 20
        shown = {"openai": False, "anthropic": True, "google": cell.sdk != "openai"}
        assert bool(heard.thoughts) is shown[cell.provider]
        assert "reasoning" not in cell.tape.last.dropped


def signed_thoughts(cell: Cell) -> None:
    """Two rounds of tool use and another question: each time the provider is handed back what it
    signed, which it verifies, however the SDK carried it."""
    talk = cell.talk(model=THINKERS[cell.provider], thinks=True, tools=BOTH)
    for rounds, stream in enumerate((True, False), 1):
        talk.say(f"Round {rounds}. [[sim reasoning_tokens=20 tools={','.join(BOTH)}]]")
        heard = cell.checked(talk.turn(stream=stream))
        assert heard.calls == BOTH_CALLS
        assert heard.usage.reasoning == 20
        talk.answer(["21 degrees", "noon"])
        heard = cell.checked(talk.turn(stream=stream))
        assert heard.text and heard.finish == cell.finish("stop")
        assert "reasoning" not in cell.tape.last.dropped
        signed = signatures_sent(cell.provider, cell.sent())
        if cell.provider != "openai":
            assert len(signed) >= rounds
            assert "skip_thought_signature_validator" not in signed


def cached_prefix(cell: Cell) -> None:
    """OpenAI and Google cache by themselves; Anthropic what is marked, for which Google's SDK has
    no word."""
    system = prose(5_000, seed=crc32(f"{cell.sdk} {cell.provider}".encode()))
    heard = cell.ask(said("First."), system=system, cached=True)
    assert heard.usage.cached == 0
    marked = cell.provider == "anthropic" and cell.sdk != "google"
    if marked:
        assert (heard.usage.written or 0) > 4_000
    for stream in (False, True):
        heard = cell.ask(said("Second."), system=system, cached=True, stream=stream)
        if cell.provider != "anthropic" or marked:
            assert heard.usage.cached > 4_000
        else:
            assert heard.usage.cached == 0


GRID: tuple[Feature, ...] = (
    text,
    streamed_text,
    async_text,
    turns_and_system,
    tool_call,
    parallel_calls_streamed_and_answered,
    parallel_calls_whole_and_answered_in_a_stream,
    forced_tool,
    any_tool,
    no_tool,
    one_tool_at_a_time,
    structured,
    structured_in_a_stream,
    image,
    stop_sequence,
    length,
    thoughts,
    signed_thoughts,
    cached_prefix,
)


NOT_ASKED = {("google", one_tool_at_a_time)}
"""What an SDK has no word for, by SDK."""

CELLS = [
    pytest.param(sdk, provider, feature, id=f"{sdk}-sdk->{provider}-{feature.__name__}")
    for sdk in SDKS
    for provider in PROVIDERS
    for feature in GRID
    if (sdk, feature) not in NOT_ASKED
]


@pytest.mark.parametrize(("sdk", "provider", "feature"), CELLS)
def test_cell(
    sdk: str,
    provider: str,
    feature: Feature,
    today: RunningGateway,
    simulators: Simulators,
    wiretap: Wiretap,
    tape: Tape,
) -> None:
    feature(Cell(sdk, provider, today, simulators, wiretap, tape))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_usage_that_no_one_asked_for_is_not_in_the_stream_but_in_the_ledger(
    provider: str,
    today: RunningGateway,
    simulators: Simulators,
    wiretap: Wiretap,
    tape: Tape,
) -> None:
    cell = Cell("openai", provider, today, simulators, wiretap, tape)
    talk = cell.talk()
    assert isinstance(talk, OpenAITalk)
    chunks = list(
        talk.client.chat.completions.create(
            model=MODELS[provider],
            messages=[{"role": "user", "content": said(ANSWER)}],
            stream=True,
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert not any(chunk.usage for chunk in chunks)
    check("openai", tape.last)
    (row,) = today.attempts(tape.last.request_id)
    (call,) = [c for c in simulators.calls() if c.attempt == f"{tape.last.request_id}-1"]
    assert call.billed is not None and not row["usage_estimated"]
    assert row["input_tokens"] == call.billed.input_tokens
    assert row["output_tokens"] == call.billed.output_tokens
