"""Google's explicit caches: made where their storage pays, named by what follows, paid for once.

The engine and the providers' caches are real, the latter simulated; only the clock is the test's.
"""

from __future__ import annotations

import asyncio
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
from hybridllm.simulators.profiles import Profile
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect
from tests.relay import Relay

PRO = "gemini-2.5-pro"
EXPLICIT = "explicit = true"
_NUMBER = count(1)


class Rows:
    """A journal in memory."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.all: list[Attempt] = []

    def intend(self, intent: Intent) -> None:
        self.intents.append(intent)

    def record(self, attempt: Attempt) -> None:
        self.all.append(attempt)

    def made(self) -> list[Attempt]:
        return [row for row in self.all if row.reason.startswith("explicit cache")]


@pytest.fixture(scope="module")
def google() -> Iterator[Simulators]:
    """Providers whose implicit caches read nothing, so that it is explicit ones which pay."""
    with Simulators(profile=Profile(event_tokens=8, caching=False)) as running:
        yield running


@pytest.fixture(scope="module")
def relay(google: Simulators) -> Iterator[Relay]:
    with Relay(google.env()) as running:
        yield running


class Office:
    """An engine, what it sends and what it writes down."""

    def __init__(self, engine: Engine, rows: Rows, relay: Relay) -> None:
        self.engine, self.rows, self.relay = engine, rows, relay

    async def ask(self, body: dict[str, Any], key: str = "ann", stream: bool = False) -> Any:
        """The last body that Google got for the question; whatever is made then is there."""
        said = {"contents": [user(f"Question {next(_NUMBER)}?")], **body}
        shape = RequestShape(model=PRO, stream=stream, sse=stream)
        await self._send(
            Call(
                dialect=get_dialect("google"), shape=shape, body=msgspec.json.encode(said), key=key
            )
        )
        return self.sent()[-1]

    async def chat(self, system: str) -> Any:
        """As `ask`, in OpenAI's dialect."""
        said = [{"role": "system", "content": system}]
        said += [{"role": "user", "content": f"Question {next(_NUMBER)}?"}]
        body = msgspec.json.encode({"model": PRO, "messages": said})
        await self._send(
            Call(dialect=get_dialect("openai"), shape=RequestShape(), body=body, key="ann")
        )
        return self.sent()[-1]

    def sent(self) -> list[Any]:
        """The bodies of all questions."""
        return [s.json() for s in self.relay.sent if not s.path.endswith("/cachedContents")]

    async def _send(self, call: Call) -> None:
        answer = await self.engine.answer(call)
        assert answer.status == 200, answer.body
        while answer.stream is not None and await answer.stream.chunk():
            pass
        await asyncio.gather(*self.engine.runtime.background)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


def handbook(tokens: int = 3_000) -> dict[str, Any]:
    """A system instruction that no other test has."""
    return {"systemInstruction": {"parts": [{"text": prose(tokens)}]}}


def prose(tokens: int = 3_000) -> str:
    number = next(_NUMBER)
    return prompt_of(tokens, seed=number, start=f"Handbook {number}.")


