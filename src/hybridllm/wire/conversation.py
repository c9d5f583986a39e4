"""The one Conversation that every dialect decodes to and encodes from.

A dialect's reader fills what it finds and leaves the rest at its default; a dialect's writer
raises `Inexpressible` (or notes a drop) for whatever its wire format cannot say. Parts keep the
order in which they came. JSON texts (tool arguments) are kept as text, so that nothing is
re-rounded on the way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from hybridllm.catalog.structs import Usage as Usage


class CacheMark(StrEnum):
    """A cache breakpoint after the part that carries it, and how long it should live."""

    SHORT = "5m"
    LONG = "1h"


class Text(Struct, kw_only=True, tag="text"):
    """Plain text. `citations` are kept only within one dialect (raw JSON value)."""

    text: str
    cache: CacheMark | None = None


class Media(Struct, kw_only=True, tag="media"):
    """An image, a PDF or audio. Exactly one of `data` (base64 text), `url` and `file_id` is set.

    `media_type` is a MIME type (`image/png`); it may be empty for a `url`.
    `detail` is OpenAI's image detail (`low`, `high`, `auto`). `name` is a file name.
    """

    media_type: str
    data: str = ""
    url: str = ""
    file_id: str = ""
    detail: str | None = None
    name: str | None = None
    cache: CacheMark | None = None


class Thinking(Struct, kw_only=True, tag="thinking"):
    """Reasoning that a model showed, or sealed.

    `text` is readable (may be empty); `signature` vouches for it to the provider that made it;
    `sealed` is wholly encrypted reasoning (Anthropic's redacted_thinking data, OpenAI's
    encrypted_content). `origin` is the provider *dialect* that made it ("openai", "anthropic",
    "google"): signature and sealed mean nothing to any other. A signed block with empty text is
    still a block and must survive. `id` is OpenAI's reasoning item id.
    """

    text: str = ""
    signature: str | None = None
    sealed: str | None = None
    origin: str = ""
    id: str | None = None


class ToolCall(Struct, kw_only=True, tag="tool_call"):
    """The model calls a tool. `arguments` is the text of one JSON object ("{}" when empty).

    `signature` is Google's thoughtSignature on a functionCall part, with its `origin`.
    """

    id: str
    name: str
    arguments: str
    signature: str | None = None
    origin: str = ""
    cache: CacheMark | None = None


class ToolResult(Struct, kw_only=True, tag="tool_result"):
    """What a tool answered. `name` may be empty where the dialect does not repeat it (the writers
    that need it look it up by `call_id` in the conversation)."""

    call_id: str
    parts: list[Text | Media]
    name: str = ""
    is_error: bool = False
    cache: CacheMark | None = None


class Refusal(Struct, kw_only=True, tag="refusal"):
    """The model's refusal text, where the dialect keeps it apart (OpenAI)."""

    text: str


class Opaque(Struct, kw_only=True, tag="opaque"):
    """A part that only `origin`'s dialect can say (server tools, code execution...), as its raw
    JSON text. Writers of other dialects refuse it, naming `kind`."""

    origin: str
    kind: str
    raw: str


Part = Text | Media | Thinking | ToolCall | ToolResult | Refusal | Opaque


class Message(Struct, kw_only=True):
    """One turn. `role` is user, assistant or system (a system/developer message in mid
    conversation; leading ones are in `Conversation.system`). Tool results are parts of user
    turns, whatever role the dialect gives them; several results in a row are one message."""

    role: str
    parts: list[Part]
    name: str | None = None


class Tool(Struct, kw_only=True):
    """A function that the model may call. `schema` is JSON Schema of its arguments; None when the
    dialect gave none. `opaque` is the raw JSON of a provider's own tool (web search, computer
    use), with `origin`; then the other fields but `name` are empty."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache: CacheMark | None = None
    opaque: str | None = None
    origin: str = ""


class ToolChoice(Struct, kw_only=True, frozen=True):
    """`mode` is auto, none, required or tool; `name` for tool; `allowed` narrows required/auto."""

    mode: str
    name: str | None = None
    allowed: tuple[str, ...] = ()


class OutputFormat(Struct, kw_only=True):
    """`kind` is json (any JSON object) or schema; plain text is None on the Conversation."""

    kind: str
    name: str = "response"
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class Sampling(Struct, kw_only=True):
    """Sampling controls; None is the provider's default. OpenAI's ranges (temperature 0..2)."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class Reasoning(Struct, kw_only=True):
    """How much the model should think.

    `effort` is none, minimal, low, medium, high, xhigh or max; `budget_tokens` an explicit budget
    (0 turns thinking off, -1 lets the model choose). `show` asks for readable thoughts or a
    summary. All None/False: the caller said nothing.
    """

    effort: str | None = None
    budget_tokens: int | None = None
    show: bool | None = None


