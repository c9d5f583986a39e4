"""The guide's whole month, 660,000 calls, through a gateway before simulated providers.

    python benchmarks/month.py [--scale 1]

Ends with an error unless the ledger says $7,125.00 for one provider and $5,377.50 for the hybrid,
to the picodollar, with exactly one row for each call that the providers counted. At each tenth it
prints the calls a second and the gateway's memory, which must stay flat.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import func, select

from hybridllm.config import Deadlines, LedgerConfig
from hybridllm.gateway.process import GatewayProcess
from hybridllm.money import dollars
from hybridllm.planning.workload import load_workload
from hybridllm.providers.client import Client
from hybridllm.providers.head import field_lines, request_line
from hybridllm.providers.origin import Origin
from hybridllm.reports.source import open_ledger
from hybridllm.reports.spend import spend
from hybridllm.simulators import SimulatorProcess, prompt_of
from hybridllm.store.schema import attempts

BASELINE, HYBRID = 7_125 * 10**12, 5_377_500_000 * 10**6
CONCURRENCY = 32
DIGITS = 6
TENTHS = 10


class Template(msgspec.Struct):
    """A task's request, to be sent with a number in the place of `MARK`. Numbers have six digits,
    which are two tokens each, so that all of a task's prompts have the same number of tokens, and
    none shares a prefix with another that a provider's cache would find."""

    path: str
    before: bytes
    after: bytes
    headers: tuple[tuple[bytes, bytes], ...]


MARK = "100000"


def template(dialect: str, task: str, input_tokens: int, output_tokens: int) -> Template:
    """The request of a task in a dialect."""
    text = prompt_of(
        input_tokens,
        start=f"{MARK} is the number of this call.",
        directive=f"output_tokens={output_tokens}",
    )
    headers: tuple[tuple[bytes, bytes], ...] = ((b"x-hybridllm-task", task.encode()),)
    message = {"role": "user", "content": text}
    if dialect == "openai":
        path, body = "/v1/chat/completions", {"model": "auto", "messages": [message]}
        body["max_completion_tokens"] = output_tokens  # type: ignore[assignment]
    elif dialect == "anthropic":
        path = "/v1/messages"
        body = {"model": "auto", "max_tokens": output_tokens, "messages": [message]}  # type: ignore[dict-item]
    else:
        path = "/v1beta/models/auto:generateContent"
        body = {
            "contents": [{"role": "user", "parts": [{"text": text}]}],  # type: ignore[dict-item]
            "generationConfig": {"maxOutputTokens": output_tokens},  # type: ignore[dict-item]
        }
    before, _, after = msgspec.json.encode(body).partition(MARK.encode())
    return Template(path, before, after, headers)


def calls(scale: int) -> Iterator[tuple[str, str, int]]:
    """(dialect, task, number) of every call, tasks evenly mixed over the whole month."""
    lines = [(line.task, line.calls // scale) for line in load_workload("guide").tasks]
    total = sum(count for _, count in lines)
    done = {task: 0 for task, _ in lines}
    dialects = ("openai", "anthropic", "google")
    for number in range(total):
        task = min(lines, key=lambda line: (done[line[0]] + 1) / line[1])[0]
        done[task] += 1
        yield dialects[number % 3], task, 10 ** (DIGITS - 1) + number


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Month:
    """The replay. `failures` are texts of replies that were none."""

    def __init__(self, url: str, pid: int, scale: int, console: Console) -> None:
        self._origin = Origin(url, env={})
        self._client = Client()
        self._pool = self._client.pool(self._origin, CONCURRENCY)
        self._pid = pid
        self._console = console
        self._calls = calls(scale)
        self.total = sum(line.calls // scale for line in load_workload("guide").tasks)
        self.done = 0
        self.failures: list[str] = []
        self._templates = {
            (dialect, line.task): template(
                dialect, line.task, line.input_tokens, line.output_tokens
            )
            for dialect in ("openai", "anthropic", "google")
            for line in load_workload("guide").tasks
        }
        self._deadlines = Deadlines()

    async def run(self) -> None:
        columns = (
            TextColumn("the month"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            bar = progress.add_task("", total=self.total)
            self._begun = self._mark = time.perf_counter()
            workers = [self._work(progress, bar) for _ in range(CONCURRENCY)]
            await asyncio.gather(*workers)
        self._pool.retire()

    async def _work(self, progress: Progress, bar: object) -> None:
        for dialect, task, number in self._calls:
            await self._call(self._templates[dialect, task], number)
            self.done += 1
            if self.done % 500 == 0:
                progress.update(bar, completed=self.done)  # type: ignore[arg-type]
            if self.done % (self.total // TENTHS) == 0:
                self._tell()

    async def _call(self, found: Template, number: int) -> None:
        body = b"%b%d%b" % (found.before, number, found.after)
        head = request_line("POST", found.path) + field_lines(
            [(b"host", self._origin.authority.encode()), (b"content-type", b"application/json")]
        )
        response = await self._client.request(
            self._pool, head, found.headers, body, self._deadlines
        )
        reply = await response.read()
        if response.status not in (200, 202):  # 202: it is answered later
            self.failures.append(f"{response.status}: {reply[:200]!r}")

    def _tell(self) -> None:
        now = time.perf_counter()
        rate = self.total / TENTHS / (now - self._mark)
        self._mark = now
        share = self.done * 100 // self.total
        self._console.print(
            f"{share:4d}%  {self.done:>8,} calls  {rate:>7,.0f} calls/s  "
            f"gateway {rss_mb(self._pid):6.1f} MB"
        )


def check(
    directory: Path, month: Month, counted: int, scale: int, hybrid: int = HYBRID
) -> list[str]:
    """What is wrong with the ledger, whose whole month is to cost `hybrid` picodollars."""
    engine = open_ledger(LedgerConfig(directory=str(directory)))
    total = spend(engine, ("task",), datetime.now(UTC) - timedelta(days=2)).total
    with engine.connect() as connection:
        rows, requests = connection.execute(
            select(func.count(), func.count(attempts.c.request_id.distinct()))
        ).one()
    engine.dispose()
    wrong = list(month.failures[:5])
    for what, found, right in (
        ("rows in the ledger", rows, month.total),
        ("requests in the ledger", requests, month.total),
        ("calls counted by the providers", counted, month.total),
        ("rows in the hourly sums", total.attempts, month.total),
        ("picodollars on one provider", total.baseline, BASELINE // scale),
        ("picodollars of the hybrid", total.cost, hybrid // scale),
        ("estimated usages", total.estimated, 0),
    ):
        if found != right:
            wrong.append(f"{what}: {found:,}, not {right:,}")
    print(f"one provider ${dollars(total.baseline)}, hybrid ${dollars(total.cost)}, {rows:,} rows")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--scale", type=int, default=1, help="1 is the whole month, 1000 the demo's"
    )
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="hybridllm-month-") as home:
        with SimulatorProcess(keep_calls=False) as simulators:
            gateway = GatewayProcess(Path(home), simulators.env(), preset="guide")
            with gateway:
                month = Month(gateway.url, gateway.process.pid, options.scale, console)
                begun = time.perf_counter()
                asyncio.run(month.run())
                seconds = time.perf_counter() - begun
            counted = simulators.counts().calls
        wrong = check(gateway.ledger, month, counted, options.scale)
    print(f"{month.total:,} calls in {seconds:,.0f} s: {month.total / seconds:,.0f} calls/s")
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
