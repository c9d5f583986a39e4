"""One attempt's entry in the ledger: opened before a byte is sent, closed exactly once."""

from __future__ import annotations

import time
from typing import Protocol

from hybridllm.catalog.structs import Model, Usage
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.trip import Trip
from hybridllm.errors import ProviderError
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.pricing import cost_of, levers, upper_bound

NOT_SENT = "not_sent"
"""`ProviderError.code` of a call of which no byte left: it cannot have cost anything."""


class Journal(Protocol):
    """Where attempts are written: the part of the ledger that a request needs."""

    def intend(self, intent: Intent) -> None: ...

    def record(self, attempt: Attempt) -> None: ...


class Entry:
    """Use: construct (journals the intent; raises HybridError(UNAVAILABLE) if it cannot), then call
    one of `answered`, `failed`, `cut` and `cancelled`. Only the first call counts, so that a caller
    who hangs up in the middle of an end changes nothing."""

    __slots__ = (
        "_held",
        "_journal",
        "_runtime",
        "_trip",
        "account",
        "at",
        "attempt",
        "baseline",
        "closed",
        "cost",
        "day",
        "dialect_out",
        "first_token_us",
        "model",
        "outcome",
        "provider_request_id",
        "started",
        "status",
        "text_bytes",
        "usage",
        "variant",
    )

    def __init__(
        self,
        journal: Journal,
        runtime: Runtime,
        trip: Trip,
        model: Model,
        account: str,
        dialect_out: str,
    ) -> None:
        now = time.time()
        trip.attempts += 1
        self._journal = journal
        self._runtime = runtime
        self._trip = trip
        self.attempt = trip.attempts
        self.model = model
        self.account = account
        self.dialect_out = dialect_out
        self.at = int(now * 1_000_000)
        self.day = runtime.today(now)
        self.started = time.perf_counter()
        self.first_token_us = 0
        self.status = 0
        self.provider_request_id = ""
        self.cost = 0
        self.baseline = 0
        self.closed = False
        self.outcome = ""
        self.usage = Usage()
        self._held: Attempt | None = None
        if trip.kept:
            trip.entry = self
        facts = trip.facts
        self.variant = trip.variant
        self.text_bytes = facts.text_bytes + trip.added
        most_input = _most_input(trip, model)
        most_output = _most_output(trip, model)
        journal.intend(
            Intent(
                request_id=trip.request_id,
                attempt=self.attempt,
                at=self.at,
                key=trip.call.key,
                task=trip.task.name,
                task_source=trip.task_source,
                tier=trip.task.tier,
                requested=facts.model,
                provider=model.provider,
                model=model.id,
                account=account,
                dialect_in=trip.call.dialect.name,
                dialect_out=dialect_out,
                stream=facts.stream,
                upper_input_tokens=most_input,
                upper_output_tokens=most_output,
                upper_cost=upper_bound(model, self.day, most_input, most_output),
                variant=self.variant,
            )
        )

    @property
    def id(self) -> str:
        """Names this attempt to the provider and in its logs."""
        return f"{self._trip.request_id}-{self.attempt}"

    def first_token(self) -> None:
        """Content has begun to arrive."""
        if not self.first_token_us:
            self.first_token_us = self.elapsed_us()

    def answered(self, usage: Usage | None, output_bytes: int) -> Usage:
        """The reply is whole. Without the provider's `usage` it is estimated from
        `output_bytes` and marked so. Returns the usage that was priced."""
        priced = usage if usage is not None else self.estimate(output_bytes)
        self._close("ok", "", priced, estimated=usage is None, answered=True)
        return priced

    def failed(self, error: ProviderError) -> None:
        """No answer. What a provider refused with a status costs nothing; a call that was sent and
        then lost may have, so its input is estimated."""
        self.status = error.status if self.status == 0 and error.body else self.status
        lost = self.status < 400 and error.code != NOT_SENT
        usage = self.estimate(0) if lost else Usage()
        self._close("error", error.kind, usage, estimated=lost, answered=False)

    def cut(self, error: ProviderError, usage: Usage | None, output_tokens: int) -> None:
        """The stream broke after content had reached the caller."""
        self._close("cut", error.kind, self._partial(usage, output_tokens), True, answered=True)

    def cancelled(self, usage: Usage | None = None, output_tokens: int = 0) -> None:
        """The caller went away before the end."""
        self._close("cancelled", "", self._partial(usage, output_tokens), True, answered=False)

    def _partial(self, usage: Usage | None, output_tokens: int) -> Usage:
        """At least what the provider has said and what has been seen."""
        if usage is None:
            usage = self.estimate(0)
        usage.output_tokens = max(usage.output_tokens, output_tokens)
        return usage

    def estimate(self, output_bytes: int) -> Usage:
        """What the provider would say, as far as the bytes tell."""
        rate = self.model.tokens_per_kbyte
        return Usage(
            input_tokens=(self.text_bytes * rate + 999) // 1000,
            output_tokens=(output_bytes * rate + 999) // 1000,
        )

    def elapsed_us(self) -> int:
        """Microseconds since the attempt began."""
        return int((time.perf_counter() - self.started) * 1_000_000)

    def _close(
        self, outcome: str, error_kind: str, usage: Usage, estimated: bool, *, answered: bool
    ) -> None:
        if self.closed:
            return
        self.closed = True
        trip, runtime, model = self._trip, self._runtime, self.model
        cost = cost_of(model, usage, self.day)
        self.cost = cost or 0
        self.usage = usage
        self.outcome = outcome
        repeated = 0
        if outcome == "ok" and model.kind == "chat":
            now = time.monotonic()
            repeated = runtime.repeats.note(trip.facts, trip.call.key, model, usage, now)
        lever = levers(model, usage, self.day, repeated=repeated)
        # No chat model would have made an embedding: what it costs is what it saves nothing on.
        rival = model if model.kind == "embedding" else runtime.baseline
        if answered and rival is not None:
            self.baseline = cost_of(rival, usage, self.day) or 0
        row = Attempt(
            request_id=trip.request_id,
            attempt=self.attempt,
            at=self.at,
            key=trip.call.key,
            tags=trip.call.tags,
            task=trip.task.name,
            task_source=trip.task_source,
            tier=trip.task.tier,
            requested=trip.facts.model,
            provider=model.provider,
            model=model.id,
            account=self.account,
            dialect_in=trip.call.dialect.name,
            dialect_out=self.dialect_out,
            stream=trip.facts.stream,
            status=self.status,
            outcome=outcome,
            error_kind=error_kind,
            answered=answered,
            provider_request_id=self.provider_request_id,
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            cache_write_long_tokens=usage.cache_write_long_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost=self.cost,
            baseline=self.baseline,
            baseline_model=rival.id if answered and rival is not None else "",
            usage_estimated=estimated,
            unpriced=cost is None,
            batch=False,
            first_token_us=self.first_token_us,
            total_us=self.elapsed_us(),
            reason=trip.plan.reason,
            moved_from=_moved_from(trip, model),
            text_bytes=self.text_bytes,
            text_kind=trip.text_kind,
            batch_gap=lever.batch_gap,
            read_saved=lever.read_saved,
            write_extra=lever.write_extra,
            prefix_left=lever.prefix_left,
            role=trip.role,
            variant=self.variant,
        )
        if trip.held is not None:
            row.cascade_extra = self.cost
            if answered:
                self._held = row
                trip.held.append(self)
                return
        self._journal.record(row)

    def release(self, *, answered: bool, verdict: str = "", saved: int = 0, extra: int = 0) -> None:
        """Journal the row that waited: `answered` says whether the caller got this reply, `verdict`
        what its check said, `saved` and `extra` what the cascade did (`ledger.record`)."""
        row, self._held = self._held, None
        if row is None:
            return
        row.answered, row.verdict = answered, verdict
        row.cascade_saved, row.cascade_extra = saved, extra
        if not answered:
            row.baseline, row.baseline_model = 0, ""
        self._journal.record(row)


def _moved_from(trip: Trip, model: Model) -> str:
    """The model that the conversation leaves for this one, be it as planned or as a fallback."""
    previous = trip.plan.previous
    return "" if previous is None or previous == model.id else previous


def _most_input(trip: Trip, model: Model) -> int:
    """No tokenizer makes more tokens of a text than it has bytes. What an image or a document
    makes is not in the body's size where it is sent as a URL, nor is what the provider keeps: the
    context window bounds it."""
    window = model.context_window
    if model.kind == "embedding":
        window *= trip.facts.choices  # it bounds each input by itself
    if trip.facts.media or trip.facts.unseen_input:
        return window
    # A message of a variant's brings a few tokens besides its text.
    added = max(0, trip.added) + 32 * trip.turns_before
    return min(len(trip.call.body) + added, window)


def _most_output(trip: Trip, model: Model) -> int:
    wanted = trip.facts.max_output_tokens
    most = model.max_output_tokens if wanted is None else min(wanted, model.max_output_tokens)
    return most * max(1, trip.facts.choices)
