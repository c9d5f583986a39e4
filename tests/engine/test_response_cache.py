"""Answers are kept apart by caller, for as long as they last, on both databases and without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, text, update

from hybridllm.catalog.structs import Usage
from hybridllm.config import ResponseCacheConfig
from hybridllm.config_file import load_config
from hybridllm.engine.call import Answer, Call
from hybridllm.engine.response_cache import ResponseCache
from hybridllm.engine.runtime import open_runtime
from hybridllm.engine.stored import About, Stored
from hybridllm.engine.way import Engine
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.simulators import Fault, Simulators
from hybridllm.store import open_store, writing
from hybridllm.store.responses import ResponseRow, delete_expired, find_response, put_responses
from hybridllm.store.schema import responses
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect
from tests.databases import postgres_server, store_url

__all__ = ["postgres_server", "store_url"]

ALWAYS = 0


def stored(body: bytes = b"{}", *, age: float = 0.0) -> Stored:
    at = time.time_ns() // 1000 - int(age * 1e6)
    return Stored(About(created_at=at, model="openai/gpt-4o-mini", cost=7, usage=Usage()), body)


def cache_of(url: str, **settings: int) -> ResponseCache:
    return ResponseCache(url, ResponseCacheConfig(**settings))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


async def test_what_is_kept_is_there_at_once_and_in_the_next_process(store_url: str) -> None:
    first, answer = cache_of(store_url), stored(b"an answer" * 1000)
    first.put("a", 60, answer)
    assert await first.find("a", ALWAYS) is answer
    assert await first.find("b", ALWAYS) is None
    await asyncio.to_thread(first.close)
    second = cache_of(store_url)
    assert await second.find("a", ALWAYS) == answer
    await asyncio.to_thread(second.close)


async def test_of_two_answers_to_one_request_the_newer_is_kept(store_url: str) -> None:
    first = cache_of(store_url)
    newer, older = stored(b"newer"), stored(b"older", age=5)
    first.put("a", 60, newer)
    first.put("a", 60, older)
    await asyncio.to_thread(first.close)
    second = cache_of(store_url)
    assert await second.find("a", ALWAYS) == newer
    await asyncio.to_thread(second.close)


def test_what_has_expired_is_neither_found_nor_left_there(store_url: str) -> None:
    engine = open_store(store_url)
    rows = [ResponseRow(str(n), n, 100 + n, "{}", b"x") for n in range(5)]
    with writing(engine) as connection:
        put_responses(connection, rows)
        assert find_response(connection, "3", 102) == rows[3]
        assert find_response(connection, "2", 102) is None
        assert delete_expired(connection, 102) == 3
        left = connection.execute(select(func.count()).select_from(responses)).scalar()
    engine.dispose()
    assert left == 2


async def test_a_new_process_clears_away_what_has_expired(url: str) -> None:
    first = cache_of(url)
    first.put("old", 1, stored(age=5))
    first.put("new", 60, stored())
    await asyncio.to_thread(first.close)
    second = cache_of(url)
    assert await second.find("old", ALWAYS) is None
    second.warm_up()
    await asyncio.to_thread(second.close)
    engine = open_store(url)
    with engine.connect() as connection:
        assert connection.execute(select(responses.c.digest)).scalars().all() == ["new"]
    engine.dispose()


async def test_memory_is_bounded_and_what_was_used_last_stays(url: str) -> None:
    lose_the_table(url)
    cache = cache_of(url, memory_bytes=2_500)
    for name in "ab":
        cache.put(name, 60, stored(b"x" * 1000))
    assert await cache.find("a", ALWAYS) is not None
    cache.put("c", 60, stored(b"x" * 1000))
    held = [name for name in "abc" if await cache.find(name, ALWAYS) is not None]
    assert held == ["a", "c"]
    await asyncio.to_thread(cache.close)


def lose_the_table(url: str) -> None:
    """From now on memory alone can answer."""
    engine = open_store(url)
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE responses"))
    engine.dispose()


async def test_an_answer_that_is_too_large_is_not_kept(url: str) -> None:
    cache = cache_of(url, max_entry_bytes=10)
    cache.put("a", 60, stored(b"x" * 11))
    assert await cache.find("a", ALWAYS) is None
    await asyncio.to_thread(cache.close)


@pytest.mark.parametrize(
    "damage",
    [{"body": b"no zlib"}, {"about": "no JSON"}, {"body": b"x\x9c"}],
    ids=["body", "about", "cut"],
)
async def test_a_damaged_row_is_as_good_as_none(url: str, damage: dict[str, Any]) -> None:
    first = cache_of(url)
    first.put("a", 60, stored())
    await asyncio.to_thread(first.close)
    engine = open_store(url)
    with writing(engine) as connection:
        connection.execute(update(responses).values(**damage))
    engine.dispose()
    second = cache_of(url)
    assert await second.find("a", ALWAYS) is None
    await asyncio.to_thread(second.close)


async def test_a_store_that_fails_costs_nothing_but_its_answers(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = cache_of(url)
    first.put("a", 60, stored())
    await asyncio.to_thread(first.close)
    lose_the_table(url)
    cache = cache_of(url)
    for name in ("secret-digest", "b"):
        assert await cache.find(name, ALWAYS) is None
    kept = stored()
    cache.put("c", 60, kept)
    assert await cache.find("c", ALWAYS) is kept, "memory goes on"
    await asyncio.to_thread(cache.close)
    said = [r.getMessage() for r in caplog.records if r.name == "hybridllm.engine"]
    assert len(said) == 1 and "left alone" in said[0]
    assert "secret-digest" not in caplog.text


# -- by whom and for which task


class Book:
    """A journal in memory."""

    def __init__(self) -> None:
        self.rows: list[Attempt] = []

    def intend(self, intent: Intent) -> None:
        pass

    def record(self, attempt: Attempt) -> None:
        self.rows.append(attempt)


@pytest.fixture
async def engine(
    simulators: Simulators, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Engine]:
    for name, value in simulators.env().items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "hybridllm.toml"
    path.write_text('[tasks.classification]\nresponse_cache = "1h"\n')
    runtime = open_runtime(load_config(str(path), "guide"))
    cache = cache_of(url)
    yield Engine(runtime, Book(), cache)
    await runtime.close()
    await asyncio.to_thread(cache.close)


def call(key: str = "team-a", said: str = "Spam?", **more: Any) -> Call:
    body = {"model": "auto", "temperature": 0, "max_tokens": 9} | more
    body["messages"] = [{"role": "user", "content": said}]
    return Call(
        dialect=get_dialect("openai"),
        shape=RequestShape(),
        body=msgspec.json.encode(body),
        key=key,
        task="classification",
    )


def outcome(answer: Answer) -> str:
    return dict(answer.headers).get(b"x-hybridllm-cache", b"").decode()


async def test_no_caller_is_given_anothers_answer(engine: Engine) -> None:
    first = await engine.answer(call("team-a"))
    other = await engine.answer(call("team-b"))
    again = await engine.answer(call("team-a"))
    assert [outcome(one) for one in (first, other, again)] == ["miss", "miss", "hit"]
    assert again.body == first.body != other.body
    book = engine.journal
    assert isinstance(book, Book)
    assert [row.key for row in book.rows if row.cache_hit] == ["team-a"]


async def test_a_changed_bar_starts_anew(engine: Engine) -> None:
    await engine.answer(call())
    runtime = engine.runtime
    task = msgspec.structs.replace(runtime.config.tasks["classification"], bar=0.85)
    tasks = {**runtime.config.tasks, "classification": task}
    engine.runtime = open_runtime(msgspec.structs.replace(runtime.config, tasks=tasks), runtime)
    assert outcome(await engine.answer(call())) == "miss"
    await runtime.close()


async def test_a_caller_who_leaves_in_mid_stream_leaves_nothing_kept(
    engine: Engine, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="stall", calls=1, after_events=3))
    try:
        answer = await engine.answer(call(stream=True, max_tokens=200))
        assert answer.stream is not None
        await answer.stream.chunk()
        answer.stream.close()
    finally:
        simulators.clear_faults()
    again = await engine.answer(call(stream=True, max_tokens=200))
    assert outcome(again) == "miss"
    assert again.stream is not None
    while await again.stream.chunk():
        pass
    again.stream.close()
    assert outcome(await engine.answer(call(stream=True, max_tokens=200))) == "hit"


async def test_a_replay_that_is_broken_off_is_an_answer_all_the_same(engine: Engine) -> None:
    await engine.answer(call())
    hit = await engine.answer(call(stream=True))
    assert hit.stream is not None and outcome(hit) == "hit"
    hit.stream.close()
    assert await hit.stream.chunk() == b""
    assert (hit.stream.cost, hit.stream.baseline > 0) == (0, True)
