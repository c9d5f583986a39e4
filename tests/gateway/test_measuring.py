"""Routes follow what was measured: at the start, while serving, and through a reload."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from hybridllm import Stack
from hybridllm.simulators import Simulators
from hybridllm.store import open_store, writing
from hybridllm.store.scores import Score, add_scores
from tests.gateway.upstream import PATHS
from tests.running import RunningGateway

ASK = {"model": "task/classification", "messages": [{"role": "user", "content": "spam?"}]}
CHEAPEST, NEXT = "openai/gpt-4o-mini", "google/gemini-2.5-flash"


def scored(directory: Path, model: str, n: int, good: int) -> None:
    """As an evaluation leaves it in the store."""
    now = time.time_ns() // 1000
    engine = open_store(f"sqlite:///{directory / 'ledger.db'}")
    with writing(engine) as connection:
        add_scores(
            connection,
            [
                Score("classification", model, "set", f"{i}", float(i < good), now, "exact")
                for i in range(n)
            ],
        )
    engine.dispose()


def model_of(gateway: RunningGateway) -> tuple[str, str]:
    """The model that answers, and why."""
    reply = gateway.post(PATHS["openai"], ASK)
    assert reply.status == 200
    return reply.headers["x-hybridllm-model"], reply.headers["x-hybridllm-reason"]


def test_a_gateway_leaves_a_model_that_is_measured_below_the_bar(
    simulators: Simulators, tmp_path: Path
) -> None:
    with RunningGateway(tmp_path, simulators.env()) as gateway:
        model, why = model_of(gateway)
        assert model == CHEAPEST and "assumed" in why
        scored(gateway.ledger, CHEAPEST, 200, 150)
        end = time.monotonic() + 30
        while model_of(gateway)[0] == CHEAPEST and time.monotonic() < end:
            time.sleep(0.5)
        assert model_of(gateway)[0] == NEXT
        scored(gateway.ledger, NEXT, 400, 390)
        while "assumed" in model_of(gateway)[1] and time.monotonic() < end:
            time.sleep(0.5)
        model, why = model_of(gateway)
        assert model == NEXT and "measured" in why
        gateway.process.send_signal(signal.SIGHUP)
        while "was reloaded" not in gateway.said() and time.monotonic() < end:
            time.sleep(0.1)
        assert "was reloaded" in gateway.said()
        assert model_of(gateway) == (model, why)


def live(directory: Path, start: int, n: int, bad: int) -> None:
    """Graded answers of live traffic, of which one in `bad` is bad; 100 a day."""
    day = 86_400 * 10**6
    first = time.time_ns() // 1000 - 30 * day
    rows = [
        Score(
            task="classification",
            model=CHEAPEST,
            run="live",
            sample=f"{i:04}",
            score=float(i % bad != 0),
            at=first + i * day // 100,
            grader="exact",
            source="production",
        )
        for i in range(start, start + n)
    ]
    engine = open_store(f"sqlite:///{directory / 'ledger.db'}")
    with writing(engine) as connection:
        add_scores(connection, rows)
    engine.dispose()


def until(gateway: RunningGateway, model: str) -> str:
    """Why the gateway routes to that model, once it does."""
    end = time.monotonic() + 30
    while model_of(gateway)[0] != model and time.monotonic() < end:
        time.sleep(0.3)
    found, why = model_of(gateway)
    assert found == model
    return why


def test_a_model_that_becomes_worse_gives_way_until_it_is_well(
    simulators: Simulators, tmp_path: Path
) -> None:
    with RunningGateway(tmp_path, simulators.env()) as gateway:
        live(gateway.ledger, 0, 600, 100)
        while "measured" not in until(gateway, CHEAPEST):
            time.sleep(0.3)
        live(gateway.ledger, 600, 120, 4)
        why = until(gateway, NEXT)
        assert "gpt-4o-mini is degraded since" in why and "0.99 before, 0.75 now" in why
        live(gateway.ledger, 720, 10, 4)
        live(gateway.ledger, 730, 200, 100)
        assert "degraded" not in until(gateway, CHEAPEST)
        said = gateway.said()
        assert said.count("openai/gpt-4o-mini at classification is degraded since") == 1
        assert said.count("openai/gpt-4o-mini at classification is no longer degraded") == 1


@pytest.fixture
def environment(simulators: Simulators, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    for name, value in simulators.env().items():
        monkeypatch.setenv(name, value)


async def test_the_library_starts_with_what_was_measured(environment: None, tmp_path: Path) -> None:
    scored(tmp_path, CHEAPEST, 60, 20)
    async with Stack(preset="guide", ledger=tmp_path) as stack:
        reply = await stack.chat(ASK["messages"], task="classification")  # type: ignore[call-overload]
        assert reply.model == NEXT


async def test_a_few_samples_do_not_end_a_route(environment: None, tmp_path: Path) -> None:
    scored(tmp_path, CHEAPEST, 5, 4)
    async with Stack(preset="guide", ledger=tmp_path) as stack:
        reply = await stack.chat(ASK["messages"], task="classification")  # type: ignore[call-overload]
        assert reply.model == CHEAPEST