@pytest.fixture
async def office(
    request: pytest.FixtureRequest, relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    """With explicit caches on, or what the test's parameter says instead."""
    for name, value in {**relay.env(), "SECOND_KEY": "sim-second"}.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "hybridllm.toml"
    path.write_text(f"[caching]\nenabled = true\n{getattr(request, 'param', EXPLICIT)}\n")
    runtime = open_runtime(load_config(str(path), "guide"))
    rows = Rows()
    yield Office(Engine(runtime, rows), rows, relay)
    await runtime.close()


class Clock:
    """Time as the way of a request sees it. The providers' clock goes with it."""

    def __init__(self, simulators: Simulators, monkeypatch: pytest.MonkeyPatch) -> None:
        self._simulators, self._ahead = simulators, 0.0
        real = way.time
        shown = SimpleNamespace(
            monotonic=lambda: real.monotonic() + self._ahead,
            time=lambda: real.time() + self._ahead,
        )
        monkeypatch.setattr(way, "time", shown)

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
        self._simulators.advance(seconds)


@pytest.fixture
def clock(google: Simulators, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    yield Clock(google, monkeypatch)
    google.reset()


async def test_a_cache_is_made_once_enough_uses_came_and_is_then_named(office: Office) -> None:
    body = handbook()
    # $1.25 for its making and $0.375 for five minutes: two reads save $2.25 a million tokens.
    for _ in range(3):
        assert (await office.ask(body))["systemInstruction"] == body["systemInstruction"]
        if len(office.rows.all) < 3:
            assert office.rows.made() == []
    (made,) = office.rows.made()
    sent = await office.ask(body)
    assert sent["cachedContent"] == made.provider_request_id
    assert "systemInstruction" not in sent and len(sent["contents"]) == 1
    assert office.rows.all[-1].cache_read_tokens == made.input_tokens == 3_000
    assert len(office.rows.made()) == 1, "one is enough"


async def test_the_ledger_has_the_money_of_the_cache_once(office: Office) -> None:
    body = handbook()
    for _ in range(4):
        await office.ask(body)
    (made,) = office.rows.made()
    # Picodollars a token: $1.25 a million, and $4.50 a million and hour, for five minutes.
    assert made.cost == 3_000 * 1_250_000 + 3_000 * 4_500_000 * 300 // 3_600
    assert (made.outcome, made.answered, made.baseline) == ("ok", False, 0)
    assert made.write_extra == made.cost and made.output_tokens == 0
    used = office.rows.all[-1]
    assert used.cost == (
        used.input_tokens * 1_250_000 + 3_000 * 125_000 + used.output_tokens * 10_000_000
    )
    intents = {(one.request_id, one.attempt): one.upper_cost for one in office.rows.intents}
    assert len(intents) == len(office.rows.all) == 5, "an intent each"
    assert made.cost <= intents[made.request_id, 1]


async def test_no_answer_waits_for_the_making_but_the_end_does(office: Office) -> None:
    body, runtime = {**handbook(), "contents": [user("And?")]}, office.engine.runtime
    shape = RequestShape(model=PRO)
    call = Call(dialect=get_dialect("google"), shape=shape, body=msgspec.json.encode(body), key="a")
    for _ in range(3):
        await office.engine.answer(call)
    assert len(runtime.background) == 1 and office.rows.made() == []
    await runtime.close()
    assert [row.outcome for row in office.rows.made()] == ["ok"]


@pytest.mark.parametrize(
    "office", ["", "explicit = false", EXPLICIT + '\noff = ["general"]'], indirect=True
)
async def test_off_nothing_is_made(office: Office) -> None:
    body = handbook()
    for _ in range(6):
        sent = await office.ask({**body, "labels": {"task": "general"}})
        assert sent["systemInstruction"] == body["systemInstruction"]
    assert office.rows.made() == []


async def test_tools_and_leading_messages_are_left_out_with_it(office: Office) -> None:
    tools = [{"functionDeclarations": [{"name": "look", "description": "Look it up."}]}]
    shots = [user(prose()), {"role": "model", "parts": [{"text": prose(500)}]}]
    for _ in range(8):
        question = user(f"{next(_NUMBER)}?")
        sent = await office.ask({"tools": tools, "contents": [*shots, question]})
    assert "tools" not in sent and sent["cachedContent"]
    assert len(sent["contents"]) == 1, "the question alone"


async def test_what_is_translated_names_it_too(office: Office) -> None:
    system = prose()
    for _ in range(4):
        sent = await office.chat(system)
    assert "systemInstruction" not in sent and sent["cachedContent"]
    assert office.rows.all[-1].cache_read_tokens == 3_000


async def test_a_stream_reads_it_too(office: Office) -> None:
    body = handbook()
    for _ in range(4):
        sent = await office.ask(body, stream=True)
    assert sent["cachedContent"] and office.rows.all[-1].cache_read_tokens == 3_000


async def test_after_its_end_requests_are_whole_again_and_another_is_made_when_it_pays(
    office: Office, clock: Clock
) -> None:
    body = handbook()
    for _ in range(4):
        await office.ask(body)
    clock.advance(299)  # it might be gone on arrival
    assert "cachedContent" not in await office.ask(body)
    assert all(row.outcome == "ok" for row in office.rows.all)
    clock.advance(4_000)
    assert "cachedContent" not in await office.ask(body)
    before = len(office.rows.made())
    for _ in range(3):
        sent = await office.ask(body)
    assert len(office.rows.made()) == before + 1 and sent["cachedContent"]


async def test_uses_too_far_apart_make_none(office: Office, clock: Clock) -> None:
    body = handbook()
    for _ in range(6):
        await office.ask(body)
        clock.advance(1_800)
    assert office.rows.made() == [], "an hour's storage costs more than two reads save"


async def test_an_hour_of_steady_use_makes_one_for_an_hour(office: Office, clock: Clock) -> None:
    body = handbook()
    for _ in range(16):
        await office.ask(body)
        clock.advance(301)
    assert {row.reason.split(",")[0] for row in office.rows.made()} >= {"explicit cache for 3600 s"}


async def test_a_cache_is_of_the_key_for_which_it_was_made(office: Office) -> None:
    body = handbook()
    for _ in range(4):
        await office.ask(body, "ann")
    assert "cachedContent" not in await office.ask(body, "bob")
    assert "cachedContent" in await office.ask(body, "ann")


@pytest.mark.parametrize("office", [EXPLICIT + "\nisolate = false"], indirect=True)
async def test_without_isolation_keys_share(office: Office) -> None:
    body = handbook()
    for key in ("ann", "bob", "ann"):
        await office.ask(body, key)
    assert "cachedContent" in await office.ask(body, "bob")


TWO_KEYS = """
[[providers.google.keys]]
env = "GEMINI_API_KEY"
[[providers.google.keys]]
env = "SECOND_KEY"
"""


@pytest.mark.parametrize("office", [EXPLICIT + TWO_KEYS], indirect=True)
async def test_each_key_of_the_provider_has_its_own(office: Office) -> None:
    """They may be of two projects, of which neither sees the other's caches."""
    body = handbook()
    for _ in range(8):
        sent = await office.ask(body)
    assert sent["cachedContent"] and len(office.rows.made()) == 2
    assert [row.outcome for row in office.rows.all] == ["ok"] * 10


async def test_a_cache_that_has_vanished_costs_an_attempt_and_no_answer(
    office: Office, google: Simulators
) -> None:
    body = handbook()
    for _ in range(3):
        await office.ask(body)
    google.reset()
    sent = await office.ask(body)
    assert sent["systemInstruction"] == body["systemInstruction"]
    refused, answered = office.rows.all[-2:]
    assert (refused.status, refused.outcome, refused.cost) == (403, "error", 0)
    assert (answered.outcome, answered.attempt) == ("ok", 2)
    assert answered.request_id == refused.request_id
    await office.ask(body)
    assert office.rows.all[-1].attempt == 1, "it is not named again"
    assert len(office.rows.made()) == 1, "nor made again for a while"


async def test_a_callers_own_cache_is_left_to_him(office: Office) -> None:
    made = handbook()
    for _ in range(3):
        await office.ask(made)
    (ours,) = office.rows.made()
    body = {"cachedContent": ours.provider_request_id, "contents": [user(prose(2_500))]}
    for _ in range(6):
        assert await office.ask(body) == body
    assert len(office.rows.made()) == 1


async def test_what_is_too_short_for_a_cache_has_none(office: Office) -> None:
    body = handbook(1_500)
    for _ in range(6):
        await office.ask(body)
    assert office.rows.made() == []


async def test_a_refusal_is_booked_logged_once_and_not_tried_again(
    office: Office, google: Simulators, caplog: pytest.LogCaptureFixture
) -> None:
    # Estimated by its bytes it is long enough; its provider counts fewer tokens.
    body = {"systemInstruction": {"parts": [{"text": " " * 60_000}]}}
    body["contents"] = [user(prose(3_000))]
    for _ in range(6):
        await office.ask(body)
    (made,) = office.rows.made()
    assert (made.outcome, made.status, made.cost) == ("error", 400, 0)
    assert len([r for r in caplog.records if "could not be made" in r.message]) == 1


async def test_where_the_implicit_cache_reads_anyway_none_is_made(
    simulators: Simulators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Relay(simulators.env()) as relay:
        for name, value in relay.env().items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "hybridllm.toml"
        path.write_text(f"[caching]\nenabled = true\n{EXPLICIT}\n")
        rows, runtime = Rows(), open_runtime(load_config(str(path), "guide"))
        office, body = Office(Engine(runtime, rows), rows, relay), handbook()
        for _ in range(8):
            await office.ask(body)
        assert rows.all[-1].cache_read_tokens > 2_500 and rows.made() == []
        await runtime.close()
