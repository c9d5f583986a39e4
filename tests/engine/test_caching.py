"""What an engine puts into bodies for providers' prompt caches as hours pass, and whose it is.

The engine is real and so are the providers' caches, simulated; only the clock is the test's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hybridllm.config_file import load_config
from hybridllm.engine import way
from hybridllm.engine.call import Call
from hybridllm.engine.runtime import open_runtime
from hybridllm.engine.way import Engine
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.simulators import Simulators, prompt_of
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect
from tests.relay import Relay, marks

_NUMBER = count(1)
QUARTER = 900.0


class Clock:
    """Time as the way of a request sees it. The providers' clock goes with it."""

    def __init__(self, simulators: Simulators, monkeypatch: pytest.MonkeyPatch) -> None:
        self._simulators = simulators
        self._real = way.time
        self._ahead = 0.0
        shown = SimpleNamespace(
            monotonic=lambda: self._real.monotonic() + self._ahead,
            time=lambda: self._real.time() + self._ahead,
        )
        monkeypatch.setattr(way, "time", shown)

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
        self._simulators.advance(seconds)


class Forgetful:
    """A journal of which nothing is wanted."""

    def intend(self, intent: Intent) -> None:
        pass

    def record(self, attempt: Attempt) -> None:
        pass


@pytest.fixture
def clock(simulators: Simulators, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    yield Clock(simulators, monkeypatch)
    simulators.reset()  # other tests are not days ahead


@pytest.fixture(scope="module")
def relay(simulators: Simulators) -> Iterator[Relay]:
    with Relay(simulators.env()) as running:
        yield running


class Office:
    """An engine, and what it sends."""

    def __init__(self, engine: Engine, relay: Relay) -> None:
        self.engine, self._relay = engine, relay

    async def ask(self, system: str, key: str = "ann", model: str = "claude-sonnet-4-6") -> Any:
        """The body that the provider got."""
        body = {"model": model, "max_tokens": 9, "metadata": {"task": "general"}}
        said = [{"role": "system", "content": system}]
        said += [{"role": "user", "content": f"Question {next(_NUMBER)}?"}]
        answer = await self.engine.answer(
            Call(
                dialect=get_dialect("openai"),
                shape=RequestShape(),
                body=msgspec.json.encode({**body, "messages": said}),
                key=key,
            )
        )
        assert answer.status == 200, answer.body
        return self._relay.last().json()


@pytest.fixture
async def office(
    request: pytest.FixtureRequest, relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    """With prompt caching on, and what the test's parameter says besides."""
    for name, value in relay.env().items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "hybridllm.toml"
    path.write_text(f"[caching]\nenabled = true\n{getattr(request, 'param', '')}\n")
    runtime = open_runtime(load_config(str(path), "guide"))
    yield Office(Engine(runtime, Forgetful()), relay)
    await runtime.close()


def prose(tokens: int = 2_000) -> str:
    number = next(_NUMBER)
    return prompt_of(tokens, seed=number, start=f"Handbook {number}.")


async def test_what_comes_again_within_the_hour_alone_is_marked_for_an_hour(
    office: Office, clock: Clock
) -> None:
    system, found = prose(), []
    for _ in range(8):
        found.append(marks(await office.ask(system)))
        clock.advance(QUARTER)
    assert found[0] == []
    assert found[-1] == [("system[0]", "1h")]


@pytest.mark.parametrize("office", ["long_ttl = false"], indirect=True)
async def test_without_the_longer_lifetime_what_a_short_one_cannot_hold_is_not_marked(
    office: Office, clock: Clock
) -> None:
    system = prose()
    for _ in range(8):
        body = await office.ask(system)
        clock.advance(QUARTER)
    assert marks(body) == []


async def test_a_mark_ends_with_its_reason(office: Office, clock: Clock) -> None:
    system = prose()
    for _ in range(4):
        body = await office.ask(system)
    assert marks(body) == [("system[0]", "5m")]
    for _ in range(12):
        clock.advance(3 * 3_600)
        body = await office.ask(system)
    assert marks(body) == [], "it comes again beyond every lifetime"


async def test_what_another_key_has_is_neither_marked_nor_named_alike(office: Office) -> None:
    system = prose()
    for _ in range(3):
        body = await office.ask(system, "ann")
    assert marks(body) == [("system[0]", "5m")]
    for _ in range(3):
        assert marks(await office.ask(system, "bob")) == [], "bob would read what ann wrote"
    other = prose()
    first = (await office.ask(other, "ann", "gpt-4o"))["prompt_cache_key"]
    assert "prompt_cache_key" not in await office.ask(other, "bob", "gpt-4o")
    own = prose()
    theirs = (await office.ask(own, "bob", "gpt-4o"))["prompt_cache_key"]
    assert theirs != first


async def test_a_prefix_of_ones_own_is_marked_beside_anothers(office: Office) -> None:
    for key in ("ann", "bob"):
        system = prose()
        for _ in range(3):
            body = await office.ask(system, key)
        assert marks(body) == [("system[0]", "5m")], key


@pytest.mark.parametrize("office", ["isolate = false"], indirect=True)
async def test_without_isolation_keys_share_what_they_have_in_common(office: Office) -> None:
    system = prose()
    await office.ask(system, "ann")
    assert marks(await office.ask(system, "bob")) == [("system[0]", "5m")]
    keys = {(await office.ask(system, key, "gpt-4o"))["prompt_cache_key"] for key in ("ann", "bob")}
    assert len(keys) == 1
