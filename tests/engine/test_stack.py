"""`from hybridllm import Stack`: the same routing, ledger and fallbacks, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from hybridllm import ConfigError, ProviderError, RequestError, Stack
from hybridllm.simulators import Fault, Simulators
from hybridllm.store import open_store
from hybridllm.store.schema import attempts

ASK = [{"role": "user", "content": "Spam or not? [[sim output_tokens=7]]"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def providers(simulators: Simulators, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of someone who has keys and no configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    for name, value in simulators.env().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def stack(providers: None, simulators: Simulators, tmp_path: Path) -> AsyncIterator[Stack]:
    async with Stack(preset="guide", ledger=tmp_path / "ledger") as opened:
        yield opened
    simulators.clear_faults()


def rows(tmp_path: Path, request_id: str) -> list[tuple[str, str, int]]:
    """Model, outcome and picodollars of a request's attempts, once the stack is closed."""
    engine = open_store(f"sqlite:///{tmp_path / 'ledger' / 'ledger.db'}")
    query = select(attempts.c.model, attempts.c.outcome, attempts.c.cost)
    with engine.connect() as connection:
        found = connection.execute(query.where(attempts.c.request_id == request_id)).all()
    engine.dispose()
    return [tuple(row) for row in found]


async def test_a_task_is_answered_by_its_cheapest_model(stack: Stack, tmp_path: Path) -> None:
    reply = await stack.chat(task="classification", messages=ASK)
    assert reply.text
    assert (reply.task, reply.model) == ("classification", "openai/gpt-4o-mini")
    assert "cheapest" in reply.reason
    assert reply.usage is not None and reply.usage.output_tokens == 7
    cost = Decimal("0.15") * reply.usage.input_tokens + Decimal("0.60") * 7
    assert reply.cost_usd == cost / 1_000_000
    assert reply.baseline_usd > reply.cost_usd
    assert reply.raw["choices"][0]["message"]["content"] == reply.text
    await stack.close()
    picodollars = int(reply.cost_usd * 10**12)
    assert rows(tmp_path, reply.request_id) == [("openai/gpt-4o-mini", "ok", picodollars)]


async def test_a_stream_gives_texts_and_ends_with_the_bill(stack: Stack, tmp_path: Path) -> None:
    say = [{"role": "user", "content": "Write it. [[sim output_tokens=200]]"}]
    stream = await stack.chat(task="code_generation", messages=say, stream=True)
    assert stream.receipt.model == "anthropic/claude-sonnet-4-6"
    pieces = [piece async for piece in stream]
    assert len(pieces) > 1 and "".join(pieces)
    assert stream.finish == "stop"
    assert stream.usage is not None and stream.usage.output_tokens == 200
    assert stream.receipt.cost_usd > 0
    await stack.close()
    ((_, outcome, cost),) = rows(tmp_path, stream.receipt.request_id)
    assert (outcome, Decimal(cost) / 10**12) == ("ok", stream.receipt.cost_usd)


async def test_leaving_a_stream_cancels_the_providers_call(stack: Stack, tmp_path: Path) -> None:
    say = [{"role": "user", "content": "Go on. [[sim output_tokens=4000 event_ms=5]]"}]
    stream = await stack.chat(task="classification", messages=say, stream=True)
    async for _ in stream:
        break
    await stream.aclose()
    await stack.close()
    ((_, outcome, _),) = rows(tmp_path, stream.receipt.request_id)
    assert outcome == "cancelled"


@pytest.mark.parametrize("model", ["openai/gpt-4o", "claude-sonnet-4-6", "google/gemini-2.5-pro"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_tools_of_any_provider(stack: Stack, model: str, stream: bool) -> None:
    say = [{"role": "user", "content": "The weather? [[sim tools=get_weather]]"}]
    if stream:
        streamed = await stack.chat(say, model=model, tools=[WEATHER], stream=True)
        await streamed.text()
        calls, finish = streamed.tool_calls, streamed.finish
    else:
        reply = await stack.chat(say, model=model, tools=[WEATHER])
        calls, finish = reply.tool_calls, reply.finish
    assert [call.name for call in calls] == ["get_weather"]
    assert '"city"' in calls[0].arguments
    assert finish == "tool_calls"


async def test_an_outage_is_survived(stack: Stack, simulators: Simulators, tmp_path: Path) -> None:
    simulators.faults(Fault(kind="outage", provider="openai", status=503))
    reply = await stack.chat(task="classification", messages=ASK)
    assert reply.provider == "google"
    assert reply.attempts > 1
    await stack.close()
    assert len(rows(tmp_path, reply.request_id)) == reply.attempts


async def test_errors_are_raised_and_name_the_field(stack: Stack, simulators: Simulators) -> None:
    with pytest.raises(RequestError) as unknown:
        await stack.chat(task="clasification", messages=ASK)
    assert "classification" in unknown.value.text()
    with pytest.raises(RequestError) as malformed:
        await stack.chat(task="classification", messages=[{"content": "no role"}])
    assert malformed.value.field == "messages[0].role"
    with pytest.raises(RequestError):
        await stack.chat(messages=ASK, tools=[object()])
    simulators.faults(Fault(kind="error", status=400, message="No such knob"))
    with pytest.raises(ProviderError) as refused:
        await stack.chat(task="classification", messages=ASK)
    assert "No such knob" in refused.value.message


async def test_without_any_key_opening_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as caught:
        await Stack(ledger=tmp_path).open()
    assert "OPENAI_API_KEY" in str(caught.value)
