"""Google's explicit caches on the way of a request: named in bodies, and made behind replies.

A cache is made by a task of its own, after the reply that showed that it pays, and is one row of
the ledger: its input, once, and its storage for the whole of its lifetime.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from hybridllm.catalog.structs import Model, Price, Usage
from hybridllm.engine.call import new_request_id
from hybridllm.engine.explicit import Lookup, Wanted
from hybridllm.errors import ErrorKind, HybridError, ProviderError
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.pricing import cost, price_at, rates_for, upper_bound
from hybridllm.providers.google_caches import make_cache
from hybridllm.providers.keys import Key
from hybridllm.wire.google.explicit import body_with, cache_body, parts_of
from hybridllm.wire.prefix import Section

if TYPE_CHECKING:
    from hybridllm.engine.entry import Journal
    from hybridllm.engine.prefixes import Reuse
    from hybridllm.engine.runtime import Runtime
    from hybridllm.engine.trip import Trip

MOST_AT_ONCE = 4
"""Caches that are made at a time; what comes on top waits for its next use."""
_DOUBTFUL = frozenset({ErrorKind.NOT_FOUND, ErrorKind.PERMISSION, ErrorKind.BAD_REQUEST})
_HOUR = 3_600
log = logging.getLogger("hybridllm.caching")


class Storing:
    """One body, as it is sent to `model` with `key`. `body` is the same with a cache of ours named
    in it, None where there is none."""

    __slots__ = ("_doubted", "_found", "_journal", "_key", "_model", "_runtime", "body")

    def __init__(
        self,
        runtime: Runtime,
        journal: Journal,
        model: Model,
        key: Key | None,
        found: Lookup,
    ) -> None:
        self._runtime = runtime
        self._journal = journal
        self._model = model
        self._key = key
        self._found = found
        self._doubted = False
        self.body: bytes | None = None
        if found.named is not None and found.using is not None:
            self.body = body_with(found.parts, found.named, found.using.name)

    def in_doubt(self, error: ProviderError) -> bool:
        """Whether it failed perhaps only because the cache that it named is not there; then it is
        sent again whole."""
        return error.kind in _DOUBTFUL

    def whole(self) -> None:
        """It is sent whole after all. If that is answered, it was the cache."""
        self._doubted = True
        self._found.named = None

    def answered(self, usage: Usage, trip: Trip) -> None:
        """By the provider, which billed this. Where a cache pays now, its making begins."""
        if self._doubted:
            self._runtime.explicit.vanished(self._found)
        runtime, found, model = self._runtime, self._found, self._model
        price = storable_price(runtime, model)
        if price is None or price.storage is None:
            return
        explicit = runtime.explicit
        explicit.note(found, model, usage)
        if len(runtime.background) >= MOST_AT_ONCE:
            return
        rates = rates_for(price, usage.total_input)
        wanted = explicit.wanted(found, model, rates, price.storage, usage)
        if wanted is not None:
            task = asyncio.get_running_loop().create_task(self._make(wanted, price, trip))
            runtime.background.add(task)
            task.add_done_callback(runtime.background.discard)

    async def _make(self, wanted: Wanted, price: Price, trip: Trip) -> None:
        runtime, model = self._runtime, self._model
        body = cache_body(self._found.parts, wanted.beginning, model.name, wanted.seconds)
        row = _Row(trip, model, self._key, wanted.seconds, price, len(body))
        ended = False
        try:
            self._journal.intend(row.intent())
            made = await make_cache(runtime.upstreams[model.provider], self._key, body)
            runtime.explicit.made(wanted, made.name)
            ended = True
            self._journal.record(row.made(made.name, made.tokens))
        except ProviderError as e:
            self._journal.record(row.failed(e))
            _tell(runtime, model, e)
        except HybridError as e:
            log.warning("A cache for %s was not made: %s", model.id, e)
        except asyncio.CancelledError:
            # It may have been made and billed.
            self._journal.record(row.cancelled())
            raise
        finally:
            if not ended:
                runtime.explicit.failed(wanted)


def storing_of(
    runtime: Runtime, journal: Journal, trip: Trip, model: Model, key: Key | None, body: bytes
) -> Storing | None:
    """None where there can be no explicit cache of the body, or configuration wants none."""
    caching = trip.caching
    if caching is None or not runtime.config.caching.explicit:
        return None
    dialect = runtime.dialect_to(model.provider, trip.call.dialect)
    if dialect.name != "google" or storable_price(runtime, model) is None:
        return None
    parts = parts_of(body)
    if parts is None:
        return None
    native = dialect is trip.call.dialect
    shared = _shared_contents(caching.reuse) if native else 0
    if shared:
        shared += trip.turns_before
    reuse, secret = caching.reuse, "" if key is None else key.secret
    found = runtime.explicit.look(parts, reuse.owner, secret, model, reuse.at, shared)
    return Storing(runtime, journal, model, key, found)


def storable_price(runtime: Runtime, model: Model) -> Price | None:
    """The price of today, where it says what storage costs."""
    price = price_at(model, runtime.today(time.time()))
    return price if price is not None and price.storage is not None else None


def _shared_contents(reuse: Reuse) -> int:
    """How many whole messages the root, which requests share, has."""
    if reuse.root < 0:
        return 0
    block = reuse.blocks[reuse.links[reuse.root].after]
    return block.index + 1 if block.section is Section.MESSAGES and block.inner < 0 else 0


def _tell(runtime: Runtime, model: Model, error: ProviderError) -> None:
    """Once for a model and kind of failure."""
    told = (model.id, error.kind)
    if told not in runtime.told:
        runtime.told.add(told)
        log.warning("A cache for %s could not be made: %s.", model.id, error.kind)


class _Row:
    """The making of a cache, in the ledger."""

    def __init__(
        self, trip: Trip, model: Model, key: Key | None, seconds: int, price: Price, size: int
    ) -> None:
        now = time.time()
        self._trip, self._model, self._seconds, self._price = trip, model, seconds, price
        self._account = "" if key is None else key.account
        self._id = new_request_id()
        self._at = int(now * 1_000_000)
        self._day = time.strftime("%Y-%m-%d", time.gmtime(now))
        self._started = time.perf_counter()
        self._most = min(size, model.context_window)
        self._guess = size * model.tokens_per_kbyte // 1_000

    def intent(self) -> Intent:
        most, trip, model = self._most, self._trip, self._model
        return Intent(
            request_id=self._id,
            attempt=1,
            at=self._at,
            key=trip.call.key,
            task=trip.task.name,
            task_source=trip.task_source,
            tier=trip.task.tier,
            requested=trip.facts.model,
            provider=model.provider,
            model=model.id,
            account=self._account,
            dialect_in=trip.call.dialect.name,
            dialect_out="google",
            stream=False,
            upper_input_tokens=most,
            upper_output_tokens=0,
            upper_cost=upper_bound(model, self._day, most, 0) + self._storage(most),
        )

    def made(self, name: str, tokens: int) -> Attempt:
        return self._record("ok", 200, tokens or self._guess, name=name, guessed=not tokens)

    def failed(self, error: ProviderError) -> Attempt:
        """What was refused costs nothing; what was sent and lost may have been made."""
        lost = error.status < 400 and error.code != "not_sent"
        tokens = self._guess if lost else 0
        return self._record("error", error.status, tokens, kind=error.kind, guessed=lost)

    def cancelled(self) -> Attempt:
        return self._record("cancelled", 0, self._guess, guessed=True)

    def _storage(self, tokens: int) -> int:
        """Picodollars for the whole lifetime, a part of one rounded up."""
        return -(-tokens * (self._price.storage or 0) * self._seconds // _HOUR)

    def _record(
        self,
        outcome: str,
        status: int,
        tokens: int,
        *,
        kind: str = "",
        name: str = "",
        guessed: bool = False,
    ) -> Attempt:
        trip, model = self._trip, self._model
        rates = rates_for(self._price, tokens)
        spent = cost(Usage(input_tokens=tokens), rates) + self._storage(tokens)
        return Attempt(
            request_id=self._id,
            attempt=1,
            at=self._at,
            key=trip.call.key,
            tags=trip.call.tags,
            task=trip.task.name,
            task_source=trip.task_source,
            tier=trip.task.tier,
            requested=trip.facts.model,
            provider=model.provider,
            model=model.id,
            account=self._account,
            dialect_in=trip.call.dialect.name,
            dialect_out="google",
            stream=False,
            status=status,
            outcome=outcome,
            error_kind=kind,
            answered=False,
            provider_request_id=name[:200],
            input_tokens=tokens,
            cache_read_tokens=0,
            cache_write_tokens=0,
            cache_write_long_tokens=0,
            output_tokens=0,
            reasoning_tokens=0,
            cost=spent,
            baseline=0,
            baseline_model="",
            usage_estimated=guessed,
            unpriced=False,
            batch=False,
            first_token_us=0,
            total_us=int((time.perf_counter() - self._started) * 1_000_000),
            reason=f"explicit cache for {self._seconds} s, made for {trip.request_id}",
            moved_from="",
            # No request was served by it: all of it is the price of the reads to come.
            write_extra=spent,
        )
