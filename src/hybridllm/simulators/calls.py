"""Every call that arrived and how it ended, so that a test can reconcile a ledger with what the
providers saw."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from msgspec import Struct, field

from hybridllm.simulators.ask import Billed

Outcome = Literal["open", "ok", "error", "cut", "cancelled"]


class CallRecord(Struct, kw_only=True):
    """One call. `attempt` is the caller's id for it (x-hybridllm-attempt, else
    x-client-request-id), `request_id` ours. `outcome` is open until it ends: ok (sent whole),
    error (the provider's error, in the reply or in the stream), cut (we closed the connection),
    cancelled (the caller did). `billed` is what the provider would bill, `reported` is False where
    a fault kept or bent it in the reply. A request that a batch has done is a record too: `batch`
    names the batch, `attempt` is the request's custom id, `endpoint` where it would go live."""

    number: int
    provider: str
    endpoint: str
    request_id: str
    attempt: str = ""
    model: str = ""
    batch: str = ""
    stream: bool = False
    status: int | None = None
    outcome: Outcome = "open"
    billed: Billed | None = None
    reported: bool = True
    faults: list[str] = field(default_factory=list)


class Counts(Struct, kw_only=True):
    """Sums over the calls. `open` are still under way. `lines` are those that are requests of
    batches (`batch/chat.completions` by endpoint), `billed_lines` what is billed for them, which is
    part of `billed`."""

    calls: int = 0
    open: int = 0
    by_outcome: dict[str, int]
    by_provider: dict[str, int]
    by_model: dict[str, int]
    by_status: dict[str, int]
    by_endpoint: dict[str, int]
    billed: Billed
    lines: int = 0
    billed_lines: Billed


class CallLog:
    """Counts calls at their arrival. With `keep_calls` False only the sums are kept, for loads
    that would fill the memory."""

    def __init__(self, keep_calls: bool = True) -> None:
        self.keep_calls = keep_calls
        self._number = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything; a call still under way will not be counted when it ends."""
        self.records: list[CallRecord] = []
        self._first = self._number
        self._ended = 0
        self._outcomes: Counter[str] = Counter()
        self._providers: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._endpoints: Counter[str] = Counter()
        self._billed = Billed()
        self._lines = 0
        self._billed_lines = Billed()

    def arrive(
        self, provider: str, endpoint: str, request_id: str, attempt: str, batch: str = ""
    ) -> CallRecord:
        self._number += 1
        self._providers[provider] += 1
        self._endpoints["batch/" + endpoint if batch else endpoint] += 1
        record = CallRecord(
            number=self._number,
            provider=provider,
            endpoint=endpoint,
            request_id=request_id,
            attempt=attempt,
            batch=batch,
        )
        if self.keep_calls:
            self.records.append(record)
        return record

    def finish(self, record: CallRecord, outcome: Outcome) -> None:
        record.outcome = outcome
        if record.number <= self._first:
            return
        self._ended += 1
        self._outcomes[outcome] += 1
        self._models[f"{record.provider}/{record.model}"] += 1
        if record.status is not None:
            self._statuses[str(record.status)] += 1
        if record.batch:
            self._lines += 1
        if record.billed is not None:
            self._billed.add(record.billed)
            if record.batch:
                self._billed_lines.add(record.billed)

    def counts(self) -> Counts:
        return Counts(
            calls=self._number - self._first,
            open=self._number - self._first - self._ended,
            by_outcome=dict(self._outcomes),
            by_provider=dict(self._providers),
            by_model=dict(self._models),
            by_status=dict(self._statuses),
            by_endpoint=dict(self._endpoints),
            billed=self._billed,
            lines=self._lines,
            billed_lines=self._billed_lines,
        )
