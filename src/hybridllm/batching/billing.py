"""What an attempt in a batch was, as its row in the ledger."""

from __future__ import annotations

import time

from msgspec import Struct

from hybridllm.batching.notes import Note
from hybridllm.catalog.structs import Usage
from hybridllm.engine.runtime import Runtime
from hybridllm.ledger.record import Attempt
from hybridllm.pricing import cost_of, levers
from hybridllm.providers.batches.api import Outcome
from hybridllm.store.batch_jobs import JobRow


class Ending(Struct, frozen=True):
    """How it ended: `outcome` and `error_kind` of the row, the provider's usage, or None where that
    must be estimated of `output_bytes`."""

    outcome: str
    error_kind: str = ""
    usage: Usage | None = None
    output_bytes: int = 0


def attempt_row(
    runtime: Runtime,
    job: JobRow,
    note: Note,
    request: str,
    number: int,
    outcome: Outcome,
    ending: Ending,
    *,
    answered: bool,
) -> Attempt:
    """The row of attempt `number` of the request, of the job's time and at that day's prices of
    batches; its baseline is what the baseline model would have cost live. `answered`: the caller
    got this very answer."""
    model = runtime.models.get(job.model)
    day = time.strftime("%Y-%m-%d", time.gmtime(job.submitted_at / 1e6))
    usage = ending.usage
    if usage is None and outcome.ending == "answered":
        rate = model.tokens_per_kbyte if model is not None else 250
        usage = Usage(
            input_tokens=((note.text_bytes + note.added) * rate + 999) // 1000,
            output_tokens=(ending.output_bytes * rate + 999) // 1000,
        )
    priced = usage or Usage()
    cost = None if model is None else cost_of(model, priced, day, batch=True)
    lever = None if model is None else levers(model, priced, day, batch=True)
    rival = runtime.baseline if answered else None
    return Attempt(
        request_id=request,
        attempt=number,
        at=job.submitted_at,
        key=note.key,
        tags=note.tags,
        task=note.task,
        task_source=note.source,
        tier=note.tier,
        requested=note.asked,
        provider=job.provider,
        model=job.model,
        account=job.account,
        dialect_in=note.dialect,
        dialect_out=job.dialect,
        stream=False,
        status=outcome.status or (200 if outcome.ending == "answered" else 0),
        outcome=ending.outcome,
        error_kind=ending.error_kind,
        answered=answered,
        provider_request_id=outcome.request_id,
        input_tokens=priced.input_tokens,
        cache_read_tokens=priced.cache_read_tokens,
        cache_write_tokens=priced.cache_write_tokens,
        cache_write_long_tokens=priced.cache_write_long_tokens,
        output_tokens=priced.output_tokens,
        reasoning_tokens=priced.reasoning_tokens,
        cost=cost or 0,
        baseline=(cost_of(rival, priced, day) or 0) if rival is not None else 0,
        baseline_model=rival.id if rival is not None else "",
        usage_estimated=usage is not None and ending.usage is None,
        unpriced=cost is None,
        batch=True,
        first_token_us=0,
        total_us=max(0, job.ended_at - job.submitted_at),
        reason=note.reason,
        moved_from="",
        text_bytes=note.text_bytes + note.added,
        text_kind=note.text_kind,
        batch_gap=0 if lever is None else lever.batch_gap,
        read_saved=0 if lever is None else lever.read_saved,
        write_extra=0 if lever is None else lever.write_extra,
        variant=note.prompt,
    )
