"""The way of a request whose task keeps answers: given again, or asked for and kept.

A hit is a row of the ledger like any other answer, of cost 0. A miss goes its usual way; its answer
is kept when it has come whole.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from hybridllm.catalog.structs import Model
from hybridllm.engine.cacheable import Wanted, wanted
from hybridllm.engine.caching import prompts_of
from hybridllm.engine.call import Answer, Pieces
from hybridllm.engine.entry import Journal
from hybridllm.engine.exchange import request_id_header
from hybridllm.engine.response_cache import ResponseCache
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.stored import About, Stored, finish_of, given
from hybridllm.engine.trip import Trip, money_headers
from hybridllm.ledger.record import Attempt
from hybridllm.pricing import cost_of
from hybridllm.wire.conversation import Finish
from hybridllm.wire.kept import kept_id

HEADER = b"x-hybridllm-cache"
_WHOLE = frozenset({Finish.STOP, Finish.STOP_SEQUENCE, Finish.TOOL_CALLS})

Ask = Callable[[], Awaitable[Answer]]


async def given_again(
    cache: ResponseCache, runtime: Runtime, journal: Journal, trip: Trip, ask: Ask
) -> Answer:
    """The kept answer to this request, else that of `ask`, to be kept. Raises what `ask` raises."""
    call = trip.call
    prompts = prompts_of(runtime.config, trip.task)
    want = wanted(trip, runtime.config.routing.ecosystem, prompts)
    if want is None:
        return await ask()
    if want.reads and (found := await _found(cache, runtime, trip, want)) is not None:
        return _hit(runtime, journal, trip, *found)
    trip.kept = want.keeps and (call.shape.sse or not trip.facts.stream)
    try:
        answer = await ask()
    except BaseException:
        trip.entry = None
        raise
    answer.headers.append((HEADER, b"miss"))
    if trip.kept:
        _keep(cache, trip, want, answer)
    return answer


async def _found(
    cache: ResponseCache, runtime: Runtime, trip: Trip, want: Wanted
) -> tuple[Stored, Model, bytes] | None:
    """The answer, who gave it, and its bytes for this caller."""
    since = time.time_ns() // 1000 - int(want.max_age * 1e6)
    stored = await cache.find(want.digest, since)
    if stored is None:
        return None
    call, facts = trip.call, trip.facts
    model = runtime.models.get(stored.about.model)
    body = given(stored, call.dialect, facts, call.shape, stream=facts.stream)
    return None if model is None or body is None else (stored, model, body)


def _hit(
    runtime: Runtime, journal: Journal, trip: Trip, stored: Stored, model: Model, body: bytes
) -> Answer:
    """Raises HybridError(UNAVAILABLE) if it cannot be journalled."""
    row = _row(runtime, trip, stored.about, model)
    trip.variant = stored.about.variant
    journal.record(row)
    call, facts = trip.call, trip.facts
    if facts.keeps_replies and (reply_id := kept_id(body)) is not None:
        runtime.sessions.keep(reply_id, model)
    streamed = facts.stream
    kind = call.dialect.stream_content_type(call.shape) if streamed else "application/json"
    headers = trip.headers(model, kind.encode(), reason=row.reason)
    headers += money_headers(0, row.baseline)
    headers.append((HEADER, b"hit"))
    headers.append((b"age", b"%d" % _age(stored.about, row.at)))
    if stored.about.dropped:
        headers.append((b"x-hybridllm-dropped", stored.about.dropped.encode("latin-1", "replace")))
    headers.append(request_id_header(call.dialect.name, trip.request_id, ""))
    if not streamed:
        return Answer(status=200, headers=headers, body=body)
    headers.append((b"cache-control", b"no-cache"))
    return Answer(status=200, headers=headers, stream=_Replay(body, row.baseline))


def _age(about: About, now: int) -> int:
    return max(0, now - about.created_at) // 1_000_000


def _row(runtime: Runtime, trip: Trip, about: About, model: Model) -> Attempt:
    now = time.time()
    at, day = int(now * 1_000_000), runtime.today(now)
    usage, facts, call = about.usage, trip.facts, trip.call
    rival = runtime.baseline
    baseline = 0 if rival is None else cost_of(rival, usage, day) or 0
    return Attempt(
        request_id=trip.request_id,
        attempt=trip.attempts + 1,
        at=at,
        key=call.key,
        tags=call.tags,
        task=trip.task.name,
        task_source=trip.task_source,
        tier=trip.task.tier,
        requested=facts.model,
        provider=model.provider,
        model=model.id,
        account="",
        dialect_in=call.dialect.name,
        dialect_out=call.dialect.name,
        stream=facts.stream,
        status=200,
        outcome="ok",
        error_kind="",
        answered=True,
        provider_request_id="",
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_long_tokens=usage.cache_write_long_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost=0,
        baseline=baseline,
        baseline_model="" if rival is None else rival.id,
        usage_estimated=False,
        unpriced=False,
        batch=False,
        first_token_us=0,
        total_us=0,
        reason=f"{trip.task.name}: {model.name} answered this {_age(about, at)} s ago",
        moved_from="",
        text_bytes=facts.text_bytes,
        cache_hit=True,
        hit_saved=about.cost,
        variant=about.variant,
    )


class _Replay:
    """A kept answer as `Pieces`."""

    cost = 0

    def __init__(self, body: bytes, baseline: int) -> None:
        self.baseline = baseline
        self._body = body

    async def chunk(self) -> bytes:
        """See `Pieces.chunk`."""
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """See `Pieces.close`."""
        self._body = b""


def _keep(cache: ResponseCache, trip: Trip, want: Wanted, answer: Answer) -> None:
    if answer.stream is None:
        _put(cache, trip, want, answer.body)
    else:
        answer.stream = _Recording(cache, trip, want, answer.stream)


def _put(cache: ResponseCache, trip: Trip, want: Wanted, body: bytes) -> None:
    """Keep an answer that has ended, if it is whole."""
    entry, trip.entry = trip.entry, None
    if entry is None or entry.outcome != "ok" or len(body) > cache.max_entry_bytes:
        return
    facts = trip.facts
    finish = finish_of(trip.call.dialect, body, stream=facts.stream)
    cut_as_asked = finish is Finish.LENGTH and facts.max_output_tokens is not None
    if finish not in _WHOLE and not cut_as_asked:
        return
    about = About(
        created_at=time.time_ns() // 1000,
        model=entry.model.id,
        cost=entry.cost,
        usage=entry.usage,
        stream=facts.stream,
        usage_said=facts.usage_requested,
        same_form=want.same_form,
        dropped=", ".join(trip.dropped),
        variant=entry.variant,
    )
    cache.put(want.digest, want.seconds, Stored(about, body))


class _Recording:
    """A streamed answer on its way to the caller, kept when it has ended."""

    def __init__(self, cache: ResponseCache, trip: Trip, want: Wanted, inner: Pieces) -> None:
        self._cache = cache
        self._trip = trip
        self._want = want
        self._inner = inner
        self._pieces: list[bytes] = []
        self._size = 0
        self._done = False

    @property
    def cost(self) -> int:
        """See `Pieces`."""
        return self._inner.cost

    @property
    def baseline(self) -> int:
        """See `Pieces`."""
        return self._inner.baseline

    async def chunk(self) -> bytes:
        """See `Pieces.chunk`."""
        piece = await self._inner.chunk()
        if not piece:
            self._end()
        elif self._size <= self._cache.max_entry_bytes:
            self._size += len(piece)
            self._pieces.append(piece)
        return piece

    def close(self) -> None:
        """See `Pieces.close`. A caller may leave with the last event, before the end is seen."""
        self._inner.close()
        self._end()

    def _end(self) -> None:
        if self._done:
            return
        self._done = True
        body, self._pieces = b"".join(self._pieces), []
        _put(self._cache, self._trip, self._want, body)
