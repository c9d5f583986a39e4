"""What OpenAI accepts as a Responses request, and how it refuses the rest."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.simulators.ask import Ask, OfferedTool, Segment
from hybridllm.simulators.models import ModelSpec
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.parameters import (
    check_booleans,
    check_fixed_temperature,
    check_metadata,
    check_numbers,
    read_effort,
    read_function,
    read_model,
    read_tool_list,
)
from hybridllm.simulators.openai.response_input import read_input
from hybridllm.simulators.openai.response_store import Item, ResponseStore
from hybridllm.simulators.openai.strict import check_format_schema

ARGUMENTS = frozenset(
    [
        "access_programs",
        "background",
        "background_options",
        "context_management",
        "conversation",
        "image",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ]
)
_BOOLEANS = ("stream", "store", "background", "parallel_tool_calls")
_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "top_logprobs": (0, 20),
    "max_output_tokens": (16, 2**31),
}
_INTEGERS = ("top_logprobs", "max_output_tokens", "max_tool_calls")


class Own(Struct, frozen=True, kw_only=True):
    """What the reply needs to know. `items` is the whole conversation so far; `said` the request's
    fields, nulls left out; `summary` and `sealed` say how reasoning is shown."""

    items: list[Item]
    said: dict[str, Any]
    store: bool
    summary: bool
    sealed: bool


def read_response_request(data: Any, store: ResponseStore) -> Ask:
    """Check a decoded body. Raises Refused in OpenAI's words."""
    if not isinstance(data, dict):
        raise errors.invalid("Invalid request body: expected a JSON object.")
    for name in data.keys() - ARGUMENTS:
        raise errors.unknown(name[:64])
    data = {name: value for name, value in data.items() if value is not None}
    model, spec = read_model(data)
    _check_scalars(data, spec)
    thinking, summary = _reasoning(data, spec)
    items = _items(data, store)
    read = read_input(items, store)
    tools, must = _tools(data)
    before = [Segment(msgspec.json.encode(tool).decode()) for tool in data.get("tools", ())]
    if isinstance(data.get("instructions"), str):
        before.append(Segment(data["instructions"]))
    schema, plain_json = _format(data, before + read.segments)
    return Ask(
        model=model,
        spec=spec,
        stream=bool(data.get("stream")),
        prompt=before + read.segments,
        last_user=read.last_user,
        answers_tools=read.answers_tools,
        tools=tools,
        must_call=must,
        may_call=data.get("tool_choice") != "none",
        parallel=data.get("parallel_tool_calls", True),
        schema=schema,
        json=plain_json,
        max_output=data.get("max_output_tokens"),
        thinking=thinking,
        own=Own(
            items=items,
            said=data,
            store=data.get("store", True),
            summary=summary,
            sealed="reasoning.encrypted_content" in data.get("include", ()),
        ),
    )


def _check_scalars(data: dict[str, Any], spec: ModelSpec) -> None:
    check_booleans(data, _BOOLEANS)
    check_numbers(data, _RANGES, _INTEGERS)
    check_fixed_temperature(data, spec)
    check_metadata(data)
    if data.get("background"):
        raise errors.unsupported("background", "The simulator has no background mode.")
    if not isinstance(data.get("include", []), list):
        raise errors.wrong_type("include", "an array of strings", data["include"])
    if not isinstance(data.get("instructions", ""), str):
        raise errors.wrong_type("instructions", "a string", data["instructions"])


def _reasoning(data: dict[str, Any], spec: ModelSpec) -> tuple[int, bool]:
    """The most reasoning asked for, and whether it is summed up."""
    reasoning = data.get("reasoning", {})
    if not isinstance(reasoning, dict):
        raise errors.wrong_type("reasoning", "an object", reasoning)
    effort, summary = reasoning.get("effort"), reasoning.get("summary")
    thinking = read_effort("none" if effort is None else effort, "reasoning.effort")
    if summary not in (None, "auto", "concise", "detailed"):
        raise errors.one_of(summary, ("concise", "detailed", "auto"), "reasoning.summary")
    for name in ("effort", "summary"):
        if reasoning.get(name) is not None and not spec.reasoning:
            raise errors.unsupported(
                f"reasoning.{name}",
                f"Unsupported parameter: 'reasoning.{name}' is not supported with this model.",
            )
    return thinking, summary is not None


