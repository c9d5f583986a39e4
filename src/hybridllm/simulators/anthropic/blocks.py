"""Content blocks of a messages request: what each may hold, and who may say it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from hybridllm.simulators.anthropic import errors
from hybridllm.simulators.ask import Segment
from hybridllm.simulators.media import anthropic_image_tokens, decode_base64, file_tokens
from hybridllm.simulators.signatures import valid

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_FIELDS = {
    "text": frozenset({"type", "text", "cache_control", "citations"}),
    "image": frozenset({"type", "source", "cache_control", "transformations"}),
    "document": frozenset({"type", "source", "cache_control", "citations", "context", "title"}),
    "tool_use": frozenset(
        {"type", "id", "name", "input", "cache_control", "caller", "toolset_name"}
    ),
    "tool_result": frozenset(
        {"type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"}
    ),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
}
_ROLES = {
    "tool_use": "assistant",
    "thinking": "assistant",
    "redacted_thinking": "assistant",
    "tool_result": "user",
    "image": "user",
    "document": "user",
}


class Reading(Struct):
    """What has been read so far. `waiting` are tool_use ids of the message before; `thinks` says
    that extended thinking is on, so that a turn of tool use must begin with a thought."""

    segments: list[Segment]
    thinks: bool = False
    last_user: str = ""
    answers_tools: bool = False
    waiting: list[str] = field(default_factory=list)


def extra_inputs(value: dict[str, Any], known: frozenset[str], where: str) -> None:
    """Raises Refused for a field that Anthropic does not know."""
    for name in value:
        if name not in known:
            raise errors.invalid(f"{where}{name[:64]}: Extra inputs are not permitted")


def mark_of(value: dict[str, Any], where: str) -> str | None:
    """The cache breakpoint on a block, tool or request."""
    control = value.get("cache_control")
    if control is None:
        return None
    place = f"{where}.cache_control" if where else "cache_control"
    if not isinstance(control, dict) or control.get("type") != "ephemeral":
        raise errors.invalid(f"{place}.type: Input should be 'ephemeral'")
    extra_inputs(control, frozenset({"type", "ttl"}), f"{place}.ephemeral.")
    ttl = control.get("ttl") or "5m"
    if ttl not in ("5m", "1h"):
        raise errors.invalid(f"{place}.ephemeral.ttl: Input should be '5m' or '1h'")
    return str(ttl)


def read_blocks(content: Any, where: str, role: str, reading: Reading) -> None:
    """Add one message's content. Raises Refused naming the block at fault."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        raise errors.invalid(f"{where}: Input should be a valid list")
    expected, reading.waiting = reading.waiting, []
    texts: list[str] = []
    results: list[str] = []
    for at, block in enumerate(content):
        place = f"{where}.{at}"
        if not isinstance(block, dict):
            raise errors.invalid(f"{place}: Input should be a valid dictionary")
        kind = block.get("type")
        if not isinstance(kind, str) or kind not in _FIELDS:
            _read_other(block, place, reading)
            continue
        extra_inputs(block, _FIELDS[kind], f"{place}.{kind}.")
        if _ROLES.get(kind, role) != role:
            raise errors.invalid(
                f"{place}: `{kind}` blocks can only be in `{_ROLES[kind]}` messages"
            )
        if kind == "tool_result":
            results.append(_result_id(block, place, expected))
        segment = _segment(kind, block, place, reading)
        segment.mark = mark_of(block, f"{place}.{kind}")
        reading.segments.append(segment)
        if kind == "text":
            texts.append(block["text"])
    _check_turn(content, where, role, reading, expected, results)
    if role == "user" and not results:
        reading.last_user = "\n".join(texts)


def _check_turn(
    content: list[Any],
    where: str,
    role: str,
    reading: Reading,
    expected: list[str],
    results: list[str],
) -> None:
    missing = [one for one in expected if one not in results]
    if missing and role != "system":
        raise errors.invalid(
            f"{where.removesuffix('.content')}: `tool_use` ids were found without `tool_result` "
            f"blocks immediately after: {', '.join(missing)}. Each `tool_use` block must have a "
            "corresponding `tool_result` block in the next message."
        )
    if role != "system":
        reading.answers_tools = bool(results)
    first = content[0].get("type") if content else None
    if reading.waiting and reading.thinks and first not in ("thinking", "redacted_thinking"):
        raise errors.invalid(
            f"{where}.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. "
            "When `thinking` is enabled, a final `assistant` message must start with a thinking "
            "block (preceding the lastmost set of `tool_use` and `tool_result` blocks)."
        )


def _result_id(block: dict[str, Any], where: str, expected: list[str]) -> str:
    call_id = block.get("tool_use_id")
    if not isinstance(call_id, str):
        raise errors.invalid(f"{where}.tool_result.tool_use_id: Field required")
    if call_id not in expected:
        raise errors.invalid(
            f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id[:64]}. "
            "Each `tool_result` block must have a corresponding `tool_use` block in the previous "
            "message."
        )
    return call_id


