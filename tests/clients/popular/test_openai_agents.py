"""The OpenAI Agents SDK, over responses (its default) and over chat, by base URL alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

agents = pytest.importorskip("agents", reason="openai-agents is not installed")

import openai  # noqa: E402
from pydantic import BaseModel  # noqa: E402


class Verdict(BaseModel):
    """A judgement."""

    label: str
    score: int


@agents.function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}"


@pytest.fixture(params=["OpenAIResponsesModel", "OpenAIChatCompletionsModel"])
def make(request: pytest.FixtureRequest, url: str, model: str) -> Any:
    """An agent's maker."""
    agents.set_tracing_disabled(True)
    kind = getattr(agents, request.param)

    def agent(**more: Any) -> Any:
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0)
        return agents.Agent(name="a", model=kind(model=model, openai_client=client), **more)

    return agent


def test_text(make: Any, answered: Any) -> None:
    agent = make(instructions="Be brief.")
    result = agents.Runner.run_sync(agent, 'Hello. [[sim say "It works."]]')
    assert result.final_output == "It works."
    (row,) = answered()
    usage = result.context_wrapper.usage
    assert (usage.input_tokens, usage.output_tokens) == (row["input_tokens"], row["output_tokens"])


def test_stream(make: Any, answered: Any) -> None:
    text = "It works, word by word, as it comes in, and goes on for a while after that."

    async def run() -> tuple[Any, list[str]]:
        result = agents.Runner.run_streamed(make(), f'Hello. [[sim say "{text}"]]')
        pieces = [
            event.data.delta
            async for event in result.stream_events()
            if event.type == "raw_response_event"
            and event.data.type == "response.output_text.delta"
        ]
        return result.final_output, pieces

    final, pieces = asyncio.run(run())
    assert final == text == "".join(pieces) and len(pieces) > 1
    answered()


def test_tool_loop(make: Any, answered: Any) -> None:
    agent = make(tools=[get_weather])
    result = agents.Runner.run_sync(agent, '[[sim tools=get_weather say "It rains."]]')
    assert result.final_output == "It rains."
    assert len(answered()) == 2


def test_structured_output(make: Any, answered: Any) -> None:
    result = agents.Runner.run_sync(make(output_type=Verdict), "Judge this.")
    assert isinstance(result.final_output, Verdict)
    answered()
