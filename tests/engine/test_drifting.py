"""A degraded model is not routed to, for as long as its scores say so, whoever reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine

from hybridllm.catalog.structs import Quality
from hybridllm.config import DriftConfig
from hybridllm.engine.measured import Measured, Watched, measured_in, with_measured
from hybridllm.routing import Plan, Router
from hybridllm.store import open_store, writing
from hybridllm.store.scores import Score, add_scores
from tests.routing.build import config, m, need, world

CHEAP, DEAR = m("cheap", 1.0), m("dear", 5.0)
BASE = config(CHEAP, DEAR, quality={"cheap": 0.9, "dear": 0.95}, bar=0.85)
DAY = 86_400 * 10**6
APRIL = 1_775_001_600 * 10**6  # 2026-04-01


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_store(url)
    yield engine
    engine.dispose()


def add(engine: Engine, start: int, n: int, bad: int, **other: str) -> None:
    """`n` scores of the cheap model, of which one in `bad` is bad; 100 a day."""
    said = {"run": "live", "grader": "exact", "source": "production", **other}
    rows = [
        Score(
            task="work",
            model=CHEAP.id,
            sample=f"{i:06}",
            score=float(i % bad != 0),
            at=APRIL + i * DAY // 100,
            **said,
        )
        for i in range(start, start + n)
    ]
    with writing(engine) as connection:
        add_scores(connection, rows)


def plan_of(found: Measured) -> Plan:
    return Router(with_measured(BASE, found)).explain(need(BASE), world())


def test_a_model_that_becomes_worse_gives_way_and_comes_back(engine: Engine, url: str) -> None:
    add(engine, 0, 700, 50)
    before = plan_of(measured_in(url, BASE))
    assert before.chain[0].id == CHEAP.id and "degraded" not in before.reason

    add(engine, 700, 200, 4)
    found = measured_in(url, BASE)
    (cell,) = found.cells
    assert cell.lower > 0.85, "by all of its scores it would still meet the bar"
    plan = plan_of(found)
    assert plan.chain[0].id == DEAR.id
    words = "degraded since 2026-04-08, 0.98 before, 0.75 now"
    assert f"; cheap is {words}" in plan.reason
    (why,) = [verdict.why for verdict in plan.verdicts if verdict.model == CHEAP.id]
    assert why.startswith("below the 0.85 bar") and words in why
    assert measured_in(url, BASE) == found, "whoever reads the same scores finds the same"

    add(engine, 900, 200, 50, source="shadow", run="shadow")
    again = plan_of(measured_in(url, BASE))
    assert again.chain[0].id == CHEAP.id and "degraded" not in again.reason


def test_who_proves_the_bar_at_its_worse_stays(engine: Engine, url: str) -> None:
    """From 0.99 to 0.90 is a decline, and yet a proof of 0.60 that a dearer model has to beat."""
    add(engine, 0, 600, 100)
    add(engine, 600, 400, 10)
    found = measured_in(url, BASE)
    assert found.declines and found.declines[0].lower > 0.8
    low = config(CHEAP, DEAR, quality={"cheap": 0.9, "dear": 0.95}, bar=0.6)
    plan = Router(with_measured(low, found)).explain(need(low), world())
    assert plan.chain[0].id == CHEAP.id
    assert "degraded since" in plan.verdicts[0].why and "degraded" not in plan.reason


def test_only_what_was_added_is_looked_at_again(engine: Engine, url: str) -> None:
    add(engine, 0, 400, 50)
    watching = Watched(url)
    assert watching.look(BASE.drift) and not watching.look(BASE.drift)
    add(engine, 400, 200, 4)
    assert watching.look(BASE.drift) and watching.found.declines
    found = watching.found.declines
    add(engine, 600, 9, 4)
    assert watching.look(BASE.drift) and watching.found.declines == found, "a few more can wait"
    add(engine, 609, 1, 4)
    assert watching.look(BASE.drift) and watching.found.declines[0].n > found[0].n
    held = watching.found.declines[0]
    assert watching.look(DriftConfig(enabled=False)) and not watching.found.declines
    assert watching.look(BASE.drift) and watching.found.declines == [held]
    watching.close()


def test_what_the_window_leaves_out_is_not_read(engine: Engine, url: str) -> None:
    """A decline that lies behind is forgotten; the baseline never is."""
    add(engine, 0, 400, 50)
    add(engine, 400, 200, 4)
    add(engine, 600, 100, 20)
    narrow = msgspec.structs.replace(BASE, drift=DriftConfig(window=100))
    (held,) = measured_in(url, BASE).declines
    assert held.n > 200
    assert not measured_in(url, narrow).declines


def test_benchmarks_and_variants_are_no_live_traffic(engine: Engine, url: str) -> None:
    for other in ({"source": "benchmark"}, {"variant": "v2"}, {"metric": "other"}):
        add(engine, 0, 400, 50, run=str(other), **other)
        add(engine, 400, 300, 3, run=str(other), **other)
    assert measured_in(url, BASE).declines == []


def test_a_newer_measurement_of_the_configuration_stands(engine: Engine, url: str) -> None:
    add(engine, 0, 400, 50)
    add(engine, 400, 200, 4)
    found = measured_in(url, BASE)
    stated = Quality(
        model=CHEAP.id, task="work", value=0.95, lower=0.92, samples=500, at="2026-05-01"
    )
    newer = msgspec.structs.replace(BASE, quality=(*BASE.quality, stated))
    assert Router(with_measured(newer, found)).explain(need(newer), world()).chain[0].id == CHEAP.id
