"""A set of samples drawn from what was kept of production."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from hybridllm.errors import RequestError
from hybridllm.evals.capturing import Kept, kept
from hybridllm.evals.graders.registry import grader_of
from hybridllm.evals.sets import EvalSet, read_set
from hybridllm.store.captures import find_capture, read_captures

REFERENCES = frozenset({"exact", "normalised", "f1", "rouge", "bleu", "pairwise"})
"""Graders that compare with a reference: production's own answer is one."""


def newest(engine: Engine, now: int, *, task: str | None, limit: int | None) -> Iterator[Kept]:
    """What is kept, the newest first."""
    with engine.connect() as connection:
        for row in read_captures(connection, now, task=task, limit=limit):
            yield kept(row)


def one(engine: Engine, request_id: str, now: int) -> Kept | None:
    """What is kept of a request; None where nothing is."""
    with engine.connect() as connection:
        row = find_capture(connection, request_id, now)
    return None if row is None else kept(row)


def lines_of(
    found: Iterable[Kept], grader: Mapping[str, Any], expected: Any = None
) -> Iterator[bytes]:
    """Each as a line of a set's file. `expected` is of all; where there is none, graders that
    compare with a reference get production's answer."""
    refers = expected is None and grader["kind"] in REFERENCES
    for each in found:
        line: dict[str, Any] = {"id": each.request_id, "messages": each.messages}
        if each.options:
            line["options"] = each.options
        line["grader"] = grader
        if refers or expected is not None:
            line["expected"] = each.answer if refers else expected
        yield msgspec.json.encode(line) + b"\n"


def said_grader(text: str) -> dict[str, Any]:
    """The grader that a command line names: `f1`, or a JSON object. Raises RequestError."""
    said: Any = text
    if text.lstrip().startswith("{"):
        try:
            said = msgspec.json.decode(text)
        except msgspec.DecodeError as e:
            raise RequestError(f"The grader is no JSON: {e}.", field="grader") from None
    try:
        grader_of(said)
    except ValueError as e:
        raise RequestError(
            f"The grader: {e}.", field="grader", remedy="docs/evaluation.md lists them."
        ) from None
    return {"kind": said} if isinstance(said, str) else dict(said)


def captured_set(
    engine: Engine,
    task: str,
    count: int,
    now: int,
    grader: Mapping[str, Any],
    expected: Any = None,
) -> EvalSet:
    """The newest `count` requests of a task as a set. Raises RequestError where there are none, or
    the grader cannot do with what is known of them."""
    found = list(newest(engine, now, task=task, limit=count))
    if not found:
        raise RequestError(
            f"Nothing is kept of '{task[:64]}'.",
            field="captured",
            remedy=f"Say [tasks.{task[:64]}.capture] share = 0.05 in hybridllm.toml, and wait.",
        )
    return read_set(b"".join(lines_of(found, grader, expected)), Path(f"captured {task}"))
