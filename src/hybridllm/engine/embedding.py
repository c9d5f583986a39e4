"""The way of an embedding: the model that was named, its attempts, the answer.

Vectors of two models do not compare, so nothing is routed and nothing falls back: another model's
vectors in an index would be worse than an error. Keys, retries, breaker, deadlines, price and
ledger are those of a chat.
"""

from __future__ import annotations

import time

from hybridllm.catalog.structs import Model, Task, Tier
from hybridllm.engine.call import Answer, Call, new_request_id
from hybridllm.engine.entry import Entry
from hybridllm.engine.exchange import Outgoing, exchange, request_id_header
from hybridllm.engine.persist import persist
from hybridllm.engine.refusal import refusal
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.trip import Trip, money_headers
from hybridllm.engine.way import Engine
from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.providers.client import Response
from hybridllm.routing import Plan
from hybridllm.routing.refusals import set_a_key
from hybridllm.tasks.closest import close_to, shown
from hybridllm.tasks.naming import is_symbolic
from hybridllm.wire.capabilities import embeddings_of
from hybridllm.wire.dialect import DropPolicy
from hybridllm.wire.embedding import EmbeddingCodec, EmbeddingReply, EmbeddingRequest
from hybridllm.wire.registry import get_dialect

TASK = Task(name="embedding", tier=Tier.SIMPLE, description="Vectors of texts.")
"""What embeddings are metered as in the ledger: no configuration lists it, nothing is routed by
it."""

SOURCE = "endpoint"
"""How the task is known."""


async def embed(engine: Engine, call: Call, codec: EmbeddingCodec) -> Answer:
    """Answer one call in `codec`'s form; errors as `Engine.handle` does."""
    request_id = new_request_id()
    trip: Trip | None = None
    runtime = engine.runtime
    try:
        facts = codec.facts(call.body, call.shape)
        model = _named(runtime, facts.model)
        plan = Plan(task=TASK.name, chain=[model], reason="asked for by name")
        trip = Trip(request_id, call, facts, TASK, SOURCE, plan, b"", model.id)
        return await _Embedding(engine, trip, model, codec).answer()
    except HybridError as e:
        return refusal(e, call, request_id, trip)


def _named(runtime: Runtime, name: str) -> Model:
    """The embedding model of that name. Raises RequestError where it cannot serve."""
    if is_symbolic(name):
        raise RequestError(
            f"'{name}' cannot choose an embedding model: vectors of different models do not "
            "compare.",
            field="model",
            remedy=_choices(runtime),
        )
    catalog = runtime.config.catalog
    if name not in catalog.names:
        near = close_to(name, catalog.names)
        raise RequestError(
            f"There is no model '{shown(name)}'.",
            kind=ErrorKind.NOT_FOUND,
            field="model",
            remedy=f"{near} {_choices(runtime)}" if near else _choices(runtime),
        )
    model = runtime.models[catalog.names[name]]
    if model.kind != "embedding":
        raise RequestError(
            f"'{model.id}' makes no embeddings.",
            kind=ErrorKind.UNSUPPORTED,
            field="model",
            remedy=_choices(runtime),
        )
    gone = model.deprecated_on
    if gone is not None and gone <= runtime.today(time.time()):
        raise RequestError(
            f"'{model.id}' was withdrawn by its provider on {gone}.",
            kind=ErrorKind.UNAVAILABLE,
            field="model",
            remedy=_choices(runtime),
        )
    if model.provider not in runtime.usable:
        raise RequestError(
            f"'{model.id}' cannot be called: there is no key for provider '{model.provider}'.",
            kind=ErrorKind.UNAVAILABLE,
            field="model",
            remedy=set_a_key([model.provider], catalog),
        )
    return model


def _choices(runtime: Runtime) -> str:
    """The embedding models that can be called."""
    usable = [
        model.id
        for model in runtime.models.values()
        if model.kind == "embedding" and model.provider in runtime.usable
    ]
    if not usable:
        return "No provider with a key has embedding models."
    return f"Name one of: {', '.join(usable)}."


class _Embedding:
    """One request's attempts at its model. `theirs` is the codec of the provider's dialect."""

    def __init__(self, engine: Engine, trip: Trip, model: Model, codec: EmbeddingCodec) -> None:
        self.runtime = engine.runtime
        self.journal = engine.journal
        self.trip = trip
        self.model = model
        self.codec = codec
        self.speaks = self.runtime.upstreams[model.provider].dialect
        self.theirs = codec if codec.dialect == self.speaks else embeddings_of(self.speaks)
        self.request: EmbeddingRequest | None = None
        """Read only where dialects differ."""

    async def answer(self) -> Answer:
        """Raises the last error."""
        runtime, model = self.runtime, self.model
        outgoing = self._outgoing()
        runtime.budget.request(time.monotonic())
        if not runtime.breakers.allow(model.id, time.monotonic()):
            raise HybridError(
                f"'{model.id}' is resting after failures.",
                kind=ErrorKind.UNAVAILABLE,
                remedy="Try again in a few seconds; another model's vectors would not compare.",
            )
        result = await persist(
            runtime,
            model,
            lambda key: exchange(
                runtime, self.journal, self.trip, model, key, outgoing, self._finish
            ),
        )
        if isinstance(result, HybridError):
            raise result
        return result

    def _outgoing(self) -> Outgoing:
        """Raises RequestError, UNSUPPORTED where the provider's dialect has no embeddings."""
        trip, theirs = self.trip, self.theirs
        call, name = trip.call, self.model.name
        if theirs is None:
            raise RequestError(
                f"Provider '{self.model.provider}' offers no embeddings.",
                kind=ErrorKind.UNSUPPORTED,
                field="model",
                remedy=_choices(self.runtime),
            )
        if theirs is self.codec:
            body = theirs.passthrough(call.body, trip.facts, name)
        else:
            policy = DropPolicy(self.runtime.drop, self.runtime.refuse)
            self.request = self.codec.decode_request(call.body, call.shape)
            body = theirs.encode_request(self.request, name, policy)
            trip.dropped = policy.dropped
        return Outgoing(dialect=get_dialect(self.speaks), body=body, endpoint=theirs.endpoint)

    async def _finish(self, entry: Entry, response: Response) -> Answer:
        trip, theirs = self.trip, self.theirs
        assert theirs is not None  # noqa: S101 - else nothing was sent
        raw = await response.read()
        entry.first_token()
        if self.request is None:
            usage, body = theirs.meter(raw), raw
        else:
            reply = theirs.decode_reply(raw)
            usage, body = reply.usage, self._translated(self.request, reply, entry)
        entry.answered(usage, 0)
        self.runtime.breakers.success(self.model.id, time.monotonic())
        headers = trip.headers(self.model, b"application/json")
        headers += money_headers(entry.cost, entry.baseline)
        if usage is None:
            headers.append((b"x-hybridllm-estimated", b"true"))
        caller = trip.call.dialect.name
        own = entry.provider_request_id if caller == self.speaks else ""
        headers.append(request_id_header(caller, trip.request_id, own))
        return Answer(status=200, headers=headers, body=body)

    def _translated(self, request: EmbeddingRequest, reply: EmbeddingReply, entry: Entry) -> bytes:
        """Raises ProviderError where an input has no vector."""
        if len(reply.vectors) != len(request.inputs):
            raise ProviderError(
                f"The provider sent {len(reply.vectors)} vectors for {len(request.inputs)} inputs.",
                kind=ErrorKind.MALFORMED_REPLY,
            )
        if reply.usage is None:
            reply.usage = entry.estimate(0)
        return self.codec.encode_reply(reply, request, self.model.name)
