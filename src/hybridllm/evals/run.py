"""A run: every model answers the same samples, within the budget, and its answers are graded.

Sample by sample and not model by model, so that a run that ends early has compared all models on
the same ones.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from hybridllm.catalog.prompts import Variant
from hybridllm.engine.stack import ChatReply, encoded
from hybridllm.errors import ErrorKind, HybridError, ProviderError
from hybridllm.evals import runlog
from hybridllm.evals.graders.rubric import question_of
from hybridllm.evals.grading import Case, Grade, Judge
from hybridllm.evals.job import JUDGES_OUTPUT, Cell, Job, options_of, today
from hybridllm.evals.results import CONFIDENCE, Result, figures_of, interval
from hybridllm.evals.runlog import Answered, Graded, Judged, RunLog
from hybridllm.evals.sets import Sample
from hybridllm.evals.stack import EvalStack
from hybridllm.evals.till import BATCH, OverBudget, Till, cell_purpose, purpose
from hybridllm.pricing import upper_bound
from hybridllm.quality.anytime import anytime
from hybridllm.quality.verdict import Verdict, verdict

TRIES = 4
"""How often a call that fails in passing is made, each time with the engine's own retries."""
_GIVE_UP = 5
"""So many failures in a row end a cell: its model cannot be called now."""
_REST_SECONDS = 1.0
CERTAIN = "its verdict is certain"
SPENT = "the budget does not cover its next call"

Key = tuple[str, str]
"""A model's id and a sample's."""
Told = Callable[[str], None]
"""Told a model's id whenever something of it has changed."""


def nobody(_model: str) -> None:
    """Nobody wants to know."""


