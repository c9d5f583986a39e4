"""What Anthropic accepts as a messages request, and how it refuses the rest."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from hybridllm.simulators.anthropic import errors
from hybridllm.simulators.anthropic.blocks import Reading, extra_inputs, mark_of, read_blocks
from hybridllm.simulators.ask import Ask, OfferedTool, Refused, Segment
from hybridllm.simulators.models import ModelSpec, find_model
from hybridllm.simulators.schema import fault_in

FIELDS = frozenset(
    [
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "mcp_servers",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "user_profile_id",
        "workspace_id",
    ]
)
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_FIELDS = frozenset(
    [
        "type",
        "name",
        "description",
        "input_schema",
        "cache_control",
        "strict",
        "allowed_callers",
        "defer_loading",
        "eager_input_streaming",
        "input_examples",
    ]
)
_EFFORT = {"low": 1024, "medium": 4096, "high": 16384, "xhigh": 32768, "max": 64000}
MAX_BREAKPOINTS = 4


def read_messages_request(data: Any) -> Ask:
    """Check a decoded body. Raises Refused in Anthropic's words."""
    if not isinstance(data, dict):
        raise errors.invalid("Input should be a valid dictionary")
    extra_inputs(data, FIELDS, "")
    model, spec = _model(data)
    _check_scalars(data)
    thinking, display = _thinking(data, spec)
    reading = Reading([], thinks=(data.get("thinking") or {}).get("type") == "enabled")
    tools = _tools(data, reading)
    _system(data, reading)
    _messages(data, reading)
    must, may, parallel = _tool_choice(data, tools, thinking)
    _check_marks(data, reading)
    return Ask(
        model=model,
        spec=spec,
        stream=bool(data.get("stream")),
        prompt=reading.segments,
        last_user=reading.last_user,
        answers_tools=reading.answers_tools,
        tools=tools,
        must_call=must,
        may_call=may,
        parallel=parallel,
        schema=_schema(data),
        max_output=data["max_tokens"],
        stops=tuple(data.get("stop_sequences") or ()),
        thinking=thinking,
        own=display,
    )


def _model(data: dict[str, Any]) -> tuple[str, ModelSpec]:
    name = data.get("model")
    if name is None:
        raise errors.invalid("model: Field required")
    if not isinstance(name, str):
        raise errors.invalid("model: Input should be a valid string")
    spec = find_model("anthropic", name)
    if spec is None:
        raise Refused(404, "not_found_error", f"model: {name[:100]}")
    return name, spec


def _check_scalars(data: dict[str, Any]) -> None:
    tokens = data.get("max_tokens")
    if tokens is None:
        raise errors.invalid("max_tokens: Field required")
    if type(tokens) is not int:
        raise errors.invalid("max_tokens: Input should be a valid integer")
    if tokens < 1:
        raise errors.invalid("max_tokens: Input should be greater than or equal to 1")
    for name in ("temperature", "top_p"):
        value = data.get(name)
        if value is None:
            continue
        if type(value) not in (int, float):
            raise errors.invalid(f"{name}: Input should be a valid number")
        if not 0 <= value <= 1:
            raise errors.invalid(f"{name}: range: 0..1")
    if data.get("stream") is not None and type(data["stream"]) is not bool:
        raise errors.invalid("stream: Input should be a valid boolean")
    stops = data.get("stop_sequences") or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise errors.invalid("stop_sequences: Input should be a valid list of strings")
    for at, stop in enumerate(stops):
        if not stop.strip():
            raise errors.invalid(
                f"stop_sequences: each stop sequence must contain non-whitespace ({at})"
            )
    metadata = data.get("metadata")
    if metadata is not None:
        if not isinstance(metadata, dict):
            raise errors.invalid("metadata: Input should be a valid dictionary")
        extra_inputs(metadata, frozenset({"user_id"}), "metadata.")


