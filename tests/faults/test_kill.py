"""kill -9 at any moment, under load: no call to a provider is lost from the ledger, none is there
twice, none is invented, and what was under way is booked at its upper bound.

`make chaos` sets HYBRIDLLM_KILLS to a thousand.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

from sqlalchemy import select

from hybridllm.simulators import CallRecord, Simulators
from hybridllm.store import open_store
from hybridllm.store.schema import attempts
from tests.faults.load import Load
from tests.running import RunningGateway

KILLS = int(os.environ.get("HYBRIDLLM_KILLS", "100"))


def test_every_call_has_exactly_one_row_after_kills_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(20_261_125)
    load = Load()
    with Simulators(profile="fast") as simulators:
        gateway = RunningGateway(tmp_path, simulators.env())
        for _ in range(KILLS):
            gateway.start()
            asyncio.run(load_and_kill(gateway, load, chance.uniform(0.0, 0.25)))
        # The last one adopts what the killed have left, and ends well.
        gateway.start()
        assert gateway.stop() == 0
        calls = {call.attempt: call for call in simulators.calls()}
        assert len(calls) == len(simulators.calls()), "each attempt is sent once"
    check(gateway, calls, load)


async def load_and_kill(gateway: RunningGateway, load: Load, seconds: float) -> None:
    stop = asyncio.Event()
    port = int(gateway.url.rpartition(":")[2])
    asking = asyncio.create_task(load.run(port, stop))
    await asyncio.sleep(seconds)
    gateway.kill()
    stop.set()
    await asking


def check(gateway: RunningGateway, calls: dict[str, CallRecord], load: Load) -> None:
    engine = open_store(f"sqlite:///{gateway.ledger / 'ledger.db'}")
    with engine.connect() as connection:
        rows = connection.execute(select(attempts)).all()
    engine.dispose()
    by_name = {f"{row.request_id}-{row.attempt}": row for row in rows}
    assert len(by_name) == len(rows), "no row is there twice"
    assert calls.keys() <= by_name.keys(), "every call has its row"
    assert len(load.told) > KILLS
    for told in load.told:
        # Whoever got a whole reply finds it recorded as answered.
        assert told.status == 200, told.body
        (answered,) = [r for r in rows if r.request_id == told.request_id and r.answered]
        assert answered.outcome == "ok"
    unsent = 0
    for name, row in by_name.items():
        call = calls.get(name)
        if call is None:
            # Journalled, and killed before a byte had left: no one can know that it was not sent.
            assert row.outcome == "unknown"
            unsent += 1
        elif row.outcome == "ok":
            assert call.billed is not None
            assert row.output_tokens == call.billed.output_tokens
        else:
            assert row.outcome in ("unknown", "cancelled", "cut"), row.outcome
        if row.outcome == "unknown":
            assert row.usage_estimated and row.cost > 0, "booked at its upper bound"
            if call is not None and call.billed is not None:
                assert row.output_tokens >= call.billed.output_tokens
    assert unsent <= KILLS * load.callers
