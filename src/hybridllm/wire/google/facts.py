"""What routing needs of a generateContent body, read in one typed pass; and the pass-through body.

The REST API reads proto JSON, which takes camelCase and snake_case alike: each field of two words
stands here under both names. Only what facts need is typed; everything else is skipped unread.
Format: https://ai.google.dev/api/generate-content#request-body
"""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.errors import RequestError
from hybridllm.wire.dialect import Facts, RequestShape, Turn
from hybridllm.wire.google.signatures import FOREIGN_MARK
from hybridllm.wire.splice import splice, top_level

_Number = int | str
"""Proto JSON writes 64-bit integers as strings, and reads either."""


class _Result(Struct):
    parts: list[Raw] | None = None


class _Part(Struct):
    text: str | None = None
    thought: bool | None = None
    inlineData: Raw | UnsetType = UNSET
    inline_data: Raw | UnsetType = UNSET
    fileData: Raw | UnsetType = UNSET
    file_data: Raw | UnsetType = UNSET
    functionCall: Raw | UnsetType = UNSET
    function_call: Raw | UnsetType = UNSET
    functionResponse: Raw | UnsetType = UNSET
    function_response: Raw | UnsetType = UNSET


class _Content(Struct):
    role: str | None = None
    parts: list[_Part | str] | _Part | None = None


class _Thinking(Struct):
    thinkingBudget: _Number | None = None
    thinking_budget: _Number | None = None
    thinkingLevel: str | None = None
    thinking_level: str | None = None
    includeThoughts: bool | None = None
    include_thoughts: bool | None = None


class _Generation(Struct):
    maxOutputTokens: _Number | None = None
    max_output_tokens: _Number | None = None
    candidateCount: _Number | None = None
    candidate_count: _Number | None = None
    responseMimeType: str | None = None
    response_mime_type: str | None = None
    responseSchema: dict[str, Raw] | None = None
    response_schema: dict[str, Raw] | None = None
    responseJsonSchema: dict[str, Raw] | bool | None = None
    response_json_schema: dict[str, Raw] | bool | None = None
    thinkingConfig: _Thinking | None = None
    thinking_config: _Thinking | None = None


class _Tool(Struct):
    functionDeclarations: list[Raw] | None = None
    function_declarations: list[Raw] | None = None


class _Body(Struct):
    contents: list[_Content | str] | _Content | str | None = None
    systemInstruction: _Content | str | None = None
    system_instruction: _Content | str | None = None
    generationConfig: _Generation | None = None
    generation_config: _Generation | None = None
    tools: list[_Tool] | None = None
    labels: dict[str, str] | None = None
    session_id: str | None = None
    sessionId: str | None = None
    cachedContent: str | None = None
    cached_content: str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_result = msgspec.json.Decoder(_Result).decode
_AT = re.compile(r" - at `\$\.?(.*?)`$")


def read_facts(body: bytes, shape: RequestShape) -> Facts:
    """The facts of a request. Raises RequestError naming the malformed field."""
    try:
        request = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        refuse(e)
    if not request.contents:
        raise RequestError(
            "'contents' is required and must not be empty.",
            field="contents",
            remedy="Send at least one content with a text part.",
        )
    config = request.generationConfig or request.generation_config or _NO_CONFIG
    tally = _Tally()
    system = tally.text_of(request.systemInstruction or request.system_instruction)
    contents = request.contents if isinstance(request.contents, list) else [request.contents]
    turns = [_turn(content, tally) for content in contents]
    tools = 0
    for tool in request.tools or ():
        declared = tool.functionDeclarations or tool.function_declarations
        tally.text_bytes += sum(memoryview(raw).nbytes for raw in declared or ())
        tools += len(declared) if declared else 1
    schema = (
        config.responseSchema
        or config.response_schema
        or config.responseJsonSchema
        or config.response_json_schema
    )
    mime = config.responseMimeType or config.response_mime_type
    session = request.session_id if request.session_id is not None else request.sessionId
    return Facts(
        model=(shape.model or "").removeprefix("models/"),
        stream=bool(shape.stream),
        system=system,
        turns=turns,
        text_bytes=tally.text_bytes,
        media=tally.media,
        tools=tools,
        tool_calls=tally.tool_calls,
        wants_schema=bool(schema),
        wants_json=bool(schema) or mime == "application/json",
        thinks=_thinks(config.thinkingConfig or config.thinking_config),
        max_output_tokens=_count(
            config.maxOutputTokens, config.max_output_tokens, "generationConfig.maxOutputTokens"
        ),
        label=request.labels.get("task") if request.labels else None,
        session=session,
        foreign_signatures=FOREIGN_MARK in body,
        choices=_count(
            config.candidateCount, config.candidate_count, "generationConfig.candidateCount"
        )
        or 1,
        controls=_controls(config.thinkingConfig or config.thinking_config),
        unseen_input=bool(request.cachedContent or request.cached_content),
    )