class Conversation(Struct, kw_only=True):
    """A whole request, free of any dialect.

    `model` is the name that the caller asked for (writers put the target's name instead).
    `max_output_tokens` includes reasoning. `parallel_tools` None is the provider's default.
    `extras` holds the dialect's fields that this struct has no place for, by wire name, decoded;
    a writer of another dialect drops or refuses each by `DropPolicy`. `origin` is the name of the
    dialect that decoded the request, whose own writer puts the extras back as they were.
    """

    model: str
    messages: list[Message]
    system: list[Text] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output: OutputFormat | None = None
    stop: list[str] = field(default_factory=list)
    max_output_tokens: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    reasoning: Reasoning | None = None
    stream: bool = False
    include_usage: bool = False
    end_user: str | None = None
    cache_key: str | None = None
    extras: dict[str, Any] = field(default_factory=dict)
    origin: str = ""


class Finish(StrEnum):
    """Why a reply ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    STOP_SEQUENCE = "stop_sequence"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSE = "pause"
    CONTEXT_EXCEEDED = "context_exceeded"
    MALFORMED_TOOL_CALL = "malformed_tool_call"
    OTHER = "other"


class Reply(Struct, kw_only=True):
    """A whole answer, free of any dialect. `id` is the provider's; `created` in Unix seconds
    (0: unknown). `usage` None: the provider sent none."""

    id: str
    model: str
    parts: list[Part]
    finish: Finish = Finish.STOP
    usage: Usage | None = None
    created: int = 0
    stop_sequence: str | None = None


# The events of a streamed reply. Events that carry `index` belong to one block; a new index opens
# a block, and blocks do not interleave except that tool calls may (OpenAI); BlockEnd closes one.


class Started(Struct, kw_only=True, tag="started"):
    """The reply begins. `usage` is what is known already (Anthropic sends input counts here)."""

    id: str
    model: str
    created: int = 0
    usage: Usage | None = None


class TextDelta(Struct, kw_only=True, gc=False, tag="text_delta"):
    index: int
    text: str


class RefusalDelta(Struct, kw_only=True, gc=False, tag="refusal_delta"):
    index: int
    text: str


class ThinkingDelta(Struct, kw_only=True, gc=False, tag="thinking_delta"):
    """Readable reasoning. An empty `text` still opens the block."""

    index: int
    text: str
    origin: str = ""


class ThinkingSigned(Struct, kw_only=True, tag="thinking_signed"):
    """The signature of the thinking block `index`, or (sealed) a wholly encrypted block."""

    index: int
    signature: str | None = None
    sealed: str | None = None
    origin: str = ""


class ToolCallStarted(Struct, kw_only=True, tag="tool_call_started"):
    index: int
    id: str
    name: str
    signature: str | None = None
    origin: str = ""


class ToolCallDelta(Struct, kw_only=True, gc=False, tag="tool_call_delta"):
    """A fragment of the arguments' JSON text."""

    index: int
    arguments: str


class OpaqueBlock(Struct, kw_only=True, tag="opaque_block"):
    index: int
    origin: str
    kind: str
    raw: str


class BlockEnd(Struct, kw_only=True, tag="block_end"):
    index: int


class UsageUpdate(Struct, kw_only=True, tag="usage"):
    """The whole usage so far (cumulative, not a difference)."""

    usage: Usage


class Finished(Struct, kw_only=True, tag="finished"):
    finish: Finish
    stop_sequence: str | None = None


class StreamFailed(Struct, kw_only=True, tag="failed"):
    """The provider reported an error within the stream."""

    kind: str
    message: str
    code: str | None = None


class Ended(Struct, kw_only=True, tag="ended"):
    """The stream's proper end was seen ([DONE], message_stop, last Gemini chunk). A stream that
    closes without it was cut."""


Event = (
    Started
    | TextDelta
    | RefusalDelta
    | ThinkingDelta
    | ThinkingSigned
    | ToolCallStarted
    | ToolCallDelta
    | OpaqueBlock
    | BlockEnd
    | UsageUpdate
    | Finished
    | StreamFailed
    | Ended
)
