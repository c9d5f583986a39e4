"""pydantic-ai's OpenAI (chat and responses), Anthropic and Google models, by base URL alone."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider


class Verdict(BaseModel):
    """A judgement."""

    label: str
    score: int


MAKERS = {
    "openai": lambda m, u: OpenAIChatModel(
        m, provider=OpenAIProvider(base_url=f"{u}/v1", api_key="x")
    ),
    "responses": lambda m, u: OpenAIResponsesModel(
        m, provider=OpenAIProvider(base_url=f"{u}/v1", api_key="x")
    ),
    "anthropic": lambda m, u: AnthropicModel(
        m, provider=AnthropicProvider(base_url=u, api_key="x")
    ),
    "google": lambda m, u: GoogleModel(m, provider=GoogleProvider(base_url=u, api_key="x")),
}


@pytest.fixture(params=MAKERS)
def client(request: pytest.FixtureRequest, url: str, model: str) -> Any:
    return MAKERS[request.param](model, url)


def test_text(client: Any, answered: Any) -> None:
    result = Agent(client, instructions="Be brief.").run_sync('Hello. [[sim say "It works."]]')
    assert result.output == "It works."
    (row,) = answered()
    assert result.usage.output_tokens == row["output_tokens"]
    assert result.usage.input_tokens == row["input_tokens"]


def test_stream(client: Any, answered: Any) -> None:
    text = "It works, word by word, as it comes in, and goes on for a while after that."
    result = Agent(client).run_stream_sync(f'Hello. [[sim say "{text}"]]')
    pieces = list(result.stream_text(delta=True, debounce_by=None))
    assert "".join(pieces) == text and len(pieces) > 1
    answered()


def test_tool_loop(client: Any, answered: Any) -> None:
    agent = Agent(client)
    asked = []

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return f"Rain in {city}"

    result = agent.run_sync('[[sim tools=get_weather say "It rains."]]')
    assert result.output == "It rains." and len(asked) == 1
    assert len(answered()) == 2


def test_structured_output_by_a_tool(client: Any, answered: Any) -> None:
    found = Agent(client, output_type=Verdict).run_sync("Judge this.").output
    assert isinstance(found, Verdict)
    answered()


def test_structured_output_by_a_schema(client: Any, answered: Any) -> None:
    if isinstance(client, AnthropicModel):
        pytest.skip("pydantic-ai goes by its own list of Claude's names, without a provider's")
    found = Agent(client, output_type=NativeOutput(Verdict)).run_sync("Judge this.").output
    assert isinstance(found, Verdict)
    answered()
