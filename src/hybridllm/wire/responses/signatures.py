"""Reasoning as items of the Responses API: readable `summary`, sealed `encrypted_content`.

OpenAI's own items pass untouched. Another provider's thought is an item whose summary is what can
be read and whose `encrypted_content` is its signature, wrapped (see `hybridllm.wire.sealing`);
wholly sealed reasoning (Anthropic's redacted_thinking) is wrapped under `<origin>:sealed`. What
others thought without a signature gets a wrapper around nothing, so that it is known again when the
caller sends it back. A tool call's own signature (Gemini's) travels in the call's id, as it does in
OpenAI's chat dialect (see `hybridllm.wire.openai.signatures`).
"""

from __future__ import annotations

from hybridllm.wire.conversation import Thinking
from hybridllm.wire.sealing import MARK, unwrap, wrap

NATIVE = "responses"
"""The dialect: whose conversations, tools and opaque parts are said as they came."""
MAKER = "openai"
"""Whose reasoning the dialect carries unwrapped."""

_SEALED = ":sealed"
_UNKNOWN = "unknown"


def is_own(thought: Thinking) -> bool:
    """Whether OpenAI takes the thought back: it sealed it, or keeps it under its id."""
    return thought.origin == MAKER and (thought.sealed is not None or thought.id is not None)


def carriers(thought: Thinking) -> list[tuple[str, str | None]]:
    """The text and the `encrypted_content` of each item that carries a thought: the readable and
    signed, then the sealed."""
    if is_own(thought):
        return [(thought.text, thought.sealed)]
    items: list[tuple[str, str | None]] = []
    if thought.sealed is None or thought.text or thought.signature:
        items.append((thought.text, signed(thought.signature, thought.origin)))
    if thought.sealed is not None:
        items.append(("", sealed(thought.sealed, thought.origin)))
    return items


def signed(signature: str | None, origin: str) -> str:
    """The `encrypted_content` that carries a foreign signature, or nothing but the origin."""
    return wrap(signature or "", origin or _UNKNOWN, "")


def sealed(data: str, origin: str) -> str:
    """The `encrypted_content` that carries sealed reasoning."""
    return data if origin == MAKER else wrap(data, (origin or _UNKNOWN) + _SEALED, "")


def thought_of(text: str, encrypted: str | None, item_id: str | None) -> Thinking:
    """The thought that an item carries. The ids of foreign ones are ours, and mean nothing."""
    if not is_ours(encrypted):
        return Thinking(text=text, sealed=encrypted, origin=MAKER, id=item_id)
    origin, value = unwrap(encrypted or "", "")
    if origin.endswith(_SEALED):
        return Thinking(text=text, sealed=value, origin=origin.removesuffix(_SEALED))
    return Thinking(text=text, signature=value or None, origin=origin)


def is_ours(encrypted: str | None) -> bool:
    """Whether an `encrypted_content` was wrapped by us."""
    return encrypted is not None and encrypted.startswith(MARK)
