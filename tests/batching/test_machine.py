"""The lane before the simulated providers, whatever happens in whatever order, and dying at any of
its steps: in the end each line has one result, and what was billed is what the ledger says.

More runs: HYBRIDLLM_MACHINE=500 python -m pytest tests/batching/test_machine.py
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from hybridllm.batching.structs import NewLine
from hybridllm.simulators import Fault, Simulators
from tests.batching.lanes import BODIES, KEY, Crash, Home, new

T = TypeVar("T")
RUNS = int(os.environ.get("HYBRIDLLM_MACHINE", "12"))
TASKS = ("classification", "budget_analysis", "code_generation")
FAULTS = (
    Fault(kind="batch_errors", share=0.5, status=500, calls=1),
    Fault(kind="batch_expiry", share=0.5, calls=1),
    Fault(kind="batch_refused", message="No.", calls=1),
    Fault(kind="batch_slow", seconds=600.0, calls=1),
    Fault(kind="outage", status=503, calls=3),
    Fault(kind="outage", calls=2),
    Fault(kind="error", status=429, calls=1),
    Fault(kind="cut", calls=1),
)


class LaneMachine(RuleBasedStateMachine):
    simulators: ClassVar[Simulators]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.accepted: dict[str, int] = {}
        self.crashed = False
        self.simulators.reset()

    def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """None: the process died of it, and another took its place."""

        async def attempt() -> T | None:
            try:
                return await work
            except Crash:
                self.crashed = True
                await self.home.die()
                return None

        return self.loop.run_until_complete(attempt())

    @initialize()
    def begin(self) -> None:
        async def make() -> Home:
            path = Path(self.directory.name)
            return Home(f"sqlite:///{path / 'ledger.db'}", path)

        self.home = self.loop.run_until_complete(make())

    @rule(
        dialect=st.sampled_from(sorted(BODIES)),
        tasks=st.lists(st.sampled_from(TASKS), min_size=1, max_size=4),
        bad=st.booleans(),
        seconds=st.sampled_from([86_400.0, 86_400.0, 60.0]),
    )
    def accept(self, dialect: str, tasks: list[str], bad: bool, seconds: float) -> None:
        lines = [
            NewLine(custom_id=f"c{n}", body=BODIES[dialect](f"Number {n}"), task=task)
            for n, task in enumerate(tasks)
        ]
        if bad:
            lines.append(NewLine(custom_id="bad", body=b"{"))
        batch = self.run(self.home.lane.accept(new(dialect, seconds), lines))
        assert batch is not None
        self.accepted[batch.id] = len(lines)

    @rule()
    def drive(self) -> None:
        self.run(self.home.turn())

    @rule(seconds=st.sampled_from([1.0, 1_000.0]))
    def pass_time(self, seconds: float) -> None:
        self.simulators.advance(seconds)

    @rule(steps=st.integers(1, 12))
    def die(self, steps: int) -> None:
        """The process dies at a step that is soon to come."""
        self.home.steps.left = steps
        for _ in range(4):
            self.run(self.home.turn())

    @precondition(lambda self: self.accepted)
    @rule(which=st.integers(0, 10))
    def cancel(self, which: int) -> None:
        ids = list(self.accepted)
        self.run(self.home.lane.cancel(ids[which % len(ids)], KEY))

    @rule(fault=st.sampled_from(FAULTS))
    def go_wrong(self, fault: Fault) -> None:
        self.simulators.faults(fault)

    def teardown(self) -> None:
        try:
            if hasattr(self, "home"):
                self.home.steps.left = -1
                self.simulators.clear_faults()
                self.loop.run_until_complete(self.reconcile())
        finally:
            self.loop.close()
            self.directory.cleanup()

    async def reconcile(self) -> None:
        for id, total in self.accepted.items():
            for _ in range(400):
                await self.home.turn()
                batch = await self.home.lane.batch(id, KEY)
                assert batch is not None
                if batch.state == "ended":
                    break
                self.simulators.advance(3_600.0)
                await asyncio.sleep(0.01)
            assert batch.state == "ended", batch
            assert batch.answered + batch.failed + batch.cancelled == batch.total == total
            results = await self.home.results(id)
            assert [result.place for result in results] == list(range(total))
        for _ in range(8):  # jobs whose lines did not wait for them
            self.simulators.advance(3_600.0)
            await self.home.turn()
            await asyncio.sleep(0.01)
        await self.home.close()
        self.check_bills()

    def check_bills(self) -> None:
        """Each attempt that a provider billed is one row, of the same usage; and no other costs."""
        from hybridllm.store import open_store
        from hybridllm.store.schema import attempts

        engine = open_store(self.home.store_url)
        with engine.connect() as connection:
            rows = {
                f"{row.request_id}-{row.attempt}": row
                for row in connection.execute(attempts.select())
            }
        engine.dispose()
        billed = {
            call.attempt: call.billed
            for call in self.simulators.calls()
            if call.billed is not None and call.outcome == "ok"
        }
        for attempt, usage in billed.items():
            row = rows[attempt]
            # A live call whose process died before the answer came is there all the same.
            assert row.outcome in ("ok", "unknown", "cancelled")
            if row.outcome == "ok":
                assert row.output_tokens == usage.output_tokens
        assert {a for a, row in rows.items() if row.outcome == "ok"} <= set(billed)
        batched = [a.rpartition("-")[0] for a, row in rows.items() if row.batch and row.cost]
        assert len(batched) == len(set(batched)), "a line was billed in two batches"
        answers = [a.rpartition("-")[0] for a, row in rows.items() if row.answered]
        if not self.crashed:
            assert len(answers) == len(set(answers))


@pytest.mark.usefixtures("keys")
def test_whatever_happens_each_line_is_answered_once_and_billed_once(
    simulators: Simulators,
) -> None:
    LaneMachine.simulators = simulators
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        LaneMachine,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    simulators.reset()
