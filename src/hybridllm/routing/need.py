"""What a request asks of a model."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from hybridllm.catalog.structs import Task
from hybridllm.tokens.kinds import Kind, kind_of
from hybridllm.wire.dialect import Facts


class Need(Struct, kw_only=True):
    """What a request asks of a model.

    `text_bytes` counts UTF-8 bytes of everything that becomes input tokens, `media` the images,
    documents and recordings, of which `documents` are documents. `max_output_tokens` is the
    caller's limit, None where he set none; `choices` the number of answers asked for.
    `requested` is the catalogue id of a model that the caller asked for by name. `kind` is the kind
    of text that the most of the input is. `batch` says that it may be priced as a batch.
    """

    task: Task
    text_bytes: int
    kind: str = "prose"
    batch: bool = False
    media: int = 0
    documents: int = 0
    tools: bool = False
    json_schema: bool = False
    max_output_tokens: int | None = None
    choices: int = 1
    requested: str | None = None


class NamedTask(Protocol):
    """A request's task, and the concrete model (catalogue id) that it asks for, if any."""

    @property
    def task(self) -> Task: ...

    @property
    def requested(self) -> str | None: ...


def need_of(named: NamedTask, facts: Facts) -> Need:
    """The need of a request whose task is settled."""
    return Need(
        task=named.task,
        text_bytes=facts.text_bytes,
        kind=kind_of_input(facts),
        media=facts.media,
        documents=facts.documents,
        tools=facts.tools > 0,
        json_schema=facts.wants_schema,
        max_output_tokens=facts.max_output_tokens,
        choices=facts.choices,
        requested=named.requested,
    )


def kind_of_input(facts: Facts) -> Kind:
    """The kind of text that the most of the input is: JSON where tool definitions, calls and their
    results outweigh what was said, else that of the longest of system prompt, first and last
    message. A sample decides, so that a long request takes no longer than a short one."""
    longest, said = facts.system, len(facts.system)
    for turn in facts.turns:
        said += len(turn.text)
    for turn in facts.turns[:1] + facts.turns[-1:]:
        if len(turn.text) > len(longest):
            longest = turn.text
    # A character has 4 bytes at most: what is more is surely not what was said.
    most = said if longest.isascii() else 4 * said
    return "json" if facts.text_bytes > 2 * most else kind_of(longest)
