"""What is to be counted: a text, a request in any dialect, an image or a PDF, taken apart."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Iterator

import msgspec
from msgspec import Struct, field

from hybridllm.errors import RequestError
from hybridllm.routing.need import kind_of_input
from hybridllm.tokens.images import Size
from hybridllm.tokens.kinds import kind_of
from hybridllm.tokens.pages import page_count
from hybridllm.tokens.sizes import image_size, media_type
from hybridllm.wire.conversation import (
    Conversation,
    Media,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect
from hybridllm.wire.telling import dialect_of, is_chat

_DATA_URL = "data:"


class Image(Struct, frozen=True):
    """`size` None: it is not in the request. `detail` is OpenAI's."""

    size: Size | None
    detail: str | None


class Material(Struct, kw_only=True):
    """`text_bytes` of text of kind `kind`, in `texts` piece by piece; `bare` says that it is a text
    and no request. `framed` is the number of messages. `pages` are those of each PDF, None where
    they cannot be told; `others` counts recordings and files of other kinds."""

    conversation: Conversation
    text_bytes: int
    kind: str
    texts: list[str]
    bare: bool = False
    framed: int = 0
    tools: list[Tool] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    pages: list[int | None] = field(default_factory=list)
    others: int = 0
    unseen: bool = False


def read_material(data: bytes, dialect: str | None = None) -> Material:
    """`data` taken apart. `dialect` says that it is a request in that one; None: its shape tells.
    Raises RequestError for what is neither."""
    if dialect is not None or is_chat(data):
        return _request(data, dialect or dialect_of(data))
    kind = media_type(data)
    if kind:
        part = Media(media_type=kind, data=b64encode(data).decode())
        return _taken_apart(_said(part), 0, "prose", bare=True)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise RequestError(
            "This is no text in UTF-8, no PNG, JPEG, GIF or WebP, and no PDF.",
            remedy="Give one of these, or the JSON body of a request.",
        ) from None
    return _taken_apart(_said(Text(text=text)), len(data), kind_of(text), bare=True)


def _said(part: Part) -> Conversation:
    return Conversation(model="auto", messages=[Message(role="user", parts=[part])])


def _request(body: bytes, dialect: str) -> Material:
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if dialect != "google" and "model" not in fields:
        # For whichever model: one that is not named must not keep it from being counted.
        body = msgspec.json.encode({**fields, "model": "auto"})
    if dialect == "anthropic" and "max_tokens" not in fields:
        body = msgspec.json.encode({**msgspec.json.decode(body), "max_tokens": 1})
    spoken = get_dialect(dialect)
    shape = RequestShape(model="auto") if dialect == "google" else RequestShape()
    facts = spoken.facts(body, shape)
    made = _taken_apart(
        spoken.decode_request(body, shape), facts.text_bytes, kind_of_input(facts), bare=False
    )
    made.unseen = facts.unseen_input
    return made


def _taken_apart(conversation: Conversation, text_bytes: int, kind: str, *, bare: bool) -> Material:
    system = [text.text for text in conversation.system]
    made = Material(
        conversation=conversation,
        text_bytes=text_bytes,
        kind=kind,
        texts=system,
        bare=bare,
        framed=0 if bare else len(conversation.messages) + any(system),
        tools=list(conversation.tools),
    )
    for message in conversation.messages:
        for part in _flat(message.parts):
            _take(part, made)
    if conversation.output is not None and conversation.output.schema:
        made.texts.append(msgspec.json.encode(conversation.output.schema).decode())
    return made


def _flat(parts: list[Part]) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, ToolResult):
            yield from part.parts
        else:
            yield part


def _take(part: Part, made: Material) -> None:
    match part:
        case Text() | Refusal() | Thinking():
            made.texts.append(part.text)
        case ToolCall():
            made.texts += [part.name, part.arguments]
        case Media():
            _take_media(part, made)


def _take_media(part: Media, made: Material) -> None:
    data = _bytes_of(part)
    kind = part.media_type or media_type(data)
    if kind == "application/pdf":
        made.pages.append(page_count(data) if data else None)
    elif kind.startswith("image/") or not kind:
        made.images.append(Image(image_size(data), part.detail))
    else:
        made.others += 1


def _bytes_of(part: Media) -> bytes:
    """The file itself, nothing where the request only names it."""
    text = part.data
    if not text and part.url.startswith(_DATA_URL):
        text = part.url.partition(",")[2]
    try:
        return b64decode(text)
    except (BadBase64, ValueError):
        return b""
