"""What Google accepts as a generateContent request, and how it refuses the rest."""

from __future__ import annotations

from typing import Any

import msgspec

from hybridllm.simulators.ask import Ask, OfferedTool, Refused, Segment
from hybridllm.simulators.google import errors
from hybridllm.simulators.google.contents import Reading, read_contents, read_parts
from hybridllm.simulators.google.names import list_of, message_of, snake
from hybridllm.simulators.models import ModelSpec, find_model
from hybridllm.simulators.schema import fault_in

FIELDS = frozenset(
    [
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "safetySettings",
        "generationConfig",
        "cachedContent",
        "labels",
        "model",
        "serviceTier",
        "store",
        "continuationToken",
    ]
)
GENERATION = frozenset(
    [
        "candidateCount",
        "stopSequences",
        "maxOutputTokens",
        "temperature",
        "topP",
        "topK",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "responseLogprobs",
        "logprobs",
        "responseModalities",
        "speechConfig",
        "thinkingConfig",
        "mediaResolution",
        "enableEnhancedCivicAnswers",
        "imageConfig",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "audioTranscriptionConfig",
    ]
)
TOOL = frozenset(
    [
        "functionDeclarations",
        "retrieval",
        "computerUse",
        "fileSearch",
        "googleSearch",
        "googleMaps",
        "codeExecution",
        "enterpriseWebSearch",
        "googleSearchRetrieval",
        "parallelAiSearch",
        "urlContext",
        "mcpServers",
        "exaAiSearch",
    ]
)
DECLARATION = frozenset(
    [
        "name",
        "description",
        "parameters",
        "parametersJsonSchema",
        "response",
        "responseJsonSchema",
        "behavior",
    ]
)
SCHEMA = frozenset(
    [
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "maxItems",
        "minItems",
        "properties",
        "required",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "example",
        "anyOf",
        "propertyOrdering",
        "default",
        "items",
        "minimum",
        "maximum",
        "additionalProperties",
        "defs",
        "ref",
    ]
)
_LEVELS = {"MINIMAL": 256, "LOW": 1024, "MEDIUM": 8192, "HIGH": 24576}
_DYNAMIC = 8192


def read_generate_request(data: Any, model: str, stream: bool) -> tuple[Ask, bool]:
    """Check a decoded body; also whether thoughts are to be shown. Raises Refused in Google's
    words."""
    body = message_of(data, FIELDS, "")
    spec = _model(model)
    config = message_of(body.get("generationConfig", {}), GENERATION, "generation_config")
    _check_config(config)
    thinking, shows = _thinking(config, spec)
    reading = Reading([], spec.signs_calls)
    if "systemInstruction" in body:
        _system(body["systemInstruction"], reading)
    tools = _tools(body, reading)
    read_contents(body, reading)
    must, may, tools = _choice(body, tools)
    schema, plain_json = _response_schema(config)
    ask = Ask(
        model=model,
        spec=spec,
        stream=stream,
        prompt=reading.segments,
        last_user=reading.last_user,
        answers_tools=reading.answers_tools,
        tools=tools,
        must_call=must,
        may_call=may,
        schema=schema,
        json=plain_json,
        max_output=config.get("maxOutputTokens"),
        stops=tuple(config.get("stopSequences", ())),
        choices=config.get("candidateCount", 1),
        thinking=thinking,
    )
    return ask, shows


def _model(name: str) -> ModelSpec:
    spec = find_model("google", name)
    if spec is None:
        raise Refused(
            404,
            "NOT_FOUND",
            f"models/{name[:100]} is not found for API version v1beta, or is not supported for "
            "generateContent. Call ListModels to see the list of available models and their "
            "supported methods.",
        )
    return spec


