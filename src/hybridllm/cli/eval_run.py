"""`hybridllm eval run`: how good is each model at a task, on your own samples, within a budget."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from secrets import token_hex
from typing import Annotated

import msgspec
from cyclopts import Parameter
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hybridllm.cli.eval_tables import document, plan_lines, results_table
from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.config_file.variants import load_variant
from hybridllm.durations import seconds_of
from hybridllm.errors import RequestError
from hybridllm.evals.batches import answer_by_batch
from hybridllm.evals.captured import captured_set, said_grader
from hybridllm.evals.job import Job, job_of
from hybridllm.evals.results import Result
from hybridllm.evals.run import Run
from hybridllm.evals.runlog import Began, Ended, open_log
from hybridllm.evals.scores import keep_scores
from hybridllm.evals.sets import EvalSet, load_set
from hybridllm.evals.stack import EvalStack
from hybridllm.ledger.paths import ledger_directory, store_url
from hybridllm.money import PICODOLLARS
from hybridllm.store import open_store

_SHOW_SECONDS = 0.1
Flag = Annotated[bool, Parameter(negative="")]


def run(
    *,
    task: str,
    models: Annotated[list[str], Parameter(consume_multiple=True, negative="")] | None = None,
    set: Path | None = None,
    captured: int | None = None,
    grader: str = "f1",
    expected: str | None = None,
    samples: int = 200,
    budget: str = "5.00",
    concurrency: int = 8,
    max_output: int | None = None,
    batch: Flag = False,
    deadline: str = "24h",
    full: Flag = False,
    fresh: Flag = False,
    variant: Path | None = None,
    yes: Flag = False,
    config: Path | None = None,
    preset: str | None = None,
    ledger: Path | None = None,
    json: Flag = False,
) -> None:
    """Measure how good models are at a task: each answers the samples, and the answers are graded.

    Example:

        hybridllm eval run --task classification --set samples.jsonl --budget 2.00

    What it can cost is shown first, and the budget is never overdrawn: before each call, the most
    that it can cost is set aside. A run that was killed, or whose budget ran out, goes on where it
    was when it is started again; no answer is paid twice. Every call is in the ledger, tagged with
    the run.

    Parameters
    ----------
    task
        The task, as in the configuration.
    models
        The models [default: the task's candidates].
    set
        The samples, JSONL or CSV [default: evals/TASK.jsonl or evals/TASK.csv].
    captured
        Instead of a file: the newest so many requests of production that were captured.
    grader
        With --captured: who grades, a name or a JSON object. Graders that compare with a reference
        compare with production's answer.
    expected
        With --captured: what is expected of every answer, instead of production's own.
    samples
        At most so many of them for each model.
    budget
        Dollars for the whole run, judges included.
    concurrency
        So many calls at a time.
    max_output
        Tokens of an answer at most [default: four times what the task's answers usually take, and
        at least 4096; models that reason get four times as many].
    batch
        By the providers' batch APIs, at their price.
    deadline
        With --batch: by when the answers must be there.
    full
        Ask for all samples, even where it is certain whether a model meets the bar.
    fresh
        Begin anew, even if there is a run to go on with.
    variant
        The file of a prompt's variant that all models are asked with [default: none].
    yes
        Do not ask whether to spend it.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    preset
        The tasks, models and prices to start from: default (today's) or guide (April 2026).
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Print one JSON document.
    """
    settings = load_config(str(config) if config else None, preset)
    if ledger is not None:
        kept = msgspec.structs.replace(settings.ledger, directory=str(ledger))
        settings = msgspec.structs.replace(settings, ledger=kept)
    whole = _whole(budget)
    if captured is None:
        samples_set = load_set(set if set is not None else _usual(task))
    else:
        samples_set = _captured(settings, task, _positive(captured, "captured"), grader, expected)
    chosen = samples_set.some(_positive(samples, "samples"))
    limit = None if max_output is None else _positive(max_output, "max-output")
    varied = None if variant is None else load_variant(variant)
    job = job_of(
        settings, task, models or [], chosen, most_output=limit, batch=batch, variant=varied
    )
    seconds = _seconds(deadline)
    told = Console(stderr=True, highlight=False)
    for line in plan_lines(job, whole):
        told.print(line, soft_wrap=True)
    if not yes:
        _ask()
    ways = _Ways(concurrency=concurrency, deadline=seconds, full=full, fresh=fresh)
    try:
        made, results = asyncio.run(_run(settings, job, whole, ways, told))
    except KeyboardInterrupt:
        told.print("Interrupted. Start it again, and it goes on.")
        raise SystemExit(130) from None
    if json:
        print_json(document(made, job, results))
    else:
        out = console()
        out.print(results_table(made, job, results))
    if not any(result.n for result in results):
        raise SystemExit(1)


class _Ways(Struct, frozen=True, kw_only=True):
    """How the command is to go about it."""

    concurrency: int
    deadline: float
    full: bool
    fresh: bool


async def _run(
    settings: Config, job: Job, budget: int, ways: _Ways, told: Console
) -> tuple[str, list[Result]]:
    """(the run's id, its results)."""
    now = time.time()
    began = Began(
        run=f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{token_hex(3)}",
        at=int(now * 1_000_000),
        spec=job.spec,
        task=job.task.name,
        models=[cell.model.id for cell in job.cells],
        set=job.set.digest,
        samples=len(job.set.samples),
    )
    with open_log(ledger_directory(settings.ledger) / "evals", began, fresh=ways.fresh) as log:
        if log.began.run != began.run:
            told.print(f"Going on with the run {log.began.run}.")
        work = Run(job, log, budget, sequential=not ways.full)
        async with EvalStack(settings, work.till) as stack:
            work.begin(stack)
            try:
                with _watching(work, told):
                    if job.batch:
                        await answer_by_batch(work, ways.deadline)
                    results = await work.go(ways.concurrency)
            finally:
                await asyncio.to_thread(keep_scores, store_url(settings.ledger), work)
        if work.complete:
            log.add(Ended())
        return log.began.run, results


@contextmanager
def _watching(work: Run, told: Console) -> Iterator[None]:
    """A bar a model on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}"),
    )
    total = len(work.job.set.samples)
    with Progress(*columns, console=told, transient=True) as progress:
        bars = {id: progress.add_task(id, total=total, said="") for id in work.cells}

        shown = dict.fromkeys(work.cells, 0.0)

        def show(id: str) -> None:
            if time.monotonic() - shown[id] < _SHOW_SECONDS:
                return
            shown[id] = time.monotonic()
            found = work.result(id)
            said = f"${Decimal(found.cost) / PICODOLLARS:.4f}"
            if found.score is not None:
                said = f"{found.score:.3f}  {said}"
            if work.waiting:
                said += f"  {work.waiting:,} of the batch"
            progress.update(bars[id], completed=found.n + found.failed, said=said)

        work.told = show
        yield


def _usual(task: str) -> Path:
    for ending in ("jsonl", "csv"):
        path = Path("evals") / f"{task}.{ending}"
        if path.exists():
            return path
    raise RequestError(
        f"There are no samples: evals/{task[:64]}.jsonl is not there.",
        field="set",
        remedy="Name a file with --set; docs/evaluation.md says what is in it.",
    )


def _captured(
    settings: Config, task: str, count: int, grader: str, expected: str | None
) -> EvalSet:
    """What was kept of production, as a set."""
    engine = open_store(store_url(settings.ledger))
    try:
        now = time.time_ns() // 1000
        return captured_set(engine, task, count, now, said_grader(grader), expected)
    finally:
        engine.dispose()


def _whole(budget: str) -> int:
    """Picodollars."""
    try:
        amount = Decimal(budget.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount <= 1_000_000:
        raise RequestError(
            f"'{budget[:32]}' is no budget.", field="budget", remedy="Write dollars: 5.00."
        )
    return int(amount * PICODOLLARS)


def _positive(number: int, name: str) -> int:
    if number < 1:
        raise RequestError(f"--{name} must be at least 1.", field=name)
    return number


def _seconds(deadline: str) -> float:
    try:
        return seconds_of(deadline)
    except ValueError as e:
        raise RequestError(str(e), field="deadline", remedy="Write '30m', '6h', '2d'.") from None


def _ask() -> None:
    if not sys.stdin.isatty():
        raise RequestError(
            "This spends money, and nobody is here to ask.", field="yes", remedy="Say --yes."
        )
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SystemExit(1)
