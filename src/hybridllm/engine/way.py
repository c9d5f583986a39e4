"""The way of a request, top to bottom: facts, task, plan, attempts along the chain, answer.

    read the facts -> name the task -> plan a chain -> (a cascade's cheap answer, checked) ->
      for each model of the chain:
        prepare the body -> journal the intent -> send -> reply, priced and journalled
                                                       -> or an error: judge it, try on

Nothing here knows a provider's format or a database: `wire` and `ledger` do.
"""

from __future__ import annotations

import time

from hybridllm.catalog.structs import Model, Task
from hybridllm.engine.attempt import attempt
from hybridllm.engine.caching import caching_of
from hybridllm.engine.call import Answer, Call, new_request_id
from hybridllm.engine.cascading import cascaded
from hybridllm.engine.checking import can_check
from hybridllm.engine.continuing import continued
from hybridllm.engine.entry import Journal
from hybridllm.engine.judge import least_context_after
from hybridllm.engine.persist import persist
from hybridllm.engine.refusal import refusal
from hybridllm.engine.replaying import given_again
from hybridllm.engine.response_cache import ResponseCache
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.sampling import Sampler
from hybridllm.engine.sessions import WARM_SECONDS, session_key
from hybridllm.engine.storing import storing_of
from hybridllm.engine.trip import Trip
from hybridllm.engine.varying import variant_of, varied_body
from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.providers.keys import Key
from hybridllm.quality.passing import Passing
from hybridllm.routing import World, need_of
from hybridllm.wire.dialect import DropPolicy, Facts, Inexpressible

NONE_DOWN: frozenset[str] = frozenset()


class Engine:
    """Serves calls with the Runtime of the moment; assign `runtime` to put a new one in its
    place: calls under way end on the one that they began with. `responses` keeps answers of the
    tasks that ask for it; `sampler`, if there is one, takes samples of tasks that say so."""

    def __init__(
        self, runtime: Runtime, journal: Journal, responses: ResponseCache | None = None
    ) -> None:
        self.runtime = runtime
        self.journal = journal
        self.responses = responses
        self.sampler: Sampler | None = None

    async def handle(self, call: Call) -> Answer:
        """Answer one call. Errors of ours and of providers become the caller's dialect's own; only
        a cancelled task (the caller went away) raises, once its attempt is journalled."""
        request_id = new_request_id()
        trip: Trip | None = None
        try:
            runtime = self.runtime
            trip = plan_trip(runtime, request_id, call)
            return await self._serve(runtime, trip)
        except HybridError as e:
            return refusal(e, call, request_id, trip)

    async def answer(self, call: Call, request_id: str = "", attempts: int = 0) -> Answer:
        """As `handle`, but raises the HybridError: for callers in this process. A request that has
        an id already, and had `attempts`, goes on under it."""
        runtime = self.runtime
        trip = plan_trip(runtime, request_id or new_request_id(), call)
        trip.attempts = attempts
        return await self._serve(runtime, trip)

    async def _serve(self, runtime: Runtime, trip: Trip) -> Answer:
        """By a provider, unless the task has answers given again."""
        journey = _Journey(runtime, self.journal, trip)
        if trip.task.response_cache is None or self.responses is None:
            answer = await journey.answer()
        else:
            answer = await given_again(self.responses, runtime, self.journal, trip, journey.answer)
        if self.sampler is not None:
            self.sampler.take(trip, answer)
        return answer


def plan_trip(runtime: Runtime, request_id: str, call: Call) -> Trip:
    """Read the request, name its task and plan its chain. Raises RequestError."""
    return planned(runtime, request_id, call, call.dialect.facts(call.body, call.shape))


def planned(runtime: Runtime, request_id: str, call: Call, facts: Facts) -> Trip:
    """As `plan_trip`, of a request whose facts are known."""
    named = runtime.namer.name(facts, call.task)
    if named.requested is not None:
        _refuse_embedder(runtime.models[named.requested])
    now = time.monotonic()
    session = session_key(facts, call.session, call.key)
    known = None if call.batch else runtime.sessions.get(session, now)
    warm = known is not None and now - known.seen < WARM_SECONDS
    caching = caching_of(runtime, call, facts, named.task, now)
    world = World(
        providers=runtime.usable,
        # What rests now is up again by the time that a batch is sent.
        down=NONE_DOWN if call.batch else runtime.breakers.down(now),
        latency_ms=runtime.learned.latency_ms,
        output_tokens=runtime.learned.output_tokens,
        tokens_per_kbyte=runtime.learned.tokens_per_kbyte,
        day=runtime.today(time.time()),
        previous=known.model if known else None,
        warm_model=known.model if known and warm else None,
        warm_tokens=known.cached_tokens if known and warm else 0,
        prospect=caching.prospect if caching is not None else None,
        passing=None if named.task.cascade is None else _passing(runtime, named.task, facts),
    )
    need = need_of(named, facts)
    need.batch = call.batch
    if caching is not None:
        caching.planned(need, world)
    plan = runtime.router.plan(need, world)
    if facts.previous is not None:
        by_name = named.requested is not None
        plan = continued(runtime, plan, call.dialect, facts.previous, named=by_name)
    return Trip(
        request_id,
        call,
        facts,
        named.task,
        named.source,
        plan,
        session,
        requested=named.requested,
        text_kind="" if facts.media or facts.unseen_input else need.kind,
        caching=caching,
    )


