"""LangChain: ChatOpenAI and ChatAnthropic, by base URL alone."""

from __future__ import annotations

from typing import Any

import pytest

openai = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
anthropic = pytest.importorskip("langchain_anthropic", reason="langchain-anthropic is missing")

from langchain_core.messages import HumanMessage, ToolMessage  # noqa: E402
from langchain_core.tools import tool  # noqa: E402
from pydantic import BaseModel  # noqa: E402


class Verdict(BaseModel):
    """A judgement."""

    label: str
    score: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}"


@pytest.fixture(params=["ChatOpenAI", "ChatAnthropic", "ChatOpenAI responses"])
def chat(request: pytest.FixtureRequest, url: str, model: str) -> Any:
    if request.param == "ChatAnthropic":
        return anthropic.ChatAnthropic(base_url=url, api_key="x", model=model, max_retries=0)
    return openai.ChatOpenAI(
        base_url=f"{url}/v1",
        api_key="x",
        model=model,
        max_retries=0,
        use_responses_api=request.param.endswith("responses"),
    )


def test_text(chat: Any, answered: Any) -> None:
    reply = chat.invoke('Hello. [[sim say "It works."]]')
    assert reply.text == "It works."
    (row,) = answered()
    usage = reply.usage_metadata
    assert usage["input_tokens"] == row["input_tokens"]
    assert usage["output_tokens"] == row["output_tokens"]


def test_stream(chat: Any, answered: Any) -> None:
    text = "It works, word by word, as it comes in, and goes on for a while after that."
    chunks = list(chat.stream(f'Hello. [[sim say "{text}"]]'))
    assert "".join(chunk.text for chunk in chunks) == text
    assert len([chunk for chunk in chunks if chunk.text]) > 1
    answered()


def test_tool_loop(chat: Any, answered: Any) -> None:
    bound = chat.bind_tools([get_weather])
    messages: list[Any] = [HumanMessage('[[sim tools=get_weather say "It rains."]]')]
    reply = bound.invoke(messages)
    (call,) = reply.tool_calls
    assert call["name"] == "get_weather" and call["args"].keys() == {"city"}
    result = get_weather.invoke(call["args"])
    messages += [reply, ToolMessage(result, tool_call_id=call["id"])]
    assert bound.invoke(messages).text == "It rains."
    assert len(answered()) == 2


def test_structured_output(chat: Any, answered: Any) -> None:
    found = chat.with_structured_output(Verdict).invoke("Judge this.")
    assert isinstance(found, Verdict)
    answered()
