"""What a request asks of a model."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from hybridllm.catalog.structs import Task
from hybridllm.wire.dialect import Facts


class Need(Struct, kw_only=True):
    """What a request asks of a model.

    `text_bytes` counts UTF-8 bytes of everything that becomes input tokens, `media` the images,
    documents and recordings, of which `documents` are documents. `max_output_tokens` is the
    caller's limit, None where he set none; `choices` the number of answers asked for.
    `requested` is the catalogue id of a model that the caller asked for by name.
    """

    task: Task
    text_bytes: int
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
        media=facts.media,
        documents=facts.documents,
        tools=facts.tools > 0,
        json_schema=facts.wants_schema,
        max_output_tokens=facts.max_output_tokens,
        choices=facts.choices,
        requested=named.requested,
    )