def _check_config(config: dict[str, Any]) -> None:
    for name, low, high in (("temperature", 0, 2), ("topP", 0, 1)):
        value = config.get(name)
        if value is None:
            continue
        if type(value) not in (int, float):
            raise errors.invalid(
                f"Invalid value at 'generation_config.{snake(name)}' (TYPE_FLOAT), "
                f"{msgspec.json.encode(value).decode()[:50]}"
            )
        if not low <= value <= high:
            raise errors.invalid(
                f"Unable to submit request because it has a {name} value of {value} but the "
                f"supported range is from {low} (inclusive) to {high} (inclusive). Update the "
                "value and try again."
            )
    for name, high in (("maxOutputTokens", 2**31), ("candidateCount", 8)):
        value = config.get(name, 1)
        if type(value) is not int:
            raise errors.invalid(
                f"Invalid value at 'generation_config.{snake(name)}' (TYPE_INT32), "
                f"{msgspec.json.encode(value).decode()[:50]}"
            )
        if not 1 <= value <= high:
            raise errors.invalid(
                f"Unable to submit request because it has a {name} value of {value} but the "
                f"supported range is from 1 (inclusive) to {high + 1} (exclusive). Update the "
                "value and try again."
            )
    stops = config.get("stopSequences", [])
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise errors.invalid("Invalid value at 'generation_config.stop_sequences' (TYPE_STRING)")
    if len(stops) > 5:
        raise errors.invalid(
            f"Unable to submit request because it has {len(stops)} stop sequences but the maximum "
            "is 5."
        )


def _thinking(config: dict[str, Any], spec: ModelSpec) -> tuple[int, bool]:
    if "thinkingConfig" not in config:
        return 0, False
    known = frozenset({"includeThoughts", "thinkingBudget", "thinkingLevel"})
    wanted = message_of(config["thinkingConfig"], known, "generation_config.thinking_config")
    budget, level = wanted.get("thinkingBudget"), wanted.get("thinkingLevel")
    if budget is not None and level is not None:
        raise errors.invalid("You can only set only one of thinking budget and thinking level.")
    shows = bool(wanted.get("includeThoughts"))
    if not spec.reasoning:
        if shows or budget or level:
            raise errors.invalid("Thinking is not enabled for this model.")
        return 0, False
    if level is not None:
        if not isinstance(level, str) or level.upper() not in _LEVELS:
            raise errors.invalid(
                "Invalid value at 'generation_config.thinking_config.thinking_level', "
                f'"{str(level)[:50]}"'
            )
        return _LEVELS[level.upper()], shows
    if budget is None:
        return (_DYNAMIC if shows else 0), shows
    if type(budget) is not int or not -1 <= budget <= 32768:
        raise errors.invalid(
            f"The thinking budget {budget} is invalid. Please choose a value between 512 and 32768."
        )
    return (_DYNAMIC if budget == -1 else budget), shows


def _system(value: Any, reading: Reading) -> None:
    content = message_of(value, frozenset({"role", "parts"}), "system_instruction")
    parts = list_of(content.get("parts", []))
    read_parts(parts, "system_instruction", "system", reading)


def _tools(body: dict[str, Any], reading: Reading) -> list[OfferedTool]:
    offered: list[OfferedTool] = []
    for at, value in enumerate(list_of(body.get("tools", []))):
        tool = message_of(value, TOOL, f"tools[{at}]")
        reading.segments.append(Segment(msgspec.json.encode(value).decode()))
        for number, raw in enumerate(list_of(tool.get("functionDeclarations", []))):
            where = f"tools[{at}].function_declarations[{number}]"
            offered.append(_declaration(message_of(raw, DECLARATION, where), where))
    return offered


