"""A conversation in each SDK's own idiom, behind one interface, so that one promise can be put to
all of them. Nothing here knows which provider answers: that is the model's name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import anthropic
import openai
from google import genai
from google.genai import types
from pydantic import BaseModel

from tests.clients.tape import Tape
from tests.running import RunningGateway

KEY = "any-key-will-do-on-loopback"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg"
    "=="
)
TOOLS: dict[str, dict[str, Any]] = {
    "get_weather": {
        "description": "The weather in a city, now.",
        "schema": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "enum": ["Lisbon"]},
                "unit": {"type": "string", "enum": ["celsius"]},
            },
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
    "get_time": {
        "description": "The time in a city, now.",
        "schema": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "enum": ["Lisbon"]},
                "format": {
                    "type": "object",
                    "properties": {"hours": {"type": "integer", "minimum": 12, "maximum": 12}},
                    "required": ["hours"],
                    "additionalProperties": False,
                },
            },
            "required": ["city", "format"],
            "additionalProperties": False,
        },
    },
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "get_weather": {"city": "Lisbon", "unit": "celsius"},
    "get_time": {"city": "Lisbon", "format": {"hours": 12}},
}
"""The only arguments that the schemas above allow."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked of a model. `choice` is a tool's name, `any` or `none`. `cached` marks the
    system prompt for the cache, where the SDK has a way to say so."""

    model: str
    system: str | None = None
    tools: tuple[str, ...] = ()
    choice: str | None = None
    parallel: bool | None = None
    schema: type[BaseModel] | None = None
    stop: str | None = None
    max_tokens: int = 4000
    thinks: bool = False
    cached: bool = False


@dataclass
class Counted:
    """Tokens as the SDK shows them; `input` is all input, `output` includes reasoning. A kind that
    the SDK's dialect does not show is None."""

    input: int
    cached: int
    written: int | None
    output: int
    reasoning: int


@dataclass
class Heard:
    """One answer. `text_pieces` and `argument_pieces` are how a stream brought it."""

    text: str
    finish: str
    usage: Counted
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    thoughts: str = ""
    parsed: Any = None
    text_pieces: list[str] = field(default_factory=list)
    argument_pieces: list[str] = field(default_factory=list)


class Talk(Protocol):
    """One conversation. The SDK's own objects are its memory."""

    sdk: ClassVar[str]

    def __init__(self, gateway: RunningGateway, tape: Tape, wish: Wish) -> None: ...

    def say(self, text: str, image: bytes | None = None) -> None:
        """The user's turn."""

    def answer(self, results: Sequence[str]) -> None:
        """The results of the last turn's calls, in their order."""

    def turn(self, *, stream: bool = False) -> Heard:
        """The model's turn, which the conversation remembers."""
        ...

    async def aturn(self, *, stream: bool = False) -> Heard:
        """The same through the SDK's async client."""
        ...


