"""The demo's callers: the three official SDKs, unmodified but for their base URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from anthropic import AsyncAnthropic
from google import genai
from google.genai import types
from openai import AsyncOpenAI

KEY = "any-key-will-do-on-loopback"


class Caller(Protocol):
    """One team's code. Returns the answer's text; raises its SDK's own errors."""

    name: str

    async def ask(self, task: str, prompt: str, max_tokens: int, stream: bool) -> str: ...


class OpenAICaller:
    """Names its task in the body's metadata."""

    name = "openai"

    def __init__(self, url: str) -> None:
        self._client = AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)

    async def ask(self, task: str, prompt: str, max_tokens: int, stream: bool) -> str:
        create = self._client.chat.completions.create
        messages = [{"role": "user", "content": prompt}]
        asked = {
            "model": "auto",
            "messages": messages,
            "max_completion_tokens": max_tokens,
            "metadata": {"task": task},
        }
        if not stream:
            reply = await create(**asked)  # type: ignore[call-overload]
            return reply.choices[0].message.content or ""
        chunks = await create(stream=True, **asked)  # type: ignore[call-overload]
        return "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])


class AnthropicCaller:
    """Names its task in a header."""

    name = "anthropic"

    def __init__(self, url: str) -> None:
        self._client = AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0)

    async def ask(self, task: str, prompt: str, max_tokens: int, stream: bool) -> str:
        asked = {
            "model": "auto",
            "max_tokens": max_tokens,
            "messages": [{"role": "user", "content": prompt}],
            "extra_headers": {"x-hybridllm-task": task},
        }
        if not stream:
            reply = await self._client.messages.create(**asked)  # type: ignore[call-overload]
            return "".join(b.text for b in reply.content if b.type == "text")
        async with self._client.messages.stream(**asked) as events:  # type: ignore[arg-type]
            return await events.get_final_text()


class GoogleCaller:
    """Names its task as the model."""

    name = "google"

    def __init__(self, url: str) -> None:
        options = types.HttpOptions(base_url=url)
        self._models = genai.Client(api_key=KEY, http_options=options).aio.models

    async def ask(self, task: str, prompt: str, max_tokens: int, stream: bool) -> str:
        config = types.GenerateContentConfig(max_output_tokens=max_tokens)
        model = f"task/{task}"
        if not stream:
            reply = await self._models.generate_content(model=model, contents=prompt, config=config)
            return reply.text or ""
        chunks = await self._models.generate_content_stream(
            model=model, contents=prompt, config=config
        )
        return "".join([chunk.text or "" async for chunk in chunks])


CALLERS: tuple[Callable[[str], Caller], ...] = (OpenAICaller, AnthropicCaller, GoogleCaller)
