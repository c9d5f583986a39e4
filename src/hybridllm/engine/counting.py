"""The way of a count: the model that would be asked, and how many tokens the input is for it.

Providers that count are asked, in their own dialect; for OpenAI's models and those of compatible
servers, which have no such endpoint, the count is worked out here and marked as an estimate.

Counting is free: it leaves no row in the ledger. Providers limit it apart from their models, so it
neither rests a key nor moves a breaker.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time

from msgspec import structs

from hybridllm.catalog.structs import Model
from hybridllm.engine.call import Answer, Call, Headers, new_request_id
from hybridllm.engine.exchange import MAX_ERROR_BYTES, request_id_header, request_id_of
from hybridllm.engine.judge import Step, step_after
from hybridllm.engine.local_count import count_here
from hybridllm.engine.persist import no_key
from hybridllm.engine.refusal import refusal
from hybridllm.engine.runtime import Runtime, target_of
from hybridllm.engine.way import planned
from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.providers.retries import backoff
from hybridllm.providers.upstream import Upstream
from hybridllm.routing.refusals import set_a_key
from hybridllm.tasks.naming import is_symbolic
from hybridllm.wire.capabilities import counting_of
from hybridllm.wire.conversation import Conversation
from hybridllm.wire.counting import CountCodec
from hybridllm.wire.dialect import DropPolicy, Facts, RequestShape
from hybridllm.wire.registry import get_dialect

log = logging.getLogger("hybridllm.engine")


async def count_tokens(runtime: Runtime, call: Call, codec: CountCodec) -> Answer:
    """Answer one call in `codec`'s form; errors as `Engine.handle` does."""
    request_id = new_request_id()
    try:
        return await _Count(runtime, request_id, call, codec).answer()
    except HybridError as e:
        return refusal(e, call, request_id)


class _Count:
    """One request for a count. `chat` is the same call as the chat that it asks about."""

    def __init__(self, runtime: Runtime, request_id: str, call: Call, codec: CountCodec) -> None:
        self.runtime = runtime
        self.request_id = request_id
        self.codec = codec
        self.call = call
        self.chat = structs.replace(call, body=codec.as_chat(call.body, call.shape))
        facts = call.dialect.facts(self.chat.body, call.shape)
        self.facts: Facts = structs.replace(facts, max_output_tokens=None)
        self.dropped: list[str] = []
        self.headers: Headers = []

    async def answer(self) -> Answer:
        """Raises RequestError and ProviderError."""
        model = self._model()
        speaks = self._dialect_of(model)
        theirs = counting_of(speaks)
        self.headers = [
            (b"content-type", b"application/json"),
            (b"x-hybridllm-request-id", self.request_id.encode()),
            (b"x-hybridllm-model", model.id.encode("latin-1", "replace")),
            (b"x-hybridllm-provider", model.provider.encode("latin-1", "replace")),
        ]
        if theirs is None:
            tokens = await asyncio.to_thread(count_here, model, self.facts, self._conversation())
            self.headers.append((b"x-hybridllm-estimated", b"true"))
            return self._answer(self.codec.encode_reply(tokens))
        if model.provider not in self.runtime.usable:
            raise RequestError(
                f"'{model.id}' cannot be asked: there is no key for provider '{model.provider}'.",
                kind=ErrorKind.UNAVAILABLE,
                field="model",
                remedy=set_a_key([model.provider], self.runtime.config.catalog),
            )
        body = self._body(model, speaks, theirs)
        raw, own = await self._asked(model, speaks, body)
        if theirs is self.codec:
            return self._answer(raw, own)
        return self._answer(self.codec.encode_reply(theirs.decode_reply(raw)))

    def _model(self) -> Model:
        """The one that was named, whatever fits in it; else the one that would be chosen."""
        name = self.facts.model
        if not is_symbolic(name):
            return self.runtime.models[self.runtime.namer.model(name)]
        return planned(self.runtime, self.request_id, self.chat, self.facts).plan.chain[0]

    def _dialect_of(self, model: Model) -> str:
        """Known also of a provider that cannot be called for want of a key."""
        upstream = self.runtime.upstreams.get(model.provider)
        if upstream is not None:
            return upstream.dialect
        configured = self.runtime.config.providers.get(model.provider)
        if configured is not None and configured.dialect:
            return configured.dialect
        return self.runtime.config.catalog.providers[model.provider].dialect

    def _conversation(self) -> Conversation:
        conversation = self.call.dialect.decode_request(self.chat.body, self.call.shape)
        conversation.max_output_tokens = None
        return conversation

    def _body(self, model: Model, speaks: str, theirs: CountCodec) -> bytes:
        """What to send. Raises RequestError."""
        if theirs is self.codec and not self.facts.foreign_signatures:
            return theirs.passthrough(self.call.body, self.facts, model.name)
        policy = DropPolicy(self.runtime.drop, self.runtime.refuse)
        target = target_of(model)
        chat = get_dialect(speaks).encode_request(self._conversation(), target, policy)
        self.dropped = policy.dropped
        return theirs.encode_request(chat, model.name)

    async def _asked(self, model: Model, speaks: str, body: bytes) -> tuple[bytes, str]:
        """The provider's reply and its id, after retries. Raises ProviderError."""
        runtime = self.runtime
        upstream = runtime.upstreams[model.provider]
        runtime.budget.request(time.monotonic())
        tries = 0
        while True:
            tries += 1
            try:
                return await self._once(upstream, model, speaks, body, tries)
            except ProviderError as e:
                e.provider = e.provider or model.provider
                e.dialect = speaks
                if step_after(e) is Step.OTHER_KEY and tries < len(upstream.keys):
                    continue
                log.info("Counting for %s failed: %s (try %d).", model.id, e.kind, tries)
                wait = backoff(runtime.config.retries, tries, e.retry_after, random)
                spent = not e.retryable or wait is None
                if spent or not runtime.budget.spend(time.monotonic()):
                    raise
            await asyncio.sleep(wait or 0.0)

    async def _once(
        self, upstream: Upstream, model: Model, speaks: str, body: bytes, number: int
    ) -> tuple[bytes, str]:
        key = upstream.keys.pick(time.monotonic())
        if key is None and len(upstream.keys):
            raise no_key(upstream)
        response = await upstream.send(
            key=key,
            model=model.name,
            shape=RequestShape(),
            body=body,
            headers=self.call.headers,
            attempt_id=f"{self.request_id}-count-{number}",
            endpoint="count_tokens",
        )
        try:
            if response.status >= 300:
                raw = await response.read(MAX_ERROR_BYTES)
                raise get_dialect(speaks).decode_error(response.status, response.headers, raw)
            return await response.read(), request_id_of(response.headers)
        except BaseException:
            response.close()
            raise

    def _answer(self, body: bytes, own: str = "") -> Answer:
        headers = self.headers
        if self.dropped:
            named = ", ".join(self.dropped).encode("latin-1", "replace")
            headers.append((b"x-hybridllm-dropped", named))
        headers.append(request_id_header(self.call.dialect.name, self.request_id, own))
        return Answer(status=200, headers=headers, body=body)