def _thinking(data: dict[str, Any], spec: ModelSpec) -> tuple[int, str]:
    """The most reasoning allowed, and how it is shown."""
    thinking = data.get("thinking")
    config = data.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    if thinking is None:
        return 0, ""
    if not isinstance(thinking, dict) or thinking.get("type") not in (
        "enabled",
        "adaptive",
        "disabled",
    ):
        raise errors.invalid(
            "thinking: Input tag does not match any of the expected tags: 'adaptive', "
            "'disabled', 'enabled'"
        )
    kind = thinking["type"]
    if kind == "disabled":
        return 0, ""
    extra_inputs(thinking, frozenset({"type", "budget_tokens", "display"}), f"thinking.{kind}.")
    if not spec.reasoning:
        raise errors.invalid("thinking: this model does not support thinking")
    if data.get("temperature") not in (None, 1):
        raise errors.invalid("`temperature` may only be set to 1 when thinking is enabled.")
    display = thinking.get("display") or "summarized"
    if kind == "adaptive":
        return _EFFORT.get(str(effort or "high"), 4096), display
    budget = thinking.get("budget_tokens")
    if budget is None:
        raise errors.invalid("thinking.enabled.budget_tokens: Field required")
    if type(budget) is not int or budget < 1024:
        raise errors.invalid(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    if budget >= data["max_tokens"]:
        raise errors.invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")
    return budget, display


def _tools(data: dict[str, Any], reading: Reading) -> list[OfferedTool]:
    tools = data.get("tools") or []
    if not isinstance(tools, list):
        raise errors.invalid("tools: Input should be a valid list")
    offered: list[OfferedTool] = []
    for at, tool in enumerate(tools):
        where = f"tools.{at}"
        if not isinstance(tool, dict):
            raise errors.invalid(f"{where}: Input should be a valid dictionary")
        if tool.get("type") in (None, "custom"):
            offered.append(_tool(tool, where))
        plain = {name: value for name, value in tool.items() if name != "cache_control"}
        text = msgspec.json.encode(plain).decode()
        reading.segments.append(Segment(text, mark=mark_of(tool, where)))
    names = [tool.name for tool in offered]
    if len(set(names)) < len(names):
        raise errors.invalid("tools: Tool names must be unique.")
    return offered


def _tool(tool: dict[str, Any], where: str) -> OfferedTool:
    extra_inputs(tool, _TOOL_FIELDS, f"{where}.custom.")
    name = tool.get("name")
    if not isinstance(name, str):
        raise errors.invalid(f"{where}.custom.name: Field required")
    if not _TOOL_NAME.fullmatch(name):
        raise errors.invalid(
            f"{where}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        )
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        raise errors.invalid(f"{where}.custom.input_schema: Field required")
    if schema.get("type") != "object":
        raise errors.invalid(f"{where}.custom.input_schema.type: Input should be 'object'")
    if (wrong := fault_in(schema)) is not None:
        raise errors.invalid(f"{where}.custom.input_schema: JSON schema is invalid at {wrong}")
    return OfferedTool(name, schema)


def _tool_choice(
    data: dict[str, Any], tools: list[OfferedTool], thinking: int
) -> tuple[str | None, bool, bool]:
    """What must be called, whether anything may be, and whether in parallel."""
    choice = data.get("tool_choice")
    if choice is None:
        return None, True, True
    if not isinstance(choice, dict):
        raise errors.invalid("tool_choice: Input should be a valid dictionary")
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise errors.invalid(
            "tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', "
            "'tool', 'none'"
        )
    extra_inputs(
        choice, frozenset({"type", "name", "disable_parallel_tool_use"}), f"tool_choice.{kind}."
    )
    if not data.get("tools") and kind != "none":
        raise errors.invalid("tool_choice: may only be specified while providing tools")
    if thinking and kind in ("any", "tool"):
        raise errors.invalid("Thinking may not be enabled when tool_choice forces tool use.")
    parallel = not choice.get("disable_parallel_tool_use", False)
    if kind == "tool":
        name = choice.get("name")
        if not any(tool.name == name for tool in tools):
            raise errors.invalid(f"Tool '{str(name)[:64]}' not found in provided tools")
        return str(name), True, parallel
    return ("*" if kind == "any" else None), kind != "none", parallel


def _system(data: dict[str, Any], reading: Reading) -> None:
    system = data.get("system")
    if system is None:
        return
    if isinstance(system, str):
        reading.segments.append(Segment(system))
        return
    if not isinstance(system, list):
        raise errors.invalid("system: Input should be a valid list")
    for at, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise errors.invalid(f"system.{at}.type: Input should be 'text'")
    read_blocks(system, "system", "system", reading)


def _messages(data: dict[str, Any], reading: Reading) -> None:
    messages = data.get("messages")
    if messages is None:
        raise errors.invalid("messages: Field required")
    if not isinstance(messages, list):
        raise errors.invalid("messages: Input should be a valid list")
    if not messages:
        raise errors.invalid("messages: at least one message is required")
    last = len(messages) - 1
    for at, message in enumerate(messages):
        where = f"messages.{at}"
        if not isinstance(message, dict):
            raise errors.invalid(f"{where}: Input should be a valid dictionary")
        extra_inputs(message, frozenset({"role", "content"}), f"{where}.")
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            raise errors.invalid(f"{where}.role: Input should be 'user', 'assistant' or 'system'")
        if at == 0 and role != "user":
            raise errors.invalid('messages: first message must use the "user" role')
        content = message.get("content")
        if content is None:
            raise errors.invalid(f"{where}.content: Field required")
        if not content and not (role == "assistant" and at == last):
            raise errors.invalid(
                f"{where}: all messages must have non-empty content except for the optional final "
                "assistant message"
            )
        read_blocks(content, f"{where}.content", role, reading)
    if reading.waiting:
        raise errors.invalid(
            f"messages.{last}: `tool_use` ids were found without `tool_result` blocks immediately "
            f"after: {', '.join(reading.waiting)}. Each `tool_use` block must have a corresponding "
            "`tool_result` block in the next message."
        )


def _check_marks(data: dict[str, Any], reading: Reading) -> None:
    """Breakpoints: four at most, long-lived ones first; one for all marks the last block."""
    whole = mark_of(data, "")
    if whole and reading.segments and not reading.segments[-1].mark:
        reading.segments[-1].mark = whole
    marks = [segment.mark for segment in reading.segments if segment.mark]
    if len(marks) > MAX_BREAKPOINTS:
        raise errors.invalid(
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found "
            f"{len(marks)}."
        )
    if "5m" in marks and "1h" in marks[marks.index("5m") :]:
        raise errors.invalid(
            "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
            "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
        )


def _schema(data: dict[str, Any]) -> dict[str, Any] | None:
    config = data.get("output_config")
    if config is None:
        return None
    if not isinstance(config, dict):
        raise errors.invalid("output_config: Input should be a valid dictionary")
    extra_inputs(config, frozenset({"effort", "format"}), "output_config.")
    if config.get("effort") not in (None, *_EFFORT):
        raise errors.invalid(
            "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"
        )
    wanted = config.get("format")
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise errors.invalid("output_config.format.type: Input should be 'json_schema'")
    extra_inputs(wanted, frozenset({"type", "schema"}), "output_config.format.")
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise errors.invalid("output_config.format.schema: Field required")
    if (wrong := fault_in(schema)) is not None:
        raise errors.invalid(f"output_config.format.schema: JSON schema is invalid at {wrong}")
    _check_closed(schema)
    return schema


def _check_closed(schema: Any) -> None:
    """Anthropic's structured outputs want every object closed."""
    if isinstance(schema, list):
        for one in schema:
            _check_closed(one)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise errors.invalid(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be "
            "explicitly set to false"
        )
    for inner in schema.values():
        _check_closed(inner)
