"""The whole fault plan under load: each caller gets one well-formed answer or one well-formed error
in its own dialect, and the ledger knows every call that a provider saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Row, select

from hybridllm.simulators import Fault, Simulators
from hybridllm.store import open_store
from hybridllm.store.schema import attempts
from tests.faults.load import Load
from tests.faults.wellformed import verdict
from tests.running import RunningGateway

CONFIG = """
[retries]
base_seconds = 0.01
cap_seconds = 0.2
budget_ratio = 0.2
budget_floor = 2.0

[breaker]
open_seconds = 1.0

[providers.openai]
deadlines = { first_byte = 2.0, between_bytes = 2.0 }
[providers.anthropic]
deadlines = { first_byte = 2.0, between_bytes = 2.0 }
[providers.google]
deadlines = { first_byte = 2.0, between_bytes = 2.0 }
"""
REQUESTS = 240

STORMS: dict[str, list[Fault]] = {
    "errors of all kinds, one call in five": [
        Fault(kind="error", status=500, probability=0.08),
        Fault(kind="error", status=503, probability=0.06),
        Fault(kind="error", status=429, retry_after=0.05, probability=0.06),
    ],
    "streams and replies cut": [Fault(kind="cut", after_events=3, probability=0.3)],
    "nothing but silence, one call in twenty": [
        Fault(kind="stall", after_events=2, seconds=60, probability=0.05)
    ],
    "malformed events": [Fault(kind="malformed", after_events=2, probability=0.2)],
    "errors within streams": [Fault(kind="stream_error", after_events=2, probability=0.3)],
    "wrong usage": [Fault(kind="usage", usage="zero", probability=0.5)],
    "one provider down": [Fault(kind="outage", provider="anthropic")],
    "two providers down": [
        Fault(kind="outage", provider="openai"),
        Fault(kind="outage", provider="google", status=503),
    ],
    "everything down": [Fault(kind="outage")],
}
SURVIVED = {"one provider down", "two providers down"}


@pytest.fixture
def providers() -> Iterator[Simulators]:
    """Of this storm alone, with chance seeded."""
    with Simulators(profile="fast", seed=7) as running:
        yield running


@pytest.mark.parametrize("name", STORMS)
def test_every_caller_gets_one_answer_or_one_error(
    providers: Simulators, tmp_path: Path, name: str
) -> None:
    load = Load(callers=12)
    with RunningGateway(tmp_path, providers.env(), config=CONFIG) as gateway:
        providers.faults(*STORMS[name])
        asyncio.run(storm(gateway, load))
    verdicts = Counter(verdict(told) for told in load.told)
    assert load.cut_off == 0, "no connection is dropped"
    assert len(load.told) >= REQUESTS
    assert sum(verdicts.values()) == len(load.told)
    if name in SURVIVED:
        assert verdicts == {"answer": len(load.told)}
    if name == "errors of all kinds, one call in five":
        # Retries are rationed, so that a storm is not amplified: some requests meet an error at
        # every model of their chain.
        assert verdicts["answer"] >= 0.85 * len(load.told)
    if name == "everything down":
        assert verdicts == {"error": len(load.told)}
    rows = ledger(gateway)
    check_calls(providers, rows)
    check_order(rows)
    check_budget(load, rows)


async def storm(gateway: RunningGateway, load: Load) -> None:
    stop = asyncio.Event()

    async def enough() -> None:
        while len(load.told) < REQUESTS:
            await asyncio.sleep(0.02)
        stop.set()

    port = int(gateway.url.rpartition(":")[2])
    await asyncio.gather(load.run(port, stop), enough())


def ledger(gateway: RunningGateway) -> list[Row[tuple[object, ...]]]:
    engine = open_store(f"sqlite:///{gateway.ledger / 'ledger.db'}")
    with engine.connect() as connection:
        rows = connection.execute(select(attempts)).all()
    engine.dispose()
    return list(rows)


def check_calls(providers: Simulators, rows: list[Row[tuple[object, ...]]]) -> None:
    """Every call has one row, and no row is without its call."""
    seen = Counter(call.attempt for call in providers.calls())
    recorded = Counter(f"{row.request_id}-{row.attempt}" for row in rows)
    assert set(seen.values()) == {1} == set(recorded.values())
    assert seen.keys() == recorded.keys()


def check_order(rows: list[Row[tuple[object, ...]]]) -> None:
    """A request tries one model after another, never comes back to one that it has left, and asks
    no one after it was answered."""
    requests: dict[str, list[Row[tuple[object, ...]]]] = {}
    for row in sorted(rows, key=lambda row: row.attempt):
        requests.setdefault(row.request_id, []).append(row)
    for tried in requests.values():
        assert [row.attempt for row in tried] == list(range(1, len(tried) + 1))
        left: list[str] = []
        for row in tried:
            if not left or row.model != left[-1]:
                assert row.model not in left
                left.append(row.model)
        assert not any(row.answered for row in tried[:-1])


def check_budget(load: Load, rows: list[Row[tuple[object, ...]]]) -> None:
    """Calls of the same model again are retries: a fifth of the requests, and two a second."""
    again = Counter((row.request_id, row.model) for row in rows)
    retries = sum(count - 1 for count in again.values())
    seconds = (max(row.at + row.total_us for row in rows) - min(row.at for row in rows)) / 1e6
    assert retries <= 0.2 * len(load.told) + 2.0 * (seconds + 10) + load.callers
