"""The three SDKs behind one interface, for promises that hold for every provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import anthropic
import openai
from google import genai
from google.genai import types

from hybridllm.simulators import Simulators


@dataclass
class Said:
    """An answer. Tokens as the usage reports them; output includes thoughts."""

    text: str
    input: int
    output: int
    finish: str
    cached: int = 0


class Speaker(Protocol):
    """Text to a provider and back through its official SDK."""

    provider: ClassVar[str]
    model: ClassVar[str]
    length: ClassVar[str]
    """The finish that says: cut off by max_tokens."""
    stopped: ClassVar[str]
    """The finish after a stop sequence."""

    def __init__(self, sims: Simulators, key: str, **options: Any) -> None: ...

    def ask(
        self,
        prompt: str,
        *,
        max_tokens: int | None = None,
        stop: str | None = None,
        system: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Said: ...

    def stream(self, prompt: str, *, max_tokens: int | None = None) -> Said: ...


class GPT:
    provider: ClassVar[str] = "openai"
    model: ClassVar[str] = "gpt-4o-mini"
    length: ClassVar[str] = "length"
    stopped: ClassVar[str] = "stop"

    def __init__(self, sims: Simulators, key: str, **options: Any) -> None:
        options = {"max_retries": 0, **options}
        self._client = openai.OpenAI(base_url=sims.openai_url, api_key=key, **options)

    def _options(self, prompt: str, max_tokens: int | None, **more: Any) -> dict[str, Any]:
        system = more.pop("system", None)
        messages = [{"role": "user", "content": prompt}]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        given = {name: value for name, value in more.items() if value is not None}
        if max_tokens is not None:
            given["max_completion_tokens"] = max_tokens
        return {"model": self.model, "messages": messages, **given}

    def ask(
        self,
        prompt: str,
        *,
        max_tokens: int | None = None,
        stop: str | None = None,
        system: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Said:
        reply = self._client.chat.completions.create(
            **self._options(prompt, max_tokens, stop=stop, system=system, extra_headers=headers)
        )
        choice, usage = reply.choices[0], reply.usage
        return Said(
            choice.message.content or "",
            usage.prompt_tokens,
            usage.completion_tokens,
            choice.finish_reason,
            usage.prompt_tokens_details.cached_tokens,
        )

    def stream(self, prompt: str, *, max_tokens: int | None = None) -> Said:
        said = Said("", 0, 0, "")
        for chunk in self._client.chat.completions.create(
            stream=True,
            stream_options={"include_usage": True},
            **self._options(prompt, max_tokens),
        ):
            for choice in chunk.choices:
                said.text += choice.delta.content or ""
                said.finish = choice.finish_reason or said.finish
            if chunk.usage:
                said.input = chunk.usage.prompt_tokens
                said.output = chunk.usage.completion_tokens
        return said


class Claude:
    provider: ClassVar[str] = "anthropic"
    model: ClassVar[str] = "claude-sonnet-4-6"
    length: ClassVar[str] = "max_tokens"
    stopped: ClassVar[str] = "stop_sequence"

    def __init__(self, sims: Simulators, key: str, **options: Any) -> None:
        options = {"max_retries": 0, **options}
        self._client = anthropic.Anthropic(base_url=sims.anthropic_url, api_key=key, **options)

    def _options(self, prompt: str, max_tokens: int | None, **more: Any) -> dict[str, Any]:
        given = {name: value for name, value in more.items() if value is not None}
        return {
            "model": self.model,
            "max_tokens": 20_000 if max_tokens is None else max_tokens,
            "messages": [{"role": "user", "content": prompt}],
            **given,
        }

    def ask(
        self,
        prompt: str,
        *,
        max_tokens: int | None = None,
        stop: str | None = None,
        system: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Said:
        stops = [stop] if stop else None
        return self._said(
            self._client.messages.create(
                **self._options(
                    prompt, max_tokens, stop_sequences=stops, system=system, extra_headers=headers
                )
            )
        )

    def stream(self, prompt: str, *, max_tokens: int | None = None) -> Said:
        with self._client.messages.stream(**self._options(prompt, max_tokens)) as events:
            return self._said(events.get_final_message())

    def _said(self, message: anthropic.types.Message) -> Said:
        usage = message.usage
        read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
        return Said(
            "".join(block.text for block in message.content if block.type == "text"),
            usage.input_tokens + (read or 0) + (written or 0),
            usage.output_tokens,
            message.stop_reason or "",
            read or 0,
        )


class Gemini:
    provider: ClassVar[str] = "google"
    model: ClassVar[str] = "gemini-2.5-flash"
    length: ClassVar[str] = "MAX_TOKENS"
    stopped: ClassVar[str] = "STOP"

    def __init__(self, sims: Simulators, key: str, **options: Any) -> None:
        self._client = genai.Client(
            api_key=key, http_options={"base_url": sims.google_url, **options}
        )

    def _options(self, prompt: str, max_tokens: int | None, **more: Any) -> dict[str, Any]:
        config = types.GenerateContentConfig(max_output_tokens=max_tokens, **more)
        return {"model": self.model, "contents": prompt, "config": config}

    def ask(
        self,
        prompt: str,
        *,
        max_tokens: int | None = None,
        stop: str | None = None,
        system: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Said:
        options = types.HttpOptions(headers=headers) if headers else None
        stops = [stop] if stop else None
        reply = self._client.models.generate_content(
            **self._options(
                prompt,
                max_tokens,
                stop_sequences=stops,
                system_instruction=system,
                http_options=options,
            )
        )
        said = Said("", 0, 0, "")
        self._add(said, reply)
        return said

    def stream(self, prompt: str, *, max_tokens: int | None = None) -> Said:
        said = Said("", 0, 0, "")
        for chunk in self._client.models.generate_content_stream(
            **self._options(prompt, max_tokens)
        ):
            self._add(said, chunk)
        return said

    def _add(self, said: Said, reply: types.GenerateContentResponse) -> None:
        said.text += reply.text or ""
        finish = reply.candidates[0].finish_reason if reply.candidates else None
        said.finish = finish.value if finish else said.finish
        usage = reply.usage_metadata
        if usage is None:
            return
        said.input = usage.prompt_token_count or 0
        said.output = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        said.cached = usage.cached_content_token_count or 0


SPEAKERS: tuple[type[Speaker], ...] = (GPT, Claude, Gemini)
