"""What routing needs of a Responses body, read in one typed pass; and the pass-through body.

Only what facts need is typed; everything else is skipped unread. One struct stands for all types of
items and one for all parts, since those newer than this file must pass.
Format: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.errors import RequestError
from hybridllm.wire.dialect import Facts, Turn
from hybridllm.wire.openai.signatures import ID_MARK
from hybridllm.wire.reading import refuse, required
from hybridllm.wire.responses.items import SYSTEM
from hybridllm.wire.responses.replies import NULL
from hybridllm.wire.responses.signatures import is_ours
from hybridllm.wire.splice import splice, top_level


class _Part(Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    prompt_cache_breakpoint: Raw = NULL


class _Item(Struct):
    type: str | None = None
    role: str | None = None
    content: str | list[_Part] | None = None
    summary: list[_Part] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: Any = None
    input: str | None = None
    output: Raw = NULL


class _Kind(Struct):
    type: str | None = None


class _TextConfig(Struct):
    format: _Kind | None = None


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None


class _Metadata(Struct):
    task: str | UnsetType = UNSET


class _Body(Struct):
    model: str | UnsetType = UNSET
    input: str | list[_Item] | None = None
    instructions: str | None = None
    tools: list[Raw] | None = None
    stream: bool | None = None
    text: _TextConfig | None = None
    reasoning: _Reasoning | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    previous_response_id: str | None = None
    conversation: Raw = NULL
    prompt: Raw = NULL
    metadata: _Metadata | None = None
    session_id: str | UnsetType = UNSET


_body = msgspec.json.Decoder(_Body)
_output = msgspec.json.Decoder(str | list[_Part])


def read_facts(body: bytes) -> Facts:
    """The facts of a request. Raises RequestError naming the malformed field."""
    try:
        request = _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        refuse(e)
    if request.model is UNSET or not request.model:
        required("model", "Name a model, a task as 'task/<name>', or 'auto'.")
    previous = request.previous_response_id or None
    kept = (request.conversation, request.prompt)
    unseen = previous is not None or any(bytes(one) != b"null" for one in kept)
    if not request.input and not unseen:
        required("input", "Send a text, or a list of at least one item.")
    limit = request.max_output_tokens
    if limit is not None and limit < 0:
        raise RequestError("'max_output_tokens' must not be negative.", field="max_output_tokens")
    tally = _Tally()
    system = [tally.count(request.instructions)] if request.instructions else []
    turns = tally.turns(request.input, system)
    tools = request.tools or ()
    tally.text_bytes += sum(memoryview(tool).nbytes for tool in tools)
    task = request.metadata.task if request.metadata is not None else UNSET
    form = request.text.format if request.text is not None else None
    output = form.type if form is not None else None
    reasoning = request.reasoning or _Reasoning()
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
        thinks=reasoning.effort not in (None, "none") or reasoning.summary is not None,
        max_output_tokens=limit,
        label=None if task is UNSET else task,
        session=None if request.session_id is UNSET else request.session_id,
        foreign_signatures=tally.foreign,
        cache_marked=tally.marked,
        usage_requested=True,
        controls=_controls(request),
        previous=previous,
        keeps_replies=True,
        unseen_input=unseen or tally.references,
    )


def _controls(request: _Body) -> tuple[str, ...]:
    """By their names in OpenAI's other dialect, which the same models serve."""
    said = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "reasoning_effort": request.reasoning and request.reasoning.effort,
    }
    return tuple([name for name, value in said.items() if value is not None])


class _Tally:
    """What the items of a request add up to."""

    def __init__(self) -> None:
        self.text_bytes = 0
        self.media = 0
        self.documents = 0
        self.tool_calls = 0
        self.foreign = False
        self.marked = False
        self.references = False

    def turns(self, items: str | list[_Item] | None, system: list[str]) -> list[Turn]:
        """The turns, what the model did in a row being one; leading system texts go to
        `system`."""
        if isinstance(items, str):
            return [Turn("user", self.count(items))]
        turns: list[Turn] = []
        joins = False
        for i, item in enumerate(items or ()):
            turn = self._turn(item, f"input[{i}]")
            if turn.role in SYSTEM and not turns:
                system.append(turn.text)
            elif joins and turn.role == "assistant":
                said = [text for text in (turns[-1].text, turn.text) if text]
                turns[-1] = Turn("assistant", "\n".join(said))
            else:
                turns.append(turn)
            joins = turn.role == "assistant"
        return turns

    def _turn(self, item: _Item, path: str) -> Turn:
        """The item as routing sees it; everything in it is counted."""
        kind = item.type or "message"
        text = self._text_of(item.content, f"{path}.content")
        if kind == "message":
            return Turn(item.role or required(f"{path}.role"), text)
        self._text_of(item.summary, f"{path}.summary")
        if item.call_id is not None:
            self.foreign |= ID_MARK in item.call_id
        self.foreign |= is_ours(item.encrypted_content)
        self.references |= kind == "item_reference"
        if item.output is not NULL:
            self._text_of(_output_of(item.output), f"{path}.output")
        if kind.endswith("_call"):
            self.tool_calls += 1
            for said in (item.name, item.input, item.arguments):
                self.count(said if isinstance(said, str) else None)
            return Turn("assistant", "")
        return Turn("assistant" if kind == "reasoning" else "tool", "")

    def _text_of(self, content: str | list[_Part] | None, path: str) -> str:
        if content is None:
            return ""
        if isinstance(content, str):
            return self.count(content)
        texts: list[str] = []
        for i, part in enumerate(content):
            if not part.type:
                required(f"{path}[{i}].type")
            if part.type == "input_file":
                self.media += 1
                self.documents += 1
            elif part.type in ("input_image", "input_audio"):
                self.media += 1
            if part.text:
                texts.append(self.count(part.text))
            self.count(part.refusal)
            if part.prompt_cache_breakpoint is not NULL:
                self.marked = True
        return texts[0] if len(texts) == 1 else "\n".join(texts)

    def count(self, text: str | None) -> str:
        if not text:
            return ""
        self.text_bytes += len(text) if text.isascii() else len(text.encode())
        return text


def _output_of(raw: Raw) -> str | list[_Part] | None:
    """What a tool put out, where it is text or parts; other tools have shapes of their own."""
    try:
        found: str | list[_Part] = _output.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found


def pass_on(body: bytes, facts: Facts, model: str) -> bytes:
    """The body for `model` without what is ours alone: `session_id` and `metadata.task`. The same
    object if nothing changes."""
    edits: dict[str, bytes | None] = {}
    if model != facts.model:
        edits["model"] = msgspec.json.encode(model)
    if facts.session is not None:
        edits["session_id"] = None
    if facts.label is not None:
        rest = splice(bytes(top_level(body)["metadata"]), {"task": None})
        edits["metadata"] = rest if top_level(rest) else None
    return splice(body, edits) if edits else body
