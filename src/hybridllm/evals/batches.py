"""The answers of a run by the lane, at the price of batches. Grading comes after, as in any run.

What all lines can cost at most is set aside while the batch is out, twice: the lane asks a line
live, too, whose batch is late. A batch is handed over under a token that is in the log before, so
that a run that was killed finds it again, and sends nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from secrets import token_hex

import msgspec

from hybridllm.batching.lane import Lane
from hybridllm.batching.structs import NewBatch, NewLine, Result
from hybridllm.engine.stack import Receipt, encoded, reply_of
from hybridllm.evals import runlog
from hybridllm.evals.job import Cell, options_of
from hybridllm.evals.run import SPENT, Run
from hybridllm.evals.sets import Sample
from hybridllm.evals.till import BATCH, purpose

_LOOK_SECONDS = 1.0
_PAGE = 100
Line = tuple[Cell, Sample, int]
"""A line to send, and what it can cost at most."""


async def answer_by_batch(run: Run, deadline_seconds: float) -> None:
    """Collect what an earlier process has sent, and send what is left, as much at a time as the
    budget covers, until all has been answered or nothing more is covered. The run has begun."""
    lane = await run.stack.lane()
    for sent in _out(run.log.events):
        run.stack.till.hold(f"{BATCH}{sent.token}", sent.upper)
        await _collect(run, lane, sent, await _find(lane, run.stack.key, sent.token))
    while left := list(_left(run)):
        lines, upper = _affordable(run, left)
        if not lines:
            run.stopped.update((cell.model.id, SPENT) for cell, _, _ in left)
            return
        sent = runlog.Sent(
            token=token_hex(8),
            places=[(cell.model.id, sample.id) for cell, sample, _ in lines],
            upper=upper,
        )
        run.stack.till.hold(f"{BATCH}{sent.token}", upper)
        run.log.add(sent)
        new = NewBatch(
            dialect="openai",
            key=run.stack.key,
            deadline_at=int((time.time() + deadline_seconds) * 1e6),
            endpoint="/v1/chat/completions",
            kind="run",
            metadata=msgspec.json.encode({"eval": sent.token}).decode(),
        )
        batch = await lane.accept(new, _lines(run, lines))
        await _collect(run, lane, sent, batch.id)


def _out(events: list[runlog.Event]) -> list[runlog.Sent]:
    """The batches that are not collected yet."""
    out: dict[str, runlog.Sent] = {}
    for event in events:
        if isinstance(event, runlog.Sent):
            out[event.token] = event
        elif isinstance(event, runlog.Collected):
            out.pop(event.token, None)
    return list(out.values())


def _left(run: Run) -> Iterator[Line]:
    """What has no answer yet, sample by sample."""
    for at, sample in enumerate(run.job.set.samples):
        for cell in run.job.cells:
            id = cell.model.id
            if (id, sample.id) not in run.answers and sample.id not in run.failed[id]:
                yield cell, sample, cell.uppers[at]


def _affordable(run: Run, left: list[Line]) -> tuple[list[Line], int]:
    """As many of them as the budget covers, in their order, and what they can cost together."""
    chosen: list[Line] = []
    upper = 0
    for line in left:
        if not run.stack.till.fits(upper + 2 * line[2]):
            break
        upper += 2 * line[2]
        chosen.append(line)
    return chosen, upper


def _lines(run: Run, lines: list[Line]) -> Iterator[NewLine]:
    tags = msgspec.json.encode(run.tags).decode()
    for number, (cell, sample, _) in enumerate(lines):
        body = {
            "model": cell.model.id,
            "messages": sample.messages,
            **options_of(sample, cell),
        }
        yield NewLine(
            custom_id=f"sample-{number}",
            body=encoded(body),
            task=run.job.task.name,
            tags=tags,
            variant=run.job.variant,
        )


async def _collect(run: Run, lane: Lane, sent: runlog.Sent, id: str) -> None:
    """Wait for a batch's end and take its answers. "": it never was accepted."""
    if id:
        while (
            found := await lane.wait(id, run.stack.key, _LOOK_SECONDS)
        ) and found.state != "ended":
            run.waiting = found.ended
            for model in run.cells:
                run.told(model)
        async for result in lane.results(id):
            _take(run, sent.places[result.place], result)
    run.waiting = 0
    run.stack.till.settle(f"{BATCH}{sent.token}", 0)
    run.log.add(runlog.Collected(token=sent.token))


async def _find(lane: Lane, key: str, token: str) -> str:
    """The batch of a token, "" where it never was accepted."""
    before = None
    while page := await lane.batches(key, "openai", "run", before, _PAGE):
        for batch in page:
            if token in batch.new.metadata:
                return batch.id
        before = page[-1].id
    return ""


def _take(run: Run, place: tuple[str, str], result: Result) -> None:
    model, sample = place
    till = run.stack.till
    purpose.set(model)
    extra = result.cost - till.by_request.get(result.request_id, 0)
    if extra > 0:  # booked by another process that drove the lane
        till.settle(f"{result.request_id}#0", extra, result.request_id, model)
    if model not in run.cells or sample not in run.samples:
        return
    if result.state != "answered" or result.model != model:
        run.failed[model].add(sample)
        return
    receipt = Receipt(
        request_id=result.request_id,
        task=result.task,
        model=model,
        provider=run.cells[model].model.provider,
        reason=result.mode,
        attempts=result.attempts,
    )
    run.answered(model, run.samples[sample], reply_of(receipt, result.body))
