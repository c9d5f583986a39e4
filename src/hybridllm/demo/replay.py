"""Replays the guide's month at 1:1000: starts providers and gateway, sends every call, reads the
ledger. Nothing here is counted by the demo itself: every figure comes out of the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from msgspec import Struct

from hybridllm.config import LedgerConfig
from hybridllm.config_file import load_preset
from hybridllm.demo.prompts import prompt
from hybridllm.errors import HybridError
from hybridllm.gateway.process import GatewayProcess
from hybridllm.planning.workload import Workload
from hybridllm.reports.levers import LeversReport, levers
from hybridllm.reports.source import open_ledger
from hybridllm.reports.spend import SpendReport, spend
from hybridllm.simulators import Fault, SimulatorProcess

if TYPE_CHECKING:
    from hybridllm.demo.callers import Caller

CONCURRENCY = 16
SDKS = 3
_STREAM_EVERY = 4


class Ask(Struct, frozen=True):
    """One call of the replay. `caller` and `stream` spread it over SDKs and ways of answering."""

    task: str
    number: int
    input_tokens: int
    output_tokens: int
    caller: int
    stream: bool


class Run(Struct, kw_only=True):
    """What one replay did. Money is picodollars; `by_provider` and `by_model` are the ledger's
    sums by task and provider, and by task and model."""

    requests: int
    failed: int
    by_provider: SpendReport
    by_model: SpendReport
    failures: list[str]

    @property
    def hybrid(self) -> int:
        """What was spent, failed attempts included."""
        return self.by_provider.total.cost

    @property
    def baseline(self) -> int:
        return self.by_provider.total.baseline

    def fallbacks(self, usual: dict[str, str]) -> int:
        """Answers by another model than the task's usual one."""
        return sum(
            row.totals.answered for row in self.by_model.rows if usual[row.group[0]] != row.group[1]
        )

    def usual_models(self) -> dict[str, str]:
        """By task the model that answered most."""
        most: dict[str, tuple[int, str]] = {}
        for row in self.by_model.rows:
            task, model = row.group
            most[task] = max(most.get(task, (0, "")), (row.totals.answered, model))
        return {task: model for task, (_, model) in most.items()}


def asks_of(workload: Workload, scale: int) -> list[Ask]:
    """The workload's calls divided by `scale`, in a shuffled order that is always the same."""
    asks = [
        Ask(
            line.task,
            number,
            line.input_tokens,
            line.output_tokens,
            number % SDKS,
            number % _STREAM_EVERY == 0,
        )
        for line in workload.tasks
        for number in range(1, line.calls // scale + 1)
    ]
    Random(660).shuffle(asks)
    return asks


class Stage:
    """Simulated providers and a gateway with an empty ledger, each in a process of its own."""

    def __init__(self, home: Path, preset: str, config: str = "") -> None:
        self.simulators = SimulatorProcess(profile="fast")
        self._home = home
        self._preset = preset
        self._config = config
        self.gateway: GatewayProcess | None = None

    def __enter__(self) -> Stage:
        self.simulators.__enter__()
        try:
            self.gateway = GatewayProcess(
                self._home, self.simulators.env(), preset=self._preset, config=self._config
            ).start()
        except BaseException:
            self.simulators.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            if self.gateway is not None:
                self.gateway.stop()
        finally:
            self.simulators.__exit__(None, None, None)

    @property
    def url(self) -> str:
        if self.gateway is None:
            raise HybridError("The stage is not set up.")
        return self.gateway.url

    def take_down(self, provider: str) -> None:
        """From now on the provider drops every connection."""
        self.simulators.faults(Fault(kind="outage", provider=provider))

    def bring_back(self) -> None:
        """All providers answer again."""
        self.simulators.clear_faults()

    def ledger(self) -> tuple[SpendReport, SpendReport]:
        """Spend by task and provider and by task and model, once the gateway has stopped."""
        engine = open_ledger(LedgerConfig(directory=str(self._home / "ledger")))
        since = datetime.now(UTC) - timedelta(days=1)
        try:
            return spend(engine, ("task", "provider"), since), spend(
                engine, ("task", "model"), since
            )
        finally:
            engine.dispose()

    def levers(self) -> LeversReport:
        """What batches and caches did, once the gateway has stopped."""
        engine = open_ledger(LedgerConfig(directory=str(self._home / "ledger")))
        try:
            settings = load_preset(self._preset)
            return levers(engine, settings, datetime.now(UTC) - timedelta(days=1))
        finally:
            engine.dispose()


async def replay(
    url: str,
    asks: list[Ask],
    advance: Callable[[], None],
    at: Callable[[int], None] = lambda done: None,
) -> list[str]:
    """Send all calls, CONCURRENCY at a time; the failures' texts. `advance` is told of each call
    that ended, `at` the number of those that have begun."""
    from hybridllm.demo.callers import CALLERS  # three SDKs, which take seconds to import

    callers: list[Caller] = [make(url) for make in CALLERS]
    waiting = iter(enumerate(asks))
    failures: list[str] = []

    async def work() -> None:
        for begun, ask in waiting:
            at(begun)
            text = await asyncio.to_thread(
                prompt, ask.task, ask.number, ask.input_tokens, ask.output_tokens
            )
            caller = callers[ask.caller]
            try:
                answer = await caller.ask(ask.task, text, ask.output_tokens, ask.stream)
                if not answer:
                    failures.append(f"{caller.name}: {ask.task} {ask.number}: an empty answer")
            except Exception as e:
                failures.append(f"{caller.name}: {ask.task} {ask.number}: {e}")
            advance()

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return failures
