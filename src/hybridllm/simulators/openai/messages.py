"""The messages of a chat completion request: roles, content parts, tool calls and their answers."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.simulators.ask import Refused, Segment
from hybridllm.simulators.media import decode_base64, file_tokens, openai_image_tokens
from hybridllm.simulators.openai import errors

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_MESSAGE = frozenset(
    [
        "role",
        "content",
        "name",
        "tool_calls",
        "tool_call_id",
        "refusal",
        "audio",
        "function_call",
        "annotations",
    ]
)
_PARTS = {
    "text": frozenset({"type", "text", "prompt_cache_breakpoint"}),
    "refusal": frozenset({"type", "refusal"}),
    "image_url": frozenset({"type", "image_url", "prompt_cache_breakpoint"}),
    "input_audio": frozenset({"type", "input_audio", "prompt_cache_breakpoint"}),
    "file": frozenset({"type", "file", "prompt_cache_breakpoint"}),
}
_IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")


class Messages(Struct):
    """What the messages come to: the prompt's pieces, the last user text, and whether the
    conversation ends in tool results."""

    segments: list[Segment]
    last_user: str = ""
    answers_tools: bool = False


def read_messages(data: dict[str, Any]) -> Messages:
    """Raises Refused naming the message at fault."""
    if "messages" not in data:
        raise errors.missing("messages")
    messages = data["messages"]
    if not isinstance(messages, list):
        raise errors.wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise errors.invalid(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            "messages",
            "empty_array",
        )
    read = Messages([])
    waiting: list[str] = []
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        if not isinstance(message, dict):
            raise errors.wrong_type(where, "an object", message)
        waiting = _read_message(message, where, waiting, read)
    if waiting:
        raise _unanswered(waiting, f"messages[{len(messages)}]")
    return read


def _read_message(
    message: dict[str, Any], where: str, waiting: list[str], read: Messages
) -> list[str]:
    """Add one message; return the tool calls that still wait for their result."""
    for name in message.keys() - _MESSAGE:
        raise errors.unknown(f"{where}.{name[:64]}")
    role = message.get("role")
    if role is None:
        raise errors.missing(f"{where}.role")
    if role not in ROLES:
        raise errors.invalid(
            f"Invalid value: '{str(role)[:50]}'. Supported values are: 'system', 'assistant', "
            "'user', 'function', 'tool', and 'developer'.",
            f"{where}.role",
            "invalid_value",
        )
    if waiting and role != "tool":
        raise _unanswered(waiting, where)
    before = len(read.segments)
    content = message.get("content")
    calls = message.get("tool_calls") or []
    if content is None and role not in ("assistant", "function"):
        raise errors.missing(f"{where}.content")
    text = _content(content, f"{where}.content", role, read.segments)
    if role == "user":
        read.last_user = text
    read.answers_tools = role in ("tool", "function")
    if role == "tool":
        call_id = message.get("tool_call_id")
        if call_id is None:
            raise errors.missing(f"{where}.tool_call_id")
        if call_id not in waiting:
            raise errors.invalid(
                "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
                "message with 'tool_calls'.",
                f"{where}.role".replace("[", ".["),
            )
        return [one for one in waiting if one != call_id]
    if role == "assistant":
        waiting = _calls(calls, f"{where}.tool_calls", read.segments)
        if len(read.segments) == before and not message.get("refusal") and content is None:
            raise errors.invalid(
                "Invalid value for 'content': expected a string, got null.", f"{where}.content"
            )
    return waiting


def _unanswered(waiting: list[str], where: str) -> Refused:
    return errors.invalid(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        + ", ".join(one[:64] for one in waiting),
        f"{where}.role",
    )


def _calls(calls: Any, where: str, segments: list[Segment]) -> list[str]:
    if not isinstance(calls, list):
        raise errors.wrong_type(where, "an array of objects", calls)
    ids: list[str] = []
    for at, call in enumerate(calls):
        place = f"{where}[{at}]"
        if not isinstance(call, dict):
            raise errors.wrong_type(place, "an object", call)
        for name in call.keys() - {"id", "type", "function", "custom", "index"}:
            raise errors.unknown(f"{place}.{name[:64]}")
        if not isinstance(call.get("id"), str):
            raise errors.missing(f"{place}.id")
        function = call.get("function") or call.get("custom")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise errors.missing(f"{place}.function.name")
        arguments = function.get("arguments", function.get("input"))
        if not isinstance(arguments, str):
            raise errors.missing(f"{place}.function.arguments")
        segments.append(Segment(f"{function['name']} {arguments}"))
        ids.append(call["id"])
    return ids


def _content(content: Any, where: str, role: str, segments: list[Segment]) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        segments.append(Segment(content))
        return content
    if not isinstance(content, list):
        raise errors.wrong_type(where, "a string or an array of objects", content)
    texts: list[str] = []
    for at, part in enumerate(content):
        place = f"{where}[{at}]"
        if not isinstance(part, dict):
            raise errors.wrong_type(place, "an object", part)
        kind = part.get("type")
        if not isinstance(kind, str) or kind not in _PARTS:
            raise errors.invalid(
                f"Invalid value: '{str(kind)[:50]}'. Supported values are: "
                + ", ".join(f"'{name}'" for name in _PARTS)
                + ".",
                f"{place}.type",
                "invalid_value",
            )
        for name in part.keys() - _PARTS[kind]:
            raise errors.unknown(f"{place}.{name[:64]}")
        if kind in ("text", "refusal"):
            if not isinstance(part.get(kind), str):
                raise errors.missing(f"{place}.{kind}")
            segments.append(Segment(part[kind]))
            texts.append(part[kind])
        elif role != "user":
            raise errors.invalid(
                f"Invalid content type. {kind} is only supported in user messages.",
                f"{place}.type",
                "invalid_value",
            )
        elif kind == "image_url":
            segments.append(image_of(part.get("image_url"), place))
        else:
            raw = msgspec.json.encode(part).decode()
            segments.append(Segment(raw, tokens=file_tokens(raw)))
    return "\n".join(texts)


def image_of(image: Any, where: str) -> Segment:
    """An image_url object as a piece of the prompt. Raises Refused."""
    if not isinstance(image, dict) or not isinstance(image.get("url"), str):
        raise errors.missing(f"{where}.image_url.url")
    url: str = image["url"]
    detail = image.get("detail") or "auto"
    if detail not in ("auto", "low", "high", "original"):
        raise errors.invalid(
            f"Invalid value: '{str(detail)[:50]}'. Supported values are: 'auto', 'low', and "
            "'high'.",
            f"{where}.image_url.detail",
            "invalid_value",
        )
    if url.startswith("data:"):
        kind, _, data = url[5:].partition(";base64,")
        raw = decode_base64(data)
        if kind not in _IMAGE_TYPES or raw is None:
            raise errors.invalid(
                "You uploaded an unsupported image. Please make sure your image is valid and has "
                "one of the following formats: ['png', 'jpeg', 'gif', 'webp'].",
                code="invalid_image_format",
            )
        return Segment(url, tokens=openai_image_tokens(raw, detail))
    if not url.startswith(("http://", "https://")):
        raise errors.invalid(
            "Invalid image URL. Expected a base64-encoded data URL with an image MIME type or an "
            "HTTP URL.",
            f"{where}.image_url.url",
            "invalid_value",
        )
    return Segment(url, tokens=openai_image_tokens(b"", detail))
