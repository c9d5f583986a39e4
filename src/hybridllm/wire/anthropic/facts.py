"""What routing needs of a Messages body, read in one typed pass; and the pass-through body.

Only what facts need is typed; everything else is skipped unread. One struct stands for all kinds of
content blocks, since kinds newer than this file must pass.
Format: https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.errors import RequestError
from hybridllm.wire.anthropic.thinking import SAMPLING
from hybridllm.wire.dialect import Facts, Turn
from hybridllm.wire.reading import read, refuse, required
from hybridllm.wire.sealing import MARK
from hybridllm.wire.splice import splice, top_level

ROLES = frozenset({"user", "assistant", "system"})
_OWN_CALL = "toolu_"
"""How the ids of Claude's own calls begin."""


class _Mark(Struct):
    ttl: str | None = None


class _Block(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    name: str | None = None
    id: str | None = None
    source: Raw | UnsetType = UNSET
    input: Raw | UnsetType = UNSET
    content: str | list[_Block] | _Block | None = None
    cache_control: _Mark | None = None


class _Message(Struct):
    role: str
    content: str | list[_Block]


class _Kind(Struct):
    type: str | None = None


class _OutputConfig(Struct):
    format: _Kind | None = None
    effort: str | None = None


class _Metadata(Struct):
    task: str | UnsetType = UNSET


class _Marked(Struct):
    cache_control: _Mark | None = None


class _Body(Struct):
    model: str | UnsetType = UNSET
    max_tokens: int | UnsetType = UNSET
    messages: list[_Message] | UnsetType = UNSET
    system: str | list[_Block] | None = None
    tools: list[Raw] | None = None
    stream: bool | None = None
    thinking: _Kind | None = None
    output_config: _OutputConfig | None = None
    output_format: _Kind | None = None
    cache_control: _Mark | None = None
    temperature: Raw | UnsetType = UNSET
    top_p: Raw | UnsetType = UNSET
    top_k: Raw | UnsetType = UNSET
    metadata: _Metadata | None = None
    session_id: str | UnsetType = UNSET


_body = msgspec.json.Decoder(_Body)
_kind = msgspec.json.Decoder(_Kind)
_marked = msgspec.json.Decoder(_Marked)


def read_facts(body: bytes) -> Facts:
    """The facts of a request. Raises RequestError naming the malformed field."""
    try:
        request = _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        refuse(e)
    if request.model is UNSET or not request.model:
        required("model", "Name a model, a task as 'task/<name>', or 'auto'.")
    if request.max_tokens is UNSET:
        required("max_tokens", "Set the most tokens that the answer may have.")
    if request.max_tokens < 0:
        raise RequestError("'max_tokens' must not be negative.", field="max_tokens")
    if request.messages is UNSET or not request.messages:
        required("messages", "Send at least one message.")
    tally = _Tally()
    system = tally.text_of(request.system or "", "system")
    turns = [_turn(message, f"messages[{i}]", tally) for i, message in enumerate(request.messages)]
    for i, tool in enumerate(request.tools or ()):
        tally.tool(tool, f"tools[{i}]")
    task = request.metadata.task if request.metadata is not None else UNSET
    wants_schema = request.output_format is not None or (
        request.output_config is not None and request.output_config.format is not None
    )
    return Facts(
        model=request.model,
        stream=bool(request.stream),
        system=system,
        turns=turns,
        text_bytes=tally.text_bytes,
        media=tally.media,
        documents=tally.documents,
        tools=len(request.tools or ()),
        tool_calls=tally.tool_calls,
        wants_schema=wants_schema,
        wants_json=wants_schema,
        thinks=request.thinking is not None and request.thinking.type != "disabled",
        max_output_tokens=request.max_tokens,
        label=None if task is UNSET else task,
        session=None if request.session_id is UNSET else request.session_id,
        foreign_signatures=tally.foreign or _misses_thought(request, tally),
        cache_marked=tally.marked or request.cache_control is not None,
        controls=_controls(request),
    )


def _misses_thought(request: _Body, tally: _Tally) -> bool:
    """Whether a turn of tool use that another provider took has no thought before it, though the
    budget that is set for thinking makes Anthropic want one of its own there."""
    if not tally.foreign_call or request.thinking is None or request.thinking.type != "enabled":
        return False
    return any(
        _takes_foreign_call(message.content)
        for message in request.messages or ()
        if isinstance(message.content, list)
    )


def _takes_foreign_call(blocks: list[_Block]) -> bool:
    thinks = bool(blocks) and blocks[0].type in ("thinking", "redacted_thinking")
    return not thinks and any(_is_foreign_call(block) for block in blocks)


def _is_foreign_call(block: _Block) -> bool:
    return block.type == "tool_use" and not (block.id or "").startswith(_OWN_CALL)


def _controls(request: _Body) -> tuple[str, ...]:
    controls = [name for name in SAMPLING if getattr(request, name) is not UNSET]
    if request.thinking is not None and request.thinking.type is not None:
        controls.append(f"thinking.{request.thinking.type}")
    if request.output_config is not None and request.output_config.effort is not None:
        controls.append("effort")
    return tuple(controls)


def _turn(message: _Message, path: str, tally: _Tally) -> Turn:
    if message.role not in ROLES:
        raise RequestError(
            f"'{path}.role' must be 'user', 'assistant' or 'system'.", field=f"{path}.role"
        )
    return Turn(message.role, tally.text_of(message.content, f"{path}.content"))


class _Tally:
    """What the blocks of a request add up to."""

    __slots__ = (
        "documents",
        "foreign",
        "foreign_call",
        "marked",
        "media",
        "text_bytes",
        "tool_calls",
    )

    def __init__(self) -> None:
        self.text_bytes = 0
        self.media = 0
        self.documents = 0
        self.tool_calls = 0
        self.foreign = False
        self.foreign_call = False
        self.marked = False

    def text_of(self, content: str | list[_Block], path: str) -> str:
        """The text blocks' text; everything in `content` is counted."""
        if isinstance(content, str):
            self._count(content)
            return content
        texts: list[str] = []
        for i, block in enumerate(content):
            if not block.type:
                required(f"{path}[{i}].type")
            if block.cache_control is not None:
                self.marked = True
            if block.type == "text":
                if block.text is None:
                    required(f"{path}[{i}].text")
                self._count(block.text)
                texts.append(block.text)
            else:
                self._block(block, f"{path}[{i}]")
        return texts[0] if len(texts) == 1 else "\n".join(texts)

    def tool(self, raw: Raw, path: str) -> None:
        """A definition counts as its JSON."""
        view = memoryview(raw)
        self.text_bytes += view.nbytes
        if not self.marked and b'"cache_control"' in bytes(view):
            self.marked = read(_marked, raw, path).cache_control is not None

    def _count(self, text: str) -> None:
        self.text_bytes += len(text) if text.isascii() else len(text.encode())

    def _block(self, block: _Block, path: str) -> None:
        match block.type:
            case "image":
                self.media += 1
            case "document":
                self._document(block, path)
            case "tool_use":
                self.tool_calls += 1
                self.foreign_call |= _is_foreign_call(block)
            case "thinking":
                self.foreign |= (block.signature or "").startswith(MARK)
            case "redacted_thinking":
                self.foreign |= (block.data or "").startswith(MARK)
        for text in (block.thinking, block.name, block.text):
            if text:
                self._count(text)
        if block.input is not UNSET:
            self.text_bytes += memoryview(block.input).nbytes
        if isinstance(block.content, _Block):
            self._block(block.content, f"{path}.content")
        elif block.content is not None:
            self.text_of(block.content, f"{path}.content")

    def _document(self, block: _Block, path: str) -> None:
        """A document of plain text or of blocks is text, any other a file."""
        if block.source is UNSET:
            required(f"{path}.source")
        if read(_kind, block.source, f"{path}.source").type in ("text", "content"):
            self.text_bytes += memoryview(block.source).nbytes
        else:
            self.media += 1
            self.documents += 1


def pass_on(body: bytes, facts: Facts, model: str) -> bytes:
    """The body for `model` without what is ours alone: `session_id` and `metadata.task`, both of
    which Anthropic refuses. The same object if nothing changes."""
    edits: dict[str, bytes | None] = {}
    if model != facts.model:
        edits["model"] = msgspec.json.encode(model)
    if facts.session is not None:
        edits["session_id"] = None
    if facts.label is not None:
        rest = splice(bytes(top_level(body)["metadata"]), {"task": None})
        edits["metadata"] = rest if top_level(rest) else None
    return splice(body, edits) if edits else body
