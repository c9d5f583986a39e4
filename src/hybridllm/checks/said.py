"""What an answer says, as a check reads it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from hybridllm.wire.conversation import Finish, Reply, Text, ToolCall

_UNFIT = {
    Finish.REFUSAL: "the model refused",
    Finish.CONTENT_FILTER: "a filter stopped the answer",
    Finish.MALFORMED_TOOL_CALL: "a tool call was malformed",
    Finish.CONTEXT_EXCEEDED: "the answer did not fit the context",
}


class Called(Struct, frozen=True):
    """A tool that the answer calls; `arguments` is JSON text."""

    name: str
    arguments: str


class Said(Struct, frozen=True, kw_only=True):
    """`text` is what was said; `calls` the tools that are called. `unfit` says in words why no
    check need look at it (a refusal, a filter, nothing at all), "" where one must."""

    text: str
    calls: tuple[Called, ...] = ()
    unfit: str = ""

    @property
    def content(self) -> str:
        """The text; of an answer that calls tools and says nothing, its calls as a JSON list."""
        return self.text if self.text.strip() or not self.calls else _as_json(self.calls)


def said_of(reply: Reply | None) -> Said:
    """What a reply says; None: it is not whole."""
    if reply is None:
        return Said(text="", unfit="the answer is not whole")
    text = "".join(part.text for part in reply.parts if isinstance(part, Text))
    calls = tuple(
        Called(part.name, part.arguments) for part in reply.parts if isinstance(part, ToolCall)
    )
    unfit = _UNFIT.get(reply.finish, "")
    if not unfit and not text.strip() and not calls:
        unfit = "the answer is empty"
    return Said(text=text, calls=calls, unfit=unfit)


def _as_json(calls: Iterable[Called]) -> str:
    found = []
    for call in calls:
        try:
            arguments = msgspec.json.decode(call.arguments)
        except msgspec.DecodeError:
            arguments = call.arguments
        found.append({"name": call.name, "arguments": arguments})
    return msgspec.json.encode(found).decode()