class OpenAITalk:
    """`client.chat.completions`: create, stream, and parse for a schema."""

    sdk: ClassVar[str] = "openai"

    def __init__(self, gateway: RunningGateway, tape: Tape, wish: Wish) -> None:
        self._wish = wish
        self._tape = tape
        self._options: dict[str, Any] = {
            "base_url": f"{gateway.url}/v1",
            "api_key": KEY,
            "max_retries": 0,
        }
        self.client: openai.OpenAI = tape.once(
            "openai", lambda: openai.OpenAI(http_client=tape.client(), **self._options)
        )
        self.messages: list[Any] = []
        if wish.system is not None:
            content: Any = wish.system
            if wish.cached:
                mark = {"mode": "explicit"}
                content = [{"type": "text", "text": wish.system, "prompt_cache_breakpoint": mark}]
            self.messages.append({"role": "system", "content": content})

    def say(self, text: str, image: bytes | None = None) -> None:
        content: Any = text
        if image is not None:
            url = "data:image/png;base64," + base64.b64encode(image).decode()
            content = [
                {"type": "text", "text": text},
                {"type": "image_url", "image_url": {"url": url}},
            ]
        self.messages.append({"role": "user", "content": content})

    def answer(self, results: Sequence[str]) -> None:
        for call, result in zip(self.messages[-1]["tool_calls"], results, strict=True):
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})

    def _asked(self) -> dict[str, Any]:
        wish = self._wish
        asked: dict[str, Any] = {
            "model": wish.model,
            "messages": self.messages,
            "max_completion_tokens": wish.max_tokens,
        }
        if wish.tools:
            asked["tools"] = [openai_tool(name) for name in wish.tools]
        if wish.choice is not None:
            named = {"type": "function", "function": {"name": wish.choice}}
            asked["tool_choice"] = {"any": "required", "none": "none"}.get(wish.choice, named)
        if wish.parallel is not None:
            asked["parallel_tool_calls"] = wish.parallel
        if wish.stop is not None:
            asked["stop"] = wish.stop
        if wish.thinks:
            asked["reasoning_effort"] = "low"
        if wish.schema is not None:
            asked["response_format"] = wish.schema
        return asked

    def turn(self, *, stream: bool = False) -> Heard:
        if not stream:
            api = self.client.chat.completions
            ask = api.create if self._wish.schema is None else api.parse
            return self._heard(ask(**self._asked()))
        events: list[Any] = []
        with self.client.chat.completions.stream(
            **self._asked(), stream_options={"include_usage": True}
        ) as answer:
            try:
                for event in answer:
                    events.append(event)
                final = answer.get_final_completion()
            except openai.LengthFinishReasonError as e:
                final = e.completion
        return self._heard(final, events)

    async def aturn(self, *, stream: bool = False) -> Heard:
        http = self._tape.async_client()
        async with openai.AsyncOpenAI(http_client=http, **self._options) as client:
            if not stream:
                return self._heard(await client.chat.completions.create(**self._asked()))
            async with client.chat.completions.stream(
                **self._asked(), stream_options={"include_usage": True}
            ) as answer:
                events = [event async for event in answer]
                return self._heard(await answer.get_final_completion(), events)

    def _heard(self, completion: Any, events: Sequence[Any] = ()) -> Heard:
        (choice,) = completion.choices
        message, usage = choice.message, completion.usage
        # The helpers add to a message what they made of it, which no server knows.
        sent_back = message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in sent_back.get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
        self.messages.append(sent_back)
        return Heard(
            text=message.content or "",
            finish=choice.finish_reason,
            usage=Counted(
                input=usage.prompt_tokens,
                cached=usage.prompt_tokens_details.cached_tokens,
                written=usage.prompt_tokens_details.cache_write_tokens or 0,
                output=usage.completion_tokens,
                reasoning=usage.completion_tokens_details.reasoning_tokens,
            ),
            calls=[
                (call.function.name, json.loads(call.function.arguments))
                for call in message.tool_calls or ()
            ],
            thoughts=getattr(message, "reasoning_content", None) or "",
            parsed=getattr(message, "parsed", None),
            text_pieces=[e.delta for e in events if e.type == "content.delta"],
            argument_pieces=[
                e.arguments_delta for e in events if e.type == "tool_calls.function.arguments.delta"
            ],
        )


def openai_tool(name: str) -> dict[str, Any]:
    tool = TOOLS[name]
    function = {
        "name": name,
        "description": tool["description"],
        "parameters": tool["schema"],
        "strict": True,
    }
    return {"type": "function", "function": function}