class Run:
    """Use: construct with the run's log, open a stack on its `till`, `begin`, then `go`. What the
    log holds already is neither asked nor paid nor graded again."""

    def __init__(
        self,
        job: Job,
        log: RunLog,
        budget: int,
        *,
        told: Told = nobody,
        sequential: bool = True,
        rest: float = _REST_SECONDS,
    ) -> None:
        self.job = job
        self.log = log
        self.samples = {sample.id: sample for sample in job.set.samples}
        self.cells = {cell.model.id: cell for cell in job.cells}
        self.answers: dict[Key, Answered] = {}
        self.grades: dict[str, dict[str, Grade]] = {id: {} for id in self.cells}
        self.failed: dict[str, set[str]] = defaultdict(set)
        self.ungraded: dict[str, set[str]] = defaultdict(set)
        self.stopped: dict[str, str] = {}
        self.graded_at: dict[Key, int] = {}
        self.stack: EvalStack
        self.told = told
        self._budget = budget
        self._rest = rest
        self._judged: dict[str, str] = {}
        self.looking = sequential and may_stop(job)
        self._counted: dict[str, int] = defaultdict(int)
        self._sums: dict[str, tuple[int, float, float]] = defaultdict(lambda: (0, 0.0, 0.0))
        self._in_row: dict[str, int] = defaultdict(int)
        self.waiting = 0
        """How many lines of a batch that is out have ended."""

    # -- money

    def till(self, journal: Any) -> Till:
        """The run's till, with what was spent in earlier processes: what they left under way is
        booked at the most that it can have cost."""
        till = Till(journal, self._budget, self._note)
        for event in self.log.events:
            if isinstance(event, runlog.Paid):
                till.book(event.cost, event.purpose, event.name.partition("#")[0])
        for name, held in runlog.unpaid(self.log.events).items():
            if not name.startswith(BATCH):
                till.book(held.upper, held.purpose)
                self.log.add(runlog.Paid(name=name, cost=held.upper, purpose=held.purpose))
        return till

    def _note(self, name: str, upper: int, cost: int, what: str) -> None:
        if upper:
            self.log.add(runlog.Held(name=name, upper=upper, purpose=what))
        else:
            self.log.add(runlog.Paid(name=name, cost=cost, purpose=what))

    # -- going

    async def go(self, concurrency: int) -> list[Result]:
        """Ask and grade what is left, so many calls at a time. Returns when all is done, or as
        far as the budget goes. The run has begun."""
        await self._all(concurrency)
        while self._reopen():
            await self._all(concurrency)
        return self.results()

    async def _all(self, concurrency: int) -> None:
        work = self._work()
        workers = [asyncio.ensure_future(self._worker(work)) for _ in range(max(1, concurrency))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def begin(self, stack: EvalStack) -> None:
        """Take up what the log has."""
        self.stack = stack
        for event in self.log.events:
            if isinstance(event, Answered) and self._ours(event.model, event.sample):
                self.answers[event.model, event.sample] = event
            elif isinstance(event, Judged):
                self._judged[event.asked] = event.text
            elif isinstance(event, Graded) and self._ours(event.model, event.sample):
                grade = Grade(score=event.score, why=event.why, label=event.label)
                self._keep(event.model, event.sample, grade, event.at)

    def _ours(self, model: str, sample: str) -> bool:
        return model in self.cells and sample in self.samples

    def _work(self) -> Iterator[tuple[Cell, int, Sample]]:
        for at, sample in enumerate(self.job.set.samples):
            for cell in self.job.cells:
                id = cell.model.id
                if sample.id in self.grades[id]:
                    continue
                if id not in self.stopped or (id, sample.id) in self.answers:
                    yield cell, at, sample

    async def _worker(self, work: Iterator[tuple[Cell, int, Sample]]) -> None:
        for cell, at, sample in work:
            purpose.set(cell_purpose(cell.model.id, sample.id))
            await self._one(cell, at, sample)
            self.told(cell.model.id)

    async def _one(self, cell: Cell, at: int, sample: Sample) -> None:
        id = cell.model.id
        try:
            answer = self.answers.get((id, sample.id))
            if answer is None and not self.job.batch:
                answer = await self._answer(cell, at, sample)
            if answer is not None:
                await self.grade(cell, sample, answer)
        except OverBudget:
            self.stopped[id] = SPENT

    async def _answer(self, cell: Cell, at: int, sample: Sample) -> Answered | None:
        id = cell.model.id
        try:
            reply = await self._call(
                id,
                sample.messages,
                self.job.task.name,
                cell.uppers[at],
                options_of(sample, cell),
                variant=self.job.variant,
            )
        except OverBudget:
            raise
        except HybridError as e:
            self.failed[id].add(sample.id)
            self._in_row[id] += 1
            if self._in_row[id] >= _GIVE_UP:
                self.stopped[id] = f"it cannot be called: {e.kind.replace('_', ' ')}"
            return None
        self._in_row[id] = 0
        self.failed[id].discard(sample.id)
        return self.answered(id, sample, reply)

    def answered(self, model: str, sample: Sample, reply: ChatReply) -> Answered:
        """Keep an answer."""
        answer = Answered(
            model=model,
            sample=sample.id,
            text=reply.text or _calls_of(reply),
            finish=reply.finish,
            request_id=reply.request_id,
        )
        self.log.add(answer)
        self.answers[model, sample.id] = answer
        return answer

    async def _call(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]],
        task: str,
        upper: int,
        options: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
        variant: Variant | None = None,
    ) -> ChatReply:
        """One paid call. Waits for room in the budget; what fails in passing is tried again. Raises
        OverBudget where there will be none, HybridError where it cannot be made."""
        left = TRIES
        while True:
            if not await self.stack.till.room(upper):
                raise OverBudget(upper)
            try:
                reply: ChatReply = await self.stack.chat(
                    messages,
                    task=task,
                    model=model,
                    tags={**self.tags, **(tags or {})},
                    variant=variant,
                    **options,
                )
                return reply
            except OverBudget as e:
                self.stack.give_back(model)
                upper = max(upper, e.upper)
            except HybridError as e:
                left -= 1
                if not left or not _passing(e):
                    raise
                wait = e.retry_after if isinstance(e, ProviderError) else None
                await asyncio.sleep(max(wait or 0.0, self._rest * 2 ** (TRIES - left - 1)))

    @property
    def tags(self) -> dict[str, str]:
        """What the ledger's rows of this run are marked with."""
        return {"eval": self.log.began.run}

    # -- grading

    async def grade(self, cell: Cell, sample: Sample, answer: Answered) -> None:
        """Grade an answer and keep the grade. Raises OverBudget where its judge cannot be paid."""
        id, grader = cell.model.id, sample.grader
        try:
            if isinstance(grader, Judge):
                grade = await self._judge(grader, cell, sample, answer)
            elif grader.slow:
                grade = await asyncio.to_thread(grader.grade, answer.text, sample.expected)
            else:
                grade = grader.grade(answer.text, sample.expected)
        except OverBudget:
            raise
        except (ValueError, HybridError):
            self.ungraded[id].add(sample.id)
            return
        graded = Graded(
            model=id,
            sample=sample.id,
            score=grade.score,
            at=time.time_ns() // 1000,
            why=grade.why,
            label=grade.label,
        )
        self.log.add(graded)
        self._keep(id, sample.id, grade, graded.at)

    def _keep(self, model: str, sample: str, grade: Grade, at: int) -> None:
        """Count a grade, and end its cell if the verdict is certain. Grades are counted in the
        order of the samples, not in that of the answers: who answers fast may be right more
        often."""
        self.grades[model][sample] = grade
        self.graded_at[model, sample] = at
        if not self.looking:
            return
        samples = self.job.set.samples
        n, total, squares = self._sums[model]
        while self._counted[model] < len(samples):
            id = samples[self._counted[model]].id
            if id in self.grades[model]:
                score = self.grades[model][id].score
                n, total, squares = n + 1, total + score, squares + score * score
            elif id not in self.failed[model] and id not in self.ungraded[model]:
                break
            self._counted[model] += 1
        self._sums[model] = n, total, squares
        lower, upper = anytime(n, total, squares, CONFIDENCE)
        if verdict(lower, upper, self.job.task.bar) != Verdict.UNDECIDED:
            self.stopped[model] = CERTAIN

    def _reopen(self) -> bool:
        """Go on with cells whose last answers, under way when they were ended, made their verdict
        doubtful again; whether there are any."""
        again = [
            id
            for id, why in self.stopped.items()
            if why == CERTAIN and self.result(id).verdict == Verdict.UNDECIDED
        ]
        for id in again:
            del self.stopped[id]
        return bool(again)

    async def _judge(self, grader: Judge, cell: Cell, sample: Sample, answer: Answered) -> Grade:
        asked = 0

        async def ask(name: str, messages: Sequence[Mapping[str, Any]]) -> str:
            nonlocal asked
            asked += 1
            judge = self.job.judges[name]
            body = encoded({"model": judge.id, "messages": messages, "n": asked})
            digest = hashlib.blake2b(body, digest_size=16).hexdigest()
            if (known := self._judged.get(digest)) is None:
                upper = upper_bound(judge, today(), len(body), JUDGES_OUTPUT)
                reply = await self._call(
                    judge.id,
                    messages,
                    self.job.task.name,
                    upper,
                    {"max_completion_tokens": JUDGES_OUTPUT},
                    {"judges": cell.model.id},
                )
                known = self._judged[digest] = reply.text
                self.log.add(Judged(asked=digest, text=known))
            return known

        case = Case(
            sample=sample.id,
            model=cell.model.id,
            question=question_of(sample.messages),
            answer=answer.text,
            expected=sample.expected,
        )
        return await grader.judge(case, ask)

    # -- results

    def result(self, model: str) -> Result:
        """What is known of a model so far."""
        grades = self.grades[model]
        cost = self.stack.till.by_purpose.get(model, 0)
        cut = sum(self.answers[model, id].finish == "length" for id in grades)
        mean = lower = upper = None
        said = Verdict.UNDECIDED
        if grades:
            weights = [self.samples[id].weight for id in grades]
            scores = [g.score for g in grades.values()]
            mean, lower, upper = interval(scores, weights, looked=self.looking)
            said = verdict(lower, upper, self.job.task.bar)
        return Result(
            model=model,
            n=len(grades),
            score=mean,
            lower=lower,
            upper=upper,
            verdict=said,
            cost=cost,
            failed=len(self.failed[model]),
            ungraded=len(self.ungraded[model]),
            cut=cut,
            stopped=self.stopped.get(model, ""),
            figures=figures_of(self.samples, grades),
        )

    def results(self) -> list[Result]:
        """By score, the best first; then by cost."""
        found = [self.result(id) for id in self.cells]
        return sorted(found, key=lambda r: (r.score is None, -(r.score or 0.0), r.cost))

    @property
    def complete(self) -> bool:
        """Whether nothing is left that another start could do."""
        return all(self._done(id) for id in self.cells)

    def _done(self, id: str) -> bool:
        if id in self.stopped:
            return self.stopped[id] == CERTAIN
        ended = len(self.grades[id]) + len(self.ungraded[id]) + len(self.failed[id])
        return ended >= len(self.samples)


def may_stop(job: Job) -> bool:
    """Whether a cell of this job may end early: not with samples of unequal weight, nor without a
    bar to be met."""
    return job.task.bar > 0 and len({sample.weight for sample in job.set.samples}) == 1


def _passing(error: HybridError) -> bool:
    if isinstance(error, ProviderError):
        return error.retryable
    return error.kind is ErrorKind.UNAVAILABLE


def _calls_of(reply: ChatReply) -> str:
    """An answer that calls tools and says nothing, as JSON."""
    if not reply.tool_calls:
        return ""
    calls = [
        {"name": call.name, "arguments": msgspec.Raw(call.arguments.encode())}
        for call in reply.tool_calls
    ]
    return msgspec.json.encode(calls).decode()
