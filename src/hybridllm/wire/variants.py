"""A prompt's variant put into a request: into its bytes where only the system prompt changes and
the dialect stays, else into its Conversation.

Everything is put where requests begin (system prompt, examples, first message), so that the turns
of a conversation go on beginning with the same bytes, which is what providers' caches live by, and
no tool call is parted from its result.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from hybridllm.catalog.prompts import PROMPT, SYSTEM, TEXT, Variant
from hybridllm.errors import RequestError
from hybridllm.wire.conversation import Conversation, Message, OutputFormat, Text, ToolResult
from hybridllm.wire.dialect import Facts
from hybridllm.wire.splice import element_spans, splice, top_level

_BEGIN = "Begin your answer with exactly this: "


class Varied(NamedTuple):
    """A request with a variant in it. `added` UTF-8 bytes of text came in, less those that went."""

    conversation: Conversation
    added: int


def applies(facts: Facts) -> bool:
    """Whether a variant can be put in: not where the provider keeps the beginning of the prompt,
    but for the earlier turns of a conversation, which do not hold its system prompt."""
    return not facts.unseen_input or facts.previous is not None


def vary(conv: Conversation, variant: Variant, facts: Facts, *, schema: bool) -> Varied:
    """`conv` with the variant, itself untouched. `schema` says that the model can be held to one.
    Where the provider keeps the earlier turns, the system prompt alone is varied."""
    system = _system(conv.system, variant)
    messages = list(conv.messages)
    if facts.previous is None:
        template = _Template(variant)
        first = next((at for at, one in enumerate(messages) if _is_asked(one)), None)
        if first is not None:
            messages[first] = template.wrapped(messages[first])
        messages = [*_shots(variant, template), *messages]
    if variant.prefill == "ask":
        messages = _asked_for(messages)
    output = conv.output
    if output is None and variant.schema is not None and schema and not conv.tools:
        output = OutputFormat(kind="schema", name="answer", schema=variant.schema)
    varied = msgspec.structs.replace(conv, system=system, messages=messages, output=output)
    return Varied(varied, _text_bytes(varied) - _text_bytes(conv))


def spliced(body: bytes, dialect: str, variant: Variant, facts: Facts) -> tuple[bytes, int] | None:
    """`body`, in this dialect, with the variant's system prompt in the place of its own and no
    other byte changed, and how many bytes of text came in. None where that is not all that changes,
    or the body's system prompt is more than a text."""
    if variant.shots or variant.prompt or variant.schema or variant.prefill != "keep":
        return None
    edit = _system_edit(variant)
    top = top_level(body)
    try:
        if dialect == "openai":
            return _openai(body, bytes(top["messages"]), edit)
        if dialect == "google":
            return _google(body, top, edit)
        key = "instructions" if dialect == "responses" else "system"
        said = _plain(top.get(key))
        text = edit.of(said)
        return splice(body, {key: msgspec.json.encode(text)}), _gained(text, said)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RequestError):
        return None


class _SystemEdit(NamedTuple):
    """`keep`: the caller's system prompt stays between the two texts."""

    before: str
    keep: bool
    after: str

    def of(self, said: str) -> str:
        """What becomes of a system prompt, "" for none."""
        if not self.keep:
            return self.before + self.after
        return self.before + said + self.after if said else (self.before + self.after).strip()


def _system_edit(variant: Variant) -> _SystemEdit:
    after = f"\n\n{variant.format}" if variant.format else ""
    if variant.system is None:
        return _SystemEdit("", True, after)
    before, hole, rest = variant.system.partition(SYSTEM)
    return _SystemEdit(before, bool(hole), rest + after)


def _system(texts: list[Text], variant: Variant) -> list[Text]:
    """The caller's cache marks stay behind the text that they were behind."""
    edit = _system_edit(variant)
    kept = [text for text in texts if text.text]
    if not (edit.keep and kept):
        mark = kept[-1].cache if kept else None
        text = edit.of("")
        return [Text(text=text, cache=mark)] if text else []
    kept[0] = msgspec.structs.replace(kept[0], text=edit.before + kept[0].text)
    kept[-1] = msgspec.structs.replace(kept[-1], text=kept[-1].text + edit.after)
    return kept


