"""Requests of production that are kept with their answers: redacted, then stored.

What cannot be redacted (images, documents, sound) is not kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hybridllm.catalog.structs import Capture, Task
from hybridllm.engine.sampling import Seen
from hybridllm.evals.observed import Observed, observed
from hybridllm.evals.redaction import Redactor
from hybridllm.store.captures import CaptureRow, add_captures

_DAY = 86_400_000_000
_MOST_BODY = 4 * 1024 * 1024


class Kept(Struct, frozen=True, kw_only=True):
    """What is kept of one request. `redacted` says how often what kind was taken out."""

    request_id: str
    task: str
    model: str
    at: int
    dialect: str
    messages: list[dict[str, Any]]
    options: dict[str, Any]
    answer: str
    finish: str
    redacted: dict[str, int]


class _Body(Struct, frozen=True, kw_only=True):
    dialect: str
    messages: list[dict[str, Any]]
    options: dict[str, Any]
    answer: str
    finish: str
    redacted: dict[str, int]


_bodies = msgspec.json.Decoder(_Body)


def capture(
    connection: Connection,
    seen: Iterable[Seen],
    tasks: Mapping[str, Task],
    secrets: Sequence[str],
    now: int,
) -> int:
    """Keep these, within the transaction; how many are new. `secrets` are keys in use here, which
    are taken out wherever they stand; `now` is Unix microseconds. What is too old, or too much, is
    deleted, also of tasks of which nothing is new."""
    rows = []
    for one in seen:
        task = tasks.get(one.task)
        if task is None or task.capture is None:  # a reload came in between
            continue
        found = observed(one)
        if found is not None and not found.media:
            rows.append(row_of(found, task.capture, secrets))
    keep = {name: task.capture.keep for name, task in tasks.items() if task.capture is not None}
    return add_captures(connection, rows, keep, now)


def row_of(found: Observed, settings: Capture, secrets: Sequence[str]) -> CaptureRow:
    """What is stored of a request."""
    redactor = Redactor(settings.redact, secrets)
    messages, options = redactor.value(found.messages), redactor.value(found.options)
    answer = redactor.text(found.answer)
    body = msgspec.json.encode(
        _Body(
            dialect=found.dialect,
            messages=messages,
            options=options,
            answer=answer,
            finish=found.finish,
            redacted=redactor.found,
        )
    )
    return CaptureRow(
        request_id=found.request_id,
        task=found.task,
        model=found.model,
        at=found.at,
        expires_at=found.at + int(settings.keep_days * _DAY),
        size=len(body),
        body=zlib.compress(body),
    )


def kept(row: CaptureRow) -> Kept:
    """A row as it is read. Raises ValueError for one that is damaged."""
    expand = zlib.decompressobj()
    try:
        text = expand.decompress(row.body, _MOST_BODY)
        body = _bodies.decode(text)
    except (zlib.error, msgspec.DecodeError) as e:
        raise ValueError(f"What is kept of '{row.request_id}' cannot be read: {e}.") from None
    return Kept(
        request_id=row.request_id,
        task=row.task,
        model=row.model,
        at=row.at,
        **{name: getattr(body, name) for name in _Body.__struct_fields__},
    )
