"""What routing needs of a Chat Completions body, read in one typed pass; and the pass-through body.

Only what facts need is typed; everything else is skipped unread. One struct stands for all types of
content parts, and one for all roles, since those newer than this file must pass.
Format: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.errors import RequestError
from hybridllm.wire.dialect import Facts, Turn
from hybridllm.wire.openai.messages import NULL, SYSTEM
from hybridllm.wire.openai.models import REFUSED_BY_REASONERS
from hybridllm.wire.openai.signatures import ID_MARK, is_ours
from hybridllm.wire.reading import refuse, required
from hybridllm.wire.splice import splice, top_level


class _Part(Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    prompt_cache_breakpoint: Raw = NULL


class _Function(Struct):
    name: str = ""
    arguments: str | None = None


class _Custom(Struct):
    name: str = ""
    input: str | None = None


class _Call(Struct):
    id: str | None = None
    function: _Function | None = None
    custom: _Custom | None = None


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    function_call: _Function | None = None
    reasoning_content: str | None = None
    reasoning_details: Raw = NULL


class _Kind(Struct):
    type: str | None = None


class _Metadata(Struct):
    task: str | UnsetType = UNSET


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Body(Struct):
    model: str | UnsetType = UNSET
    messages: list[_Message] | UnsetType = UNSET
    tools: list[Raw] | None = None
    functions: list[Raw] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    response_format: _Kind | None = None
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    n: int | None = None
    temperature: Raw | UnsetType = UNSET
    top_p: Raw | UnsetType = UNSET
    presence_penalty: Raw | UnsetType = UNSET
    frequency_penalty: Raw | UnsetType = UNSET
    stop: Raw | UnsetType = UNSET
    metadata: _Metadata | None = None
    session_id: str | UnsetType = UNSET


_body = msgspec.json.Decoder(_Body)
_SOUNDS_AND_PICTURES = frozenset({"image_url", "input_audio"})


def read_facts(body: bytes) -> Facts:
    """The facts of a request. Raises RequestError naming the malformed field."""
    try:
        request = _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        refuse(e)
    if request.model is UNSET or not request.model:
        required("model", "Name a model, a task as 'task/<name>', or 'auto'.")
    if request.messages is UNSET or not request.messages:
        required("messages", "Send at least one message.")
    tally = _Tally()
    system: list[str] = []
    turns: list[Turn] = []
    for i, message in enumerate(request.messages):
        turn = tally.turn(message, i)
        if message.role in SYSTEM and not turns:
            system.append(turn.text)
        else:
            turns.append(turn)
    tools = request.tools or []
    if request.functions:
        tools = [*tools, *request.functions]
    for tool in tools:
        tally.text_bytes += memoryview(tool).nbytes
    task = request.metadata.task if request.metadata is not None else UNSET
    output = request.response_format.type if request.response_format is not None else None
    options = request.stream_options
    return Facts(
        model=request.model,
        stream=bool(request.stream),
        system="\n".join(system),
        turns=turns,
        text_bytes=tally.text_bytes,
        media=tally.media,
        documents=tally.documents,
        tools=len(tools),
        tool_calls=tally.tool_calls,
        wants_schema=output == "json_schema",
        wants_json=output in ("json_schema", "json_object"),
        thinks=request.reasoning_effort not in (None, "none"),
        max_output_tokens=_limit(request),
        label=None if task is UNSET else task,
        session=None if request.session_id is UNSET else request.session_id,
        foreign_signatures=tally.foreign,
        cache_marked=tally.marked,
        usage_requested=options is not None and bool(options.include_usage),
        choices=max(1, request.n or 1),
        controls=tuple([name for name in _CONTROLS if getattr(request, name) not in _UNSAID]),
    )


_CONTROLS = (*REFUSED_BY_REASONERS, "reasoning_effort")
_UNSAID = (UNSET, None)


def _limit(request: _Body) -> int | None:
    for field in ("max_completion_tokens", "max_tokens"):
        limit: int | None = getattr(request, field)
        if limit is not None:
            if limit < 0:
                raise RequestError(f"'{field}' must not be negative.", field=field)
            return limit
    return None


class _Tally:
    """What the messages of a request add up to."""

    __slots__ = ("documents", "foreign", "marked", "media", "text_bytes", "tool_calls")

    def __init__(self) -> None:
        self.text_bytes = 0
        self.media = 0
        self.documents = 0
        self.tool_calls = 0
        self.foreign = False
        self.marked = False

    def turn(self, message: _Message, place: int) -> Turn:
        """The message at `place` as routing sees it; everything in it is counted."""
        if not message.role:
            required(f"messages[{place}].role")
        text = self._text_of(message.content, place)
        if message.refusal:
            self._count(message.refusal)
        if message.reasoning_content:
            self._count(message.reasoning_content)
        if message.tool_calls:
            for call in message.tool_calls:
                self._call(call)
        if message.function_call is not None:
            self._call(_Call(function=message.function_call))
        if message.tool_call_id is not None:
            self.foreign |= ID_MARK in message.tool_call_id
            return Turn(message.role, "")
        if message.reasoning_details is not NULL:
            self.foreign |= is_ours(message.reasoning_details)
        return Turn(message.role, "" if message.role == "function" else text)

    def _text_of(self, content: str | list[_Part] | None, place: int) -> str:
        if content is None:
            return ""
        if isinstance(content, str):
            self._count(content)
            return content
        path = f"messages[{place}].content"
        texts: list[str] = []
        for i, part in enumerate(content):
            if not part.type:
                required(f"{path}[{i}].type")
            if part.type == "text":
                if part.text is None:
                    required(f"{path}[{i}].text")
                texts.append(part.text)
            elif part.type == "file":
                self.media += 1
                self.documents += 1
            elif part.type in _SOUNDS_AND_PICTURES:
                self.media += 1
            for text in (part.text, part.refusal):
                if text:
                    self._count(text)
            if part.prompt_cache_breakpoint is not NULL:
                self.marked = True
        return texts[0] if len(texts) == 1 else "\n".join(texts)

    def _call(self, call: _Call) -> None:
        self.tool_calls += 1
        self.foreign |= call.id is not None and ID_MARK in call.id
        for text in (
            call.function and call.function.name,
            call.function and call.function.arguments,
            call.custom and call.custom.name,
            call.custom and call.custom.input,
        ):
            if text:
                self._count(text)

    def _count(self, text: str) -> None:
        self.text_bytes += len(text) if text.isascii() else len(text.encode())


def pass_on(body: bytes, facts: Facts, model: str) -> bytes:
    """The body for `model` without what is ours alone: `session_id` and `metadata.task` (OpenAI
    takes metadata only with `store`). A stream is asked for its usage, for metering. The same
    object if nothing changes."""
    edits: dict[str, bytes | None] = {}
    if model != facts.model:
        edits["model"] = msgspec.json.encode(model)
    if facts.session is not None:
        edits["session_id"] = None
    if facts.label is not None:
        rest = splice(bytes(top_level(body)["metadata"]), {"task": None})
        edits["metadata"] = rest if top_level(rest) else None
    if facts.stream and not facts.usage_requested:
        options = bytes(top_level(body).get("stream_options", NULL))
        if options == b"null":
            options = b"{}"
        edits["stream_options"] = splice(options, {"include_usage": b"true"})
    return splice(body, edits) if edits else body
