"""The guide's month through the lane: what can wait is batched, unasked, because its task says so.

    python -m benchmarks.month_batched [--scale 100] [--marked async|all]

The callers and their requests are those of `month.py`. Only the configuration differs, which gives
tasks a deadline: with `async`, the two that the guide batches, and the ledger must say $4,376.25 to
the picodollar; with `all`, every task, and it must say no more than $2,688.75. Both must hold one
row for each request that the providers answered, and no task may have been answered by a model
below its bar. Ends with an error else.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.month import Month, check
from msgspec import Struct
from rich.console import Console
from sqlalchemy import Engine, func, select

from hybridllm.config import Config, LedgerConfig
from hybridllm.config_file import load_config
from hybridllm.gateway.process import GatewayProcess
from hybridllm.quality import Table, meets
from hybridllm.reports.source import open_ledger
from hybridllm.simulators import SimulatorProcess, Simulators
from hybridllm.simulators.calls import Counts
from hybridllm.store.schema import attempts, batches

ASYNC = ("classification", "code_generation")
ALL = ("classification", "analysis", "code_generation", "complex_reasoning")
BATCHED, EVERYTHING = 4_376_250_000 * 10**6, 2_688_750_000 * 10**6
"""Picodollars of the whole month: with the tasks batched that the guide batches, and with all."""
LANE = """
[batch]
max_age_seconds = 1.0
poll_seconds = 0.2
max_poll_seconds = 1.0
usual_seconds = 1.0
margin_seconds = 60.0
"""
"""Submitted soon and looked after often, as the simulated providers answer at once."""


class Found(Struct):
    """What a replay came to: picodollars, the mistakes found, and seconds until the last call was
    accepted, and until the last was answered."""

    cost: int
    wrong: list[str]
    accepted_seconds: float
    answered_seconds: float
    total: int


def configuration(marked: tuple[str, ...]) -> str:
    """hybridllm.toml in which these tasks can wait for a day."""
    return LANE + "".join(f'\n[tasks.{task}]\ndeadline = "24h"\n' for task in marked)


def replay(
    home: Path,
    scale: int,
    marked: tuple[str, ...],
    console: Console,
    simulators: Simulators | SimulatorProcess,
) -> Found:
    """The month at 1:`scale`, with tasks that wait, before simulators that count from 0."""
    right = BATCHED if set(marked) == set(ASYNC) else EVERYTHING
    gateway = GatewayProcess(home, simulators.env(), config=configuration(marked))
    with gateway:
        month = Month(gateway.url, gateway.process.pid, scale, console)
        begun = time.perf_counter()
        asyncio.run(month.run())
        accepted = time.perf_counter() - begun
        store = open_ledger(LedgerConfig(directory=str(gateway.ledger)))
        while (left := unanswered(store)) and gateway.process.poll() is None:
            console.print(f"      {left:>8,} wait")
            time.sleep(0.5)
        answered = time.perf_counter() - begun
    wrong = check(gateway.ledger, month, generated(simulators.counts()), scale, right)
    cost, faults = look(store, load_config(str(gateway.config), "guide"), marked)
    store.dispose()
    return Found(cost, wrong + faults, accepted, answered, month.total)


def unanswered(store: Engine) -> int:
    """Batches that have not ended."""
    with store.connect() as connection:
        query = select(func.count()).where(batches.c.state != "ended")
        return int(connection.execute(query.select_from(batches)).scalar_one())


def generated(counts: Counts) -> int:
    """Requests that the providers answered, alone and in batches."""
    live = sum(n for name, n in counts.by_endpoint.items() if name in LIVE)
    return counts.lines + live


LIVE = ("chat.completions", "messages", "generateContent")


def look(store: Engine, config: Config, marked: tuple[str, ...]) -> tuple[int, list[str]]:
    """The cost of all attempts, and what is wrong with them: a task that could wait and was asked
    live, or the other way about, or a model whose quality is not surely the bar's."""
    columns = (attempts.c.task, attempts.c.model, attempts.c.batch)
    query = select(*columns, func.count(), func.sum(attempts.c.cost)).group_by(*columns)
    with store.connect() as connection:
        rows = list(connection.execute(query))
    table = Table(config.quality)
    wrong = []
    for task, model, batch, count, _ in rows:
        if batch is not (task in marked):
            wrong.append(f"{task}: {count:,} calls {'in batches' if batch else 'asked live'}")
        quality = table.find(model, config.tasks[task])
        if quality is None or not meets(quality, config.tasks[task].bar):
            wrong.append(f"{task}: {count:,} calls by {model}, which is below its bar")
    return sum(int(row[4]) for row in rows), wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=100, help="1 is the whole month")
    parser.add_argument("--marked", choices=["async", "all"], help="one of the two alone")
    options = parser.parse_args()
    if options.scale < 1 or 10_000 % options.scale:
        parser.error("--scale divides 10,000, the calls of the rarest task: 1, 10, 100, 1000")
    console = Console()
    failed = False
    for name, marked in (("async", ASYNC), ("all", ALL)):
        if options.marked in (None, name):
            console.print(f"marked: {', '.join(marked)}")
            with (
                tempfile.TemporaryDirectory(prefix="hybridllm-month-") as home,
                SimulatorProcess(keep_calls=False) as simulators,
            ):
                found = replay(Path(home), options.scale, marked, console, simulators)
            console.print(
                f"{found.total:,} calls accepted in {found.accepted_seconds:,.0f} s and answered "
                f"after {found.answered_seconds:,.0f} s"
            )
            for line in found.wrong:
                print(f"WRONG: {line}", file=sys.stderr)
            failed = failed or bool(found.wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