_NO_CONFIG = _Generation()


def refuse(e: Exception) -> NoReturn:
    """A decoder's complaint as a RequestError that names the field."""
    if isinstance(e, RecursionError):
        raise RequestError("The body is nested too deeply.") from e
    found = _AT.search(str(e))
    field = found[1] if found and found[1] else None
    reason = _AT.sub("", str(e))
    if isinstance(e, msgspec.ValidationError):
        raise RequestError(f"'{field or 'body'}' is malformed: {reason}.", field=field) from e
    raise RequestError(f"The body is not valid JSON: {reason}.") from e


class _Tally:
    """What the parts of a request add up to."""

    __slots__ = ("media", "text_bytes", "tool_calls")

    def __init__(self) -> None:
        self.text_bytes = 0
        self.media = 0
        self.tool_calls = 0

    def text_of(self, content: _Content | str | None) -> str:
        """The content's text, its thoughts left out; everything in it is counted."""
        if content is None:
            return ""
        if isinstance(content, str):
            self._count_text(content)
            return content
        parts = content.parts
        texts: list[str] = []
        for part in parts if isinstance(parts, list) else (parts,) if parts else ():
            if isinstance(part, str):
                self._count_text(part)
                texts.append(part)
            elif part.text is not None:
                self._count_text(part.text)
                if not part.thought:
                    texts.append(part.text)
            else:
                self._count_part(part)
        return texts[0] if len(texts) == 1 else "\n".join(texts)

    def _count_text(self, text: str) -> None:
        self.text_bytes += len(text) if text.isascii() else len(text.encode())

    def _count_part(self, part: _Part) -> None:
        call = part.functionCall or part.function_call
        result = part.functionResponse or part.function_response
        if call:
            self.tool_calls += 1
            self.text_bytes += memoryview(call).nbytes
        elif result:
            try:
                media = _decode_result(result).parts or ()
            except msgspec.DecodeError:
                media = ()  # the whole request's reader names what is wrong in it
            self.media += len(media)
            held = sum(memoryview(raw).nbytes for raw in media)
            self.text_bytes += memoryview(result).nbytes - held
        elif part.inlineData or part.inline_data or part.fileData or part.file_data:
            self.media += 1


def _turn(content: _Content | str, tally: _Tally) -> Turn:
    model = not isinstance(content, str) and content.role == "model"
    return Turn("assistant" if model else "user", tally.text_of(content))


def _thinks(config: _Thinking | None) -> bool:
    if config is None:
        return False
    budget = config.thinkingBudget if config.thinkingBudget is not None else config.thinking_budget
    if budget is not None:
        return str(budget) != "0"
    level = config.thinkingLevel or config.thinking_level
    return bool(level or config.includeThoughts or config.include_thoughts)


def _controls(config: _Thinking | None) -> tuple[str, ...]:
    if config is None:
        return ()
    found = []
    if config.thinkingBudget is not None or config.thinking_budget is not None:
        found.append("thinkingBudget")
    if config.thinkingLevel is not None or config.thinking_level is not None:
        found.append("thinkingLevel")
    return tuple(found)


def _count(camel: _Number | None, snake: _Number | None, field: str) -> int | None:
    value = camel if camel is not None else snake
    if value is None:
        return None
    try:
        count = int(value)
    except ValueError:
        count = 0
    if count < 1:
        raise RequestError(f"'{field}' must be a whole number of 1 or more.", field=field)
    return count


def pass_on(body: bytes, facts: Facts) -> bytes:
    """The body without what is ours alone: the session id and labels.task. The Gemini API refuses
    `labels`, so they go wholly when nothing else is in them. The same object if nothing changes."""
    if facts.label is None and facts.session is None:
        return body
    edits: dict[str, bytes | None] = {"session_id": None, "sessionId": None}
    if facts.label is not None:
        labels = bytes(top_level(body)["labels"])
        rest = splice(labels, {"task": None})
        edits["labels"] = rest if top_level(rest) else None
    return splice(body, edits)