def _segment(kind: str, block: dict[str, Any], where: str, reading: Reading) -> Segment:
    match kind:
        case "text":
            text = block.get("text")
            if not isinstance(text, str):
                raise errors.invalid(f"{where}.text.text: Field required")
            if not text:
                raise errors.invalid("messages: text content blocks must be non-empty")
            return Segment(text)
        case "image" | "document":
            return _source(kind, block.get("source"), where)
        case "thinking":
            return _thought(block, where)
        case "redacted_thinking":
            if not valid("anthropic", str(block.get("data"))):
                raise errors.invalid(f"{where}: Invalid `data` in `redacted_thinking` block")
            return Segment(str(block["data"]), tokens=0)
        case "tool_use":
            for name in ("id", "name", "input"):
                if name not in block:
                    raise errors.invalid(f"{where}.tool_use.{name}: Field required")
            if not isinstance(block["input"], dict):
                raise errors.invalid(f"{where}.tool_use.input: Input should be a valid dictionary")
            reading.waiting.append(str(block["id"]))
            arguments = msgspec.json.encode(block["input"]).decode()
            return Segment(f"{block['name']} {arguments}")
        case _:
            return _result(block, where)


def _thought(block: dict[str, Any], where: str) -> Segment:
    thinking, signature = block.get("thinking"), block.get("signature")
    if not isinstance(thinking, str):
        raise errors.invalid(f"{where}.thinking.thinking: Field required")
    if not isinstance(signature, str):
        raise errors.invalid(f"{where}.thinking.signature: Field required")
    # An omitted thought was signed without its text, so that it comes back valid as it went.
    if not valid("anthropic", signature, thinking):
        raise errors.invalid(f"{where}: Invalid `signature` in `thinking` block")
    return Segment(thinking)


def _result(block: dict[str, Any], where: str) -> Segment:
    """A tool result is one block to the cache, whatever it holds."""
    content = block.get("content") or ""
    if isinstance(content, str):
        return Segment(content)
    inner = Reading([])
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict) or part.get("type") not in ("text", "image", "document"):
            raise errors.invalid(
                f"{where}.tool_result.content: Input should be 'text', 'image' or 'document'"
            )
    read_blocks(content, f"{where}.tool_result.content", "user", inner)
    if all(segment.tokens is None for segment in inner.segments):
        return Segment("\n".join(segment.text for segment in inner.segments))
    tokens = sum(
        file_tokens(segment.text) if segment.tokens is None else segment.tokens
        for segment in inner.segments
    )
    return Segment(msgspec.json.encode(content).decode(), tokens=tokens)


def _source(kind: str, source: Any, where: str) -> Segment:
    place = f"{where}.{kind}.source"
    if not isinstance(source, dict):
        raise errors.invalid(f"{place}: Field required")
    match source.get("type"):
        case "base64":
            data, media_type = source.get("data"), source.get("media_type")
            if kind == "image" and media_type not in _IMAGE_TYPES:
                raise errors.invalid(
                    f"{place}.base64.media_type: Input should be 'image/jpeg', 'image/png', "
                    "'image/gif' or 'image/webp'"
                )
            raw = decode_base64(data) if isinstance(data, str) else None
            if raw is None or not isinstance(data, str):
                raise errors.invalid(f"{place}.base64.data: invalid base64 data")
            tokens = anthropic_image_tokens(raw) if kind == "image" else file_tokens(data)
            return Segment(data, tokens=tokens)
        case "url":
            url = str(source.get("url"))
            if not url.startswith(("https://", "http://")):
                raise errors.invalid(f"{place}.url.url: Only HTTPS URLs are supported.")
            return Segment(url, tokens=anthropic_image_tokens(b""))
        case "text" if kind == "document":
            return Segment(str(source.get("data")))
        case "file" | "content":
            raw_source = msgspec.json.encode(source).decode()
            return Segment(raw_source, tokens=file_tokens(raw_source))
    raise errors.invalid(
        f"{place}: Input tag does not match any of the expected tags: 'base64', 'file', 'url'"
    )


def _read_other(block: dict[str, Any], where: str, reading: Reading) -> None:
    """Blocks of server tools pass; a type that does not exist is refused."""
    kind = block.get("type")
    if not isinstance(kind, str) or not (
        kind in ("server_tool_use", "search_result", "container_upload")
        or kind.endswith("_tool_result")
    ):
        raise errors.invalid(
            f"{where}: Input tag '{str(kind)[:50]}' found using 'type' does not match any of the "
            "expected tags: " + ", ".join(f"'{name}'" for name in _FIELDS)
        )
    mark = mark_of(block, f"{where}.{kind}")
    reading.segments.append(Segment(msgspec.json.encode(block).decode(), mark=mark))