class AnthropicTalk:
    """`client.messages`: create, stream, and parse for a schema."""

    sdk: ClassVar[str] = "anthropic"

    def __init__(self, gateway: RunningGateway, tape: Tape, wish: Wish) -> None:
        self._wish = wish
        self._tape = tape
        self._options: dict[str, Any] = {
            "base_url": gateway.url,
            "api_key": KEY,
            "max_retries": 0,
        }
        self.client: anthropic.Anthropic = tape.once(
            "anthropic", lambda: anthropic.Anthropic(http_client=tape.client(), **self._options)
        )
        self.messages: list[Any] = []

    def say(self, text: str, image: bytes | None = None) -> None:
        content: Any = text
        if image is not None:
            data = base64.b64encode(image).decode()
            source = {"type": "base64", "media_type": "image/png", "data": data}
            content = [{"type": "image", "source": source}, {"type": "text", "text": text}]
        self.messages.append({"role": "user", "content": content})

    def answer(self, results: Sequence[str]) -> None:
        calls = [b for b in self.messages[-1]["content"] if b.type == "tool_use"]
        content = [
            {"type": "tool_result", "tool_use_id": call.id, "content": result}
            for call, result in zip(calls, results, strict=True)
        ]
        self.messages.append({"role": "user", "content": content})

    def _asked(self) -> dict[str, Any]:
        wish = self._wish
        asked: dict[str, Any] = {
            "model": wish.model,
            "messages": self.messages,
            "max_tokens": wish.max_tokens,
        }
        if wish.system is not None:
            asked["system"] = wish.system
        if wish.system is not None and wish.cached:
            block = {"type": "text", "text": wish.system, "cache_control": {"type": "ephemeral"}}
            asked["system"] = [block]
        if wish.tools:
            asked["tools"] = [anthropic_tool(name) for name in wish.tools]
        if wish.choice is not None:
            named = {"type": "tool", "name": wish.choice}
            choices = {"any": {"type": "any"}, "none": {"type": "none"}}
            asked["tool_choice"] = choices.get(wish.choice, named)
        if wish.parallel is not None:
            asked.setdefault("tool_choice", {"type": "auto"})
            asked["tool_choice"]["disable_parallel_tool_use"] = not wish.parallel
        if wish.stop is not None:
            asked["stop_sequences"] = [wish.stop]
        if wish.thinks:
            asked["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        if wish.schema is not None:
            asked["output_format"] = wish.schema
        return asked

    def turn(self, *, stream: bool = False) -> Heard:
        if not stream:
            ask = self.client.messages.create
            if self._wish.schema is not None:
                ask = self.client.messages.parse
            return self._heard(ask(**self._asked()))
        with self.client.messages.stream(**self._asked()) as answer:
            events = list(answer)
            return self._heard(answer.get_final_message(), events)

    async def aturn(self, *, stream: bool = False) -> Heard:
        http = self._tape.async_client()
        async with anthropic.AsyncAnthropic(http_client=http, **self._options) as client:
            if not stream:
                return self._heard(await client.messages.create(**self._asked()))
            async with client.messages.stream(**self._asked()) as answer:
                events = [event async for event in answer]
                return self._heard(await answer.get_final_message(), events)

    def _heard(self, message: Any, events: Sequence[Any] = ()) -> Heard:
        self.messages.append({"role": "assistant", "content": message.content})
        blocks, usage = message.content, message.usage
        cached = usage.cache_read_input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        details = usage.output_tokens_details
        return Heard(
            text="".join(b.text for b in blocks if b.type == "text"),
            finish=message.stop_reason,
            usage=Counted(
                input=usage.input_tokens + cached + written,
                cached=cached,
                written=written,
                output=usage.output_tokens,
                reasoning=details.thinking_tokens if details is not None else 0,
            ),
            calls=[(b.name, b.input) for b in blocks if b.type == "tool_use"],
            thoughts="".join(b.thinking for b in blocks if b.type == "thinking"),
            parsed=getattr(message, "parsed_output", None),
            text_pieces=[e.text for e in events if e.type == "text"],
            argument_pieces=[e.partial_json for e in events if e.type == "input_json"],
        )


def anthropic_tool(name: str) -> dict[str, Any]:
    tool = TOOLS[name]
    return {"name": name, "description": tool["description"], "input_schema": tool["schema"]}


class GoogleTalk:
    """`client.models`: generate_content and generate_content_stream."""

    sdk: ClassVar[str] = "google"

    def __init__(self, gateway: RunningGateway, tape: Tape, wish: Wish) -> None:
        self._wish = wish
        self._tape = tape
        self._url = gateway.url
        self.client: genai.Client = tape.once("google", self._client)
        self.contents: list[types.Content] = []
        self._calls: list[types.FunctionCall] = []

    def _client(self) -> genai.Client:
        options = types.HttpOptions(base_url=self._url, httpx_client=self._tape.client())
        return genai.Client(api_key=KEY, http_options=options)

    def say(self, text: str, image: bytes | None = None) -> None:
        parts = [types.Part.from_text(text=text)]
        if image is not None:
            parts.append(types.Part.from_bytes(data=image, mime_type="image/png"))
        self.contents.append(types.UserContent(parts=parts))

    def answer(self, results: Sequence[str]) -> None:
        parts = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id, name=call.name, response={"output": result}
                )
            )
            for call, result in zip(self._calls, results, strict=True)
        ]
        self.contents.append(types.UserContent(parts=parts))

    def _asked(self) -> dict[str, Any]:
        wish = self._wish
        config: dict[str, Any] = {"max_output_tokens": wish.max_tokens}
        if wish.system is not None:
            config["system_instruction"] = wish.system
        if wish.tools:
            config["tools"] = [{"function_declarations": [google_tool(n) for n in wish.tools]}]
        if wish.choice is not None:
            named = {"mode": "ANY", "allowed_function_names": [wish.choice]}
            modes = {"any": {"mode": "ANY"}, "none": {"mode": "NONE"}}
            calling = modes.get(wish.choice, named)
            config["tool_config"] = {"function_calling_config": calling}
        if wish.stop is not None:
            config["stop_sequences"] = [wish.stop]
        if wish.thinks:
            config["thinking_config"] = {"include_thoughts": True, "thinking_budget": 1024}
        if wish.schema is not None:
            config["response_mime_type"] = "application/json"
            config["response_schema"] = wish.schema
        return {"model": wish.model, "contents": self.contents, "config": config}

    def turn(self, *, stream: bool = False) -> Heard:
        models = self.client.models
        if not stream:
            return self._heard([models.generate_content(**self._asked())])
        return self._heard(list(models.generate_content_stream(**self._asked())))

    async def aturn(self, *, stream: bool = False) -> Heard:
        http = self._tape.async_client()
        options = types.HttpOptions(base_url=self._url, httpx_async_client=http)
        models = genai.Client(api_key=KEY, http_options=options).aio.models
        async with http:
            if not stream:
                return self._heard([await models.generate_content(**self._asked())])
            chunks = await models.generate_content_stream(**self._asked())
            return self._heard([chunk async for chunk in chunks])

    def _heard(self, chunks: list[types.GenerateContentResponse]) -> Heard:
        parts = [p for chunk in chunks for p in chunk.candidates[0].content.parts or ()]
        if parts:
            self.contents.append(types.ModelContent(parts=parts))
        self._calls = [part.function_call for part in parts if part.function_call]
        usage = chunks[-1].usage_metadata
        reasoning = usage.thoughts_token_count or 0
        said = [part.text for part in parts if part.text and not part.thought]
        return Heard(
            text="".join(said),
            finish=chunks[-1].candidates[0].finish_reason.value,
            usage=Counted(
                input=usage.prompt_token_count,
                cached=usage.cached_content_token_count or 0,
                written=None,
                output=(usage.candidates_token_count or 0) + reasoning,
                reasoning=reasoning,
            ),
            calls=[(call.name, call.args) for call in self._calls],
            thoughts="".join(part.text for part in parts if part.text and part.thought),
            parsed=chunks[0].parsed,
            text_pieces=said,
        )


def google_tool(name: str) -> dict[str, Any]:
    tool = TOOLS[name]
    return {
        "name": name,
        "description": tool["description"],
        "parameters_json_schema": tool["schema"],
    }


TALKS: dict[str, type[Talk]] = {talk.sdk: talk for talk in (OpenAITalk, AnthropicTalk, GoogleTalk)}
