"""What the lane takes in and gives out, on SQLite, before simulated providers.

    python benchmarks/bench_batching.py [--lines 100000] [--dialect anthropic] [--json]

The lines come in tenths, each of which is accepted durably, submitted, collected and read back
before the next comes, so that each step is timed alone and the store is fuller from tenth to tenth:
lines a second, how much CPU the lane's own process took for a line, and its memory, which must stay
flat. The providers' simulators work in a process of their own; where the lane waits for them, its
CPU is less than the time. Ends with an error if a line is not answered once and booked once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, func, select

from hybridllm.batching.lane import Lane
from hybridllm.batching.structs import NewBatch, NewLine
from hybridllm.config import BatchConfig, LedgerConfig
from hybridllm.config_file import load_config
from hybridllm.engine.runtime import open_runtime
from hybridllm.ledger import Ledger
from hybridllm.simulators import SimulatorProcess, prompt_of
from hybridllm.store import open_store
from hybridllm.store.batch_jobs import jobs_in
from hybridllm.store.schema import attempts, batches

TENTHS = 10
BATCH_LINES = 10_000
INPUT_TOKENS, OUTPUT_TOKENS = 100, 20
KEY = "bench"
STEPS = ("accepted", "submitted", "collected", "read")
DAY_SECONDS = 86_400
CONFIG = BatchConfig(
    max_age_seconds=0.0, poll_seconds=0.1, max_poll_seconds=0.2, margin_seconds=0.0
)
GOAL = 2_000


class Step(Struct):
    """One step of a tenth: lines a second, and microseconds of our CPU a line."""

    rate: float
    cpu_us: float


class Tenth(Struct):
    """A tenth by its steps; memory in MB when it was done."""

    lines: int
    steps: dict[str, Step]
    rss_mb: float


class Clock:
    """Times steps of so many lines."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self.steps: dict[str, Step] = {}
        self.begin()

    def begin(self) -> None:
        """A step begins, what was before belongs to none."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def step(self, name: str) -> None:
        """The step that has just ended."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        self.steps[name] = Step(self._lines / wall, cpu / self._lines * 1e6)
        self.begin()


def body_maker(dialect: str) -> Callable[[int], bytes]:
    """The body of the n-th request in a dialect."""
    mark = "100000000"
    text = prompt_of(
        INPUT_TOKENS, start=f"Call {mark}.", directive=f"output_tokens={OUTPUT_TOKENS}"
    )
    said = {
        "openai": {"model": "auto", "messages": [{"role": "user", "content": text}]},
        "anthropic": {
            "model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": text}],
        },
        "google": {"contents": [{"role": "user", "parts": [{"text": text}]}]},
    }[dialect]  # fmt: skip
    before, _, after = msgspec.json.encode(said).partition(mark.encode())
    return lambda number: b"%b%d%b" % (before, 100_000_000 + number, after)


def new_lines(dialect: str, first: int, count: int) -> Iterator[NewLine]:
    """Lines as an API's endpoint hands them over, named after their numbers."""
    body = body_maker(dialect)
    for n in range(first, first + count):
        yield NewLine(custom_id=f"r{n}", body=body(n), task="classification")