def _declaration(declaration: dict[str, Any], where: str) -> OfferedTool:
    name = declaration.get("name")
    if not isinstance(name, str) or not name or not (name[0].isalpha() or name[0] == "_"):
        raise errors.invalid(
            f"GenerateContentRequest.{where}.name: Invalid function name. Must start with a letter "
            "or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), "
            "colons (:), or dashes (-), with a maximum length of 64."
        )
    if "parameters" in declaration and "parametersJsonSchema" in declaration:
        raise errors.invalid(
            f"{where}: parameters and parameters_json_schema must not both be set."
        )
    if "parameters" in declaration:
        check_schema(declaration["parameters"], f"{where}.parameters")
    standard = declaration.get("parametersJsonSchema")
    if standard is not None and (wrong := fault_in(standard)) is not None:
        raise errors.invalid(f"Invalid value at '{where}.parameters_json_schema.{wrong}'")
    schema = declaration.get("parameters") or standard
    return OfferedTool(name, schema or {"type": "object", "properties": {}})


def check_schema(schema: Any, where: str) -> None:
    """Google's own Schema, a part of OpenAPI's: raises Refused for what it does not know."""
    if not isinstance(schema, dict):
        raise errors.invalid(f"Invalid value at '{where}' (Message), expected an object.")
    named = message_of(schema, SCHEMA, where)
    if (wrong := fault_in(named)) is not None:
        raise errors.invalid(f"Invalid value at '{where}.{snake(wrong)}'")
    for name, inner in (named.get("properties") or {}).items():
        check_schema(inner, f"{where}.properties[{name!r}].value")
    if "items" in named:
        check_schema(named["items"], f"{where}.items")
    for at, option in enumerate(named.get("anyOf") or ()):
        check_schema(option, f"{where}.any_of[{at}]")
    if str(named.get("type", "")).lower() == "array" and "items" not in named:
        raise errors.invalid(f"GenerateContentRequest.{where}.items: missing field.")


def _choice(
    body: dict[str, Any], tools: list[OfferedTool]
) -> tuple[str | None, bool, list[OfferedTool]]:
    """What must be called, whether anything may be, and the tools that remain."""
    known = frozenset(
        {"functionCallingConfig", "retrievalConfig", "includeServerSideToolInvocations"}
    )
    config = message_of(body.get("toolConfig", {}), known, "tool_config")
    where = "tool_config.function_calling_config"
    calling = message_of(
        config.get("functionCallingConfig", {}),
        frozenset({"mode", "allowedFunctionNames", "streamFunctionCallArguments"}),
        where,
    )
    mode = calling.get("mode", "AUTO")
    if mode not in ("AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"):
        raise errors.invalid(f"Invalid value at '{where}.mode', \"{str(mode)[:50]}\"")
    allowed = calling.get("allowedFunctionNames")
    if allowed:
        if mode not in ("ANY", "VALIDATED"):
            raise errors.invalid(
                "Function calling config is set without function_calling_config.mode being ANY: "
                "allowed_function_names may only be set when the mode is ANY."
            )
        unknown = [name for name in allowed if name not in {tool.name for tool in tools}]
        if unknown:
            raise errors.invalid(
                f"allowed_function_names: function '{str(unknown[0])[:64]}' is not declared."
            )
        tools = [tool for tool in tools if tool.name in allowed]
    if mode == "ANY" and not tools:
        raise errors.invalid("Function calling config is set without function declarations.")
    return ("*" if mode == "ANY" else None), mode != "NONE", tools


def _response_schema(config: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    mime = config.get("responseMimeType", "text/plain")
    if mime not in ("text/plain", "application/json", "text/x.enum"):
        raise errors.invalid(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are "
            "`text/plain`, `application/json`, `text/x.enum`."
        )
    own, standard = config.get("responseSchema"), config.get("responseJsonSchema")
    if own is not None:
        check_schema(own, "generation_config.response_schema")
    if standard is not None and (wrong := fault_in(standard)) is not None:
        raise errors.invalid(f"Invalid value at 'generation_config.response_json_schema.{wrong}'")
    schema = own if own is not None else standard
    if schema is None:
        return None, mime == "application/json"
    if mime == "text/plain":
        raise errors.invalid(
            "Response schema is only supported with response_mime_type `application/json`."
        )
    return schema, False
