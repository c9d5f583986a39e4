"""LlamaIndex's OpenAI class, by `api_base` alone. It asks its own table of OpenAI's models for a
context window, so it can name no other: what it names is a model of OpenAI's."""

from __future__ import annotations

from typing import Any

import pytest

module = pytest.importorskip("llama_index.llms.openai", reason="llama-index-llms-openai is missing")

from llama_index.core.llms import ChatMessage  # noqa: E402
from llama_index.core.tools import FunctionTool  # noqa: E402
from pydantic import BaseModel  # noqa: E402


class Verdict(BaseModel):
    """A judgement."""

    label: str
    score: int


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}"


@pytest.fixture
def model() -> str:
    return "openai/gpt-4o-mini"


@pytest.fixture
def llm(url: str) -> Any:
    return module.OpenAI(
        api_base=f"{url}/v1", api_key="x", model="gpt-4o-mini", max_retries=0, reuse_client=True
    )


def test_text(llm: Any, answered: Any) -> None:
    assert str(llm.complete('Hello. [[sim say "It works."]]')) == "It works."
    answered()


def test_chat_stream(llm: Any, answered: Any) -> None:
    text = "It works, word by word, as it comes in, and goes on for a while after that."
    messages = [ChatMessage(role="user", content=f'Hello. [[sim say "{text}"]]')]
    chunks = [chunk.delta or "" for chunk in llm.stream_chat(messages)]
    assert "".join(chunks) == text and len(chunks) > 1
    answered()


def test_tool_call(llm: Any, answered: Any) -> None:
    tools = [FunctionTool.from_defaults(get_weather)]
    reply = llm.chat_with_tools(tools, user_msg="[[sim tools=get_weather]]")
    (call,) = llm.get_tool_calls_from_response(reply)
    assert call.tool_name == "get_weather" and call.tool_kwargs.keys() == {"city"}
    answered()


def test_structured_output(llm: Any, answered: Any) -> None:
    messages = [ChatMessage(role="user", content="Judge this.")]
    found = llm.as_structured_llm(Verdict).chat(messages).raw
    assert isinstance(found, Verdict)
    answered()