class Bench:
    """The lane of one process, and its providers in another."""

    def __init__(self, home: Path, simulators: SimulatorProcess, dialect: str) -> None:
        os.environ.update(simulators.env())
        config = msgspec.structs.replace(load_config(None, "guide"), batch=CONFIG)
        self._runtime = open_runtime(config)
        self._ledger = Ledger(LedgerConfig(directory=str(home), log="off"))
        self._ledger.open()
        self._store = self._ledger.store_url
        self._simulators = simulators
        self._dialect = dialect
        self.answers = 0

    async def tenth(self, first: int, count: int) -> Tenth:
        """Lines `first` and on through all steps."""
        lane = Lane(lambda: self._runtime, self._ledger, self._store)
        clock = Clock(count)
        ids = []
        for at in range(first, first + count, BATCH_LINES):
            some = min(BATCH_LINES, first + count - at)
            deadline = time.time_ns() // 1000 + DAY_SECONDS * 10**6
            new = NewBatch(dialect=self._dialect, key=KEY, deadline_at=deadline, model="auto")
            ids.append((await lane.accept(new, new_lines(self._dialect, at, some))).id)
        clock.step("accepted")
        await lane.open()
        await self._until(partial(_submitted, lines=count))
        clock.step("submitted")
        self._simulators.advance(2 * DAY_SECONDS)
        await asyncio.to_thread(self._simulators.counts)  # has them do all that is due
        clock.begin()
        lane.driver.wake()  # it would have looked within a second
        await self._until(_all_ended)
        clock.step("collected")
        for id in ids:
            async for result in lane.results(id):
                self.answers += result.state == "answered" and result.mode == "batch"
        clock.step("read")
        await lane.close()
        self._simulators.reset()  # else they would hold all that they were ever sent
        return Tenth(count, clock.steps, rss_mb())

    async def _until(self, done: Callable[[Connection], bool]) -> None:
        store = open_store(self._store)
        try:
            while True:
                with store.connect() as connection:
                    if done(connection):
                        return
                await asyncio.sleep(0.05)
        finally:
            store.dispose()

    async def close(self) -> int:
        """End it; the rows in the ledger that are whole: a batch's, answered, with a price."""
        await self._runtime.close()
        await asyncio.to_thread(self._ledger.close)
        store = open_store(self._store)
        query = select(func.count()).where(
            attempts.c.batch, attempts.c.answered, attempts.c.cost > 0
        )
        with store.connect() as connection:
            rows = int(connection.execute(query.select_from(attempts)).scalar_one())
        store.dispose()
        return rows


def _all_ended(connection: Connection) -> bool:
    query = select(func.count()).where(batches.c.state != "ended")
    return connection.execute(query.select_from(batches)).scalar_one() == 0


def _submitted(connection: Connection, lines: int) -> bool:
    return sum(job.lines for job in jobs_in(connection, ("submitted", "ended"))) >= lines


def rss_mb() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def run(
    lines: int, dialect: str, tell: Callable[[Tenth], None], parts: int = TENTHS
) -> list[str]:
    """All parts, tenths for us; what is wrong in the end."""
    with (
        tempfile.TemporaryDirectory(prefix="hybridllm-lane-") as home,
        SimulatorProcess("realistic", keep_calls=False) as simulators,
    ):
        bench = Bench(Path(home), simulators, dialect)
        each = lines // parts
        for n in range(parts):
            tell(await bench.tenth(n * each, each))
        rows = await bench.close()
    sent = each * parts
    found = {"answers": bench.answers, "rows in the ledger": rows}
    return [f"{what}: {n:,}, not {sent:,}" for what, n in found.items() if n != sent]


def in_and_out(tenths: list[Tenth]) -> dict[str, float]:
    """Lines a second over all tenths: each step; `in`, which is accepting and submitting one after
    the other, and `out`, which is collecting and reading."""
    lines = sum(tenth.lines for tenth in tenths)
    spent = {name: sum(tenth.lines / tenth.steps[name].rate for tenth in tenths) for name in STEPS}
    return {
        **{name: lines / seconds for name, seconds in spent.items()},
        "in": lines / (spent["accepted"] + spent["submitted"]),
        "out": lines / (spent["collected"] + spent["read"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--dialect", choices=["openai", "anthropic", "google"], default="openai")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(quiet=options.json)
    table = Table(title=f"{options.lines:,} lines of {options.dialect}", box=None)
    for name in ("tenth", *(f"{step}/s" for step in STEPS), "our CPU µs a line", "MB"):
        table.add_column(name, justify="right")
    tenths: list[Tenth] = []

    def tell(tenth: Tenth) -> None:
        tenths.append(tenth)
        rates = [f"{tenth.steps[name].rate:,.0f}" for name in STEPS]
        cpu = " ".join(f"{tenth.steps[name].cpu_us:,.0f}" for name in STEPS)
        table.add_row(f"{len(tenths)}", *rates, cpu, f"{tenth.rss_mb:.0f}")
        console.print(f"{len(tenths)}: {' '.join(rates)} lines/s, {tenth.rss_mb:.0f} MB")

    wrong = asyncio.run(run(options.lines, options.dialect, tell))
    rates = in_and_out(tenths)
    console.print(table)
    console.print(
        f"in {rates['in']:,.0f} lines/s, out {rates['out']:,.0f} lines/s (goal {GOAL:,} each)"
    )
    if options.json:
        told = {"dialect": options.dialect, "tenths": tenths, "lines_per_second": rates}
        print(msgspec.json.encode(told).decode())
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