def _items(data: dict[str, Any], store: ResponseStore) -> list[Item]:
    """The conversation: what was before, and the request's own input."""
    before: list[Item] = []
    previous = data.get("previous_response_id")
    if previous is not None:
        stored = store.find(str(previous))
        if stored is None:
            raise errors.invalid(
                f"Previous response with id '{str(previous)[:64]}' not found.",
                "previous_response_id",
                "previous_response_not_found",
            )
        before = stored.items
    given = data.get("input")
    if given is None and previous is None:
        raise errors.missing("input")
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list | None):
        raise errors.wrong_type("input", "a string or an array of objects", given)
    return [*before, *(given or ())]


def _tools(data: dict[str, Any]) -> tuple[list[OfferedTool], str | None]:
    """The functions on offer and what must be called. Built-in tools are there and not used."""
    offered: list[OfferedTool] = []
    for at, tool in enumerate(read_tool_list(data)):
        where = f"tools[{at}]"
        if not isinstance(tool, dict):
            raise errors.wrong_type(where, "an object", tool)
        if not isinstance(tool.get("type"), str):
            raise errors.missing(f"{where}.type")
        if tool["type"] == "function":
            offered.append(read_function(tool, where))
    choice = data.get("tool_choice", "auto")
    if choice in ("auto", "none"):
        return offered, None
    if choice != "auto" and not data.get("tools"):
        raise errors.invalid(
            "Tool choices other than 'auto' and 'none' require 'tools' to be specified.",
            "tool_choice",
        )
    if choice == "required":
        return offered, "*"
    if not isinstance(choice, dict):
        raise errors.one_of(choice, ("none", "auto", "required"), "tool_choice")
    if choice.get("type") == "allowed_tools":
        if not isinstance(choice.get("tools"), list):
            raise errors.missing("tool_choice.tools")
        names = [tool.get("name") for tool in choice["tools"] if isinstance(tool, dict)]
        narrowed = [tool for tool in offered if tool.name in names]
        return narrowed, "*" if choice.get("mode") == "required" else None
    if choice.get("type") != "function":
        return offered, None
    if not any(tool.name == choice.get("name") for tool in offered):
        raise errors.invalid(
            f"Tool choice 'function' not found in 'tools' parameter: '{choice.get('name')}'.",
            "tool_choice",
        )
    return offered, str(choice["name"])


def _format(data: dict[str, Any], segments: list[Segment]) -> tuple[dict[str, Any] | None, bool]:
    """The schema of the answer, and whether it is to be plain JSON."""
    text = data.get("text", {})
    if not isinstance(text, dict):
        raise errors.wrong_type("text", "an object", text)
    wanted = text.get("format") or {"type": "text"}
    kind = wanted.get("type") if isinstance(wanted, dict) else wanted
    if kind == "text":
        return None, False
    if kind == "json_object":
        if not any("json" in segment.text.lower() for segment in segments):
            raise errors.invalid(
                "Response input messages must contain the word 'json' in some form to use "
                "'text.format' of type 'json_object'.",
                "input",
            )
        return None, True
    if kind != "json_schema":
        raise errors.one_of(kind, ("json_object", "json_schema", "text"), "text.format.type")
    if not isinstance(wanted.get("name"), str):
        raise errors.missing("text.format.name")
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise errors.missing("text.format.schema")
    check_format_schema(schema, wanted["name"], bool(wanted.get("strict")), "text.format.schema")
    return schema, False