class _Template:
    """What `prompt` puts around a text, and what `match` takes away from there before."""

    def __init__(self, variant: Variant) -> None:
        hole = TEXT if variant.match is not None else PROMPT
        prompt = hole if variant.prompt is None else variant.prompt
        self._before, _, self._after = prompt.partition(hole)
        self._head, _, self._tail = (variant.match or TEXT).partition(TEXT)

    def around(self, text: str) -> str:
        return self._before + text + self._after

    def wrapped(self, message: Message) -> Message:
        """The message, its text in the template; itself where `match` does not match. Of several
        texts the first gets what comes before, and the last what comes after."""
        texts = [at for at, part in enumerate(message.parts) if isinstance(part, Text)]
        parts = list(message.parts)
        first, last = parts[texts[0]], parts[texts[-1]]
        assert isinstance(first, Text) and isinstance(last, Text)  # noqa: S101 - so were they chosen
        if not (first.text.startswith(self._head) and last.text.endswith(self._tail)):
            return message
        if first is last and len(first.text) < len(self._head) + len(self._tail):
            return message
        text = self._before + first.text[len(self._head) :]
        parts[texts[0]] = msgspec.structs.replace(first, text=text)
        last = parts[texts[-1]]
        assert isinstance(last, Text)  # noqa: S101
        text = last.text[: len(last.text) - len(self._tail)] + self._after
        parts[texts[-1]] = msgspec.structs.replace(last, text=text)
        return msgspec.structs.replace(message, parts=parts)


def _is_asked(message: Message) -> bool:
    """Whether it is what a user said, and no tool's result."""
    parts = message.parts
    return (
        message.role == "user"
        and any(isinstance(part, Text) for part in parts)
        and not any(isinstance(part, ToolResult) for part in parts)
    )


def _shots(variant: Variant, template: _Template) -> list[Message]:
    made: list[Message] = []
    for shot in variant.shots:
        made.append(Message(role="user", parts=[Text(text=template.around(shot.user))]))
        made.append(Message(role="assistant", parts=[Text(text=shot.assistant)]))
    return made


def _asked_for(messages: list[Message]) -> list[Message]:
    """A begun answer at the end becomes a wish at the end of what was asked."""
    if len(messages) < 2 or messages[-1].role != "assistant" or messages[-2].role != "user":
        return messages
    begun = messages[-1].parts
    if not begun or not all(isinstance(part, Text) for part in begun):
        return messages
    said = "".join(part.text for part in begun if isinstance(part, Text)).rstrip()
    asked = [*messages[-2].parts, Text(text=_BEGIN + said)]
    return [*messages[:-2], msgspec.structs.replace(messages[-2], parts=asked)]


def _text_bytes(conv: Conversation) -> int:
    texts = [*conv.system, *(part for message in conv.messages for part in message.parts)]
    size = sum(len(part.text.encode()) for part in texts if isinstance(part, Text))
    schema = None if conv.output is None else conv.output.schema
    return size + (0 if schema is None else len(msgspec.json.encode(schema)))


# -- in bytes


def _plain(raw: msgspec.Raw | None) -> str:
    """A value that is a text, "" where it is missing or null. Raises DecodeError for another."""
    if raw is None or bytes(raw) == b"null":
        return ""
    return msgspec.json.decode(raw, type=str)


def _gained(text: str, said: str) -> int:
    return len(text.encode()) - len(said.encode())


class _Message(msgspec.Struct):
    role: str
    content: msgspec.Raw


def _openai(body: bytes, messages: bytes, edit: _SystemEdit) -> tuple[bytes, int] | None:
    spans = element_spans(messages)
    start, end = spans[0]
    first = msgspec.json.decode(messages[start:end], type=_Message)
    if first.role not in ("system", "developer"):
        text = edit.of("")
        made = msgspec.json.encode({"role": "system", "content": text}) + b","
        changed = messages[:start] + made + messages[start:]
        return splice(body, {"messages": changed}), _gained(text, "")
    if len(spans) > 1:
        start_2, end_2 = spans[1]
        second = msgspec.json.decode(messages[start_2:end_2], type=_Message)
        if second.role in ("system", "developer"):
            return None
    said = _plain(first.content)
    text = edit.of(said)
    message = splice(messages[start:end], {"content": msgspec.json.encode(text)})
    changed = messages[:start] + message + messages[end:]
    return splice(body, {"messages": changed}), _gained(text, said)


class _GooglePart(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class _GoogleSystem(msgspec.Struct):
    parts: list[_GooglePart]


def _google(
    body: bytes, top: dict[str, msgspec.Raw], edit: _SystemEdit
) -> tuple[bytes, int] | None:
    key = "system_instruction" if "system_instruction" in top else "systemInstruction"
    raw, said = top.get(key), ""
    if raw is not None and bytes(raw) != b"null":
        parts = msgspec.json.decode(raw, type=_GoogleSystem).parts
        if len(parts) != 1:
            return None
        said = parts[0].text
    text = edit.of(said)
    made = msgspec.json.encode({"parts": [{"text": text}]})
    return splice(body, {key: made}), _gained(text, said)