def _passing(runtime: Runtime, task: Task, facts: Facts) -> Passing | None:
    """How often the check of the task's cascade passes; None for a request that it cannot check, or
    that goes on from a reply which one provider keeps."""
    cascade = task.cascade
    if cascade is None or facts.previous is not None or not can_check(cascade, facts):
        return None
    return runtime.passes.of(task, time.time())


def _refuse_embedder(model: Model) -> None:
    if model.kind == "embedding":
        raise RequestError(
            f"'{model.id}' makes embeddings and does not chat.",
            field="model",
            remedy="Send the request to the endpoint for embeddings, or name another model.",
        )


class _Journey:
    """One request's attempts along its chain."""

    def __init__(self, runtime: Runtime, journal: Journal, trip: Trip) -> None:
        self.runtime = runtime
        self.journal = journal
        self.trip = trip

    async def answer(self) -> Answer:
        """The answer of the task's cascade, where one pays, else the first along the chain. Raises
        as `_along`."""
        trip, cascade, found = self.trip, self.trip.task.cascade, self.trip.plan.cascade
        self.runtime.budget.request(time.monotonic())
        if cascade is None or found is None or not found.pays or found.first is None:
            return await self._along()
        return await cascaded(self.runtime, trip, cascade, found.first, self._ask, self._along)

    async def _ask(self, trip: Trip, model: Model) -> Answer | HybridError:
        """As `_try_model`, for any trip that belongs to this one."""
        if not self.runtime.breakers.allow(model.id, time.monotonic()):
            return _all_resting([model])
        return await _Journey(self.runtime, self.journal, trip)._try_model(model)

    async def _along(self, last: HybridError | None = None, least_context: int = 0) -> Answer:
        """The first answer along the chain. Raises the last error when there is none, or at once
        one that no other model would cure. `last` is that of a model that was asked before,
        `least_context` what it had, if it was too little."""
        runtime, chain = self.runtime, self.trip.plan.chain
        for model in chain:
            if model.context_window <= least_context:
                continue
            if not runtime.breakers.allow(model.id, time.monotonic()):
                continue
            result = await self._try_model(model)
            if isinstance(result, Answer):
                return result
            if isinstance(result, ProviderError):
                least_context = least_context_after(result, model, least_context)
            elif last is not None:
                continue  # what one target cannot express says less than what another answered
            last = result
        raise _all_resting(chain) if last is None else last

    async def _try_model(self, model: Model) -> Answer | HybridError:
        """Attempts with one model: other keys at once, retries after a wait as the budget allows.
        Returns the last error; its breaker has been told."""
        runtime, trip = self.runtime, self.trip
        try:
            body = prepare(runtime, trip, model)
        except Inexpressible as e:
            runtime.breakers.release(model.id)
            return e
        return await persist(runtime, model, lambda key: self._attempt(model, key, body))

    async def _attempt(self, model: Model, key: Key | None, body: bytes) -> Answer | ProviderError:
        """One attempt with this key. Where the body could name a cache of ours and that is gone,
        the request is sent again whole, which is an attempt of its own."""
        runtime, journal, trip = self.runtime, self.journal, self.trip
        storing = storing_of(runtime, journal, trip, model, key, body)
        if trip.caching is not None:
            trip.caching.storing = storing
        if storing is not None and storing.body is not None:
            result = await attempt(runtime, journal, trip, model, key, storing.body)
            if isinstance(result, Answer) or not storing.in_doubt(result):
                return result
            storing.whole()
        return await attempt(runtime, journal, trip, model, key, body)


def _all_resting(chain: list[Model]) -> HybridError:
    return HybridError(
        "Every model that could serve this request is resting after failures: "
        + ", ".join(model.id for model in chain)
        + ".",
        kind=ErrorKind.UNAVAILABLE,
        remedy="Try again in a few seconds, or add fallbacks of another provider.",
    )


def prepare(runtime: Runtime, trip: Trip, model: Model) -> bytes:
    """The body to send: the caller's own where the dialect is the same, else written anew. Touches
    nothing but the trip, so that any thread may call it. Raises Inexpressible."""
    call, facts, caching = trip.call, trip.facts, trip.caching
    dialect = runtime.dialect_to(model.provider, call.dialect)
    # A model that the caller named gets the body as it stands, for better or worse.
    suits = model.id == trip.requested or dialect.suits(facts, runtime.targets[model.id])
    plain = dialect is call.dialect and suits and not facts.foreign_signatures
    trip.variant, trip.added, trip.turns_before = "", 0, 0
    if (variant := variant_of(runtime, trip, model)) is not None:
        body, native = varied_body(runtime, trip, model, variant, dialect, plain=plain)
        if caching is None:
            return body
        return caching.body(body, dialect, model, native=native, before=trip.turns_before)
    if plain:
        trip.dropped = []
        body = dialect.passthrough(call.body, facts, model.name)
        return body if caching is None else caching.body(body, dialect, model, native=True)
    policy = DropPolicy(runtime.drop, runtime.refuse)
    body = dialect.encode_request(trip.conversation, runtime.targets[model.id], policy)
    trip.dropped = policy.dropped
    return body if caching is None else caching.body(body, dialect, model, native=False)
