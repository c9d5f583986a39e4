"""A line as it comes becomes one that waits: its task named, its models planned, or its error."""

from __future__ import annotations

from collections.abc import Callable

from hybridllm.batching.notes import Note, note_of, packed, request_id
from hybridllm.batching.structs import NewBatch, NewLine
from hybridllm.catalog.structs import Model
from hybridllm.engine.call import Call
from hybridllm.engine.refusal import refusal
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.trip import Trip
from hybridllm.engine.way import plan_trip
from hybridllm.errors import HybridError, RequestError
from hybridllm.providers.batches.api import BatchApi
from hybridllm.routing import Plan
from hybridllm.store.batches import BodyRow, LineRow
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect

Apis = Callable[[Runtime, str], BatchApi | None]
"""The batch API of a provider, by its name; None where it has none."""

LIVE = ""
"""The dialect of a line that no batch can take: it is asked live."""


def dialect_of(new: NewBatch) -> str:
    """The dialect of a batch's lines."""
    return "responses" if new.endpoint == "/v1/responses" else new.dialect


def planned_line(
    runtime: Runtime, apis: Apis, new: NewBatch, line: NewLine, at: tuple[str, int], now: int
) -> tuple[LineRow, BodyRow | None]:
    """The row of the line at batch and place `at`, and its error's body where it is none that
    anything could answer."""
    call = _call_of(new, line)
    row = LineRow(
        *at, line.custom_id, "arriving", "", LIVE, "", 0, 0, "[]", 0, new.deadline_at, now,
        len(line.body), 0, b"",
    )  # fmt: skip
    trip: Trip | None = None
    try:
        trip = plan_trip(runtime, request_id(*at), call)
        if trip.facts.stream:
            raise RequestError(
                "A line of a batch cannot be streamed.", field="stream", remedy="Leave it out."
            )
    except HybridError as e:
        answer = refusal(e, call, request_id(*at), trip)
        note = packed(_note(call, trip, []))
        failed = row._replace(state="failed", status=answer.status, note=note)
        return failed, BodyRow(*at, answer.body)
    chain = [model.id for model in trip.plan.chain]
    note = packed(_note(call, trip, chain))
    model = trip.plan.chain[0]
    rate = model.tokens_per_kbyte
    row = row._replace(
        model=model.id,
        dialect=spoken(runtime, apis, model, call.dialect.name),
        tokens=(trip.facts.text_bytes * rate + 999) // 1000,
        note=note,
    )
    return row, None


def _call_of(new: NewBatch, line: NewLine) -> Call:
    return Call(
        dialect=get_dialect(dialect_of(new)),
        shape=RequestShape(model=new.model, stream=False) if new.model else RequestShape(),
        body=line.body,
        key=new.key,
        task=line.task or None,
        tags=line.tags,
        batch=True,
        variant=line.variant,
    )


def _note(call: Call, trip: Trip | None, chain: list[str]) -> Note:
    return Note(
        key=call.key,
        tags=call.tags,
        header=call.task or "",
        dialect=call.dialect.name,
        shape=call.shape.model or "",
        task=trip.task.name if trip else "",
        source=trip.task_source if trip else "",
        tier=trip.task.tier if trip else "",
        asked=trip.facts.model if trip else "",
        requested=(trip.requested or "") if trip else "",
        chain=chain,
        reason=trip.plan.reason if trip else "",
        text_bytes=trip.facts.text_bytes if trip else 0,
        text_kind=trip.text_kind if trip else "",
        variant=call.variant,
    )


def spoken(runtime: Runtime, apis: Apis, model: Model, caller: str) -> str:
    """The dialect in which `model` is batched for a caller; LIVE where its provider has none."""
    if model.provider not in runtime.upstreams or apis(runtime, model.provider) is None:
        return LIVE
    return runtime.dialect_to(model.provider, get_dialect(caller)).name


def next_model(
    runtime: Runtime, apis: Apis, note: Note, tried: list[str], least_context: int = 0
) -> tuple[Model, str] | None:
    """The first model of the line's chain that was not given up, has more than `least_context` of
    context and batches, and what is spoken with it."""
    for id in note.chain:
        model = runtime.models.get(id)
        if model is None or id in tried or model.context_window <= least_context:
            continue
        if dialect := spoken(runtime, apis, model, note.dialect):
            return model, dialect
    return None


def call_of(line: LineRow, body: bytes, *, batch: bool) -> Call:
    """The call that a stored line is."""
    note = note_of(line.note)
    return Call(
        dialect=get_dialect(note.dialect),
        shape=RequestShape(model=note.shape, stream=False) if note.shape else RequestShape(),
        body=body,
        key=note.key,
        task=note.header or None,
        tags=note.tags,
        batch=batch,
        variant=note.variant,
    )


def trip_of(runtime: Runtime, line: LineRow, body: bytes) -> Trip:
    """The trip of a stored line, as it was planned when it came. Pure, for any thread. Raises
    RequestError, where a reload has taken away what the line needs."""
    note = note_of(line.note)
    call = call_of(line, body, batch=True)
    task = runtime.config.tasks.get(note.task)
    if task is None:
        raise RequestError(
            f"There is no task '{note.task}' any more.", field="task", remedy="Send it again."
        )
    return Trip(
        request_id(line.batch, line.place),
        call,
        call.dialect.facts(call.body, call.shape),
        task,
        note.source,
        Plan(task=note.task, chain=[], reason=note.reason),
        b"",
        requested=note.requested or None,
        text_kind=note.text_kind,
    )
