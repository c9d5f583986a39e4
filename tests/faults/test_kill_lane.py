"""kill -9 at any moment, with the lane under load: what was acknowledged is there, each line is
answered once and booked once, and what the providers did is what the ledger says.

`make chaos` sets HYBRIDLLM_LANE_KILLS to a hundred.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from http.client import HTTPException
from itertools import count
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from sqlalchemy import Engine, func, select, update

from hybridllm.batching.notes import read_custom_id, request_id
from hybridllm.simulators import Simulators
from hybridllm.simulators.profiles import Profile
from hybridllm.store import open_store, writing
from hybridllm.store.schema import attempts, batch_jobs, batch_lease, batch_lines, batches
from tests.gateway import test_anthropic_batches as anthropics
from tests.gateway import test_openai_batches as openais
from tests.running import RunningGateway
from tests.waiting import QUICK, until

KILLS = int(os.environ.get("HYBRIDLLM_LANE_KILLS", "3"))
LINES = 6
PROFILE = Profile(event_tokens=8, batch_seconds=0.4, batch_jitter=0.9)
MODELS = ("task/classification", "task/analysis", "task/code_generation")
"""One of each provider."""
GONE = (OSError, HTTPException)


class Callers(Struct):
    """Callers of each way in, who ask until the gateway is gone. What was acknowledged to them: the
    names of a batch's lines by its id, and the addresses of single requests' results."""

    openai: dict[str, list[str]] = field(default_factory=dict)
    anthropic: dict[str, list[str]] = field(default_factory=dict)
    deferred: list[str] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: count(1))

    def ask(self, gateway: RunningGateway) -> list[threading.Thread]:
        asking = [
            threading.Thread(target=self._until_gone, args=(ask, gateway))
            for ask in (self._openai, self._anthropic, self._deferred)
        ]
        for thread in asking:
            thread.start()
        return asking

    def _until_gone(self, ask: Any, gateway: RunningGateway) -> None:
        try:
            while True:
                ask(gateway, next(self.numbers))
                time.sleep(0.1)
        except GONE:
            pass

    def _openai(self, gateway: RunningGateway, number: int) -> None:
        names = [f"{number}-{n}" for n in range(LINES)]
        lines = [openais.line(name, model=MODELS[n % 3]) for n, name in enumerate(names)]
        self.openai[openais.create(gateway, lines)["id"]] = names

    def _anthropic(self, gateway: RunningGateway, number: int) -> None:
        names = [f"{number}-{n}" for n in range(LINES)]
        requests = [anthropics.one(name, MODELS[n % 3]) for n, name in enumerate(names)]
        self.anthropic[anthropics.create(gateway, *requests)["id"]] = names

    def _deferred(self, gateway: RunningGateway, number: int) -> None:
        body = {
            "model": MODELS[number % 3],
            "messages": [{"role": "user", "content": f"{number}?"}],
        }
        reply = gateway.post(openais.CHAT, body, {"x-hybridllm-deadline": "6h"})
        assert reply.status == 202, reply.body
        self.deferred.append(reply.json()["result_url"])


def test_each_line_is_answered_once_and_booked_once_after_kills_at_random_moments(
    tmp_path: Path,
) -> None:
    chance = random.Random(20_261_125)
    callers = Callers()
    with Simulators(profile=PROFILE) as simulators:
        gateway = RunningGateway(tmp_path, simulators.env(), config=QUICK)
        store = None
        for _ in range(KILLS):
            gateway.start()
            asking = callers.ask(gateway)
            time.sleep(chance.uniform(0.1, 0.9))
            gateway.kill()
            for thread in asking:
                thread.join()
            store = store or open_store(f"sqlite:///{gateway.ledger / 'ledger.db'}")
            a_minute_passes(store)
        assert store is not None
        with gateway:
            until(lambda: left(store), lambda n: n == 0, seconds=60)
            check_answers(gateway, callers)
        done = [call.attempt for call in simulators.calls() if call.batch]
        live = [call for call in simulators.calls() if call.billed and not call.batch]
    assert not live, "all had a day, and went into batches"
    check_books(store, done)
    store.dispose()


def a_minute_passes(store: Engine) -> None:
    """Since the gateway was killed: its lease has lapsed, and no provider can still be busy with
    what it was sending."""
    at_work = batch_jobs.c.state.in_(("claimed", "doubtful"))
    with writing(store) as connection:
        connection.execute(update(batch_lease).values(until=0))
        earlier = batch_jobs.c.created_at - 61_000_000
        connection.execute(update(batch_jobs).where(at_work).values(created_at=earlier))


def left(store: Engine) -> int:
    """Acknowledged batches that have not ended."""
    with store.connect() as connection:
        query = select(func.count()).where(batches.c.state.not_in(("arriving", "ended")))
        return int(connection.execute(query.select_from(batches)).scalar_one())


def check_answers(gateway: RunningGateway, callers: Callers) -> None:
    """Whoever was told that a batch is accepted finds each of its lines answered."""
    assert callers.openai and callers.anthropic and callers.deferred
    for id, names in callers.openai.items():
        done = openais.batch(gateway, id)
        assert done["request_counts"] == {"total": LINES, "completed": LINES, "failed": 0}
        rows = openais.content(gateway, done["output_file_id"])
        assert [row["custom_id"] for row in rows] == names
    for id, names in callers.anthropic.items():
        found = anthropics.results(gateway, id)
        assert [row["custom_id"] for row in found] == names
        assert {row["result"]["type"] for row in found} == {"succeeded"}
    for url in callers.deferred:
        assert gateway.request("GET", url).status == 200


def check_books(store: Engine, done: list[str]) -> None:
    """Lines of the store, requests that the providers did, and rows of the ledger are the same."""
    with store.connect() as connection:
        whole = select(batches.c.id).where(batches.c.state == "ended")
        lines = connection.execute(select(batch_lines).where(batch_lines.c.batch.in_(whole))).all()
        rows = connection.execute(select(attempts)).all()
        cost = connection.execute(select(func.sum(batches.c.cost))).scalar_one()
    assert {line.state for line in lines} == {"answered"}
    named = [read_custom_id(name) for name in done]
    assert None not in named
    served = Counter(name[0] for name in named if name is not None)
    assert served == {request_id(line.batch, line.place): 1 for line in lines}
    booked = Counter(f"{row.request_id}-{row.attempt}" for row in rows)
    assert booked == dict.fromkeys(done, 1), "each in the ledger as what the provider did"
    for row in rows:
        assert row.batch and row.answered and row.outcome == "ok"
        assert row.cost > 0 and not row.usage_estimated
    assert sum(row.cost for row in rows) == cost
